"""A process that looks at the policy whenever an order comes; its books add up in the end."""

import pytest

from backend.orders import sold_out
from tests.inventory.pools.conftest import live as _live
from tests.inventory.pools.living import Living
from tests.orders.strategies.routed import Routed

live = _live


@pytest.fixture
async def routed(live: Living, monkeypatch: pytest.MonkeyPatch) -> Routed:
    """No stock; nothing is taken for sold out because it was a moment ago."""
    monkeypatch.setattr(sold_out, "MEMORY_SECONDS", 0.0)
    return Routed(live)
