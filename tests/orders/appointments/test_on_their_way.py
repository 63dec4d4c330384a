"""Appointments of orders of which something has left its node: its visit stays."""

import pytest

from backend.fulfilment.waves import release_fulfilments
from backend.orders.cancel_orders import CancelLine, cancel_order
from backend.orders.model import OrderStatus, Placed
from backend.orders.move_fulfilments import FulfilmentKey
from backend.orders.report_shortage import ShortPick
from tests.fulfilment.working import STEPS, Working
from tests.network.slots import AFTERNOON, INSTALLER, MORNING, dock_of
from tests.orders.appointments.agreeing import Agreeing, Booked, at
from tests.orders.test_report_shortage import report
from tests.refusals import refused
from tests.world import fresh_key


async def two_nodes(agreeing: Agreeing) -> None:
    """An AC of "wh", and an A of "far"; each delivers once each half-day, and so do fitters."""
    await agreeing.stock("wh", AC=1)
    await agreeing.stock("far", A=1)
    for node in ("wh", "far"):
        await agreeing.provide(dock_of(node))
    await agreeing.provide(INSTALLER)


async def take(agreeing: Agreeing, order: Placed, node: str, step: str) -> FulfilmentKey:
    """Let the fulfilment of a node take all steps up to one."""
    number = await agreeing.admin.fetchval(
        "select fulfilment_no from fulfilment where order_id = $1 and node_id = $2",
        order.order_id,
        agreeing.world.nodes[node],
    )
    key = FulfilmentKey(order.order_id, number)
    working = Working(agreeing.runtime, agreeing.world)
    await release_fulfilments(agreeing.database, agreeing.world.brand, [key], fresh_key())
    for name in STEPS[1 : STEPS.index(step) + 1]:
        if name == "start":
            await working.pick_list(key, node=node)
        else:
            await working.take(name, key)
    return key


async def cancel(agreeing: Agreeing, order: Placed, line_no: int) -> None:
    brand = agreeing.world.brand
    lines = [CancelLine(line_no, 1)]
    done = await cancel_order(agreeing.database, brand, order.order_id, lines, fresh_key())
    await agreeing.runtime.publish_counters(brand.tenant_id, done.counters)


async def slots(agreeing: Agreeing) -> list[str]:
    """Return the visits that are taken."""
    return [name for name, free in (await agreeing.free()).items() if not free]


async def test_the_installer_still_comes_for_what_is_on_its_way(agreeing: Agreeing) -> None:
    await two_nodes(agreeing)
    order = await agreeing.order({"AC": 1, "A": 1}, at(MORNING))
    await take(agreeing, order, "wh", "ship")
    await cancel(agreeing, order, 2)
    assert await slots(agreeing) == ["dock-wh-am", "fitters-am"]


async def test_what_is_cancelled_needs_no_installer(agreeing: Agreeing) -> None:
    await two_nodes(agreeing)
    order = await agreeing.order({"AC": 1, "A": 1}, at(MORNING))
    await cancel(agreeing, order, 1)
    assert await agreeing.agree(order, at(AFTERNOON)) is OrderStatus.ALLOCATED
    assert await agreeing.booked(order) == Booked(True, ["dock-far-pm"])


async def test_another_time_is_for_what_has_not_left(agreeing: Agreeing) -> None:
    await two_nodes(agreeing)
    order = await agreeing.order({"AC": 1, "A": 1}, at(MORNING))
    await take(agreeing, order, "far", "ship")
    assert await agreeing.agree(order, at(AFTERNOON)) is OrderStatus.PARTIALLY_SHIPPED
    assert await slots(agreeing) == ["dock-far-am", "dock-wh-pm", "fitters-pm"]


@pytest.mark.parametrize("step", ["ship", "deliver"])
async def test_what_has_left_gets_no_other_time(agreeing: Agreeing, step: str) -> None:
    await agreeing.stock("wh", A=1)
    await agreeing.provide(dock_of("wh"))
    order = await agreeing.order({"A": 1}, at(MORNING))
    await take(agreeing, order, "wh", step)
    assert await agreeing.times(order) == []
    async with refused(agreeing.admin, "NO_APPOINTMENT"):
        await agreeing.agree(order, at(AFTERNOON))
    assert await slots(agreeing) == ["dock-wh-am"]


async def test_a_shortage_leaves_the_visit_of_what_is_on_its_way(agreeing: Agreeing) -> None:
    await two_nodes(agreeing)
    order = await agreeing.order({"AC": 1, "A": 1}, at(MORNING))
    await take(agreeing, order, "wh", "ship")
    key = await take(agreeing, order, "far", "start")
    picks = [ShortPick(2, 1)]
    brand, number = agreeing.world.brand, key.fulfilment_no
    await report(agreeing.runtime, order, brand, picks=picks, number=number)
    assert "dock-wh-am" in await slots(agreeing)
    assert await agreeing.kinds(order) == ["appointment"]
