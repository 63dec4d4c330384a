"""From the order to the counter: every step, its units, its stock, its events, who may take it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.fulfilment.waves import WaveDraft
from backend.orders.cancel_orders import cancel_order
from backend.orders.errors import OrderFetched
from backend.orders.hold_orders import hold_order
from backend.orders.model import FulfilmentStatus, LineOutcome, OrderStatus, Pickup, Shortage
from backend.orders.move_fulfilments import FulfilmentKey
from backend.pickups import expire
from backend.pickups.model import PickupStatus
from tests.catalogue import Connection, contents
from tests.fulfilment.working import Working, codes
from tests.inventory.stock import figures
from tests.orders.checks import assert_clean, placed
from tests.orders.checks import refused as outcome_refused
from tests.pickups.counter import Counter
from tests.refusals import refused
from tests.world import draft, fresh_key, paid

F, S, P = FulfilmentStatus, OrderStatus, PickupStatus
LATE = "update pickup set keep_until = clock_timestamp() - interval '1 second' where order_id = $1"


async def test_an_order_is_fetched(counter: Counter, admin: Connection) -> None:
    order = await counter.sold(3)
    assert order.status is S.ALLOCATED
    asked = await counter.pickup(order)
    assert (asked.status, asked.version) == (P.ASKED, 1)
    assert asked.node_id == counter.world.nodes["store"]
    assert asked.ready_by is not None
    accepted = await counter.accept(order)
    assert (accepted.pickup.status, accepted.pickup.ready_by) == (P.ACCEPTED, asked.ready_by)
    at_node = LineOutcome(1, 0, 0, 0, 0, at_node=3)
    assert await counter.standing(order) == (S.IN_FULFILMENT, at_node, {1: F.RELEASED})
    ready = await counter.make_ready(order)
    assert ready.pickup.status is P.READY
    assert await counter.standing(order) == (S.IN_FULFILMENT, at_node, {1: F.PACKED})
    done = await counter.hand_over(order, await counter.code(order))
    assert (done.pickup.status, done.order_status) == (P.HANDED_OVER, S.DELIVERED)
    delivered = LineOutcome(1, 0, 0, 0, 0, delivered=3)
    assert await counter.standing(order) == (S.DELIVERED, delivered, {1: F.DELIVERED})
    stock = await figures(admin, counter.world, "store")
    assert (stock.on_hand, stock.reserved) == (2, 0)
    rows = await admin.fetch("select type, node_id from outbox order by sequence")
    assert [row["type"] for row in rows if row["type"].startswith("pickup")] == [
        "pickup.asked",
        "pickup.accepted",
        "pickup.ready",
        "pickup.handed_over",
    ]
    await assert_clean(counter.runtime, counter.world)


async def test_only_its_store_serves_it(counter: Counter) -> None:
    await counter.stocked(9, "wh")
    order = await counter.sold(3, stock=0)
    assert order.status is S.BACKORDERED
    assert (await counter.pickup(order)).ready_by is None
    assert await counter.allocate() == 0
    await counter.stocked(5)
    assert await counter.allocate() == 3
    line = LineOutcome(1, 3, 0, 0, 0)
    assert await counter.standing(order) == (S.ALLOCATED, line, {1: F.RESERVED})
    accepted = await counter.accept(order)
    assert accepted.pickup.ready_by is not None
    await assert_clean(counter.runtime, counter.world)


async def test_what_is_not_all_there_is_refused(counter: Counter, admin: Connection) -> None:
    await counter.stocked(9, "wh")
    before = await contents(admin)
    order = draft({"A": 3}, pickup=Pickup("store"))
    outcome = await counter.runtime.intake.place(order, counter.world.brand)
    outcome_refused(outcome, "INSUFFICIENT_STOCK")
    assert await contents(admin) == before


@pytest.mark.parametrize("where", ["wh", "nowhere"])
async def test_where_nothing_is_handed_over_nothing_is_ordered(
    counter: Counter, where: str
) -> None:
    await counter.stocked(9, "wh")
    order = draft({"A": 1}, pickup=Pickup(where))
    outcome = await counter.runtime.intake.place(order, counter.world.brand)
    outcome_refused(outcome, "NO_PICKUP")
    kept = placed(
        await counter.runtime.intake.place(
            paid("p1", {"A": 1}, pickup=Pickup(where)), counter.world.brand
        )
    )
    assert (kept.status, kept.holds) == (S.HELD, ("pickup",))
    moved = await counter.move(kept, "store")
    assert (moved.pickup.status, moved.order_status) == (P.ASKED, S.BACKORDERED)
    await counter.stocked(1)
    assert await counter.allocate() == 1
    await assert_clean(counter.runtime, counter.world)


async def test_what_can_be_fetched_nowhere_is_sent(counter: Counter) -> None:
    await counter.stocked(9, "wh")
    order = paid("p2", {"A": 1}, pickup=Pickup("nowhere"))
    kept = placed(await counter.runtime.intake.place(order, counter.world.brand))
    sent = await counter.move(kept, None)
    assert (sent.pickup.status, sent.order_status) == (P.SENT, S.BACKORDERED)
    assert await counter.allocate() == 1
    await assert_clean(counter.runtime, counter.world)


async def test_what_travels_already_arrives_though_the_rest_is_fetched(
    counter: Counter, admin: Connection
) -> None:
    working = Working(counter.runtime, counter.world)
    await counter.stocked(3, "wh")
    order = placed(
        await counter.runtime.intake.place(
            draft({"A": 5}, shortage=Shortage.BACKORDER), counter.world.brand
        )
    )
    key = FulfilmentKey(order.order_id, 1)
    await working.release(WaveDraft(counter.world.nodes["wh"], with_waiting=True))
    await working.pick_list(key, node="wh")
    await working.pick([key])
    await working.pack(key)
    await working.ship([key])
    await counter.move(order, "store")
    assert codes(await working.deliver([key])) == [""]
    done = await cancel_order(
        counter.database, counter.world.brand, order.order_id, None, fresh_key()
    )
    await counter.publish(done.counters)
    assert (done.status, await counter.status(order)) == (S.DELIVERED, P.CANCELLED)
    await assert_clean(counter.runtime, counter.world)


async def test_what_comes_late_does_not_expire_with_the_rest(
    counter: Counter, admin: Connection
) -> None:
    order = await counter.sold(5, stock=3)
    await counter.make_ready(order)
    await counter.stocked(4)
    assert await counter.allocate() == 2
    await admin.execute(LATE, order.order_id)
    assert await counter.expire() == 1
    standing = await counter.standing(order)
    assert (standing.line.cancelled, standing.line.reserved) == (3, 2)
    assert await counter.status(order) is P.ASKED
    await assert_clean(counter.runtime, counter.world)


async def test_a_store_rejects_and_another_one_hands_over(
    counter: Counter, admin: Connection
) -> None:
    order = await counter.sold(3)
    rejected = await counter.reject(order)
    assert (rejected.pickup.status, rejected.order_status) == (P.REJECTED, S.HELD)
    stock = await figures(admin, counter.world, "store")
    assert (stock.on_hand, stock.reserved) == (5, 0)
    assert await counter.allocate() == 0
    await counter.stocked(5, "dealer-node")
    moved = await counter.move(order, "dealer-node")
    assert moved.pickup.node_id == counter.world.nodes["dealer-node"]
    assert await counter.allocate() == 3
    async with refused(admin, "UNKNOWN_PICKUP"):
        await counter.accept(order)
    await counter.make_ready(order, counter.world.brand)
    await counter.hand_over(order, await counter.code(order), who=counter.world.brand)
    assert (await counter.standing(order)).status == S.DELIVERED
    await assert_clean(counter.runtime, counter.world)


@pytest.mark.parametrize("step", ["asked", "accepted", "ready"])
async def test_an_order_is_sent_after_all(counter: Counter, admin: Connection, step: str) -> None:
    order = await counter.sold(3)
    await counter.stocked(9, "wh")
    if step != "asked":
        await counter.accept(order)
    if step == "ready":
        await counter.make_ready(order)
    moved = await counter.move(order, None)
    assert (moved.pickup.status, moved.order_status) == (P.SENT, S.BACKORDERED)
    assert await counter.allocate() == 3
    standing = await counter.standing(order)
    assert standing.fulfilments == {1: F.CANCELLED, 2: F.RESERVED}
    async with refused(admin, "PICKUP_CHANGED"):
        await counter.move(order, None)
    await assert_clean(counter.runtime, counter.world)


async def test_what_was_to_be_sent_is_fetched(counter: Counter, admin: Connection) -> None:
    await counter.stocked(9, "wh")
    order = placed(await counter.runtime.intake.place(draft({"A": 2}), counter.world.brand))
    await counter.stocked(5)
    await counter.move(order, "store")
    assert (await figures(admin, counter.world, "wh")).reserved == 0
    assert await counter.allocate() == 2
    await counter.make_ready(order)
    await counter.hand_over(order, await counter.code(order))
    assert await counter.status(order) is P.HANDED_OVER
    await assert_clean(counter.runtime, counter.world)


async def test_they_take_less_at_the_counter(counter: Counter, admin: Connection) -> None:
    order = await counter.ready(3)
    code = await counter.code(order)
    token = await counter.token(order)
    for wrong in ({1: 4}, {2: 1}, {}):
        async with refused(admin, "INVALID_PICKUP_INPUT"):
            await counter.hand_over(order, token, wrong)
    done = await counter.hand_over(order, code, {1: 1})
    assert done.order_status is S.DELIVERED
    line = LineOutcome(1, 0, 0, 0, 2, delivered=1)
    assert await counter.standing(order) == (S.DELIVERED, line, {1: F.DELIVERED})
    stock = await figures(admin, counter.world, "store")
    assert (stock.on_hand, stock.reserved) == (4, 0)
    await assert_clean(counter.runtime, counter.world)


async def test_what_waits_is_asked_anew(counter: Counter) -> None:
    order = await counter.sold(5, stock=3)
    await counter.make_ready(order)
    first = await counter.hand_over(order, await counter.code(order))
    assert (first.pickup.status, first.order_status) == (P.ASKED, S.PARTIALLY_ALLOCATED)
    await counter.stocked(4)
    assert await counter.allocate() == 2
    await counter.accept(order)
    await counter.make_ready(order)
    second = await counter.hand_over(order, await counter.code(order, 2))
    assert (second.pickup.status, second.order_status) == (P.HANDED_OVER, S.DELIVERED)
    await assert_clean(counter.runtime, counter.world)


async def test_nobody_comes(counter: Counter, admin: Connection) -> None:
    order = await counter.ready(3)
    assert await counter.expire() == 0
    await admin.execute(LATE, order.order_id)
    assert await counter.expire() == 1
    assert await counter.expire() == 0
    assert await counter.status(order) is P.EXPIRED
    line = LineOutcome(1, 0, 0, 0, 3)
    assert await counter.standing(order) == (S.CANCELLED, line, {1: F.CANCELLED})
    stock = await figures(admin, counter.world, "store")
    assert (stock.on_hand, stock.reserved) == (5, 0)
    await assert_clean(counter.runtime, counter.world)


async def test_one_that_cannot_expire_does_not_keep_the_others(
    counter: Counter, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await counter.ready(1), await counter.ready(1)
    await admin.execute("update pickup set keep_until = clock_timestamp() - interval '1 s'")
    whole = expire.expire_pickup

    async def failing(database: Any, tenant_id: int, order_id: int, moment: datetime) -> Any:
        assert order_id != first.order_id, "a defect of ours"
        return await whole(database, tenant_id, order_id, moment)

    monkeypatch.setattr(expire, "expire_pickup", failing)
    assert await counter.expire() == 1
    assert [await counter.status(one) for one in (first, second)] == [P.READY, P.EXPIRED]


async def test_a_store_keeps_it_longer(counter: Counter, admin: Connection) -> None:
    order = await counter.ready(3)
    await admin.execute(LATE, order.order_id)
    later = datetime.now(UTC) + timedelta(days=2)
    assert (await counter.keep(order, later)).pickup.keep_until == later
    assert await counter.expire() == 0
    for wrong in (datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=99)):
        async with refused(admin, "INVALID_PICKUP_INPUT"):
            await counter.keep(order, wrong)


async def test_a_cancelled_order_is_not_handed_over(counter: Counter, admin: Connection) -> None:
    order = await counter.sold(3)
    done = await cancel_order(
        counter.database, counter.world.brand, order.order_id, None, fresh_key()
    )
    await counter.publish(done.counters)
    assert done.status is S.CANCELLED
    assert await counter.status(order) is P.CANCELLED
    async with refused(admin, "PICKUP_CHANGED"):
        await counter.accept(order)
    await assert_clean(counter.runtime, counter.world)


async def test_no_wave_and_no_carrier_takes_what_is_fetched(
    counter: Counter, admin: Connection
) -> None:
    order = await counter.sold(3)
    working = Working(counter.runtime, counter.world)
    async with refused(admin, "NOTHING_TO_RELEASE"):
        await working.release()
    await counter.make_ready(order)
    key = FulfilmentKey(order.order_id, 1)
    assert codes(await working.ship([key])) == [OrderFetched.code]
    assert codes(await working.deliver([key])) == ["FULFILMENT_STATE"]


async def test_a_held_order_is_not_accepted(counter: Counter, admin: Connection) -> None:
    order = await counter.sold(3)
    await hold_order(
        counter.database, counter.world.brand, order.order_id, "look", None, fresh_key()
    )
    async with refused(admin, "ORDER_HELD"):
        await counter.accept(order)


async def test_nothing_is_accepted_that_is_not_there(counter: Counter, admin: Connection) -> None:
    order = await counter.sold(3, stock=0)
    async with refused(admin, "NOTHING_THERE"):
        await counter.accept(order)
    async with refused(admin, "NOTHING_THERE"):
        await counter.make_ready(order)
