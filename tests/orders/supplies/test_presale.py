"""Presale (预售): orders for stock to come are taken as far as supplies go, and no further."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from backend.orders import commit
from backend.orders.errors import InsufficientStock
from backend.orders.model import Held, OrderStatus, Outcome, Placed, Refused, Shortage
from backend.orders.supplies import presale, settle
from tests.catalogue import contents
from tests.inventory.pools.layouts import EXAMPLE, put_in_force
from tests.orders.checks import assert_clean, placed, refused, second_runtime
from tests.orders.stock_holds.holding import CART
from tests.orders.supplies.coming import LATER, SOON, Coming, supply
from tests.world import draft, receive

BUYERS = 30


@pytest.fixture
async def other(coming: Coming, database_url: str, valkey_url: str) -> AsyncIterator[Coming]:
    """Another process."""
    async with second_runtime(database_url, valkey_url) as runtime:
        yield Coming(runtime, coming.world, coming.admin)


async def order(coming: Coming, units: int, sku: str = "A", **changes: Any) -> Outcome:
    wanted = draft({sku: units}, shortage=Shortage.PRESALE, **changes)
    return await coming.runtime.intake.place(wanted, coming.world.brand)


def available(outcome: Outcome) -> list[tuple[str, int, int]]:
    """Return what a refused order is told of."""
    found = refused(outcome, InsufficientStock.code)
    return [(one["sku"], one["requested"], one["available"]) for one in found.detail["lines"]]


async def test_what_is_to_come_is_sold_once(coming: Coming) -> None:
    await coming.expect(5)
    first = placed(await order(coming, 3))
    assert (first.status, first.lines[0].backordered) == (OrderStatus.BACKORDERED, 3)
    before = await contents(coming.admin)
    assert available(await order(coming, 3)) == [("A", 3, 2)]
    assert await contents(coming.admin) == before
    second = placed(await order(coming, 2))
    assert available(await order(coming, 1)) == [("A", 1, 0)]
    await coming.settle()
    assert await coming.promises() == {
        (first.order_id, "PO-1"): 3,
        (second.order_id, "PO-1"): 2,
    }
    assert await coming.expected(first.order_id, second.order_id) == [SOON, SOON]
    await coming.assert_true()
    await assert_clean(coming.runtime, coming.world)


async def test_who_may_not_wait_leaves_what_is_kept_for_it_to_nobody(coming: Coming) -> None:
    """It is refused with all of it, and who comes after it finds none of its units free."""
    await coming.stock("wh", "A", 2)
    intake, brand = coming.runtime.intake, coming.world.brand
    held = await intake.take_hold(draft({"A": 2}), CART, brand)
    assert isinstance(held, Held)
    uncovered = draft({"A": 3}, shortage=Shortage.PRESALE, hold=held.hold_id)
    first, second = await intake.place_many([uncovered, draft({"A": 2})], brand)
    assert available(first) == [("A", 3, 2)]
    assert available(second) == [("A", 2, 0)]
    third = placed(await intake.place(draft({"A": 2}, hold=held.hold_id), brand))
    assert third.lines[0].reserved == 2


async def test_what_is_there_is_taken_first(coming: Coming) -> None:
    await coming.stock("wh", "A", 2)
    await coming.expect(3)
    assert available(await order(coming, 6)) == [("A", 6, 5)]
    found = placed(await order(coming, 4))
    assert (found.lines[0].reserved, found.lines[0].backordered) == (2, 2)
    assert available(await order(coming, 2)) == [("A", 2, 1)]


async def test_with_enough_in_stock_nobody_waits(coming: Coming) -> None:
    await coming.stock("wh", "A", 2)
    found = placed(await order(coming, 2))
    assert found.status is OrderStatus.ALLOCATED
    assert available(await order(coming, 1)) == [("A", 1, 0)]


async def test_who_waits_already_comes_first(coming: Coming) -> None:
    await coming.keep(supply(5))
    waiting = await coming.waits(("A", 4))
    assert available(await order(coming, 2)) == [("A", 2, 1)]
    placed(await order(coming, 1))
    await coming.cancel(waiting)
    placed(await order(coming, 4))


async def test_only_what_is_believed_in_is_sold(coming: Coming) -> None:
    await coming.expect(10, confidence_bp=5_000)
    assert available(await order(coming, 6)) == [("A", 6, 5)]
    placed(await order(coming, 5))
    await coming.close()
    assert available(await order(coming, 1)) == [("A", 1, 0)]


async def test_several_supplies_cover_an_order_together(coming: Coming) -> None:
    await coming.keep(supply(2), supply(2, code="PO-2", expected_on=LATER))
    found = placed(await order(coming, 4))
    await coming.settle()
    assert await coming.expected(found.order_id) == [LATER]


async def test_all_lines_or_none(coming: Coming) -> None:
    await coming.expect(5)
    before = await contents(coming.admin)
    wanted = draft({"A": 2, "B": 1}, shortage=Shortage.PRESALE)
    outcome = await coming.runtime.intake.place(wanted, coming.world.brand)
    assert available(outcome) == [("B", 1, 0)]
    assert await contents(coming.admin) == before
    placed(await order(coming, 5))


async def test_what_comes_to_another_shops_place_is_not_for_it(coming: Coming) -> None:
    await put_in_force(coming.runtime.database, coming.world.brand, EXAMPLE)
    live = await coming.runtime.books.open(coming.world.tenant_id)
    await live.freshen()
    await coming.keep(supply(5, warehouse="far"))
    assert available(await order(coming, 1)) == [("A", 1, 0)]
    await coming.keep(supply(5, code="PO-2"))
    placed(await order(coming, 1))


async def test_what_came_is_for_whom_it_was_sold_to(coming: Coming) -> None:
    await coming.expect(3)
    found = placed(await order(coming, 3))
    await coming.settle()
    await coming.receive(3)
    assert await coming.lines(found.order_id) == [(3, 0, None)]
    assert not await coming.buys()
    await assert_clean(coming.runtime, coming.world)


async def test_buyers_at_once_in_two_processes(coming: Coming, other: Coming) -> None:
    await coming.keep(supply(10))
    await receive(coming.runtime.database, coming.world.brand, "wh", "A", 5)
    buyers = [order((coming, other)[number % 2], 1) for number in range(BUYERS)]
    outcomes = await asyncio.gather(*buyers)
    got = [one for one in outcomes if isinstance(one, Placed)]
    assert len(got) == 15
    assert sum(one.lines[0].reserved for one in got) == 5
    assert all(isinstance(one, Placed | Refused) for one in outcomes)
    await coming.settle()
    await coming.assert_true()
    await assert_clean(coming.runtime, coming.world)


async def test_who_waits_beyond_what_is_settled_at_once_comes_first_too(
    coming: Coming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settle, "LINES_MAX", 2)
    await coming.keep(supply(3))
    outcomes = [await order(coming, 1) for _ in range(7)]
    assert sum(isinstance(one, Placed) for one in outcomes) == 3


async def test_where_more_wait_than_are_looked_at_nothing_is_sold(
    coming: Coming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presale, "LINES_MAX", 2)
    await coming.keep(supply(9))
    outcomes = [await order(coming, 1) for _ in range(4)]
    assert sum(isinstance(one, Placed) for one in outcomes) == 2


async def test_who_is_refused_leaves_the_units_to_others(coming: Coming) -> None:
    await coming.stock("wh", "A", 3)
    ahead, now = order(coming, 5), coming.buys(3)
    refused_one, bought = await asyncio.gather(ahead, now)
    assert available(refused_one) == [("A", 5, 3)]
    assert bought


@pytest.mark.parametrize("first", ["waits", "ahead"])
async def test_who_may_wait_and_who_orders_ahead_at_once(coming: Coming, first: str) -> None:
    await coming.keep(supply(5))
    waits = draft({"A": 5}, shortage=Shortage.BACKORDER)
    both = [coming.runtime.intake.place(waits, coming.world.brand), order(coming, 5)]
    waiting, ahead = await asyncio.gather(*(both if first == "waits" else both[::-1]))
    if first == "ahead":
        waiting, ahead = ahead, waiting
    assert isinstance(waiting, Placed)
    await coming.settle()
    promised = await coming.promises()
    if isinstance(ahead, Placed):
        assert promised == {(ahead.order_id, "PO-1"): 5}
    else:
        assert promised == {(waiting.order_id, "PO-1"): 5}


async def test_who_waits_in_another_process_is_seen(
    coming: Coming, other: Coming, monkeypatch: pytest.MonkeyPatch
) -> None:
    await coming.keep(supply(5))
    write, writing, go_on = commit._write, asyncio.Event(), asyncio.Event()

    async def slowly(*given: Any) -> Any:
        monkeypatch.setattr(commit, "_write", write)
        writing.set()
        await go_on.wait()
        return await write(*given)

    monkeypatch.setattr(commit, "_write", slowly)
    waits = draft({"A": 5}, shortage=Shortage.BACKORDER)
    waiting = asyncio.create_task(other.runtime.intake.place(waits, other.world.brand))
    await writing.wait()
    ahead = asyncio.create_task(order(coming, 5))
    await asyncio.sleep(0.1)
    go_on.set()
    assert isinstance(await waiting, Placed)
    assert available(await ahead) == [("A", 5, 0)]
