"""Where things meet: what is held, asked to stop, missing and delivered at the same time."""

from datetime import UTC, datetime, timedelta

import pytest

from backend.orders.cancel_orders import CancelLine, cancel_order
from backend.orders.hold_orders import hold_order, release_expired, release_holds
from backend.orders.model import FulfilmentStatus, OrderStatus, Placed
from backend.orders.move_fulfilments import FulfilmentKey
from backend.orders.release_holds import Resolution
from tests.catalogue import Connection
from tests.fulfilment.working import Working, codes
from tests.orders.checks import assert_clean, placed
from tests.orders.test_report_shortage import report
from tests.refusals import refused
from tests.world import HANGZHOU, draft, fresh_key, receive

S, F = OrderStatus, FulfilmentStatus


async def in_two(working: Working) -> tuple[Placed, FulfilmentKey, FulfilmentKey]:
    """Let an order be packed in one node, and wait at another; the one that is packed first."""
    database, brand = working.runtime.database, working.world.brand
    await receive(database, brand, "store", "A", 3)
    await receive(database, brand, "far", "B", 1)
    order = placed(
        await working.runtime.intake.place(draft({"A": 3, "B": 1}, region=HANGZHOU), brand)
    )
    rows = (await working.standing(order)).fulfilments
    assert len(rows) == 2
    async with database.tenant_transaction(brand) as tx:
        number = await tx._connection.fetchval(
            "select fulfilment_no from fulfilment where node_id = $1", working.world.nodes["store"]
        )
    first = FulfilmentKey(order.order_id, number)
    for step in ("release", "start", "pick", "pack"):
        await working.take(step, first)
    return order, first, FulfilmentKey(order.order_id, 3 - number)


async def hold(working: Working, order: Placed, until: datetime | None = None) -> None:
    database, brand = working.runtime.database, working.world.brand
    await hold_order(database, brand, order.order_id, "risk", until, fresh_key())


async def test_a_hold_ends_with_its_order_and_stops_no_other(
    working: Working, admin: Connection
) -> None:
    order = await working.sold(3)
    key = await working.until(order, "ship")
    other = await working.sold(1)
    soon = datetime.now(UTC) + timedelta(hours=1)
    await hold(working, other, soon)
    await admin.execute(
        "insert into order_hold (tenant_id, order_id, hold_no, kind, reason)"
        " values ($1, $2, 1, 'manual', 'risk')",
        working.world.tenant_id,
        order.order_id,
    )
    await working.deliver([key])
    assert (await working.standing(order)).status is S.DELIVERED
    await admin.execute("update order_hold set expires_at = now() where expires_at is not null")
    regions = working.runtime.regions
    assert await release_expired(working.runtime.database, working.world.tenant_id, regions) == 1
    await assert_clean(working.runtime, working.world)


async def test_cancelling_the_rest_lets_nothing_go_that_is_packed_and_held(
    working: Working,
) -> None:
    order, packed, _ = await in_two(working)
    await hold(working, order)
    database, brand = working.runtime.database, working.world.brand
    done = await cancel_order(database, brand, order.order_id, None, fresh_key())
    await working.runtime.publish_counters(brand.tenant_id, done.counters)
    assert codes(await working.ship([packed])) == ["ORDER_HELD"]
    let_go = await release_holds(
        database, brand, [(order.order_id, Resolution(1))], working.runtime.regions, fresh_key()
    )
    assert [one.status for one in let_go] == [S.IN_FULFILMENT]
    assert codes(await working.ship([packed])) == [""]
    await assert_clean(working.runtime, working.world)


async def test_what_is_asked_to_stop_is_not_sent_from_elsewhere(
    working: Working, admin: Connection
) -> None:
    order = await working.sold(3, stock=10)
    key = await working.until(order, "start")
    await receive(working.runtime.database, working.world.brand, "far", "A", 10)
    await working.ask(key)
    async with refused(admin, "INTERCEPT_PENDING"):
        await report(working.runtime, order, working.world.store, 3)
    await working.answer(key, stops=True)
    assert (await working.standing(order)).status is S.CANCELLED
    await assert_clean(working.runtime, working.world)


async def test_what_is_left_after_a_shortage_is_picked(working: Working) -> None:
    order = await working.sold(3)
    key = await working.until(order, "start")
    await working.scan(key, quantity=2)
    await report(working.runtime, order, working.world.store, 1)
    assert (await working.standing(order)).fulfilments[1] is F.PICKED
    await assert_clean(working.runtime, working.world)


@pytest.mark.parametrize("step", ["release", "start"])
async def test_what_a_node_has_begun_with_may_be_missing(working: Working, step: str) -> None:
    await receive(working.runtime.database, working.world.brand, "far", "A", 10)
    order = await working.sold(3)
    await working.until(order, step)
    await report(working.runtime, order, working.world.store, 3)
    await working.runtime.settle()
    standing = await working.standing(order)
    assert standing.fulfilments == {1: F.CANCELLED, 2: F.RESERVED}
    assert (standing.line.reserved, standing.line.at_node) == (3, 0)
    await assert_clean(working.runtime, working.world)


async def test_nobody_learns_how_anothers_fulfilment_stands(
    working: Working, admin: Connection
) -> None:
    order = await working.sold(3)
    await working.until(order, "ship")
    for who in ("dealer", "other_dealer"):
        async with refused(admin, "UNKNOWN_FULFILMENT"):
            await report(working.runtime, order, getattr(working.world, who), 1)


async def test_a_long_key_is_a_key(working: Working) -> None:
    order = await working.sold(1)
    await hold(working, order)
    key = "k" * 200
    database, brand = working.runtime.database, working.world.brand
    asked = [(order.order_id, Resolution(1))]
    for _ in range(2):
        done = await release_holds(database, brand, asked, working.runtime.regions, key)
        assert [one.status for one in done] == [S.ALLOCATED]
    assert (await working.release(key=key)).fulfilments == 1


async def test_what_is_left_of_a_line_is_cancelled_while_the_rest_is_sent(
    working: Working,
) -> None:
    order, packed, _ = await in_two(working)
    database, brand = working.runtime.database, working.world.brand
    done = await cancel_order(database, brand, order.order_id, [CancelLine(2, 1)], fresh_key())
    await working.runtime.publish_counters(brand.tenant_id, done.counters)
    await working.ship([packed])
    assert (await working.standing(order)).status is S.SHIPPED
    await working.deliver([packed])
    assert (await working.standing(order)).status is S.DELIVERED
    await assert_clean(working.runtime, working.world)
