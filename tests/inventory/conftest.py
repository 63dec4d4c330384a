"""A database with some stock for the refusals, who leave it as it is."""

import asyncio

import pytest

from backend.db.pool import Database
from backend.inventory.model import LevelKey
from backend.inventory.movement_types import MovementType
from tests.conftest import Servers
from tests.inventory.stock import move
from tests.refusals import clone_world, still, still_admin
from tests.world import World, receive

__all__ = ["still", "still_admin"]


@pytest.fixture(scope="session")
def still_url(servers: Servers, ready_world: World) -> str:
    """The world, with 5 of "A" in "wh", 3 of them reserved: 2 free, at version 2."""
    return asyncio.run(_stocked(servers, ready_world))


async def _stocked(servers: Servers, world: World) -> str:
    url = await clone_world(servers)
    database = await Database.connect(url)
    level = await receive(database, world.brand, "wh", "A", 5)
    key = LevelKey(level.functional_warehouse_id, level.sku_id)
    await move(database, world, (key, MovementType.RESERVED, 3))
    await database.close()
    return url
