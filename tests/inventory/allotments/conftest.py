"""A process with two shops of a pool, and a database with allotments for the refusals."""

import asyncio

import pytest

from backend.db.pool import Database
from backend.inventory.pools.model import Layout
from backend.orders import sold_out
from tests.conftest import Servers
from tests.inventory.allotments.allotting import DEALERS, end_, line_of, owner_of, set_
from tests.inventory.pools.conftest import live
from tests.inventory.pools.layouts import share, supply
from tests.inventory.pools.living import Living
from tests.refusals import clone_world
from tests.world import World

__all__ = ["live"]

BOTH = Layout(
    pools=(supply("online", "wh", "far"),),
    shares=(share("online", "shop"), share("online", "dshop", 8_000)),
)
"""A shop of the brand and one of dealer d1, on the same stock."""


@pytest.fixture(scope="session")
def still_url(servers: Servers, ready_world: World) -> str:
    """5 of "A" for "shop", at version 2; "B" for it has ended; 7 of "A" for dealer d1."""
    return asyncio.run(_allotted(servers, ready_world))


async def _allotted(servers: Servers, world: World) -> str:
    url = await clone_world(servers)
    database = await Database.connect(url)
    lines = line_of("shop", 4), line_of("shop", 3, "B"), line_of(DEALERS, 7)
    await set_(database, world.brand, *lines)
    await set_(database, world.brand, line_of("shop", 5))
    await end_(database, world.brand, owner_of("shop", "B"))
    await database.close()
    return url


@pytest.fixture
async def shops(live: Living, monkeypatch: pytest.MonkeyPatch) -> Living:
    """A process with both shops, which takes nothing for sold out because it was a moment ago."""
    monkeypatch.setattr(sold_out, "MEMORY_SECONDS", 0.0)
    await live.lay_out(BOTH)
    return live
