"""How platforms are reached: who may say so, and which process speaks for which shop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from backend.db.pool import Database
from backend.publishing import publisher
from backend.publishing.connections import (
    TEXT_LENGTH_MAX,
    give_back_connections,
    lease_connections,
)
from backend.publishing.publisher import Publisher
from backend.runtime import Runtime
from loadtests.waiting import until
from tenants.principal import Permission
from tests.catalogue import Connection
from tests.channels.marketplace import TOKEN, Shopfront
from tests.publishing.reaching import connect, disconnect, listed
from tests.refusals import refused
from tests.world import World

LEASE_SECONDS = 0.6
"""Of a lease that a test waits for."""
LONG_SECONDS = 60.0
"""Of a lease that does not end within a test."""


# ------------------------------------------------------------------------- how it is reached


async def test_a_shop_is_connected_and_its_token_is_not_told(
    database: Database, world: World
) -> None:
    connection = await connect(database, world.brand, token="geheim")
    assert await listed(database, world.brand) == [connection]
    assert (connection.shop_code, connection.kind) == ("shop", "simulated")
    assert (connection.base_url, connection.remote_shop) == ("http://127.0.0.1:9", "remote")
    assert (connection.is_active, connection.problem) == (True, None)
    assert "geheim" not in repr(connection)


async def test_connecting_again_replaces_what_was_said(
    database: Database, world: World, admin: Connection
) -> None:
    await connect(database, world.brand)
    await admin.execute("update shop_connection set problem = 'look'")
    assert (await lease(database, world, "one")) == ["shop"]
    again = await connect(database, world.brand, remote_shop="moved", token="new")
    assert await listed(database, world.brand) == [again]
    assert (again.remote_shop, again.problem) == ("moved", None)
    (taken,) = await lease_connections(database, world.tenant_id, "two", LONG_SECONDS)
    assert taken.token == "new"


async def test_each_shop_is_reached_in_its_own_way(database: Database, world: World) -> None:
    for code in ("shop", "dshop"):
        await connect(database, world.brand, code, remote_shop=f"remote-{code}")
    found = {one.shop_code: one.remote_shop for one in await listed(database, world.brand)}
    assert found == {"shop": "remote-shop", "dshop": "remote-dshop"}


async def test_a_disconnected_shop_is_spoken_for_by_nobody(
    database: Database, world: World
) -> None:
    await connect(database, world.brand)
    assert await disconnect(database, world.brand) is True
    assert [one.is_active for one in await listed(database, world.brand)] == [False]
    assert await lease(database, world, "one") == []
    assert await disconnect(database, world.brand) is False


async def test_a_shop_is_connected_anew_after_it_was_disconnected(
    database: Database, world: World
) -> None:
    await connect(database, world.brand)
    await disconnect(database, world.brand)
    assert (await connect(database, world.brand)).is_active
    assert await lease(database, world, "one") == ["shop"]


# ------------------------------------------------------------------------------------ refusals

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown shop": ({"shop": "nope"}, "UNKNOWN_SHOP"),
    "an unknown kind": ({"kind": "nope"}, "UNKNOWN_CONNECTOR"),
    "no address": ({"base_url": ""}, "OUT_OF_RANGE"),
    "an address of another kind": ({"base_url": "ftp://x"}, "OUT_OF_RANGE"),
    "an address without scheme": ({"base_url": "example.com"}, "OUT_OF_RANGE"),
    "a long address": ({"base_url": "http://" + "x" * TEXT_LENGTH_MAX}, "OUT_OF_RANGE"),
    "no remote shop": ({"remote_shop": ""}, "OUT_OF_RANGE"),
    "a remote shop with a NUL": ({"remote_shop": "a\x00b"}, "OUT_OF_RANGE"),
    "no token": ({"token": ""}, "OUT_OF_RANGE"),
    "a token of two lines": ({"token": "a\r\nb"}, "OUT_OF_RANGE"),
    "a long token": ({"token": "x" * (TEXT_LENGTH_MAX + 1)}, "OUT_OF_RANGE"),
}


@pytest.mark.parametrize("name", BAD)
async def test_what_cannot_be_reached_is_not_connected(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    changes, code = BAD[name]
    async with refused(still_admin, code):
        await connect(still, ready_world.brand, **changes)


async def test_the_longest_texts_are_taken(database: Database, world: World) -> None:
    text = "x" * TEXT_LENGTH_MAX
    connection = await connect(database, world.brand, remote_shop=text, token=text)
    assert connection.remote_shop == text


async def test_a_refusal_leaves_a_connection_as_it_was(
    database: Database, world: World, admin: Connection
) -> None:
    await connect(database, world.brand)
    async with refused(admin, "OUT_OF_RANGE"):
        await connect(database, world.brand, token="")
    async with refused(admin, "UNKNOWN_SHOP"):
        await disconnect(database, world.brand, "nope")


async def test_it_takes_the_permission_to_write_the_network(
    database: Database, world: World, admin: Connection
) -> None:
    await connect(database, world.brand)
    who = replace(world.brand, permissions=frozenset(Permission) - {Permission.NETWORK_WRITE})
    async with refused(admin, "PERMISSION_MISSING"):
        await connect(database, who, token="new")
    async with refused(admin, "PERMISSION_MISSING"):
        await disconnect(database, who)


@pytest.mark.parametrize("who", ["dealer", "other_dealer", "store", "group"])
async def test_only_the_brand_says_how_its_shops_are_reached(
    database: Database, world: World, admin: Connection, who: str
) -> None:
    shop = "dshop" if who == "dealer" else "shop"
    code = "UNKNOWN_SHOP" if who in ("other_dealer", "store") else "WRITE_REFUSED"
    async with refused(admin, code):
        await connect(database, getattr(world, who), shop)


async def test_another_brand_neither_sees_nor_ends_a_connection(
    database: Database, world: World, admin: Connection
) -> None:
    await connect(database, world.brand, "dshop")
    assert await listed(database, world.other_brand) == []
    async with refused(admin, "UNKNOWN_SHOP"):
        await disconnect(database, world.other_brand, "dshop")
    assert await lease_connections(database, world.other_tenant_id, "one", LONG_SECONDS) == []


@pytest.mark.parametrize("who", ["dealer", "other_dealer", "store"])
async def test_dealers_and_stores_see_no_connection(
    database: Database, world: World, who: str
) -> None:
    await connect(database, world.brand, "dshop")
    assert await listed(database, getattr(world, who)) == []


# -------------------------------------------------------------------------------------- leases


async def lease(
    database: Database, world: World, owner: str, seconds: float = LONG_SECONDS
) -> list[str]:
    """Return the codes of the shops that a process speaks for from now on."""
    found = await lease_connections(database, world.tenant_id, owner, seconds)
    return sorted(shop.shop_code for shop in found)


async def test_a_shop_has_one_process_at_a_time(database: Database, world: World) -> None:
    await connect(database, world.brand)
    assert await lease(database, world, "one") == ["shop"]
    assert await lease(database, world, "two") == []
    assert await lease(database, world, "one") == ["shop"]


async def test_processes_that_ask_at_once_never_get_the_same_shop(
    database: Database, world: World
) -> None:
    for code in ("shop", "dshop", "dshop2"):
        await connect(database, world.brand, code)
    owners = [lease(database, world, f"owner-{number}") for number in range(8)]
    taken = [code for codes in await asyncio.gather(*owners) for code in codes]
    assert len(taken) == len(set(taken))
    taken += await lease(database, world, "the last one")
    assert sorted(taken) == ["dshop", "dshop2", "shop"]


async def test_the_shop_of_a_dead_process_is_taken_over_after_its_lease(
    database: Database, world: World
) -> None:
    await connect(database, world.brand)
    await lease(database, world, "dead", LEASE_SECONDS)
    assert await lease(database, world, "two") == []
    await asyncio.sleep(LEASE_SECONDS)
    assert await lease(database, world, "two") == ["shop"]
    assert await lease(database, world, "dead") == []


async def test_a_lease_that_is_renewed_lasts(database: Database, world: World) -> None:
    await connect(database, world.brand)
    await lease(database, world, "one", LEASE_SECONDS)
    await lease(database, world, "one", LONG_SECONDS)
    await asyncio.sleep(LEASE_SECONDS)
    assert await lease(database, world, "two") == []


async def test_what_is_given_back_is_free_at_once_and_only_ones_own(
    database: Database, world: World
) -> None:
    await connect(database, world.brand)
    await lease(database, world, "one")
    await connect(database, world.brand, "dshop")
    await lease(database, world, "two")
    await give_back_connections(database, world.tenant_id, "one")
    assert await lease(database, world, "three") == ["shop"]


# ----------------------------------------------------------------------- leases of publishers


@pytest.fixture
def _short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "LEASE_SECONDS", LEASE_SECONDS)
    monkeypatch.setattr(publisher, "RENEW_SECONDS", LEASE_SECONDS / 6)


@asynccontextmanager
async def speaking(runtime: Runtime, shop: Shopfront) -> AsyncIterator[Publisher]:
    """Another process that speaks for what is free."""
    other = Publisher(runtime.database, runtime.books, runtime.brands, runtime.intake)
    running = asyncio.create_task(other.run(shop.http))
    try:
        yield other
    finally:
        other.stop()
        await running


async def owner_of(admin: Connection) -> str | None:
    owner: str | None = await admin.fetchval("select owner from shop_connection")
    return owner


async def reach(runtime: Runtime, world: World, shop: Shopfront) -> None:
    access = {"base_url": shop.url, "remote_shop": shop.code, "token": TOKEN}
    await connect(runtime.database, world.brand, **access)


@pytest.mark.usefixtures("_short_leases")
async def test_a_process_that_lives_keeps_its_shop(
    runtime: Runtime, world: World, admin: Connection, shop: Shopfront
) -> None:
    await reach(runtime, world, shop)
    async with speaking(runtime, shop) as first:
        await until(lambda: owner_of(admin))
        async with speaking(runtime, shop):
            await asyncio.sleep(2 * LEASE_SECONDS)
            assert await owner_of(admin) == first.owner


@pytest.mark.usefixtures("_short_leases")
async def test_a_process_that_ends_gives_its_shop_to_the_next(
    runtime: Runtime, world: World, admin: Connection, shop: Shopfront
) -> None:
    await reach(runtime, world, shop)
    async with speaking(runtime, shop):
        await until(lambda: owner_of(admin))
    assert await owner_of(admin) is None
    async with speaking(runtime, shop) as second:
        await until(lambda: owner_of(admin))
        assert await owner_of(admin) == second.owner


@pytest.mark.usefixtures("_short_leases")
async def test_a_publisher_takes_over_from_a_dead_one(
    runtime: Runtime, world: World, admin: Connection, shop: Shopfront
) -> None:
    await reach(runtime, world, shop)
    await lease(runtime.database, world, "dead", LEASE_SECONDS)
    async with speaking(runtime, shop) as second:
        await asyncio.sleep(LEASE_SECONDS / 2)
        assert not await shop_is_called(shop)
        await until(lambda: shop_is_called(shop))
        assert await owner_of(admin) == second.owner


async def shop_is_called(shop: Shopfront) -> bool:
    return "orders" in (await shop.state())["calls"]


@pytest.mark.usefixtures("_short_leases")
async def test_a_shop_that_is_disconnected_is_called_no_more(
    runtime: Runtime, world: World, shop: Shopfront
) -> None:
    await reach(runtime, world, shop)
    async with speaking(runtime, shop):
        await until(lambda: shop_is_called(shop))
        await disconnect(runtime.database, world.brand)
        await asyncio.sleep(LEASE_SECONDS)
        before = (await shop.state())["calls"]
        await asyncio.sleep(2.5 * LEASE_SECONDS)
        assert (await shop.state())["calls"] == before
