"""Receiving: whole, part, more or less than was promised, and what is kept for whom."""

from backend.inventory.change_stock import StockAdjust
from backend.inventory.model import QUANTITY_MAX
from backend.inventory.movement_types import MovementType
from backend.maintenance import Maintenance
from backend.orders.cancel_orders import CancelLine
from backend.orders.model import Refused
from tests.inventory.stock import change, ledger
from tests.orders.checks import assert_clean
from tests.orders.supplies.coming import LATER, SOON, Coming
from tests.orders.supplies.coming import supply as draft_of
from tests.refusals import refused
from tests.world import draft


def upkeep(coming: Coming) -> Maintenance:
    return coming.runtime.maintenance


async def test_a_part_is_kept_for_the_oldest_and_the_rest_stays_promised(coming: Coming) -> None:
    await coming.expect(5)
    first, second = await coming.waits(("A", 2)), await coming.waits(("A", 2))
    received = await coming.take_in(3)
    assert (received.kept, received.supply.received, received.supply.promised) == (3, 3, 1)
    assert await coming.kept() == {first: 2, second: 1}
    assert await coming.promises() == {(second, "PO-1"): 1}
    await coming.settle()
    assert await coming.lines(first) == [(2, 0, None)]
    assert await coming.lines(second) == [(1, 1, SOON)]
    assert await coming.kept() == {}
    await coming.assert_true()
    await assert_clean(coming.runtime, coming.world)


async def test_more_than_is_promised_is_free(coming: Coming) -> None:
    await coming.expect(9)
    order = await coming.waits(("A", 2))
    received = await coming.receive(5)
    assert (received.kept, received.supply.outstanding, received.supply.is_open) == (2, 4, True)
    assert await coming.lines(order) == [(2, 0, None)]
    assert (await coming.level()).signed_free == 3
    await assert_clean(coming.runtime, coming.world)


async def test_a_supply_that_has_come_whole_is_closed(coming: Coming) -> None:
    await coming.expect(4)
    await coming.receive(1)
    assert (await coming.receive(3)).supply.is_open is False
    async with refused(coming.admin, "UNKNOWN_SUPPLY"):
        await coming.take_in(1)


async def test_a_receipt_is_in_the_ledger_with_its_supply(coming: Coming) -> None:
    kept = await coming.expect(4)
    order = await coming.waits(("A", 3))
    await coming.take_in(4)
    rows = [(r.type, r.quantity, r.cause_kind) for r in await ledger(coming.admin, coming.world)]
    assert rows == [("received", 4, "supply"), ("reserved", 3, "hold")]
    received, reserved = await ledger(coming.admin, coming.world)
    assert (received.cause_id, received.actor) == (kept.id, coming.world.brand.subject)
    assert await coming.kept() == {order: 3}
    assert reserved.version == received.version + 1


async def test_a_shortage_is_filled_before_anything_is_kept(coming: Coming) -> None:
    await coming.stock("wh", "A", 2)
    taken = await coming.waits(("A", 2))
    lost = StockAdjust(warehouse="wh", sku="A", quantity=-2, reason="lost")
    await change(coming.runtime.database, coming.world.brand, lost)
    await coming.expect(5)
    order = await coming.waits(("A", 4))
    received = await coming.take_in(5)
    assert received.kept == 3
    assert await coming.kept() == {order: 3}
    await coming.settle()
    assert await coming.lines(order) == [(3, 1, None)]
    assert await coming.lines(taken) == [(2, 0, None)]
    await coming.assert_true()
    await assert_clean(coming.runtime, coming.world)


async def test_a_shortage_that_takes_all_leaves_the_promises(coming: Coming) -> None:
    await coming.stock("wh", "A", 2)
    await coming.waits(("A", 2))
    lost = StockAdjust(warehouse="wh", sku="A", quantity=-2, reason="lost")
    await change(coming.runtime.database, coming.world.brand, lost)
    await coming.expect(6)
    order = await coming.waits(("A", 4))
    assert (await coming.receive(2)).kept == 0
    assert await coming.promises() == {(order, "PO-1"): 4}
    assert await coming.expected(order) == [SOON]
    await coming.assert_true()


async def test_the_same_receipt_is_answered_as_the_first_time(coming: Coming) -> None:
    await coming.expect(9)
    order = await coming.waits(("A", 4))
    first = await coming.take_in(3, key="k")
    assert await coming.take_in(3, key="k") == first
    assert (await coming.level())[4:6] == (3, 3)
    assert await coming.kept() == {order: 3}
    async with refused(coming.admin, "IDEMPOTENCY_CONFLICT"):
        await coming.take_in(2, key="k")


async def test_what_was_refused_leaves_its_key_free(coming: Coming) -> None:
    await coming.expect(2)
    async with refused(coming.admin, "RECEIPT_TOO_LARGE"):
        await coming.take_in(3, key="k")
    await coming.expect(3)
    assert (await coming.take_in(3, key="k")).supply.received == 3


async def test_a_level_holds_no_more_than_any_other(coming: Coming) -> None:
    await coming.stock("wh", "A", QUANTITY_MAX)
    await coming.expect(1)
    async with refused(coming.admin, "INVALID_QUANTITY"):
        await coming.take_in(1)


# ---------------------------------------------------------------- what changed, not settled yet


async def test_nothing_is_kept_for_who_has_cancelled(coming: Coming) -> None:
    await coming.expect(3)
    first, second = await coming.waits(("A", 3)), await coming.waits(("A", 1))
    await coming.cancel(first)
    assert (await coming.receive(3)).kept == 0
    assert await coming.kept() == {}
    assert await coming.lines(second) == [(1, 0, None)]
    assert (await coming.level())[4:6] == (3, 1)
    await coming.assert_true()


async def test_no_more_is_kept_than_still_waits(coming: Coming) -> None:
    await coming.expect(3)
    order = await coming.waits(("A", 3))
    await coming.cancel(order, [CancelLine(1, 2)])
    assert (await coming.take_in(3)).kept == 1
    assert await coming.kept() == {order: 1}


async def test_nothing_is_kept_for_who_waits_for_something_else(coming: Coming) -> None:
    await coming.expect(3)
    order = await coming.waits(("A", 3))
    await coming.keep(draft_of(3, sku="B"))
    assert (await coming.receive(3)).kept == 0
    assert await coming.lines(order) == [(0, 3, None)]
    assert (await coming.level(sku="B")).signed_free == 3
    await coming.assert_true()


async def test_what_is_kept_for_who_waits_no_more_is_given_back(coming: Coming) -> None:
    """A receipt and a cancellation at once: neither has seen the other."""
    await coming.expect(3)
    order = await coming.waits(("A", 3))
    await coming.take_in(3)
    await coming.admin.execute(
        "update order_line set backordered = 0, cancelled = cancelled + backordered"
        " where order_id = $1",
        order,
    )
    await upkeep(coming).expire_holds()
    assert await coming.kept() == {}
    assert (await coming.level())[4:6] == (3, 0)
    assert await coming.buys(3)


async def test_what_is_kept_for_who_waits_stays(coming: Coming) -> None:
    await coming.expect(3)
    order = await coming.waits(("A", 3))
    await coming.take_in(2)
    await upkeep(coming).expire_holds()
    assert await coming.kept() == {order: 2}


# ------------------------------------------------------------------------------- cancellations


async def test_who_cancels_before_the_receipt_gets_nothing(coming: Coming) -> None:
    await coming.expect(3)
    order = await coming.waits(("A", 2))
    await coming.cancel(order)
    await coming.settle()
    assert (await coming.receive(3)).kept == 0
    assert await coming.buys(3)
    await assert_clean(coming.runtime, coming.world)


async def test_who_cancels_after_the_receipt_gives_it_to_the_next(coming: Coming) -> None:
    await coming.expect(2)
    first, second = await coming.waits(("A", 2)), await coming.waits(("A", 2))
    await coming.take_in(2)
    await coming.cancel(first)
    await coming.settle()
    assert await coming.lines(first) == [(0, 0, None)]
    assert await coming.lines(second) == [(2, 0, None)]
    await coming.assert_true()
    await assert_clean(coming.runtime, coming.world)


async def test_who_cancels_after_the_allocation_gives_it_to_the_next(coming: Coming) -> None:
    await coming.expect(2)
    first, second = await coming.waits(("A", 2)), await coming.waits(("A", 2))
    await coming.receive(2)
    await coming.cancel(first)
    await coming.settle()
    assert await coming.lines(second) == [(2, 0, None)]
    await coming.assert_true()
    await assert_clean(coming.runtime, coming.world)


async def test_cancelling_one_sku_gives_back_what_came_of_it(coming: Coming) -> None:
    await coming.expect(2)
    order = await coming.waits(("A", 2), ("B", 5))
    await coming.take_in(2)
    await coming.cancel(order, [CancelLine(1, 2)])
    await coming.settle()
    assert await coming.kept() == {}
    assert (await coming.level())[4:6] == (2, 0)
    await coming.assert_true()
    await assert_clean(coming.runtime, coming.world)


async def test_cancelling_less_than_waits_keeps_what_came(coming: Coming) -> None:
    await coming.expect(2)
    order = await coming.waits(("A", 4))
    await coming.take_in(2)
    await coming.cancel(order, [CancelLine(1, 2)])
    assert await coming.kept() == {order: 2}
    await coming.settle()
    assert await coming.lines(order) == [(2, 0, None)]
    await assert_clean(coming.runtime, coming.world)


async def test_what_came_for_an_order_is_taken_over_wherever_it_is_sent_from(
    coming: Coming,
) -> None:
    """Stock turns up nearer to the buyer: what was kept is then there for all."""
    await coming.expect(2, warehouse="far")
    order = await coming.waits(("A", 2))
    await coming.take_in(2)
    await coming.stock("wh", "A", 2)
    assert await coming.lines(order) == [(2, 0, None)]
    assert await coming.kept() == {}
    levels = [await coming.level(node) for node in ("wh", "far")]
    assert sum(one.reserved for one in levels) == 2
    assert sum(one.signed_free for one in levels) == 2
    await assert_clean(coming.runtime, coming.world)


async def test_lines_of_one_sku_are_served_from_one_receipt(coming: Coming) -> None:
    await coming.expect(4)
    order = await coming.waits(("A", 1), ("A", 2))
    assert (await coming.receive(4)).kept == 3
    assert await coming.lines(order) == [(1, 0, None), (2, 0, None)]
    assert (await coming.level()).signed_free == 1
    await assert_clean(coming.runtime, coming.world)


async def test_a_dealers_order_is_kept_for_as_well(coming: Coming) -> None:
    await coming.expect(2)
    order = await coming.waits(("A", 2), shop="dshop")
    assert (await coming.receive(2)).kept == 2
    assert await coming.lines(order) == [(2, 0, None)]
    await assert_clean(coming.runtime, coming.world)


async def test_another_order_does_not_take_over_what_is_kept(coming: Coming) -> None:
    await coming.expect(2)
    order = await coming.waits(("A", 2))
    await coming.take_in(2)
    hold_id = await coming.admin.fetchval("select id from stock_hold where order_id = $1", order)
    outcome = await coming.runtime.intake.place(draft({"A": 2}, hold=hold_id), coming.world.brand)
    assert isinstance(outcome, Refused)
    assert await coming.kept() == {order: 2}
    await coming.settle()
    assert await coming.lines(order) == [(2, 0, None)]
    await assert_clean(coming.runtime, coming.world)


async def test_two_receipts_serve_one_order(coming: Coming) -> None:
    await coming.expect(2)
    await coming.expect(2, code="PO-2", expected_on=LATER, warehouse="far")
    order = await coming.waits(("A", 4))
    await coming.take_in(1)
    await coming.take_in(2, "PO-2")
    assert await coming.kept() == {order: 3}
    await coming.settle()
    assert (await coming.lines(order))[0] == (3, 1, SOON)
    await coming.receive(1)
    assert (await coming.lines(order))[0] == (4, 0, None)
    await coming.assert_true()
    await assert_clean(coming.runtime, coming.world)


async def test_the_movements_of_kept_units_add_up(coming: Coming) -> None:
    await coming.expect(2)
    await coming.waits(("A", 2))
    await coming.receive(2)
    kinds = [(row.type, row.cause_kind) for row in await ledger(coming.admin, coming.world)]
    assert kinds == [
        (MovementType.RECEIVED, "supply"),
        (MovementType.RESERVED, "hold"),
        (MovementType.RELEASED, "hold"),
        (MovementType.RESERVED, "order"),
    ]
