"""What nodes have to do for orders, as the fulfilment centre reads it."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from backend.db.pool import TenantTransaction
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
