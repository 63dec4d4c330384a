"""Keeping promises true: whenever orders, supplies or stock have changed."""

from collections import defaultdict
from collections.abc import Collection, Sequence

import structlog

from backend.db.pool import Database, Record, TenantTransaction
from backend.db.sql import load_queries
from backend.inventory.supplies.supplies import lock_open_supplies, open_supplies
from backend.orders.claim import SQL as ORDER_SQL
from backend.orders.events import ExpectedLine, OrderExpected
from backend.orders.model import OrderStatus
from backend.orders.step import StepEvent, lines_of_order, write_step
from backend.orders.supplies.promise import (
    Buyer,
    MayTake,
    Promise,
    Promised,
    WaitingLine,
    promise,
)
from backend.routing.network_view import NetworkView
from tenants.principal import system_principal

log = structlog.get_logger(__name__)

SQL = load_queries(__file__)

LINES_MAX = 20_000
"""Lines that are looked at in one go, the first: later ones have their turn when those are
served."""


def may_take_of(view: NetworkView) -> MayTake:
    """Return whether lines may be sent, or fetched, from functional warehouses, in a network."""

    def may_take(line: Buyer, warehouse_id: int) -> bool:
        if not view.may_send((line.shop_id, line.dealer_id), warehouse_id):
            return False
        return line.only_node_id in (None, view.node_of(warehouse_id))

    return may_take


async def settle_promises(database: Database, tenant_id: int, may_take: MayTake) -> int:
    """Promise what supplies bring to the orders that wait, as they queue; returns how many changed.

    A line says when the last of its units is expected, and `order.expected` tells of every change:
    so the orders that a late or short supply hits are named. Looks first without locks; where
    something is to change, locks the orders, then the supplies, and looks again.
    """
    principal = system_principal(tenant_id, "supplies")
    async with database.tenant_transaction(principal, read_only=True) as tx:
        lines = await lines_that_wait(tx, None)
        if not lines:
            return 0
        supplies = await open_supplies(tx, {line.sku_id for line in lines})
        stale = await _stale(tx, lines, promise(lines, supplies, may_take))
    if not stale:
        return 0
    async with database.tenant_transaction(principal) as tx:
        return await _settle(tx, stale, may_take)


async def lines_that_wait(
    tx: TenantTransaction, sku_ids: Collection[int] | None, most: int = LINES_MAX
) -> list[WaitingLine]:
    """Return the lines that wait while supply of SKUs (None: of any) is to come, as they queue.

    No more than `most`, the first.
    """
    skus = None if sku_ids is None else sorted(sku_ids)
    rows = await tx.fetch(SQL.lines_that_expect, tx.tenant_id, skus, most)
    return [WaitingLine(*row) for row in rows]


async def _stale(tx: TenantTransaction, lines: Sequence[WaitingLine], wanted: Promised) -> set[int]:
    """Return the SKUs of which something else is promised, or expected, than should be."""
    sku_of = {line.key: line.sku_id for line in lines}
    known = await _promises(tx, {line.order_id for line in lines})
    differing = {(one.order_id, one.line_no) for one in known ^ wanted.promises}
    differing |= {line.key for line in lines if wanted.expected_on[line.key] != line.expected_on}
    return {sku_of[key] for key in differing if key in sku_of}


async def _promises(tx: TenantTransaction, order_ids: Collection[int]) -> set[Promise]:
    rows = await tx.fetch(SQL.promises_of_lines, tx.tenant_id, sorted(order_ids))
    return {Promise(*row) for row in rows}


async def _settle(tx: TenantTransaction, sku_ids: Collection[int], may_take: MayTake) -> int:
    """Promise anew, under locks, what is to come of SKUs."""
    order_ids = sorted({line.order_id for line in await lines_that_wait(tx, sku_ids)})
    orders = {
        row["id"]: row for row in await tx.fetch(ORDER_SQL.lock_orders, tx.tenant_id, order_ids)
    }
    supplies = await lock_open_supplies(tx, sku_ids)
    # Only now: whoever receives a supply holds its lock until what came is kept for these lines.
    lines = [line for line in await lines_that_wait(tx, sku_ids) if line.order_id in orders]
    wanted = promise(lines, supplies, may_take)
    keys = {line.key: line for line in lines}
    known = {one for one in await _promises(tx, order_ids) if (one.order_id, one.line_no) in keys}
    changed = {(one.order_id, one.line_no) for one in known ^ wanted.promises}
    if changed:
        await _write(tx, changed, [one for one in wanted.promises if one[:2] in changed], keys)
    moved = [line for line in lines if wanted.expected_on[line.key] != line.expected_on]
    if moved:
        await _tell(tx, moved, wanted, orders)
    return len(moved)


async def _write(
    tx: TenantTransaction,
    changed: Collection[tuple[int, int]],
    promises: Sequence[Promise],
    lines: dict[tuple[int, int], WaitingLine],
) -> None:
    columns = [list(column) for column in zip(*sorted(changed), strict=True)]
    await tx.execute(SQL.drop_promises, tx.tenant_id, *columns)
    if promises:
        await tx.execute(
            SQL.insert_promises,
            tx.tenant_id,
            [one.supply_id for one in promises],
            [one.order_id for one in promises],
            [one.line_no for one in promises],
            [lines[one[:2]].dealer_id for one in promises],
            [one.quantity for one in promises],
        )


async def _tell(
    tx: TenantTransaction,
    lines: Sequence[WaitingLine],
    wanted: Promised,
    orders: dict[int, Record],
) -> None:
    """Say when lines are expected now, and tell whoever follows their orders."""
    await tx.execute(
        SQL.expect_lines,
        tx.tenant_id,
        [line.order_id for line in lines],
        [line.line_no for line in lines],
        [wanted.expected_on[line.key] for line in lines],
    )
    by_order: defaultdict[int, list[ExpectedLine]] = defaultdict(list)
    for line in lines:
        if line.waiting:  # what has come, or was cancelled, needs no news of its date
            by_order[line.order_id].append(
                ExpectedLine(line.line_no, wanted.expected_on[line.key], line.expected_on)
            )
    for order_id, expected in by_order.items():
        order = orders[order_id]
        standing = await lines_of_order(tx, order_id)
        event = StepEvent(OrderExpected(order_id, tuple(expected)))
        status = OrderStatus(order["status"])
        await write_step(tx, order, (standing, standing), status, [event])
    log.info("supplies.expected", tenant=tx.tenant_id, orders=len(by_order))
