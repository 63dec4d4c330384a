"""A process with a layout in force, and a database with versions of one for the refusals."""

import asyncio

import pytest

from backend.db.pool import Database
from tests.conftest import Servers
from tests.inventory.pools.layouts import BARE, EXAMPLE, activate, propose
from tests.inventory.pools.living import live
from tests.refusals import clone_world
from tests.world import World, receive

__all__ = ["live"]

ARCHIVED, OUTDATED, ACTIVE, DRAFT = 1, 2, 3, 4
"""Versions: one that was active, a draft on top of nothing, the active one and a draft on it."""


@pytest.fixture(scope="session")
def still_url(servers: Servers, ready_world: World) -> str:
    """The world with the four versions, the example active; 10 of "A" in "wh"."""
    return asyncio.run(_laid_out(servers, ready_world))


async def _laid_out(servers: Servers, world: World) -> str:
    url = await clone_world(servers)
    database = await Database.connect(url)
    who = world.brand
    await propose(database, who, BARE)
    await propose(database, who, BARE)
    await activate(database, who, ARCHIVED)
    await propose(database, who, EXAMPLE, ARCHIVED)
    await activate(database, who, ACTIVE)
    await propose(database, who, BARE, ACTIVE)
    await receive(database, world.brand, "wh", "A", 10)
    await database.close()
    return url
