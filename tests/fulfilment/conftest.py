"""Nodes that work."""

import pytest

from backend.runtime import Runtime
from tests.fulfilment.working import Working
from tests.world import World


@pytest.fixture
def working(runtime: Runtime, world: World) -> Working:
    return Working(runtime, world)
