"""Allotments as counters: read, locked and taken from inside the caller's transaction.

Locked after levels and before capacities, by id.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from backend.db.pool import TenantTransaction
from backend.db.sql import load_queries
from backend.inventory.allotments.model import AllotmentAt, AllotmentState

SQL = load_queries(__file__)

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
"""Before anything was written."""


class AllotmentMoved(AssertionError):
    """An allotment changed although it was locked."""


async def changed_allotments(tx: TenantTransaction, since: datetime) -> list[AllotmentState]:
    """Return the allotments that were set or taken from since a time."""
    rows = await tx.fetch(SQL.changed_allotments, tx.tenant_id, since)
    return [AllotmentState(*row) for row in rows]


async def allotments_of_sku(tx: TenantTransaction, sku_id: int) -> list[AllotmentState]:
    """Return the allotments of a SKU."""
    rows = await tx.fetch(SQL.allotments_of_sku, tx.tenant_id, sku_id)
    return [AllotmentState(*row) for row in rows]


async def free_of_all_allotments(tx: TenantTransaction) -> list[AllotmentAt]:
    """Return what is left of every active allotment."""
    return [AllotmentAt(*row) for row in await tx.fetch(SQL.free_of_all_allotments, tx.tenant_id)]


async def read_allotments(tx: TenantTransaction, ids: Iterable[int]) -> list[AllotmentAt]:
    """Return what is left of the allotments, without a lock; unknown ones are left out."""
    wanted = sorted(set(ids))
    if not wanted:
        return []
    rows = await tx.fetch(SQL.free_of_allotments, tx.tenant_id, wanted)
    return [AllotmentAt(*row) for row in rows]


async def lock_allotments(tx: TenantTransaction, ids: Iterable[int]) -> dict[int, AllotmentAt]:
    """Lock the allotments in the one order and return what is left of them."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    rows = await tx.fetch(SQL.lock_allotments, tx.tenant_id, wanted)
    return {row["id"]: AllotmentAt(*row) for row in rows}


async def take_allotments(
    tx: TenantTransaction, units: Mapping[int, int]
) -> dict[int, AllotmentAt]:
    """Take from (or, below 0, give back to) locked allotments; returns what is left after it.

    Raises AllotmentMoved if one has less than was read under the lock.
    """
    taken = await try_allotments(tx, units)
    if taken is None:
        raise AllotmentMoved
    return taken


async def try_allotments(
    tx: TenantTransaction, units: Mapping[int, int]
) -> dict[int, AllotmentAt] | None:
    """Lock allotments in the one order and take from them; returns what is left after it.

    None where one of them has less than is taken: the caller rolls back.
    """
    if not units:
        return {}
    rows = await tx.fetch(SQL.take_allotments, tx.tenant_id, list(units), list(units.values()))
    return {row["id"]: AllotmentAt(*row) for row in rows} if len(rows) == len(units) else None
