"""Reading what nodes do for orders: pages for lists, and parts by order for the data loaders."""

from collections import defaultdict
from collections.abc import Sequence

from backend.db.pool import Record, TenantTransaction
from backend.db.sql import Query
from backend.fulfilment.model import Intercept, InterceptState, ParcelStatus
from backend.fulfilment.waves import SQL
from backend.orders.move_fulfilments import FulfilmentKey

UNKNOWN_SHOWN = 100


async def page_of_waves(tx: TenantTransaction, before: int, limit: int) -> list[Record]:
    """Return waves that the principal may see, the newest first, below an id."""
    return await tx.fetch(SQL.page_of_waves, tx.tenant_id, before, limit)


async def waves_by_ids(tx: TenantTransaction, ids: Sequence[int]) -> list[Record]:
    return await tx.fetch(SQL.waves_by_ids, tx.tenant_id, ids)


async def page_of_pick_lists(
    tx: TenantTransaction, node_id: int | None, before: int, limit: int
) -> list[Record]:
    """Return pick lists that the principal may see, the newest first, below an id."""
    return await tx.fetch(SQL.page_of_pick_lists, tx.tenant_id, before, node_id, limit)


async def pick_lists_by_ids(tx: TenantTransaction, ids: Sequence[int]) -> list[Record]:
    return await tx.fetch(SQL.pick_lists_by_ids, tx.tenant_id, ids)


async def page_of_parcels(
    tx: TenantTransaction, status: ParcelStatus | None, before: int, limit: int
) -> list[Record]:
    """Return parcels that the principal may see, the newest first, below an id."""
    return await tx.fetch(SQL.page_of_parcels, tx.tenant_id, before, status, limit)


async def parcels_by_ids(tx: TenantTransaction, ids: Sequence[int]) -> list[Record]:
    return await tx.fetch(SQL.parcels_by_ids, tx.tenant_id, ids)


async def parcels_of_orders(tx: TenantTransaction, ids: Sequence[int]) -> dict[int, list[Record]]:
    return await _by(tx, SQL.parcels_of_orders, ids, "order_id")


async def lines_of_parcels(tx: TenantTransaction, ids: Sequence[int]) -> dict[int, list[Record]]:
    return await _by(tx, SQL.lines_of_parcels, ids, "parcel_id")


async def tracking_of_parcels(tx: TenantTransaction, ids: Sequence[int]) -> dict[int, list[Record]]:
    return await _by(tx, SQL.tracking_of_parcels, ids, "parcel_id")


async def open_voids(tx: TenantTransaction) -> list[Record]:
    """Return waybills that nobody uses and that their carriers have not voided."""
    return await tx.fetch(SQL.open_voids, tx.tenant_id, UNKNOWN_SHOWN)


async def unknown_tracking(tx: TenantTransaction) -> list[Record]:
    """Return the last UNKNOWN_SHOWN things that carriers told of waybills that nobody knows."""
    return await tx.fetch(SQL.unknown_tracking, tx.tenant_id, UNKNOWN_SHOWN)


async def intercepts_of_orders(
    tx: TenantTransaction, ids: Sequence[int]
) -> dict[int, list[Intercept]]:
    found = await _by(tx, SQL.intercepts_of_orders, ids, "order_id")
    return {order_id: [intercept_of(row) for row in rows] for order_id, rows in found.items()}


async def page_of_intercepts(
    tx: TenantTransaction, node_id: int | None, after: FulfilmentKey, limit: int
) -> list[Intercept]:
    """Return what nodes are asked to stop and have not answered, the oldest order first."""
    rows = await tx.fetch(SQL.page_of_intercepts, tx.tenant_id, node_id, *after, limit)
    return [intercept_of(row) for row in rows]


def intercept_of(row: Record) -> Intercept:
    return Intercept(
        FulfilmentKey(row["order_id"], row["fulfilment_no"]),
        row["intercept_no"],
        row["node_id"],
        InterceptState(row["state"]),
        row["reason"],
        row["asked_by"],
        row["asked_at"],
        row["answer"],
        row["answered_by"],
        row["answered_at"],
    )


async def _by(
    tx: TenantTransaction, query: Query, ids: Sequence[int], column: str
) -> dict[int, list[Record]]:
    found: defaultdict[int, list[Record]] = defaultdict(list)
    for row in await tx.fetch(query, tx.tenant_id, ids):
        found[row[column]].append(row)
    return found
