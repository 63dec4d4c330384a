"""A desk that is furnished."""

import pytest

from backend.runtime import Runtime
from tests.after_sales.desk import Desk
from tests.world import World


@pytest.fixture
async def desk(runtime: Runtime, world: World) -> Desk:
    found = Desk(runtime, world)
    await found.furnish()
    return found
