"""What happens to orders afterwards: cancel, wait, hold, and the events that tell of it."""

import asyncio

import pytest

from backend.db.commands import CommandConflict
from backend.events.log import events_of_orders
from backend.events.model import Position
from backend.inventory.counters import Counters
from backend.orders.cancel_orders import CancelLine, cancel_order
from backend.orders.errors import NothingToCancel, UnknownHold, UnknownOrder
from backend.orders.find_orders import lines_of_orders
from backend.orders.model import OrderStatus, Placed
from backend.orders.release_holds import HoldUnresolved, Resolution, release_hold
from backend.runtime import Runtime
from tests.orders.checks import assert_clean, facts, level, placed
from tests.world import World, draft, fresh_key, paid, receive


async def place(runtime: Runtime, world: World, units: int = 3) -> Placed:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    return placed(await runtime.intake.place(paid(fresh_key(), {"A": units}), world.brand))


async def test_a_cancelled_order_gives_everything_back(runtime: Runtime, world: World) -> None:
    order = await place(runtime, world)
    done = await cancel_order(runtime.database, world.brand, order.order_id, None, "k")
    await runtime.publish_counters(world.tenant_id, done.counters)
    assert (done.status, done.units) == (OrderStatus.CANCELLED, 3)
    assert (await level(runtime, world, 1, "A")).reserved == 0
    await assert_clean(runtime, world)


async def test_the_same_cancellation_applies_once(runtime: Runtime, world: World) -> None:
    order = await place(runtime, world)
    lines = [CancelLine(1, 1)]
    first = await cancel_order(runtime.database, world.brand, order.order_id, lines, "k")
    before = await facts(runtime, world)
    again = await cancel_order(runtime.database, world.brand, order.order_id, lines, "k")
    assert (again.status, again.units) == (first.status, first.units)
    with pytest.raises(CommandConflict):
        await cancel_order(runtime.database, world.brand, order.order_id, None, "k")
    assert await facts(runtime, world) == before


async def test_what_waits_is_cancelled_first(runtime: Runtime, world: World) -> None:
    order = await place(runtime, world, units=7)
    await cancel_order(runtime.database, world.brand, order.order_id, [CancelLine(1, 3)], "k")
    async with runtime.database.tenant_transaction(world.brand) as tx:
        (line,) = (await lines_of_orders(tx, [order.order_id]))[order.order_id]
    assert (line["reserved"], line["backordered"], line["cancelled"]) == (4, 0, 3)
    await assert_clean(runtime, world)


@pytest.mark.parametrize("lines", [[CancelLine(1, 4)], [CancelLine(9, 1)], [CancelLine(1, 0)], []])
async def test_more_than_there_is_cannot_be_cancelled(
    runtime: Runtime, world: World, lines: list[CancelLine]
) -> None:
    order = await place(runtime, world)
    before = await facts(runtime, world)
    with pytest.raises(NothingToCancel):
        await cancel_order(runtime.database, world.brand, order.order_id, lines, "k")
    assert await facts(runtime, world) == before


async def test_nobody_cancels_what_they_cannot_see(runtime: Runtime, world: World) -> None:
    order = await place(runtime, world)
    before = await facts(runtime, world)
    for who in (world.dealer, world.other_brand, world.store):
        with pytest.raises(UnknownOrder):
            await cancel_order(runtime.database, who, order.order_id, None, "k")
    assert await facts(runtime, world) == before


async def test_cancelling_at_once_releases_once(runtime: Runtime, world: World) -> None:
    order = await place(runtime, world)
    answers = await asyncio.gather(
        *(
            cancel_order(runtime.database, world.brand, order.order_id, None, fresh_key())
            for _ in range(6)
        ),
        return_exceptions=True,
    )
    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
    assert (await level(runtime, world, 1, "A")).reserved == 0


async def test_receipts_serve_who_waits_oldest_first(runtime: Runtime, world: World) -> None:
    waiting = [
        placed(await runtime.intake.place(paid(fresh_key(), {"A": 2}), world.brand))
        for _ in range(3)
    ]
    new = await receive(runtime.database, world.brand, "wh", "A", 3)
    await runtime.publish_levels(world.tenant_id, [new])
    await runtime.settle()
    async with runtime.database.tenant_transaction(world.brand) as tx:
        lines = await lines_of_orders(tx, [order.order_id for order in waiting])
    assert [lines[order.order_id][0]["reserved"] for order in waiting] == [2, 1, 0]
    await assert_clean(runtime, world)


async def test_a_cancellation_serves_who_waits(runtime: Runtime, world: World) -> None:
    first = await place(runtime, world, units=5)
    second = placed(await runtime.intake.place(paid(fresh_key(), {"A": 2}), world.brand))
    done = await cancel_order(runtime.database, world.brand, first.order_id, None, "k")
    await runtime.publish_counters(world.tenant_id, done.counters)
    await runtime.settle()
    async with runtime.database.tenant_transaction(world.brand) as tx:
        (line,) = (await lines_of_orders(tx, [second.order_id]))[second.order_id]
    assert line["reserved"] == 2
    await assert_clean(runtime, world)


async def test_a_resolved_sku_lets_the_order_go_on(runtime: Runtime, world: World) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    held = placed(await runtime.intake.place(paid(fresh_key(), {"Z": 2}), world.brand))
    release = (runtime.database, world.brand, held.order_id)
    with pytest.raises(HoldUnresolved):
        await release_hold(*release, Resolution(1), runtime.regions, fresh_key())
    resolved = (Resolution(1, sku="A"), runtime.regions, fresh_key())
    status = await release_hold(*release, *resolved)
    assert await release_hold(*release, *resolved) == status
    assert status is OrderStatus.BACKORDERED
    await runtime.publish_counters(world.tenant_id, Counters())
    await runtime.settle()
    assert (await level(runtime, world, 1, "A")).reserved == 2
    with pytest.raises(UnknownHold):
        await release_hold(*release, Resolution(1, sku="A"), runtime.regions, fresh_key())
    await assert_clean(runtime, world)


async def test_events_rise_by_one_and_belong_to_their_owner(runtime: Runtime, world: World) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    order = placed(await runtime.intake.place(draft(shop="dshop"), world.dealer))
    await cancel_order(runtime.database, world.dealer, order.order_id, None, "k")
    for who, count in ((world.brand, 4), (world.dealer, 4), (world.other_dealer, 0)):
        async with runtime.database.tenant_transaction(who, read_only=True) as tx:
            events = (await events_of_orders(tx, [order.order_id])).get(order.order_id, [])
        assert [event.sequence for event in events] == list(range(1, count + 1))
    assert (await runtime.events.read(world.other_brand, Position.at(0))).events == []


async def test_events_say_who_did_it(runtime: Runtime, world: World) -> None:
    order = await place(runtime, world)
    await cancel_order(runtime.database, world.brand, order.order_id, None, fresh_key())
    async with runtime.database.tenant_transaction(world.brand, read_only=True) as tx:
        events = (await events_of_orders(tx, [order.order_id]))[order.order_id]
    who = {event.type: event.actor for event in events}
    assert who["order.placed"] == who["order.cancelled"] == world.brand.subject


async def test_what_yipan_does_by_itself_is_its_own(runtime: Runtime, world: World) -> None:
    order = placed(await runtime.intake.place(paid(fresh_key(), {"A": 1}), world.brand))
    level = await receive(runtime.database, world.brand, "wh", "A", 5)
    await runtime.publish_levels(world.tenant_id, [level])
    await runtime.settle()
    async with runtime.database.tenant_transaction(world.brand, read_only=True) as tx:
        events = (await events_of_orders(tx, [order.order_id]))[order.order_id]
    who = {event.type: event.actor for event in events}
    assert who["order.placed"] == world.brand.subject
    assert who["order.allocated"] is not None
    assert who["order.allocated"].startswith("system:")
