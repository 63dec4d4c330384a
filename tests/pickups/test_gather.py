"""What is fetched at a store may come from elsewhere: sent there first, then handed over."""

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest

from backend.inventory.supplies.supplies import set_supplies
from backend.orders.model import Placed
from backend.orders.supplies.receive import receive_supply
from backend.orders.supplies.settle import may_take_of, settle_promises
from backend.pickups.gather import Gathered, Gathering, gather_pickup, gather_sources
from backend.pickups.model import PickupStatus
from backend.routing import live_book
from tenants.principal import Principal
from tests.catalogue import Connection
from tests.inventory.stock import figures
from tests.orders.checks import assert_clean
from tests.orders.supplies.coming import supply
from tests.pickups.counter import Counter
from tests.refusals import refused
from tests.world import fresh_key

SOON = date.today() + timedelta(days=2)
PROMISED = "select order_id, sum(quantity)::integer as units from supply_promise group by 1"


@pytest.fixture(autouse=True)
def _always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_book, "FRESH_SECONDS", 0.0)


async def gather(
    counter: Counter,
    order: Placed,
    location: str = "wh",
    on: date = SOON,
    who: Principal | None = None,
    **given: Any,
) -> Gathered:
    runtime, world = counter.runtime, counter.world
    given = {"seen": None, "key": fresh_key()} | given
    live = await runtime.books.open(world.tenant_id)
    who = who or world.brand
    done = await gather_pickup(
        runtime.database, who, order.order_id, Gathering(location, on), live, **given
    )
    await runtime.publish_levels(world.tenant_id, done.levels)
    await runtime.settle()
    return done


async def sources(counter: Counter, order: Placed, who: Principal | None = None) -> list[str]:
    live = await counter.runtime.books.open(counter.world.tenant_id)
    who = who or counter.world.brand
    return await gather_sources(counter.database, who, order.order_id, live)


async def come(counter: Counter, code: str, units: int) -> None:
    """Let the store receive what was sent to it."""
    runtime, world = counter.runtime, counter.world
    got = await receive_supply(
        runtime.database, world.store, runtime.intake.ids, (code, 1, units), key=fresh_key()
    )
    await runtime.publish_levels(world.tenant_id, got.levels)
    assert await counter.allocate() == units


async def test_it_is_sent_to_the_store_and_fetched_there(
    counter: Counter, admin: Connection
) -> None:
    order = await counter.sold(3, stock=1)
    await counter.stocked(5, "wh")
    assert (await counter.standing(order)).line.backordered == 2
    assert await sources(counter, order) == ["wh"]
    done = await gather(counter, order)
    assert [(one.sku, one.units) for one in done.supplies] == [("A", 2)]
    assert (await figures(admin, counter.world, "wh")).on_hand == 3
    assert await sources(counter, order) == []
    await come(counter, done.supplies[0].code, 2)
    await counter.accept(order)
    await counter.make_ready(order)
    await counter.hand_over(order, await counter.code(order))
    assert await counter.status(order) == PickupStatus.HANDED_OVER
    assert (await figures(admin, counter.world, "store")).on_hand == 0
    await assert_clean(counter.runtime, counter.world)


async def test_what_is_on_its_way_is_nobody_elses(counter: Counter, admin: Connection) -> None:
    first = await counter.sold(2, stock=0)
    await counter.stocked(2, "wh")
    done = await gather(counter, first)
    second = await counter.sold(1, stock=0)
    assert {row["order_id"]: row["units"] for row in await admin.fetch(PROMISED)} == {
        first.order_id: 2
    }
    await come(counter, done.supplies[0].code, 2)
    assert (await counter.standing(first)).line.reserved == 2
    assert (await counter.standing(second)).line.backordered == 1


async def test_it_is_done_once(counter: Counter, admin: Connection) -> None:
    order, key = await counter.sold(2, stock=0), fresh_key()
    await counter.stocked(5, "wh")
    first = await gather(counter, order, key=key)
    again = await gather(counter, order, key=key)
    assert again.supplies == first.supplies
    async with refused(admin, "NOTHING_TO_GATHER"):
        await gather(counter, order)


async def test_of_two_at_once_one_sends_it(counter: Counter, admin: Connection) -> None:
    order = await counter.sold(2, stock=0)
    await counter.stocked(9, "wh")
    done = await asyncio.gather(*(gather(counter, order) for _ in range(2)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Gathered", "NothingToGather"]
    assert (await figures(admin, counter.world, "wh")).on_hand == 7


async def test_two_orders_at_once_for_the_same_units(counter: Counter, admin: Connection) -> None:
    orders = [await counter.sold(2, stock=0) for _ in range(2)]
    await counter.stocked(3, "wh")
    done = await asyncio.gather(*(gather(counter, one) for one in orders), return_exceptions=True)
    assert sum(isinstance(one, Gathered) for one in done) == 1
    assert (await figures(admin, counter.world, "wh")).on_hand == 1


@pytest.mark.parametrize(
    ("location", "on"),
    [("wh", SOON - timedelta(days=30)), ("wh", SOON + timedelta(days=365)), ("store", SOON)],
    ids=["over", "too far", "the store itself"],
)
async def test_where_from_and_when_must_be_possible(
    counter: Counter, admin: Connection, location: str, on: date
) -> None:
    order = await counter.sold(2, stock=0)
    await counter.stocked(5, "wh")
    async with refused(admin, "INVALID_PICKUP_INPUT"):
        await gather(counter, order, location, on)


@pytest.mark.parametrize("location", ["wh", "nowhere"])
async def test_a_location_that_has_too_little_is_refused(
    counter: Counter, admin: Connection, location: str
) -> None:
    order = await counter.sold(2, stock=0)
    await counter.stocked(1, "wh")
    assert await sources(counter, order) == []
    async with refused(admin, "INVALID_PICKUP_INPUT"):
        await gather(counter, order, location)


async def test_what_the_store_has_is_not_gathered(counter: Counter, admin: Connection) -> None:
    order = await counter.sold(2)
    await counter.stocked(5, "wh")
    async with refused(admin, "NOTHING_TO_GATHER"):
        await gather(counter, order)


async def test_whoever_saw_something_else_is_refused(counter: Counter, admin: Connection) -> None:
    order = await counter.sold(2, stock=0)
    await counter.stocked(5, "wh")
    async with refused(admin, "PICKUP_CHANGED"):
        await gather(counter, order, seen=99)


async def test_only_the_brand_sends_its_goods(counter: Counter, admin: Connection) -> None:
    order = await counter.sold(2, stock=0)
    for who in (counter.world.dealer, counter.world.store):
        async with refused(admin, "PERMISSION_MISSING"):
            await gather(counter, order, who=who)


async def test_a_supply_of_another_node_is_not_promised_to_what_is_fetched(
    counter: Counter, admin: Connection
) -> None:
    """It would be kept there, where nobody fetches it."""
    await counter.sold(2, stock=0)
    async with counter.database.tenant_transaction(counter.world.brand) as tx:
        await set_supplies(tx, [supply(5)], key=fresh_key())
    live = await counter.runtime.books.open(counter.world.tenant_id)
    view = live.book.view
    await settle_promises(counter.database, counter.world.tenant_id, may_take_of(view))
    assert await admin.fetch(PROMISED) == []
