"""Changing orders: seen first, then done; all of it or nothing, by one at a time."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from functools import partial
from typing import Any

import msgspec
import pytest

from backend.orders.allocate_backorders import allocate_backorders
from backend.orders.claim import SQL
from backend.orders.edit_order import Edited, LineEdit, OrderEdit, edit_order
from backend.orders.errors import OrderChanged
from backend.orders.find_orders import fulfilments_of_orders, lines_of_orders, orders_by_ids
from backend.orders.model import (
    AddressDraft,
    LineDraft,
    OrderDraft,
    OrderStatus,
    Pickup,
    Placed,
    Shortage,
)
from backend.orders.stored import understand_stored
from backend.runtime import Runtime
from loadtests.waiting import until
from tenants.principal import Principal
from tests.catalogue import Connection, contents
from tests.fulfilment.working import Working
from tests.inventory.stock import figures
from tests.orders.checks import assert_clean, placed
from tests.pickups.counter import open_counters
from tests.refusals import refused
from tests.world import BEIJING, HANGZHOU, SHANGHAI, World, draft, fresh_key, paid, receive

S = OrderStatus
THERE = AddressDraft("另一条路 2 号", region_code=BEIJING, name="李四", phone="139")


class Desk:
    """Who changes orders."""

    def __init__(self, runtime: Runtime, world: World) -> None:
        self.runtime, self.world = runtime, world

    async def stocked(self, warehouse: str, units: int = 5, sku: str = "A") -> None:
        level = await receive(self.runtime.database, self.world.brand, warehouse, sku, units)
        await self.runtime.publish_levels(self.world.tenant_id, [level])

    async def sold(self, units: int = 3, **changes: Any) -> Placed:
        await self.stocked("wh")
        return await self.place(draft({"A": units}, **changes))

    async def place(self, order: OrderDraft) -> Placed:
        """Place an order, and wait until Valkey counts: nothing is written by itself after it."""
        outcome = placed(await self.runtime.intake.place(order, self.world.brand))
        await until(partial(self.runtime.admission.ensure_warm, self.world.tenant_id))
        return outcome

    async def version(self, order: Placed) -> int:
        return int((await self.row(order))["event_sequence"])

    async def row(self, order: Placed) -> Any:
        async with self.runtime.database.tenant_transaction(self.world.brand, read_only=True) as tx:
            return (await orders_by_ids(tx, [order.order_id]))[order.order_id]

    async def line(self, order: Placed) -> Any:
        async with self.runtime.database.tenant_transaction(self.world.brand, read_only=True) as tx:
            return (await lines_of_orders(tx, [order.order_id]))[order.order_id][0]

    async def nodes(self, order: Placed) -> list[int]:
        async with self.runtime.database.tenant_transaction(self.world.brand, read_only=True) as tx:
            found = (await fulfilments_of_orders(tx, [order.order_id])).get(order.order_id, [])
        return [one["node_id"] for one in found if one["status"] != "cancelled"]

    async def edit(
        self, order: Placed, edit: OrderEdit, who: Principal | None = None, **given: Any
    ) -> Edited:
        given = {"key": fresh_key()} | given
        if "seen" not in given:
            given["seen"] = await self.version(order)
        done = await edit_order(
            self.runtime.database,
            who or self.world.brand,
            order.order_id,
            edit,
            self.runtime.regions,
            **given,
        )
        if not given.get("is_preview"):
            await self.runtime.publish_counters(self.world.tenant_id, done.counters)
        return done

    async def allocate(self) -> int:
        return await allocate_backorders(
            self.runtime.database, await self.runtime.intake.lane(self.world.tenant_id)
        )


async def nothing(*_: object) -> int:
    """What waits is given stock when a test says so, and not by itself."""
    return 0


@pytest.fixture
async def desk(
    runtime: Runtime, world: World, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Desk]:
    monkeypatch.setattr("backend.orders.allocate_backorders.allocate_backorders", nothing)
    found = Desk(runtime, world)
    yield found
    await assert_clean(runtime, world)


async def test_to_whom_it_goes(desk: Desk, admin: Connection) -> None:
    order = await desk.sold()
    same = AddressDraft("另一条路 2 号", region_code=SHANGHAI, name="李四", phone="139")
    done = await desk.edit(order, OrderEdit(address=same, remark="小心轻放"))
    assert (done.status, done.freed) == (S.ALLOCATED, 0)
    assert [one.field for one in done.edits] == ["buyerName", "buyerPhone", "address", "remark"]
    row = await desk.row(order)
    assert (row["buyer_name"], row["remark"]) == ("李四", "小心轻放")
    sent = await admin.fetchrow("select buyer_name, address from fulfilment")
    assert sent is not None
    assert tuple(sent) == ("李四", "另一条路 2 号")
    told = await admin.fetchval("select payload::text from outbox where type = 'order.edited'")
    assert "小心轻放" in told


async def test_another_region_is_sent_from_elsewhere(desk: Desk, admin: Connection) -> None:
    await desk.stocked("far")
    order = await desk.sold()
    assert await desk.nodes(order) == [desk.world.nodes["wh"]]
    done = await desk.edit(order, OrderEdit(address=THERE))
    assert (done.status, done.freed) == (S.BACKORDERED, 3)
    assert (await figures(admin, desk.world, "wh")).reserved == 0
    assert await desk.allocate() == 3
    assert await desk.nodes(order) == [desk.world.nodes["far"]]


async def test_a_preview_changes_nothing(desk: Desk, admin: Connection) -> None:
    order = await desk.sold()
    before = await contents(admin)
    edit = OrderEdit(address=THERE, lines=(LineEdit(1, 2),))
    seen = await desk.edit(order, edit, is_preview=True)
    assert await contents(admin) == before
    done = await desk.edit(order, edit)
    assert (seen.status, seen.edits, seen.cancelled, seen.freed, seen.total_minor) == (
        done.status,
        done.edits,
        done.cancelled,
        done.freed,
        done.total_minor,
    )


async def test_fewer_and_more_units(desk: Desk, admin: Connection) -> None:
    order = await desk.sold(3)
    done = await desk.edit(order, OrderEdit(lines=(LineEdit(1, 1),)))
    assert (done.cancelled, done.status) == (2, S.ALLOCATED)
    assert (await figures(admin, desk.world, "wh")).reserved == 1
    more = await desk.edit(order, OrderEdit(lines=(LineEdit(1, 4),)))
    assert (more.added, more.status, more.total_minor) == (3, S.PARTIALLY_ALLOCATED, 6_000)
    assert await desk.allocate() == 3
    line = await desk.line(order)
    assert (line["quantity"], line["reserved"], line["cancelled"]) == (6, 4, 2)
    assert line["amount_minor"] == 6_000


async def test_more_of_one_line_and_none_of_the_rest(desk: Desk, admin: Connection) -> None:
    await desk.stocked("wh")
    await desk.stocked("wh", 5, "B")
    order = await desk.place(draft({"A": 1, "B": 1}))
    await desk.edit(order, OrderEdit(lines=(LineEdit(2, 0),)))
    done = await desk.edit(order, OrderEdit(lines=(LineEdit(1, 0), LineEdit(2, 1))))
    assert (done.added, done.cancelled, done.status) == (1, 1, S.BACKORDERED)
    lines = (LineDraft("B", 1, 10**14),)
    dear = await desk.place(msgspec.structs.replace(draft(), lines=lines))
    async with refused(admin, "INVALID_EDIT"):
        await desk.edit(dear, OrderEdit(lines=(LineEdit(1, 11),)))


async def test_another_sku_at_the_same_price(desk: Desk, admin: Connection) -> None:
    await desk.stocked("wh", 5, "B")
    order = await desk.sold(3, order_discount_minor=100)
    done = await desk.edit(order, OrderEdit(lines=(LineEdit(1, sku="B"),)))
    assert (done.freed, done.total_minor) == (3, 2_900)
    assert (await figures(admin, desk.world, "wh")).reserved == 0
    assert await desk.allocate() == 3
    line = await desk.line(order)
    assert (line["sku_code"], line["reserved"], line["amount_minor"]) == ("B", 3, 2_900)
    async with refused(admin, "UNKNOWN_SKU"):
        await desk.edit(order, OrderEdit(lines=(LineEdit(1, sku="nothing"),)))


async def test_a_node_by_hand(desk: Desk, admin: Connection) -> None:
    await desk.stocked("far")
    order = await desk.sold()
    far = OrderEdit(node="far", reason="展厅样机")
    async with refused(admin, "PERMISSION_MISSING"):
        await desk.edit(order, far, desk.world.dealer)
    for wrong in (OrderEdit(node="far"), OrderEdit(node="nowhere", reason="x")):
        async with refused(admin, "INVALID_EDIT"):
            await desk.edit(order, wrong)
    await admin.execute("update node set serves_all = false where code = 'dealer-node'")
    async with refused(admin, "INVALID_EDIT"):
        await desk.edit(order, OrderEdit(node="dealer-node", reason="x"))
    await desk.edit(order, far)
    assert await desk.allocate() == 3
    assert await desk.nodes(order) == [desk.world.nodes["far"]]
    await desk.edit(order, OrderEdit(node="", reason="doch nicht"))
    assert await desk.allocate() == 3
    decisions = await admin.fetch("select strategies from routing_decision order by decision_no")
    assert [row["strategies"] for row in decisions] == [["default"], ["one node"], ["default"]]


async def test_a_promised_day(desk: Desk, admin: Connection) -> None:
    order = await desk.sold()
    done = await desk.edit(order, OrderEdit(promised_on=date(2030, 1, 31)))
    assert [(one.field, one.before, one.after) for one in done.edits] == [
        ("promisedOn", "", "2030-01-31")
    ]
    assert "2030-01-31" in await admin.fetchval("select traits::text from orders")


async def test_an_address_that_was_not_understood_is_resolved(desk: Desk) -> None:
    order = paid("p1", {"A": 2})
    nowhere = AddressDraft("某路", region_path=("亚特兰蒂斯",), name="张三")
    await desk.stocked("far")
    held = await desk.place(msgspec.structs.replace(order, address=nowhere))
    assert held.status is S.HELD
    done = await desk.edit(held, OrderEdit(address=THERE))
    assert done.status is S.BACKORDERED
    assert await desk.allocate() == 2


@pytest.mark.parametrize(
    "edit",
    [
        OrderEdit(node="far", reason="x"),
        OrderEdit(address=THERE),
        OrderEdit(lines=(LineEdit(1, sku="B"),)),
    ],
)
async def test_what_was_planned_before_it_was_changed_is_planned_again(
    desk: Desk, edit: OrderEdit
) -> None:
    order = await desk.sold(5, shortage=Shortage.BACKORDER)
    waits = await desk.place(draft({"C": 2}, shortage=Shortage.BACKORDER))
    async with desk.runtime.database.tenant_transaction(desk.world.system, read_only=True) as tx:
        rows = await tx.fetch(SQL.backorders, tx.tenant_id, [waits.order_id])
        (planned,) = await understand_stored(tx, rows)
    await desk.edit(waits, edit)
    await desk.stocked("wh", 5, "C")
    lane = await desk.runtime.intake.lane(desk.world.tenant_id)
    outcome = await lane.submit_backorder(planned)
    assert isinstance(outcome, Placed)
    assert [line.reserved for line in outcome.lines] == [0]
    assert await desk.nodes(waits) == []
    assert await desk.nodes(order) == [desk.world.nodes["wh"]]


async def test_what_somebody_else_changed_is_looked_at_first(desk: Desk, admin: Connection) -> None:
    order = await desk.sold()
    seen = await desk.version(order)
    await desk.edit(order, OrderEdit(remark="one"), seen=seen)
    async with refused(admin, "ORDER_CHANGED") as found:
        await desk.edit(order, OrderEdit(remark="two"), seen=seen)
    assert isinstance(found.error, OrderChanged)
    assert found.error.version == seen + 1


async def test_two_people_change_it_at_once(desk: Desk) -> None:
    order = await desk.sold()
    seen = await desk.version(order)
    results = await asyncio.gather(
        *(desk.edit(order, OrderEdit(remark=f"{n}"), seen=seen) for n in range(4)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Edited) for one in results) == 1
    assert sum(isinstance(one, OrderChanged) for one in results) == 3


async def test_asked_twice_it_is_done_once(desk: Desk) -> None:
    order = await desk.sold()
    seen, edit = await desk.version(order), OrderEdit(lines=(LineEdit(1, 1),))
    for _ in range(2):
        done = await desk.edit(order, edit, seen=seen, key="edit")
        assert done.cancelled == 2
    assert (await desk.line(order))["cancelled"] == 2


@pytest.mark.parametrize(
    "edit",
    [
        OrderEdit(),
        OrderEdit(remark=""),
        OrderEdit(remark="x" * 501),
        OrderEdit(lines=(LineEdit(2, 1),)),
        OrderEdit(lines=(LineEdit(1, -1),)),
        OrderEdit(lines=(LineEdit(1, 1), LineEdit(1, 2))),
        OrderEdit(lines=(LineEdit(1, 10**7),)),
    ],
)
async def test_what_makes_no_sense(desk: Desk, admin: Connection, edit: OrderEdit) -> None:
    order = await desk.sold()
    async with refused(admin, "INVALID_EDIT"):
        await desk.edit(order, edit)


async def test_what_is_paid_gets_no_more_units(desk: Desk, admin: Connection) -> None:
    await desk.stocked("wh")
    order = await desk.place(paid("p1", {"A": 2}))
    async with refused(admin, "INVALID_EDIT"):
        await desk.edit(order, OrderEdit(lines=(LineEdit(1, 3),)))
    await desk.edit(order, OrderEdit(lines=(LineEdit(1, 1),)))
    assert await admin.fetchval("select amount_minor from refund") == 1_000


async def test_what_a_node_has_begun_with_stays(desk: Desk, admin: Connection) -> None:
    working = Working(desk.runtime, desk.world)
    await desk.stocked("store")
    order = await desk.sold(1, region=HANGZHOU, shortage=Shortage.BACKORDER)
    await working.release(None)
    node = (await desk.nodes(order))[0]
    if node != desk.world.nodes["store"]:
        pytest.fail("the store is nearest")
    for edit in (
        OrderEdit(address=THERE),
        OrderEdit(node="far", reason="x"),
        OrderEdit(lines=(LineEdit(1, 0),)),
        OrderEdit(lines=(LineEdit(1, sku="B"),)),
    ):
        async with refused(admin, "INVALID_EDIT"):
            await desk.edit(order, edit)
    done = await desk.edit(order, OrderEdit(remark="leise"))
    assert done.status is S.IN_FULFILMENT


async def test_what_is_fetched_is_moved_otherwise(
    desk: Desk, runtime: Runtime, world: World, admin: Connection
) -> None:
    await open_counters(runtime, world)
    await desk.stocked("store")
    order = await desk.place(draft({"A": 1}, pickup=Pickup("store")))
    async with refused(admin, "INVALID_EDIT"):
        await desk.edit(order, OrderEdit(node="far", reason="x"))
    done = await desk.edit(order, OrderEdit(address=THERE))
    assert (done.status, done.freed) == (S.ALLOCATED, 0)


async def test_what_is_over_is_not_changed(desk: Desk, admin: Connection) -> None:
    order = await desk.sold(1)
    done = await desk.edit(order, OrderEdit(lines=(LineEdit(1, 0),)))
    assert done.status is S.CANCELLED
    async with refused(admin, "INVALID_EDIT"):
        await desk.edit(order, OrderEdit(remark="late"))


async def test_who_may_not(desk: Desk, admin: Connection) -> None:
    order = await desk.sold(1)
    seen = await desk.version(order)
    for who, code in (
        (desk.world.other_dealer, "UNKNOWN_ORDER"),
        (desk.world.group, "WRITE_REFUSED"),
    ):
        async with refused(admin, code):
            await desk.edit(order, OrderEdit(remark="x"), who, seen=seen)
