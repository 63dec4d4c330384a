"""Stores that hand orders over."""

import pytest

from backend.runtime import Runtime
from tests.pickups.counter import Counter, open_counters
from tests.world import World


async def nothing(*_: object) -> int:
    """What waits is given stock when a test says so, and not by itself."""
    return 0


@pytest.fixture
async def counter(runtime: Runtime, world: World, monkeypatch: pytest.MonkeyPatch) -> Counter:
    monkeypatch.setattr("backend.orders.allocate_backorders.allocate_backorders", nothing)
    await open_counters(runtime, world)
    return Counter(runtime, world)
