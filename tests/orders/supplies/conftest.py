"""A brand that waits for stock to come."""

import pytest

from backend.runtime import Runtime
from tests.catalogue import Connection
from tests.orders.supplies.coming import Coming
from tests.refusals import still, still_admin, still_url
from tests.world import World

__all__ = ["still", "still_admin", "still_url"]


@pytest.fixture
def coming(runtime: Runtime, world: World, admin: Connection) -> Coming:
    return Coming(runtime, world, admin)
