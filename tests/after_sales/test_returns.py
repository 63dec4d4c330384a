"""What customers send back: asked for, decided, received, inspected; stock and money follow."""

import asyncio

import pytest

from backend.after_sales.model import Inspected, ReturnDone, ReturnKind, ReturnRule, ReturnUnits
from backend.after_sales.receive import inspect_return
from backend.inventory.warehouses import create_warehouse
from backend.network.model import Condition, WarehouseDraft
from backend.orders.model import OrderStatus
from tests.after_sales.desk import AUTOMATIC, Desk
from tests.catalogue import Connection
from tests.inventory.stock import figures
from tests.orders.checks import assert_clean
from tests.refusals import refused
from tests.world import fresh_key

LONG_AGO = "update fulfilment set changed_at = changed_at - interval '8 days'"


async def test_what_comes_back_is_on_the_shelf_again(desk: Desk, admin: Connection) -> None:
    order = await desk.arrived(3)
    asked = await desk.ask(order, 2)
    assert (asked.request.status, asked.request.decision) == ("requested", "")
    number = asked.request.id
    await desk.approve(number, node_id=desk.store)
    await desk.send_back(number)
    await desk.receive(number)
    there = await figures(admin, desk.world, "store-inspection")
    assert there.on_hand == 2
    done = await desk.inspect(number, good=1, defective=1)
    assert (done.request.status, done.owed_minor) == ("closed", 2_000)
    assert (await figures(admin, desk.world, "store")).on_hand == 3
    assert (await figures(admin, desk.world, "store-inspection")).on_hand == 0
    assert (await figures(admin, desk.world, "store-defective")).on_hand == 1
    assert await desk.refunds(order) == [("returned", "due", 2_000)]
    told = await admin.fetch("select type from outbox where type ~ '^re(turn|fund)' order by id")
    assert [row["type"] for row in told] == [
        "return.requested",
        "return.changed",
        "return.changed",
        "return.received",
        "return.inspected",
        "refund.due",
    ]
    await assert_clean(desk.runtime, desk.world)


async def test_what_is_worthless_or_not_ours_leaves(desk: Desk, admin: Connection) -> None:
    order = await desk.arrived(3)
    number = (await desk.ask(order, 3)).request.id
    await desk.approve(number)
    await desk.receive(number)
    done = await desk.inspect(number, good=1, scrapped=1, denied=1)
    assert done.owed_minor == 2_000
    assert (await figures(admin, desk.world, "store-inspection")).on_hand == 0
    assert (await figures(admin, desk.world, "store")).on_hand == 3
    # What was denied the customer has again, and may ask for once more.
    with_one_left = await desk.ask(order, 1)
    assert with_one_left.request.status == "requested"
    await assert_clean(desk.runtime, desk.world)


async def test_only_some_of_it_comes(desk: Desk) -> None:
    order = await desk.arrived(3)
    number = (await desk.ask(order, 3)).request.id
    await desk.approve(number)
    await desk.receive(number, 1)
    done = await desk.inspect(number, good=1)
    assert done.owed_minor == 1_000
    assert (await desk.ask(order, 2)).request.status == "requested"


async def test_a_store_takes_back_what_a_warehouse_sent(desk: Desk, admin: Connection) -> None:
    order = await desk.arrived(3)
    taken = await desk.take_back(order, 1)
    assert taken.request.status == "received"
    await desk.inspect(taken.request.id, good=1)
    assert await desk.refunds(order) == [("returned", "due", 1_000)]
    assert (await figures(admin, desk.world, "store")).on_hand == 3
    await assert_clean(desk.runtime, desk.world)


@pytest.mark.parametrize("kind", [ReturnKind.REFUND_ONLY, ReturnKind.MISSING])
async def test_nothing_comes_back_of_what_is_only_paid_back(desk: Desk, kind: ReturnKind) -> None:
    order = await desk.arrived(3)
    asked = await desk.ask(order, 1, kind)
    approved = await desk.approve(asked.request.id)
    assert (approved.request.status, approved.owed_minor) == ("closed", 1_000)
    assert len(await desk.refunds(order)) == 1


async def test_rules_decide_by_themselves(desk: Desk) -> None:
    await desk.rule(AUTOMATIC)
    order = await desk.arrived(3)
    asked = await desk.ask(order, 1)
    assert (asked.request.status, asked.request.decision) == ("approved", "by rule")
    paid = await desk.ask(order, 1, ReturnKind.REFUND_ONLY)
    assert (paid.request.status, paid.owed_minor) == ("closed", 1_000)


async def test_one_rule_is_for_all_channels_and_exceptions_say_so(
    desk: Desk, admin: Connection
) -> None:
    channel = await admin.fetchval("select channel from shop where code = 'shop' limit 1")
    order = await desk.arrived(3)
    await desk.rule(AUTOMATIC, ReturnRule(days=0, channel=channel))
    async with refused(admin, "NOT_RETURNABLE") as seen:
        await desk.ask(order, 1)
    assert channel in str(seen.error)
    await desk.rule(AUTOMATIC)
    await admin.execute(LONG_AGO)
    async with refused(admin, "NOT_RETURNABLE"):
        await desk.ask(order, 1)
    async with refused(admin, "NOT_RETURNABLE"):
        await desk.take_back(order, 1)


@pytest.mark.parametrize(
    "rules",
    [
        (),
        (ReturnRule(days=7, channel="tmall"),),
        (ReturnRule(days=7), ReturnRule(days=8)),
        (ReturnRule(days=-1),),
    ],
)
async def test_rules_that_make_no_sense(
    desk: Desk, admin: Connection, rules: tuple[ReturnRule, ...]
) -> None:
    async with refused(admin, "INVALID_AFTER_SALES_INPUT"):
        await desk.rule(*rules)


async def test_no_more_comes_back_than_went_out(desk: Desk, admin: Connection) -> None:
    order = await desk.arrived(3)
    await desk.ask(order, 2)
    async with refused(admin, "TOO_MANY_RETURNED"):
        await desk.ask(order, 2)
    async with refused(admin, "TOO_MANY_RETURNED"):
        await desk.take_back(order, 2)
    async with refused(admin, "TOO_MANY_RETURNED"):
        await desk.ask(order, [ReturnUnits(2, 1)])
    sent = await desk.placed(1)
    async with refused(admin, "TOO_MANY_RETURNED"):
        await desk.ask(sent, 1)


async def test_what_is_rejected_or_kept_may_be_asked_for_again(desk: Desk) -> None:
    order = await desk.arrived(1)
    rejected = await desk.end((await desk.ask(order)).request.id, is_rejected=True)
    assert (rejected.request.status, rejected.request.decision) == ("rejected", "太晚")
    kept = await desk.end((await desk.ask(order)).request.id, is_rejected=False, reason="")
    assert kept.request.status == "cancelled"
    assert (await desk.ask(order)).request.status == "requested"


async def test_a_command_at_the_wrong_time_is_refused_with_how_it_stands(
    desk: Desk, admin: Connection
) -> None:
    order = await desk.arrived(2)
    number = (await desk.ask(order, 2)).request.id
    async with refused(admin, "RETURN_CHANGED"):
        await desk.receive(number)
    async with refused(admin, "RETURN_CHANGED"):
        await desk.inspect(number, good=2)
    await desk.approve(number)
    async with refused(admin, "RETURN_CHANGED"):
        await desk.approve(number)
    async with refused(admin, "RETURN_CHANGED"):
        await desk.end(number, is_rejected=True)
    async with refused(admin, "RETURN_CHANGED"):
        await desk.receive(number, seen=1)
    for units in (3, 0):
        async with refused(admin, "INVALID_AFTER_SALES_INPUT"):
            await desk.receive(number, units)
    await desk.receive(number)
    for good, denied in ((1, 0), (3, 0), (3, -1)):
        async with refused(admin, "INVALID_AFTER_SALES_INPUT"):
            await desk.inspect(number, good, denied=denied)
    async with refused(admin, "RETURN_CHANGED"):
        await desk.end(number, is_rejected=False)


async def test_where_there_is_no_room_nothing_is_received(desk: Desk, admin: Connection) -> None:
    order = await desk.arrived(1)
    number = (await desk.ask(order)).request.id
    await desk.approve(number)
    async with refused(admin, "NO_PLACE_FOR_RETURNS"):
        await desk.receive(number, at="far", who=desk.world.brand)


async def test_commands_that_come_twice_apply_once(desk: Desk, admin: Connection) -> None:
    order = await desk.arrived(2)
    first = await desk.ask(order, 2, key="ask")
    assert (await desk.ask(order, 2, key="ask")).request == first.request
    number = first.request.id
    for _ in range(2):
        await desk.approve(number, key="approve")
    for _ in range(2):
        await desk.receive(number, key="receive")
    for _ in range(2):
        await desk.inspect(number, key="inspect", good=2)
    assert await desk.refunds(order) == [("returned", "due", 2_000)]
    assert (await figures(admin, desk.world, "store")).on_hand == 5
    await assert_clean(desk.runtime, desk.world)


async def test_two_people_at_once(desk: Desk) -> None:
    order = await desk.arrived(3)
    asked = await asyncio.gather(*(desk.ask(order, 2) for _ in range(4)), return_exceptions=True)
    (done,) = [one for one in asked if isinstance(one, ReturnDone)]
    number = done.request.id
    await desk.approve(number)
    await desk.receive(number)
    looked = await asyncio.gather(
        desk.inspect(number, good=2), desk.inspect(number, denied=2), return_exceptions=True
    )
    assert sum(isinstance(one, ReturnDone) for one in looked) == 1
    await assert_clean(desk.runtime, desk.world)


async def test_what_was_the_brands_stays_the_brands(desk: Desk, admin: Connection) -> None:
    async with desk.database.tenant_transaction(desk.world.brand) as tx:
        for condition in (Condition.INSPECTION, Condition.GOOD):
            await create_warehouse(
                tx,
                WarehouseDraft(
                    node_id=desk.store,
                    code=f"theirs-{condition}",
                    condition=condition,
                    dealer_id=desk.world.dealers["d1"],
                    rank=-1,
                ),
            )
    order = await desk.arrived(1)
    taken = await desk.take_back(order, 1)
    await desk.inspect(taken.request.id, good=1)
    assert (await figures(admin, desk.world, "store")).on_hand == 5
    await assert_clean(desk.runtime, desk.world)


async def test_a_dealer_does_not_decide_what_the_brand_pays(desk: Desk, admin: Connection) -> None:
    order = await desk.arrived(1)
    asked = await desk.ask(order, 1, ReturnKind.REFUND_ONLY)
    await admin.execute("update orders set dealer_id = $1", desk.world.dealers["d1"])
    await admin.execute("update return_request set dealer_id = $1", desk.world.dealers["d1"])
    async with refused(admin, "PERMISSION_MISSING"):
        await desk.approve(asked.request.id, desk.world.dealer)
    async with refused(admin, "PERMISSION_MISSING"):
        await desk.approve(asked.request.id, desk.world.store)


async def test_who_may(desk: Desk, admin: Connection) -> None:
    world = desk.world
    order = await desk.arrived(3)
    async with refused(admin, "UNKNOWN_ORDER"):
        await desk.ask(order, 1, who=world.other_dealer)
    async with refused(admin, "WRITE_REFUSED"):
        await desk.ask(order, 1, who=world.group)
    number = (await desk.ask(order, 1)).request.id
    async with refused(admin, "UNKNOWN_RETURN"):
        await desk.approve(number, world.dealer)
    await desk.approve(number, node_id=world.nodes["wh"])
    async with refused(admin, "UNKNOWN_RETURN"):
        await desk.receive(number, at="wh")
    async with refused(admin, "WRITE_REFUSED"):
        await desk.receive(number, at="wh", who=world.dealer)
    await desk.receive(number, at="wh", who=world.brand)
    async with refused(admin, "UNKNOWN_RETURN"):
        await inspect_return(
            desk.database, world.store, number, [Inspected(1, 1)], seen=None, key=fresh_key()
        )


async def test_an_order_stays_delivered(desk: Desk) -> None:
    order = await desk.arrived(3)
    taken = await desk.take_back(order, 3)
    await desk.inspect(taken.request.id, good=3)
    assert (await desk.working.standing(order)).status is OrderStatus.DELIVERED
