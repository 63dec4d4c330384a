"""A brand whose orders are given to other nodes where that is cheaper."""

from collections.abc import AsyncIterator

import pytest

from backend.orders import sold_out
from tests.inventory.pools.conftest import live
from tests.inventory.pools.living import Living
from tests.orders.checks import assert_clean
from tests.orders.rerouting.moving import Moving
from tests.orders.strategies.routed import Routed

__all__ = ["live"]


@pytest.fixture
async def moving(live: Living, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Moving]:
    """Cheapest first; from 5.00 saved on an order is given to other nodes. No stock."""
    monkeypatch.setattr(sold_out, "MEMORY_SECONDS", 0.0)
    brand = Moving(Routed(live))
    await brand.by()
    await live.warm()
    yield brand
    await assert_clean(live.runtime, live.world)
