"""What nodes have to do for orders, as the fulfilment centre reads it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from backend.db.pool import Record, TenantTransaction
from backend.orders.claim import SQL
from backend.orders.move_fulfilments import FulfilmentKey

BEFORE_ALL = FulfilmentKey(0, 0)


class ReadyFor(NamedTuple):
    """What a wave takes: of a node or of all, placed before a time, by the day of appointments."""

    node_id: int | None
    placed_before: datetime | None
    with_waiting: bool
    """Also orders of which other units wait for stock."""
    until_day: date


class UnitsToSend(NamedTuple):
    """Units that a node has to send of a line, and how many of them are picked."""

    key: FulfilmentKey
    reservation_no: int
    line_no: int
    sku_id: int
    functional_warehouse_id: int
    quantity: int
    picked: int


async def ready_fulfilments(
    tx: TenantTransaction, ready: ReadyFor, after: FulfilmentKey, limit: int
) -> list[FulfilmentKey]:
    """Return what nodes could begin with, the oldest order first, after a key."""
    rows = await tx.fetch(SQL.releasable_fulfilments, tx.tenant_id, *ready, *after, limit)
    return [FulfilmentKey(*row) for row in rows]


async def released_fulfilments(
    tx: TenantTransaction, node_id: int, limit: int
) -> list[FulfilmentKey]:
    """Return what a node could pick, the oldest order first."""
    rows = await tx.fetch(SQL.released_fulfilments, tx.tenant_id, node_id, limit)
    return [FulfilmentKey(*row) for row in rows]


async def fulfilments_of_pick_list(tx: TenantTransaction, pick_list_id: int) -> list[FulfilmentKey]:
    """Return what a pick list is for, but for what was cancelled since."""
    rows = await tx.fetch(SQL.fulfilments_of_pick_list, tx.tenant_id, pick_list_id)
    return [FulfilmentKey(*row) for row in rows]


async def units_to_send(tx: TenantTransaction, keys: Sequence[FulfilmentKey]) -> list[UnitsToSend]:
    """Return the units of fulfilments that are in their nodes still, order by order."""
    columns = [key.order_id for key in keys], [key.fulfilment_no for key in keys]
    rows = await tx.fetch(SQL.units_of_fulfilments, tx.tenant_id, *columns)
    return [UnitsToSend(FulfilmentKey(row[0], row[1]), *row[2:]) for row in rows]


async def overdue_fulfilments(
    tx: TenantTransaction,
    statuses: Sequence[str],
    until_day: date,
    limit: int,
    of_orders: Sequence[int] | None = None,
) -> list[Record]:
    """Return fulfilments that stand too long and of which that was not told yet.

    `statuses` are those that have deadlines. What no node has begun with counts where a wave would
    take it: `until_day` as in ReadyFor.
    """
    given = (until_day, of_orders, limit, statuses)
    return await tx.fetch(SQL.overdue_fulfilments, tx.tenant_id, *given)


async def note_told(tx: TenantTransaction, rows: Sequence[Record]) -> None:
    """Keep what was told of fulfilments: rows of `overdue_fulfilments`, whose orders are locked."""
    names = ("order_id", "fulfilment_no", "status", "is_late")
    columns = ([row[name] for row in rows] for name in names)
    await tx.execute(SQL.set_told, tx.tenant_id, *columns)


async def deadlines_of_orders(tx: TenantTransaction, ids: Sequence[int]) -> dict[int, list[Record]]:
    """Return until when fulfilments should have taken their next step, by order."""
    found: defaultdict[int, list[Record]] = defaultdict(list)
    for row in await tx.fetch(SQL.deadlines_of_orders, tx.tenant_id, ids):
        found[row["order_id"]].append(row)
    return found


async def page_of_due_fulfilments(
    tx: TenantTransaction,
    *,
    only_late: bool,
    node_id: int | None,
    after: FulfilmentKey,
    limit: int,
) -> list[Record]:
    """Return fulfilments of which it was told that they stand too long, the oldest order first."""
    given = (only_late, node_id, *after, limit)
    return await tx.fetch(SQL.page_of_due_fulfilments, tx.tenant_id, *given)


async def live_fulfilments(tx: TenantTransaction, order_id: int) -> list[Record]:
    """Return the fulfilments of an order that still stand."""
    return await tx.fetch(SQL.live_fulfilments, tx.tenant_id, [order_id])


async def open_intercepts(
    tx: TenantTransaction, keys: Iterable[FulfilmentKey]
) -> dict[FulfilmentKey, int]:
    """Return the open requests to stop one of these fulfilments: their numbers."""
    ids = sorted({key.order_id for key in keys})
    return {
        FulfilmentKey(row["order_id"], row["fulfilment_no"]): row["intercept_no"]
        for row in await tx.fetch(SQL.open_intercepts, tx.tenant_id, ids)
    }
