"""A process with two shops of different pools, and a database with earmarks for the refusals."""

import asyncio

import pytest

from backend.db.pool import Database
from backend.orders import sold_out
from tests.conftest import Servers
from tests.inventory.earmarks.keeping import KEEPING, act, closing, filling, opening
from tests.inventory.pools.conftest import live
from tests.inventory.pools.layouts import put_in_force
from tests.inventory.pools.living import Living
from tests.refusals import clone_world
from tests.world import World, receive

__all__ = ["live"]


@pytest.fixture(scope="session")
def still_url(servers: Servers, ready_world: World) -> str:
    """10 of "A" in "wh" and 4 in "far", of which "promo" keeps 3 and 2; "over" is closed."""
    return asyncio.run(_kept(servers, ready_world))


async def _kept(servers: Servers, world: World) -> str:
    url = await clone_world(servers)
    database = await Database.connect(url)
    await put_in_force(database, world.brand, KEEPING)
    await receive(database, world.brand, "wh", "A", 10)
    await receive(database, world.brand, "far", "A", 4)
    lines = filling(("A", 3, "wh"), ("A", 2, "far"))
    for what in (opening(), lines, opening("over"), closing("over")):
        await act(database, world.brand, what)
    await database.close()
    return url


@pytest.fixture
async def shops(live: Living, monkeypatch: pytest.MonkeyPatch) -> Living:
    """A process with two shops, which takes nothing for sold out because it was a moment ago."""
    monkeypatch.setattr(sold_out, "MEMORY_SECONDS", 0.0)
    await live.lay_out(KEEPING)
    return live
