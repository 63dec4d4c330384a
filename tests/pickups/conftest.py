"""Stores that hand orders over."""

import pytest

from backend.runtime import Runtime
from tests.pickups.counter import Counter, open_counters
from tests.world import World


@pytest.fixture
async def counter(runtime: Runtime, world: World) -> Counter:
    await open_counters(runtime, world)
    return Counter(runtime, world)
