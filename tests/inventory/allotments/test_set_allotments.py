"""Setting and ending: what is stored, once, and two managers at once."""

import asyncio

import pytest
from msgspec.structs import replace

from backend.db.commands import CommandConflict
from backend.db.pool import Database
from backend.inventory.allotments.errors import AllotmentChanged
from backend.inventory.allotments.set_allotments import page_of_allotments, set_allotments
from backend.inventory.model import QUANTITY_MAX
from tests.catalogue import Connection
from tests.crowd import all_wait, settle, start
from tests.inventory.allotments.allotting import (
    DEALERS,
    Standing,
    end_,
    line_of,
    owner_of,
    set_,
    standing,
)
from tests.world import World, fresh_key

LOCKED = "select id from allotment where id <> all($1) for update skip locked"


async def test_allotments_are_stored_with_who_and_why(database: Database, world: World) -> None:
    line = line_of("dshop", 3, reason=" launch ")
    shops, dealers = await set_(database, world.brand, line, line_of(DEALERS, 0))
    if shops.shop_id is None:
        shops, dealers = dealers, shops
    assert (shops.quantity, shops.taken, shops.is_active, shops.version) == (3, 0, True, 1)
    assert (shops.reason, shops.set_by) == ("launch", world.brand.subject)
    assert shops.dealer_id == dealers.dealer_id == world.dealers["d1"]
    assert (dealers.shop_id, dealers.quantity) == (None, 0)
    assert {shops.sku_id, dealers.sku_id} == {world.skus["A"]}


async def test_set_again_it_is_the_same_one(database: Database, world: World) -> None:
    (first,) = await set_(database, world.brand, line_of("shop", 3, reason="a"))
    (second,) = await set_(database, world.brand, line_of("shop", QUANTITY_MAX))
    assert second.id == first.id
    assert (second.quantity, second.version, second.reason) == (QUANTITY_MAX, 2, "")
    assert second.changed_at > first.changed_at


async def test_an_ended_one_begins_again(
    database: Database, world: World, admin: Connection
) -> None:
    await set_(database, world.brand, line_of("shop", 3))
    (ended,) = await end_(database, world.brand, owner_of("shop"))
    assert (ended.is_active, ended.version) == (False, 2)
    assert await standing(admin) == Standing(3, 0, is_active=False)
    (again,) = await set_(database, world.brand, line_of("shop", 4, compare_version=2))
    assert (again.id, again.is_active, again.version) == (ended.id, True, 3)


async def test_what_was_compared_with_is_what_is_there(database: Database, world: World) -> None:
    (new,) = await set_(database, world.brand, line_of("shop", 3, compare_version=0))
    line = line_of("shop", 4, compare_version=new.version)
    assert (await set_(database, world.brand, line))[0].version == 2


async def test_the_same_command_again_changes_nothing(
    database: Database, world: World, admin: Connection
) -> None:
    set_key, end_key = fresh_key(), fresh_key()
    first = await set_(database, world.brand, line_of("shop", 3), key=set_key)
    ended = await end_(database, world.brand, owner_of("shop"), key=end_key)
    assert await set_(database, world.brand, line_of("shop", 3), key=set_key) == first
    assert await end_(database, world.brand, owner_of("shop"), key=end_key) == ended
    assert await standing(admin) == Standing(3, 0, is_active=False)


async def test_a_key_is_for_one_command(database: Database, world: World) -> None:
    key = fresh_key()
    await set_(database, world.brand, line_of("shop", 3), key=key)
    with pytest.raises(CommandConflict):
        await set_(database, world.brand, line_of("shop", 4), key=key)
    with pytest.raises(CommandConflict):
        await end_(database, world.brand, owner_of("shop"), key=key)


@pytest.mark.parametrize("version", [0, 1])
async def test_of_two_who_compare_at_once_one_is_told(
    database: Database, world: World, admin: Connection, version: int
) -> None:
    if version:
        await set_(database, world.brand, line_of("shop", 1))
    colleague = replace(world.brand, subject="user:999")
    async with database.tenant_transaction(world.brand) as tx:
        line = line_of("shop", 2, compare_version=version)
        await set_allotments(tx, [line], key=fresh_key())
        other = set_(database, colleague, line_of("shop", 9, compare_version=version))
        tasks = await start(admin, [other])
    (answer,) = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(answer, AllotmentChanged)
    assert answer.version == version + 1
    assert await standing(admin) == Standing(2, 0)


async def test_two_who_do_not_compare_come_one_after_the_other(
    database: Database, world: World, admin: Connection
) -> None:
    await set_(database, world.brand, line_of("shop", 1))
    colleague = replace(world.brand, subject="user:999")
    async with admin.transaction():
        await admin.execute("select from allotment for update")
        tasks = await start(
            admin,
            [set_(database, who, line_of("shop", 5)) for who in (world.brand, colleague)],
        )
    done, codes = await settle(tasks)
    assert sorted(found[0].version for found in done) == [2, 3]
    assert codes == []


@pytest.mark.parametrize("how", ["set", "end"])
async def test_allotments_are_locked_in_the_order_in_which_orders_lock_them(
    database: Database, world: World, admin: Connection, how: str
) -> None:
    """The shop's has the lower id, though by its owner the dealer's would come first."""
    (first,) = await set_(database, world.brand, line_of("dshop", 1))
    await set_(database, world.brand, line_of(DEALERS, 1))
    async with admin.transaction():
        await admin.execute("select from allotment where id = $1 for update", first.id)
        if how == "set":
            lines = line_of("dshop", 2), line_of(DEALERS, 2)
            work = set_(database, world.brand, *lines)
        else:
            work = end_(database, world.brand, owner_of("dshop"), owner_of(DEALERS))
        task = asyncio.create_task(work)
        await all_wait(admin, 1)
        assert len(await admin.fetch(LOCKED, [first.id])) == 1
    assert len(await task) == 2


async def test_who_sees_which(database: Database, world: World) -> None:
    lines = line_of("shop", 1), line_of("dshop", 2), line_of("dshop2", 3), line_of(DEALERS, 4)
    await set_(database, world.brand, *lines)
    seen = {}
    for name in ("brand", "group", "dealer", "other_dealer", "store", "other_brand"):
        async with database.tenant_transaction(getattr(world, name), read_only=True) as tx:
            found = await page_of_allotments(tx, 0, 10, shop_id=None)
        seen[name] = sorted(one.quantity for one in found)
    assert seen == {
        "brand": [1, 2, 3, 4],
        "group": [1, 2, 3, 4],
        "dealer": [2, 4],
        "other_dealer": [3],
        "store": [],
        "other_brand": [],
    }


async def test_pages_go_on_after_an_id(database: Database, world: World) -> None:
    lines = [line_of("shop", 1, sku) for sku in "ABC"] + [line_of("dshop", 1)]
    found = await set_(database, world.brand, *lines)
    shop_id = next(one.shop_id for one in found if one.dealer_id is None)
    async with database.tenant_transaction(world.brand, read_only=True) as tx:
        first = await page_of_allotments(tx, 0, 2, shop_id=shop_id)
        rest = await page_of_allotments(tx, first[-1].id, 2, shop_id=shop_id)
    assert {one.sku_id for one in first + rest} == set(world.skus.values())
    assert len(rest) == 1
