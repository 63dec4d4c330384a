"""A process with a layout in force, and a database with versions of one for the refusals."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from backend.db.pool import Database
from backend.routing import live_book
from backend.runtime import Runtime
from tests.conftest import Servers
from tests.inventory.pools.layouts import BARE, EXAMPLE, activate, propose
from tests.inventory.pools.living import Living, living
from tests.orders.checks import assert_clean
from tests.refusals import clone_world
from tests.world import World, receive

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


@pytest.fixture
async def live(
    runtime: Runtime,
    world: World,
    database_url: str,
    valkey_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Living]:
    """A process that looks at layout and rules whenever it is asked to; its books add up."""
    monkeypatch.setattr(live_book, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(live_book, "RULES_SECONDS", 0.0)
    yield await living(runtime, world, database_url, valkey_url)
    await assert_clean(runtime, world)
