"""A brand with stock, and a dealer with an agreement, prices and what the test adds to them."""

import asyncio
from datetime import date

import pytest

from backend.db.pool import Database
from backend.runtime import Runtime
from tests.catalogue import Connection
from tests.conftest import Servers
from tests.dropship.dealing import Dealing
from tests.dropship.papers import Agreements, PriceLists
from tests.dropship.quotas import Quotas
from tests.refusals import clone_world, still, still_admin
from tests.world import World, receive

__all__ = ["still", "still_admin"]

LAST_DAY = date(2029, 12, 31)


@pytest.fixture(scope="session")
def still_url(servers: Servers, ready_world: World) -> str:
    """Papers of each kind, for the refusals.

    Of dealer d1: an agreement "BOUND" on "A" in Shanghai until `LAST_DAY`, a draft "DRAFT" at
    version 2 on "B", a discarded one "GONE"; price lists of the same codes. Of d2: an exclusive
    agreement "ONLY" on "C". Accounts: "CREDIT" of 6,000 and "PREPAID" with 1,000, of which the
    payment "paid" came, of d1; "OTHER" of d2.
    """
    return asyncio.run(_written(servers, ready_world))


async def _written(servers: Servers, world: World) -> str:
    url = await clone_world(servers)
    database = await Database.connect(url)
    await _agreed(Agreements(database, world.brand))
    await _priced(PriceLists(database, world.brand))
    quotas = Quotas(database, world.brand)
    await quotas.credit(6_000, "CREDIT")
    await quotas.prepaid(1_000, "PREPAID", reference="paid")
    await quotas.credit(6_000, "OTHER", dealer="d2")
    await database.close()
    return url


async def _agreed(agreements: Agreements) -> None:
    await agreements.bind("BOUND", added_skus=("A",), territory=(310000,), ends_on=LAST_DAY)
    for code in ("DRAFT", "GONE"):
        await agreements.save(code, added_skus=("B",))
    await agreements.save("DRAFT", added_skus=("B",))
    await agreements.discard("GONE")
    await agreements.bind("ONLY", dealer="d2", added_skus=("C",), is_exclusive=True)


async def _priced(lists: PriceLists) -> None:
    await lists.bind("BOUND", dealer="d1", ends_on=LAST_DAY)
    for code in ("DRAFT", "GONE"):
        await lists.save(code, dealer="d1")
    await lists.save("DRAFT", dealer="d1")
    await lists.discard("GONE")


@pytest.fixture
async def unbound(runtime: Runtime, world: World, admin: Connection) -> Dealing:
    """100 of "A" and "B" in "wh"; nothing is agreed with the dealer."""
    for sku in "AB":
        await receive(runtime.database, world.brand, "wh", sku, 100)
    return Dealing(runtime, world, admin)


@pytest.fixture
async def dealing(unbound: Dealing) -> Dealing:
    """The same; an agreement of everything everywhere takes a credit of 6,000, ten units."""
    await unbound.credit(6_000)
    await unbound.agree(quota_account="Q-1")
    await unbound.price()
    return unbound
