"""Holds whose time is over: ended by the maintenance, or by who needs their units now."""

import asyncio

import pytest

from backend.db.errors import DatabaseUnavailable
from backend.orders import pipeline
from backend.orders.model import Shortage
from backend.orders.stock_holds import ending
from backend.orders.stock_holds.model import HoldTerms, StockHoldKind
from tests.catalogue import Connection
from tests.inventory.allotments.allotting import Standing, allot, buy, got, pay, standing
from tests.inventory.pools.living import Living
from tests.orders.checks import placed, refused
from tests.orders.stock_holds.holding import (
    State,
    ask,
    convert,
    expire,
    held,
    make_late,
    release,
    reserved,
    state,
    take,
)
from tests.world import draft

SHORT = "INSUFFICIENT_STOCK"
ENDED = "select count(*) from stock_movement where type = 'released' and cause_kind = 'hold'"


async def test_the_maintenance_gives_back_what_is_due(shops: Living, admin: Connection) -> None:
    due, other = await take(shops, 3), await take(shops, 4)
    waiting = await pay(shops, 5)
    await make_late(admin, due)
    await expire(shops)
    assert await state(admin, due) == State("expired", None, 3)
    assert await state(admin, other) == State("active", None, 4)
    assert await got(admin, waiting) == (5, 0)
    assert shops.shop("shop") == 1
    await expire(shops)
    assert await admin.fetchval(ENDED) == 1


async def test_it_ends_in_good_time(shops: Living, admin: Connection) -> None:
    await take(shops, 3)
    await expire(shops)
    assert await reserved(admin) == 3


async def test_many_are_ended_in_portions(
    shops: Living, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "DUE_MAX", 2)
    holds = [await take(shops, 2) for _ in range(3)]
    await make_late(admin, *holds)
    await expire(shops)
    assert await reserved(admin) == 2
    await expire(shops)
    assert await reserved(admin) == 0


async def test_two_processes_end_each_hold_once(shops: Living, admin: Connection) -> None:
    holds = [await take(shops, 1) for _ in range(6)]
    await make_late(admin, *holds)
    async with shops.another() as other:
        await asyncio.gather(*(expire(live) for live in (shops, other, shops, other)))
    assert await admin.fetchval(ENDED) == 6
    assert await reserved(admin) == 0


async def test_who_releases_is_not_waited_for(shops: Living, admin: Connection) -> None:
    """One that somebody else is ending is passed over."""
    holds = [await take(shops, 2) for _ in range(2)]
    await make_late(admin, *holds)
    async with admin.transaction():
        await admin.execute("select from stock_hold where id = $1 for update", holds[0])
        await expire(shops)
        assert (await state(admin, holds[1])).state == "expired"
        assert (await state(admin, holds[0])).state == "active"
    await release(shops, holds[0])


# ------------------------------------------------------------------------------ who needs it


@pytest.mark.parametrize("how", ["buy", "partly", "pay", "hold", "convert"])
async def test_who_comes_next_gets_the_unit_of_a_hold_that_is_over(
    shops: Living, admin: Connection, how: str
) -> None:
    own = await take(shops, 1)
    due = await take(shops, 9)
    await make_late(admin, due)
    if how == "buy":
        placed(await buy(shops, 9, "dshop"))
    elif how == "partly":
        order = draft({"A": 9}, shortage=Shortage.PARTIAL)
        assert placed(await shops.runtime.intake.place(order, shops.brand)).lines[0].reserved == 9
    elif how == "pay":
        assert await got(admin, await pay(shops, 9)) == (9, 0)
    elif how == "hold":
        await take(shops, 9)
    else:
        placed(await convert(shops, own, 10))
    assert await state(admin, due) == State("expired", None, 9)
    assert await reserved(admin) == 10


async def test_who_waits_gets_it_with_the_next_look(shops: Living, admin: Connection) -> None:
    due = await take(shops, 10)
    waiting = await pay(shops, 2)
    await make_late(admin, due)
    refused(await buy(shops, 11), SHORT)
    await shops.runtime.allocator.allocate(shops.world.tenant_id)
    assert await got(admin, waiting) == (2, 0)


async def test_in_another_process_too(shops: Living, admin: Connection) -> None:
    async with shops.another() as other:
        await other.freshen()
        due = await take(shops, 10)
        await make_late(admin, due)
        placed(await buy(other, 10))
        await shops.becomes("shop", 0)
    assert (await state(admin, due)).state == "expired"


async def test_what_is_kept_of_other_goods_stays(shops: Living, admin: Connection) -> None:
    await shops.receive("wh", 5, "B")
    other = held(await ask(shops, {"B": 5})).hold_id
    await make_late(admin, other)
    refused(await buy(shops, 11), SHORT)
    assert (await state(admin, other)).state == "active"
    refused(await buy(shops, 6, sku="B"), SHORT)
    assert (await state(admin, other)).state == "expired"


async def test_an_allotment_is_free_again_for_who_comes_next(
    shops: Living, admin: Connection
) -> None:
    await allot(shops, "shop", 4)
    due = await take(shops, 4)
    await make_late(admin, due)
    placed(await buy(shops, 4))
    assert await standing(admin) == Standing(4, 4)


async def test_without_any_hold_it_is_not_looked_for_each_time(
    shops: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused(await buy(shops, 11), SHORT)
    monkeypatch.setattr(pipeline, "expire_holds", None)
    refused(await buy(shops, 11), SHORT)


async def test_who_cannot_look_for_it_goes_on_without(
    shops: Living, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has paid is not told of it."""
    failures = 1
    look = ending.expire_holds

    async def fail_once(*given: object, **named: object) -> object:
        nonlocal failures
        if failures:
            failures -= 1
            raise DatabaseUnavailable
        return await look(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "expire_holds", fail_once)
    await take(shops, 10, terms=HoldTerms(StockHoldKind.PLATFORM, 60))
    assert await got(admin, await pay(shops, 2)) == (0, 2)
