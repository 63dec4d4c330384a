"""Asking a node to stop: nothing leaves before it has answered, and what stops is free again."""

import asyncio

import pytest

from backend.orders.errors import WrongFulfilmentState
from backend.orders.model import FulfilmentStatus, LineOutcome, OrderStatus
from tests.catalogue import Connection
from tests.fulfilment.working import Working, codes
from tests.inventory.stock import figures
from tests.orders.checks import assert_clean, placed
from tests.refusals import refused
from tests.world import HANGZHOU, draft

BEGUN = ["release", "start", "pick", "pack"]


@pytest.mark.parametrize("step", BEGUN)
async def test_what_is_stopped_is_cancelled_and_free(
    working: Working, admin: Connection, step: str
) -> None:
    order = await working.sold(3)
    key = await working.until(order, step)
    assert await working.ask(key) == 1
    stopped = await working.answer(key, stops=True)
    assert (stopped.status, stopped.units) == (OrderStatus.CANCELLED, 3)
    standing = await working.standing(order)
    assert standing.fulfilments == {1: FulfilmentStatus.CANCELLED}
    assert standing.line == LineOutcome(1, 0, 0, 0, 3)
    stock = await figures(admin, working.world, "store")
    assert (stock.on_hand, stock.reserved) == (5, 0)
    await assert_clean(working.runtime, working.world)
    again = draft({"A": 5}, region=HANGZHOU)
    placed(await working.runtime.intake.place(again, working.world.brand))


async def test_while_a_node_is_asked_nothing_leaves(working: Working) -> None:
    order = await working.sold(3)
    key = await working.until(order, "pack")
    await working.ask(key)
    assert codes(await working.ship([key])) == ["INTERCEPT_PENDING"]
    answered = await working.answer(key, stops=False)
    assert (answered.status, answered.units) == (OrderStatus.IN_FULFILMENT, 0)
    assert codes(await working.ship([key])) == [""]


async def test_parcels_of_what_is_stopped_go_nowhere(working: Working, admin: Connection) -> None:
    order = await working.sold(3)
    key = await working.until(order, "pack")
    await working.ask(key)
    await working.answer(key, stops=True)
    assert await admin.fetchval("select status from parcel") == "cancelled"


async def test_a_picked_part_is_no_longer_picked_once_it_is_stopped(working: Working) -> None:
    order = await working.sold(3)
    key = await working.until(order, "start")
    await working.scan(key, quantity=2)
    await working.ask(key)
    assert (await working.answer(key, stops=True)).units == 3
    await assert_clean(working.runtime, working.world)


async def test_only_what_a_node_has_begun_with_is_intercepted(
    working: Working, admin: Connection
) -> None:
    order = await working.sold(3)
    key = await working.until(order, "release")
    await working.ask(key)
    async with refused(admin, "INTERCEPT_PENDING"):
        await working.ask(key)
    await working.answer(key, stops=False)
    async with refused(admin, "UNKNOWN_INTERCEPT"):
        await working.answer(key, stops=True)
    for step in ("start", "pick", "pack", "ship"):
        await working.take(step, key)
    async with refused(admin, "FULFILMENT_STATE"):
        await working.ask(key)


async def test_who_may_ask_and_who_may_answer(working: Working, admin: Connection) -> None:
    world = working.world
    order = await working.sold(3)
    key = await working.until(order, "pick")
    async with refused(admin, "UNKNOWN_ORDER"):
        await working.ask(key, world.dealer)
    await working.ask(key)
    async with refused(admin, "WRITE_REFUSED"):
        await working.answer(key, stops=True, who=world.dealer)
    async with refused(admin, "WRITE_REFUSED"):
        await working.answer(key, stops=True, who=world.group)


async def test_handing_over_and_stopping_at_once_end_in_one_of_both(
    working: Working, admin: Connection
) -> None:
    order = await working.sold(3)
    key = await working.until(order, "pack")

    async def stop() -> bool:
        try:
            await working.ask(key)
        except WrongFulfilmentState:
            return False
        await working.answer(key, stops=True)
        return True

    shipped, stopped = await asyncio.gather(working.ship([key]), stop())
    status = (await working.standing(order)).status
    assert status is (OrderStatus.CANCELLED if stopped else OrderStatus.SHIPPED)
    assert (codes(shipped) == [""]) is not stopped
    await assert_clean(working.runtime, working.world)
