"""A node that does not find what it was to send says so: another one sends it, nothing twice."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from backend.db.errors import YipanError
from backend.db.pool import Database
from backend.inventory.accuracy.model import ShortageCause
from backend.inventory.change_stock import StockAdjust
from backend.orders.cancel_orders import cancel_order
from backend.orders.find_orders import fulfilments_of_orders, lines_of_orders
from backend.orders.model import OrderStatus, Placed
from backend.orders.report_shortage import Reported, ShortPick, report_shortage
from backend.runtime import Runtime
from loadtests.waiting import until
from tenants.principal import Permission, PermissionMissing, Principal
from tests.catalogue import Connection, contents
from tests.inventory.stock import Figures, change, figures, ledger
from tests.orders.checks import assert_clean, placed, second_runtime
from tests.refusals import refused as refusal
from tests.world import HANGZHOU, World, draft, fresh_key, receive

NOT_FOUND = ShortageCause.NOT_FOUND
TOO_LATE = {"INVALID_SHORTAGE", "UNKNOWN_FULFILMENT", "NOTHING_TO_CANCEL"}


async def sold(runtime: Runtime, world: World, units: int = 3, **stock: int) -> Placed:
    """Let an order be allocated to the store."""
    for warehouse, quantity in ({"store": 5} | stock).items():
        await receive(runtime.database, world.brand, warehouse, "A", quantity)
    order = draft({"A": units}, region=HANGZHOU)
    outcome = placed(await runtime.intake.place(order, world.brand))
    await until(lambda: runtime.admission.ensure_warm(world.tenant_id))  # it found counters cold
    return outcome


async def report(
    runtime: Runtime, order: Placed, who: Principal, units: int = 2, **given: Any
) -> Reported:
    picks = given.get("picks", [ShortPick(1, units)])
    at = order.order_id, given.get("number", 1)
    cause, key = given.get("cause", NOT_FOUND), given.get("key", fresh_key())
    done = await report_shortage(runtime.database, who, at, picks, cause, key)
    await runtime.publish_counters(who.tenant_id, done.counters)
    return done


async def line(database: Database, world: World, order: Placed) -> tuple[int, int]:
    """Return what is reserved and what waits of the first line."""
    async with database.tenant_transaction(world.brand, read_only=True) as tx:
        row = (await lines_of_orders(tx, [order.order_id]))[order.order_id][0]
    return row["reserved"], row["backordered"]


async def nodes(database: Database, world: World, order: Placed) -> set[int]:
    """Return the nodes of the fulfilments that stand."""
    async with database.tenant_transaction(world.brand, read_only=True) as tx:
        rows = (await fulfilments_of_orders(tx, [order.order_id]))[order.order_id]
    return {row["node_id"] for row in rows if row["status"] == "reserved"}


async def test_what_is_missing_leaves_the_stock_and_waits(
    runtime: Runtime, world: World, admin: Connection
) -> None:
    order = await sold(runtime, world, 5)
    done = await report(runtime, order, world.store)
    assert (done.status, done.units) == (OrderStatus.PARTIALLY_ALLOCATED, 2)
    await runtime.settle()
    assert await line(runtime.database, world, order) == (3, 2)
    rows = [(r.type, r.quantity, r.cause_kind, r.reason) for r in await ledger(admin, world)]
    assert rows[-2:] == [("released", 2, "order", None), ("adjusted", -2, "pick", "not_found")]
    await assert_clean(runtime, world)


async def test_another_node_sends_what_is_missing(
    runtime: Runtime, world: World, admin: Connection
) -> None:
    order = await sold(runtime, world, 5, far=10)
    assert await nodes(runtime.database, world, order) == {world.nodes["store"]}
    await report(runtime, order, world.store, 5)
    await runtime.settle()
    assert await line(runtime.database, world, order) == (5, 0)
    assert await nodes(runtime.database, world, order) == {world.nodes["far"]}
    assert (await figures(admin, world, "store")).on_hand == 0
    events = await admin.fetch("select type from outbox order by sequence")
    assert [row["type"] for row in events] == [
        "order.placed",
        "fulfilment.created",
        "fulfilment.short",
        "fulfilment.cancelled",
        "order.allocated",
        "fulfilment.created",
    ]
    await assert_clean(runtime, world)


async def test_a_node_that_missed_something_is_not_asked_again(
    runtime: Runtime, world: World
) -> None:
    order = await sold(runtime, world, 3, store=10, far=10)
    await report(runtime, order, world.store, 3)
    await runtime.settle()
    assert await nodes(runtime.database, world, order) == {world.nodes["far"]}
    other = placed(await runtime.intake.place(draft({"A": 1}, region=HANGZHOU), world.brand))
    assert await nodes(runtime.database, world, other) == {world.nodes["store"]}
    await assert_clean(runtime, world)


async def test_where_nobody_else_has_it_it_waits(runtime: Runtime, world: World) -> None:
    order = await sold(runtime, world, 3, store=10)
    await report(runtime, order, world.store, 1)
    await runtime.settle()
    assert await line(runtime.database, world, order) == (2, 1)
    await assert_clean(runtime, world)


async def test_what_a_count_found_missing_is_not_taken_off_twice(
    runtime: Runtime, world: World, admin: Connection
) -> None:
    order = await sold(runtime, world, 5)
    command = StockAdjust(warehouse="store", sku="A", quantity=-2, reason="count")
    levels = await change(runtime.database, world.brand, command)
    await runtime.publish_levels(world.tenant_id, levels)
    await report(runtime, order, world.store, 3)
    await runtime.settle()
    found = await figures(admin, world, "store")
    assert found == Figures(2, reserved=2, version=found.version)
    await assert_clean(runtime, world)


async def test_others_keep_what_they_were_promised(
    runtime: Runtime, world: World, admin: Connection
) -> None:
    order = await sold(runtime, world, 3)
    placed(await runtime.intake.place(draft({"A": 2}, region=HANGZHOU), world.brand))
    await report(runtime, order, world.store, 3, cause=ShortageCause.DAMAGED)
    await runtime.settle()
    found = await figures(admin, world, "store")
    assert found == Figures(2, reserved=2, version=found.version)
    assert await line(runtime.database, world, order) == (0, 3)
    await assert_clean(runtime, world)


async def test_the_same_report_counts_once(
    runtime: Runtime, world: World, admin: Connection
) -> None:
    order = await sold(runtime, world, 5)
    first = await report(runtime, order, world.store, 1, key="k")
    again = await report(runtime, order, world.store, 1, key="k")
    assert (again.status, again.units) == (first.status, first.units)
    async with refusal(admin, "IDEMPOTENCY_CONFLICT"):
        await report(runtime, order, world.store, 2, key="k")
    assert (await figures(admin, world, "store")).on_hand == 4
    await assert_clean(runtime, world)


@pytest.mark.parametrize(
    "picks",
    [
        [],
        [ShortPick(1, 0)],
        [ShortPick(1, -1)],
        [ShortPick(1, 4)],
        [ShortPick(2, 1)],
        [ShortPick(1, 1), ShortPick(1, 1)],
        [ShortPick(1, 10**12)],
    ],
)
async def test_a_bad_report_changes_nothing(
    runtime: Runtime, world: World, admin: Connection, picks: list[ShortPick]
) -> None:
    order = await sold(runtime, world)
    async with refusal(admin, "INVALID_SHORTAGE"):
        await report(runtime, order, world.store, picks=picks)


@pytest.mark.parametrize(
    ("who", "code"),
    [
        ("dealer", "UNKNOWN_FULFILMENT"),
        ("other_brand", "UNKNOWN_FULFILMENT"),
        ("group", "WRITE_REFUSED"),
    ],
)
async def test_nobody_else_reports(
    runtime: Runtime, world: World, admin: Connection, who: str, code: str
) -> None:
    order = await sold(runtime, world)
    async with refusal(admin, code):
        await report(runtime, order, getattr(world, who))


async def test_a_store_reports_of_its_own_node_only(
    runtime: Runtime, world: World, admin: Connection
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    order = placed(await runtime.intake.place(draft({"A": 1}), world.brand))
    async with refusal(admin, "UNKNOWN_FULFILMENT"):
        await report(runtime, order, world.store, 1)
    async with refusal(admin, "UNKNOWN_FULFILMENT"):
        await report(runtime, order, world.brand, 1, number=2)
    assert (await report(runtime, order, world.brand, 1)).units == 1


async def test_nobody_reports_without_the_permission(
    runtime: Runtime, world: World, admin: Connection
) -> None:
    order = await sold(runtime, world)
    before = await contents(admin)
    may = world.store.permissions - {Permission.STOCK_WRITE}
    with pytest.raises(PermissionMissing):
        await report(runtime, order, replace(world.store, permissions=may))
    assert await contents(admin) == before


async def test_reports_and_cancellations_at_once_in_two_processes(
    runtime: Runtime, world: World, database_url: str, valkey_url: str, admin: Connection
) -> None:
    order = await sold(runtime, world, 5, far=2)

    async def tries(number: int, at: Runtime) -> int:
        try:
            if number % 4 == 3:
                key, whole = fresh_key(), None
                done = await cancel_order(at.database, world.brand, order.order_id, whole, key)
                await at.publish_counters(world.tenant_id, done.counters)
                return 0
            return (await report(at, order, world.store, 1)).units
        except YipanError as error:
            if error.code not in TOO_LATE:
                raise
            return 0

    async with second_runtime(database_url, valkey_url) as other:
        tried = [tries(number, (runtime, other)[number % 2]) for number in range(12)]
        missing = sum(await asyncio.gather(*tried))
        await other.settle()
    await runtime.settle()
    assert (await figures(admin, world, "store")).on_hand == 5 - missing
    await assert_clean(runtime, world)
