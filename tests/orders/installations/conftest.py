"""A brand whose goods are installed; its books add up in the end."""

from collections.abc import AsyncIterator

import pytest

from backend.orders import sold_out
from backend.runtime import Runtime
from tests.catalogue import Connection
from tests.orders.checks import assert_clean
from tests.orders.installations.installing import Installing
from tests.world import World


@pytest.fixture
async def installing(
    runtime: Runtime, world: World, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Installing]:
    """No stock; nothing is taken for sold out because it was a moment ago."""
    monkeypatch.setattr(sold_out, "MEMORY_SECONDS", 0.0)
    brand = Installing(runtime, world, admin)
    await brand.begin()
    yield brand
    await assert_clean(runtime, world)
