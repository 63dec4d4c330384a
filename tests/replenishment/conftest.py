"""A process that watches stock, and a database with a rule and a proposal for the refusals."""

import asyncio

import pytest

from backend.runtime import open_runtime
from tests.conftest import SECRET, Servers
from tests.inventory.pools.living import Living, live, living
from tests.refusals import clone_world, still, still_admin
from tests.replenishment.scene import Watched
from tests.world import World

__all__ = ["live", "still", "still_admin"]


@pytest.fixture
async def watched(live: Living) -> Watched:
    """A brand whose stock is watched; its books add up in the end."""
    return Watched(live)


@pytest.fixture
async def proposed(watched: Watched) -> Watched:
    await watched.propose_eight()
    return watched


@pytest.fixture(scope="session")
def still_url(servers: Servers, ready_world: World) -> str:
    """The world with a rule "low" and, by it, proposal 1: 8 of 20 units of "A" from "far"."""
    return asyncio.run(_proposed(servers, ready_world))


async def _proposed(servers: Servers, world: World) -> str:
    url = await clone_world(servers)
    async with open_runtime(url, servers.valkey_url, SECRET, with_maintenance=False) as runtime:
        watched = Watched(await living(runtime, world, url, servers.valkey_url))
        await watched.propose_eight()
    return url
