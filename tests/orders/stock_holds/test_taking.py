"""Taking, extending and releasing holds: what is kept, for how long, and what is refused."""

import asyncio

import pytest
from msgspec.structs import replace

from backend.db.commands import CommandConflict
from backend.orders import pipeline
from backend.orders.errors import InvalidOrder
from backend.orders.model import Held, Refused, Shortage
from backend.orders.stock_holds.change_holds import (
    StockHoldEnded,
    UnknownStockHold,
    page_of_stock_holds,
)
from backend.orders.stock_holds.model import (
    HOLD_SECONDS_MAX,
    HoldTerms,
    StockHoldKind,
    StockHoldState,
)
from tenants.principal import Permission, PermissionMissing
from tests.catalogue import Connection, contents
from tests.inventory.allotments.allotting import buy, got, pay
from tests.inventory.pools.living import Living
from tests.orders.checks import placed, refused
from tests.orders.stock_holds.holding import (
    CART,
    State,
    ask,
    expire,
    extend,
    held,
    make_late,
    release,
    reserved,
    state,
    take,
    wanted,
)
from tests.world import BEIJING, draft, fresh_key

SHORT = "INSUFFICIENT_STOCK"
EXPIRY = "select extract(epoch from expires_at - taken_at)::float from stock_hold where id = $1"


def code(outcome: object) -> str:
    assert isinstance(outcome, Refused), outcome
    return outcome.code


async def test_what_is_kept_nobody_else_gets(shops: Living, admin: Connection) -> None:
    found = held(await ask(shops, {"A": 8}))
    assert [(line.line_no, line.reserved) for line in found.lines] == [(1, 8)]
    assert await state(admin, found.hold_id) == State("active", None, 8)
    assert (await reserved(admin), shops.shop("shop")) == (8, 2)
    refused(await buy(shops, 3), SHORT)
    placed(await buy(shops, 2))
    assert await admin.fetchval("select count(*) from orders") == 1
    assert 599 < await admin.fetchval(EXPIRY, found.hold_id) <= 601


@pytest.mark.parametrize("way", ["commit_admitted", "commit_planned", "commit_finally"])
async def test_every_way_keeps_units(
    shops: Living, admin: Connection, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    if way == "commit_admitted":
        await shops.warm()
    if way == "commit_finally":
        monkeypatch.setattr(pipeline, "PLANNED_ATTEMPTS", 0)
    for name in {"commit_admitted", "commit_planned", "commit_finally"} - {way}:
        monkeypatch.setattr(pipeline, name, None)
    assert await state(admin, await take(shops, 4)) == State("active", None, 4)
    assert await reserved(admin) == 4


async def test_where_it_goes_to_may_be_said(shops: Living, admin: Connection) -> None:
    await shops.receive("far", 10)
    await take(shops, 3, address=replace(wanted().address, region_code=BEIJING))
    place = "select code from stock_hold_part p join node n on n.id = p.node_id"
    assert await admin.fetchval(place) == "far"
    outcome = await ask(shops, address=replace(wanted().address, region_code=1))
    assert code(outcome) == "ADDRESS_UNRESOLVED"


async def test_partial_keeps_what_is_there(shops: Living, admin: Connection) -> None:
    (line,) = held(await ask(shops, {"A": 12}, shortage=Shortage.PARTIAL)).lines
    assert (line.reserved, line.cancelled, line.backordered) == (10, 2, 0)
    assert await reserved(admin) == 10
    assert code(await ask(shops, {"A": 1}, shortage=Shortage.PARTIAL)) == SHORT


async def test_two_skus_are_kept_together_or_not_at_all(shops: Living, admin: Connection) -> None:
    await shops.receive("wh", 2, "B")
    before = await contents(admin)
    assert code(await ask(shops, {"A": 1, "B": 3})) == SHORT
    assert await contents(admin) == before
    held(await ask(shops, {"A": 1, "B": 2}))
    assert (await reserved(admin), await reserved(admin, "B")) == (1, 2)


async def test_what_is_refused_keeps_nothing(shops: Living, admin: Connection) -> None:
    before = await contents(admin)
    key = fresh_key()
    assert code(await ask(shops, {"A": 11}, idempotency_key=key)) == SHORT
    assert code(await ask(shops, {"Z": 1})) == "UNKNOWN_SKU"
    assert code(await ask(shops, {"A": 0})) == "INVALID_ORDER"
    assert code(await ask(shops, {"A": 1, "B": 1})) == SHORT
    assert code(await ask(shops, shop="z")) == "UNKNOWN_SHOP"
    assert code(await ask(shops, shop="shop", who=shops.world.dealer)) == "UNKNOWN_SHOP"
    assert code(await ask(shops, shop="shop", who=shops.world.store)) == "UNKNOWN_SHOP"
    assert await contents(admin) == before
    held(await ask(shops, {"A": 10}, idempotency_key=key))


async def test_a_hold_does_not_wait_for_stock(shops: Living, admin: Connection) -> None:
    before = await contents(admin)
    with pytest.raises(InvalidOrder):
        await ask(shops, {"A": 11}, shortage=Shortage.BACKORDER)
    assert await contents(admin) == before


@pytest.mark.parametrize("seconds", [0, -1, HOLD_SECONDS_MAX + 1])
async def test_a_hold_has_an_end(shops: Living, admin: Connection, seconds: int) -> None:
    hold_id = await take(shops)
    before = await contents(admin)
    with pytest.raises(InvalidOrder):
        await ask(shops, terms=HoldTerms(StockHoldKind.CART, seconds))
    with pytest.raises(InvalidOrder):
        await extend(shops, hold_id, seconds)
    assert await contents(admin) == before


async def test_without_the_permission_nothing_is_kept(shops: Living, admin: Connection) -> None:
    hold_id = await take(shops)
    before = await contents(admin)
    brand = shops.brand
    without = replace(brand, permissions=brand.permissions - {Permission.ORDERS_PLACE})
    for work in (
        ask(shops, who=without),
        extend(shops, hold_id, 9, who=without),
        release(shops, hold_id, who=without),
    ):
        with pytest.raises(PermissionMissing):
            await work
    assert await contents(admin) == before


# ------------------------------------------------------------------------------ once


async def test_the_same_again_is_the_same_hold(shops: Living, admin: Connection) -> None:
    key = fresh_key()
    first = held(await ask(shops, {"A": 4}, idempotency_key=key))
    assert await ask(shops, {"A": 4}, idempotency_key=key) == first
    await release(shops, first.hold_id)
    assert await ask(shops, {"A": 4}, idempotency_key=key) == first
    assert await reserved(admin) == 0
    by_name = held(await ask(shops, {"A": 4}, external_id="x", idempotency_key=None))
    assert await ask(shops, {"A": 4}, external_id="x", idempotency_key=None) == by_name


async def test_the_same_within_a_batch_is_one_hold(shops: Living, admin: Connection) -> None:
    key = fresh_key()
    found = await asyncio.gather(*(ask(shops, {"A": 4}, idempotency_key=key) for _ in range(5)))
    assert len({held(one).hold_id for one in found}) == 1
    assert await reserved(admin) == 4


async def test_a_key_is_for_one_hold(shops: Living, admin: Connection) -> None:
    key = fresh_key()
    await take(shops, 4, idempotency_key=key)
    before = await contents(admin)
    longer = HoldTerms(StockHoldKind.CART, 601)
    others = (
        ask(shops, {"A": 5}, idempotency_key=key),
        ask(shops, {"A": 4}, idempotency_key=key, terms=longer),
    )
    for other in others:
        assert code(await other) == "ORDER_CONFLICT"
    order = draft({"A": 4}, idempotency_key=key)
    refused(await shops.runtime.intake.place(order, shops.brand), "ORDER_CONFLICT")
    assert await contents(admin) == before


async def test_two_contents_of_a_key_in_a_batch(shops: Living, admin: Connection) -> None:
    key = fresh_key()
    first, second = await asyncio.gather(
        *(ask(shops, {"A": units}, idempotency_key=key) for units in (4, 5))
    )
    held(first)
    assert code(second) == "ORDER_CONFLICT"
    assert await reserved(admin) == 4


async def test_an_order_may_have_the_name_of_its_hold(shops: Living) -> None:
    hold_id = await take(shops, 4, external_id="x")
    order = draft({"A": 4}, external_id="x", hold=hold_id)
    placed(await shops.runtime.intake.place(order, shops.brand))


# ------------------------------------------------------------------------------ extend, release


async def test_a_hold_lasts_longer_or_shorter(shops: Living, admin: Connection) -> None:
    hold_id = await take(shops, 4)
    done = await extend(shops, hold_id, 3_600, key="k")
    assert 3_599 < await admin.fetchval(EXPIRY, hold_id) < 3_700
    assert done.hold.state is StockHoldState.ACTIVE
    await extend(shops, hold_id, 5)
    assert await admin.fetchval(EXPIRY, hold_id) < 100
    assert (await extend(shops, hold_id, 3_600, key="k")).hold == done.hold
    assert await admin.fetchval(EXPIRY, hold_id) < 100
    with pytest.raises(CommandConflict):
        await extend(shops, hold_id, 3_601, key="k")


async def test_late_is_in_time_while_nobody_has_ended_it(shops: Living, admin: Connection) -> None:
    hold_id = await take(shops, 4)
    await make_late(admin, hold_id)
    await extend(shops, hold_id, 60)
    await expire(shops)
    assert await state(admin, hold_id) == State("active", None, 4)


async def test_what_is_released_is_free_at_once(shops: Living, admin: Connection) -> None:
    hold_id = await take(shops, 10)
    waiting = await pay(shops, 3)
    done = await release(shops, hold_id, key="k")
    assert (done.hold.state, done.hold.order_id) == (StockHoldState.RELEASED, None)
    assert await state(admin, hold_id) == State("released", None, 10)
    assert await got(admin, waiting) == (3, 0)
    assert shops.shop("shop") == 7
    assert (await release(shops, hold_id, key="k")).hold == done.hold
    assert await reserved(admin) == 3


async def test_what_has_ended_ends_no_more(shops: Living, admin: Connection) -> None:
    hold_id = await take(shops, 4)
    await release(shops, hold_id)
    before = await contents(admin)
    with pytest.raises(StockHoldEnded):
        await release(shops, hold_id)
    with pytest.raises(StockHoldEnded):
        await extend(shops, hold_id, 9)
    with pytest.raises(UnknownStockHold):
        await release(shops, hold_id + 1)
    assert await contents(admin) == before


async def test_two_who_release_at_once(shops: Living, admin: Connection) -> None:
    hold_id = await take(shops, 4)
    found = await asyncio.gather(
        *(release(shops, hold_id) for _ in range(4)), return_exceptions=True
    )
    assert [isinstance(one, StockHoldEnded) for one in found].count(True) == 3
    assert await reserved(admin) == 0


# ------------------------------------------------------------------------------ whose


async def test_a_dealer_has_its_own(shops: Living, admin: Connection) -> None:
    world = shops.world
    own = held(await ask(shops, {"A": 2}, shop="dshop", who=world.dealer)).hold_id
    others = await take(shops, 3)
    before = await contents(admin)
    for hold_id, who in ((others, world.dealer), (own, world.other_dealer), (own, world.store)):
        with pytest.raises(UnknownStockHold):
            await release(shops, hold_id, who=who)
        with pytest.raises(UnknownStockHold):
            await extend(shops, hold_id, 9, who=who)
    assert await contents(admin) == before
    seen = {}
    for name in ("brand", "dealer", "other_dealer", "store", "other_brand"):
        async with shops.runtime.database.tenant_transaction(
            getattr(world, name), read_only=True
        ) as tx:
            found = await page_of_stock_holds(tx, 2**63 - 1, 9, StockHoldState.ACTIVE)
        seen[name] = [one.id for one in found]
    assert seen == {
        "brand": sorted([own, others], reverse=True),
        "dealer": [own],
        "other_dealer": [],
        "store": [],
        "other_brand": [],
    }
    await extend(shops, own, 9, who=world.dealer)
    await release(shops, own, who=world.dealer)
    assert await state(admin, own) == State("released", None, 2)


async def test_holds_are_paged_and_found_by_state(shops: Living) -> None:
    holds = [await take(shops) for _ in range(3)]
    await release(shops, holds[0])
    async with shops.runtime.database.tenant_transaction(shops.brand, read_only=True) as tx:
        page = await page_of_stock_holds(tx, 2**63 - 1, 2, None)
        rest = await page_of_stock_holds(tx, page[-1].id, 2, None)
        ended = await page_of_stock_holds(tx, 2**63 - 1, 9, StockHoldState.RELEASED)
    assert [one.id for one in page + rest] == holds[::-1]
    assert [one.id for one in ended] == holds[:1]
    assert isinstance(await ask(shops), Held)
    assert CART.kind is page[0].kind
