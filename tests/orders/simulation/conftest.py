"""A brand with a past of its own."""

import pytest

from backend.routing import live_book
from backend.runtime import Runtime
from tests.catalogue import Connection
from tests.orders.simulation.scene import Past
from tests.world import World


@pytest.fixture
async def past(
    runtime: Runtime, world: World, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> Past:
    monkeypatch.setattr(live_book, "FRESH_SECONDS", 0.0)
    return Past(runtime, world, admin)
