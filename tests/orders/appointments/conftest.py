"""A brand that agrees on times; its books add up in the end."""

from collections.abc import AsyncIterator

import pytest

from backend.orders import sold_out
from backend.runtime import Runtime
from tests.catalogue import Connection
from tests.orders.appointments.agreeing import Agreeing
from tests.orders.checks import assert_clean
from tests.world import World


@pytest.fixture
async def agreeing(
    runtime: Runtime, world: World, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Agreeing]:
    """No stock; nothing is taken for sold out because it was a moment ago."""
    monkeypatch.setattr(sold_out, "MEMORY_SECONDS", 0.0)
    brand = Agreeing(runtime, world, admin)
    await brand.begin()
    yield brand
    await assert_clean(runtime, world)
