"""What is paid back: frozen shares to the last minor unit, never more than was paid, once."""

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.after_sales.model import Refund, RefundStatus, ReturnKind
from backend.orders.cancel_orders import CancelLine, cancel_order
from backend.orders.model import FeeDraft, LineDraft, Placed
from tests.after_sales.desk import Desk, line
from tests.catalogue import Connection
from tests.orders.checks import assert_clean
from tests.refusals import refused
from tests.world import HANGZHOU, fresh_key, paid, receive

F = RefundStatus


async def bought(desk: Desk, number: str, **changes: Any) -> Placed:
    """Let a platform's order come, that is paid."""
    await receive(desk.database, desk.world.brand, "store", "A", 10)
    order = msgspec.structs.replace(paid(number, region=HANGZHOU), **changes)
    return await desk.place(order)


async def cancel(desk: Desk, order: Placed, units: int | None = None) -> None:
    lines = None if units is None else [CancelLine(1, units)]
    done = await cancel_order(desk.database, desk.world.brand, order.order_id, lines, fresh_key())
    await desk.runtime.publish_counters(desk.world.tenant_id, done.counters)


async def test_what_was_paid_and_is_cancelled_is_owed(desk: Desk) -> None:
    order = await bought(
        desk,
        "p1",
        lines=line(3, 1_000),
        order_discount_minor=100,
        freight_minor=800,
        fees=(FeeDraft("wrap", 200),),
    )
    await cancel(desk, order, 1)
    assert await desk.refunds(order) == [("cancelled", "due", 966)]
    await cancel(desk, order)
    assert await desk.refunds(order) == [
        ("cancelled", "due", 966),
        ("cancelled", "due", 2_934),
    ]
    await assert_clean(desk.runtime, desk.world)


async def test_what_was_not_paid_is_not_owed(desk: Desk) -> None:
    order = await desk.placed(3)
    await cancel(desk, order)
    assert await desk.refunds(order) == []


async def test_goodwill_is_part_of_what_was_paid(desk: Desk, admin: Connection) -> None:
    order = await desk.arrived(3)
    assert (await desk.grant(order, 500)).amount_minor == 500
    async with refused(admin, "NOTHING_TO_REFUND"):
        await desk.grant(order, 2_501)
    taken = await desk.take_back(order, 3)
    done = await desk.inspect(taken.request.id, good=3)
    assert done.owed_minor == 2_500
    async with refused(admin, "NOTHING_TO_REFUND"):
        await desk.grant(order, 1)
    for wrong in (0, -1, 10**16):
        async with refused(admin, "INVALID_AFTER_SALES_INPUT"):
            await desk.grant(order, wrong)


async def test_of_what_is_paid_on_delivery_no_more_is_owed_than_has_arrived(
    desk: Desk, admin: Connection
) -> None:
    order = await desk.placed(3)
    async with refused(admin, "NOTHING_TO_REFUND"):
        await desk.grant(order, 1)
    await cancel(desk, order, 2)
    await desk.working.until(order, "deliver")
    async with refused(admin, "NOTHING_TO_REFUND"):
        await desk.grant(order, 1_001)
    assert (await desk.grant(order, 1_000)).amount_minor == 1_000


async def test_units_that_cost_next_to_nothing_add_up(desk: Desk) -> None:
    lines = (LineDraft("A", 3, 1), LineDraft("B", 1, 5))
    await receive(desk.database, desk.world.brand, "store", "B", 5)
    order = await bought(desk, "cheap", lines=lines, order_discount_minor=1)
    for _ in range(3):
        await cancel(desk, order, 1)
    owed = [amount for _, _, amount in await desk.refunds(order)]
    assert sum(owed) in (2, 3)
    assert len(owed) == 3


async def test_what_is_waived_may_be_owed_again(desk: Desk) -> None:
    order = await desk.arrived(1)
    asked = await desk.ask(order, 1, ReturnKind.REFUND_ONLY)
    await desk.approve(asked.request.id)
    assert (await desk.move(order, 1, "waive")).status is F.WAIVED
    assert (await desk.grant(order, 1_000)).amount_minor == 1_000


async def test_paying_back_is_asked_refused_and_done(desk: Desk, admin: Connection) -> None:
    order = await desk.arrived(1)
    await desk.grant(order, 10)
    for step, status in (("ask", F.ASKED), ("fail", F.FAILED), ("ask", F.ASKED), ("pay", F.PAID)):
        moved = await desk.move(order, 1, step)
        assert (moved.status, moved.reference) == (status, "ref-1")
    for step in ("ask", "pay", "fail", "waive"):
        async with refused(admin, "REFUND_CHANGED"):
            await desk.move(order, 1, step)
    async with refused(admin, "UNKNOWN_REFUND"):
        await desk.move(order, 2, "pay")
    async with refused(admin, "PERMISSION_MISSING"):
        await desk.move(order, 1, "pay", desk.world.dealer)


async def test_it_is_paid_once(desk: Desk) -> None:
    order = await desk.arrived(1)
    await desk.grant(order, 10)
    results = await asyncio.gather(
        *(desk.move(order, 1, "pay") for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(one, Refund) for one in results) == 1


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_parts_add_up_to_what_was_paid(desk: Desk, data: st.DataObject) -> None:
    """However an order is taken apart, its parts are worth what it cost."""
    units = data.draw(st.integers(1, 7))
    price = data.draw(st.integers(1, 999))
    discount = data.draw(st.integers(0, units * price))
    freight = data.draw(st.integers(0, 500))
    order = await bought(
        desk,
        fresh_key(),
        lines=(LineDraft("A", units, price),),
        order_discount_minor=discount,
        freight_minor=freight,
    )
    left = units
    while left:
        part = data.draw(st.integers(1, left))
        await cancel(desk, order, part)
        left -= part
    owed = sum(amount for _, _, amount in await desk.refunds(order))
    assert owed == units * price - discount + freight


@pytest.mark.parametrize("reason", ["", "x" * 201])
async def test_a_request_says_why(desk: Desk, admin: Connection, reason: str) -> None:
    order = await desk.arrived(1)
    number = (await desk.ask(order)).request.id
    async with refused(admin, "INVALID_AFTER_SALES_INPUT"):
        await desk.end(number, is_rejected=True, reason=reason)
