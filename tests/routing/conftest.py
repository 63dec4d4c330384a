"""A database with versions of a policy for the refusals, who leave it as it is."""

import asyncio

import pytest

from backend.db.pool import Database
from tests.conftest import Servers
from tests.refusals import clone_world, still, still_admin
from tests.routing.policies import activate, document, propose, strategy
from tests.world import World

__all__ = ["still", "still_admin"]

ARCHIVED, OUTDATED, ACTIVE, DRAFT = 1, 2, 3, 4
"""Versions: one that was active, a draft on top of nothing, the active one and a draft on it."""


@pytest.fixture(scope="session")
def still_url(servers: Servers, ready_world: World) -> str:
    """The world with the four versions."""
    return asyncio.run(_routed(servers, ready_world))


async def _routed(servers: Servers, world: World) -> str:
    url = await clone_world(servers)
    database = await Database.connect(url)
    who = world.brand
    await propose(database, who, document(strategy("archived")))
    await propose(database, who, document(strategy("outdated")))
    await activate(database, who, ARCHIVED)
    await propose(database, who, document(strategy("active")), ARCHIVED)
    await activate(database, who, ACTIVE)
    await propose(database, who, document(strategy("draft")), ACTIVE)
    await database.close()
    return url
