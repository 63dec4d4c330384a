"""A database with some supplies for the refusals, who leave it as it is."""

import asyncio

import pytest

from backend.db.ids import OrderIds
from backend.db.pool import Database
from backend.inventory.supplies.supplies import close_supply, set_supplies
from backend.orders.supplies.receive import receive_supply
from tests.conftest import Servers
from tests.orders.supplies.coming import supply
from tests.refusals import clone_world
from tests.world import World, fresh_key


@pytest.fixture(scope="session")
def still_url(servers: Servers, ready_world: World) -> str:
    """The world, with "PO-1" (2 of 5 came, at version 2) and "PO-0" (closed, at version 2)."""
    return asyncio.run(_supplied(servers, ready_world))


async def _supplied(servers: Servers, world: World) -> str:
    url = await clone_world(servers)
    database = await Database.connect(url)
    async with database.tenant_transaction(world.brand) as tx:
        await set_supplies(tx, [supply(5), supply(5, code="PO-0")], key=fresh_key())
        await close_supply(tx, "PO-0", 1, key=fresh_key())
    asked = ("PO-1", 1, 2)
    await receive_supply(database, world.brand, OrderIds(database), asked, key=fresh_key())
    await database.close()
    return url
