"""Reading levels without locks: for the stock books, for lists, for whoever looks."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

from backend.db.pool import Record, TenantTransaction
from backend.inventory.ledger import SQL
from backend.inventory.model import FreeAt, Level, LevelKey

CHUNK = 5_000
CHUNK_BESIDE_ORDERS = 250
"""Levels worked on in one go: a millisecond or two."""
SWEEP_OVERLAP = timedelta(seconds=3)
"""How long a commit may take to become visible after its movement was written."""


async def free_of_all_levels(tx: TenantTransaction) -> AsyncIterator[list[FreeAt]]:
    """Yield what is free of every level and earmark, in chunks."""
    chunk: list[FreeAt] = []
    async for row in tx.iterate(SQL.free_of_all_levels, tx.tenant_id, prefetch=CHUNK):
        chunk.append(FreeAt(*row))
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    yield chunk


async def database_time(tx: TenantTransaction) -> datetime:
    """Return the time on the clock that movements are stamped with."""
    now: datetime = await tx.fetch_value(SQL.database_time)
    return now


async def free_of_changed_levels(
    tx: TenantTransaction, since: datetime
) -> AsyncIterator[list[FreeAt]]:
    """Yield what is free of the levels that moved since a time and of their earmarks, in chunks.

    Small ones: this happens while orders wait for the same process.
    """
    chunk: list[FreeAt] = []
    changed = tx.iterate(
        SQL.free_of_changed_levels, tx.tenant_id, since, prefetch=CHUNK_BESIDE_ORDERS
    )
    async for row in changed:
        chunk.append(FreeAt(*row))
        if len(chunk) == CHUNK_BESIDE_ORDERS:
            yield chunk
            chunk = []
    yield chunk


async def levels_of_sku(tx: TenantTransaction, sku_id: int) -> list[Level]:
    """Return the levels of a SKU that the principal may see."""
    return [Level(*row) for row in await tx.fetch(SQL.levels_of_sku, tx.tenant_id, sku_id)]


async def page_of_levels(
    tx: TenantTransaction,
    *,
    sku_id: int | None,
    node_id: int | None,
    after: LevelKey,
    limit: int,
) -> list[Level]:
    """Return up to `limit` levels that the principal may see, by SKU and warehouse, after a key."""
    rows = await tx.fetch(
        SQL.page_of_levels,
        tx.tenant_id,
        sku_id,
        node_id,
        after.sku_id,
        after.functional_warehouse_id,
        limit,
    )
    return [Level(*row) for row in rows]


async def levels_by_keys(tx: TenantTransaction, keys: Sequence[LevelKey]) -> dict[LevelKey, Level]:
    """Return the levels that exist and may be seen, by key; takes no lock."""
    warehouses, skus = [key[0] for key in keys], [key[1] for key in keys]
    rows = await tx.fetch(SQL.levels_by_keys, tx.tenant_id, warehouses, skus)
    return {LevelKey(row[0], row[1]): Level(*row) for row in rows}


async def newest_movements(
    tx: TenantTransaction, keys: Sequence[LevelKey], limit: int
) -> dict[LevelKey, list[Record]]:
    """Return up to `limit` movements of each level, newest first."""
    found: defaultdict[LevelKey, list[Record]] = defaultdict(list)
    rows = await tx.fetch(
        SQL.newest_movements,
        tx.tenant_id,
        [key[0] for key in keys],
        [key[1] for key in keys],
        limit,
    )
    for row in rows:
        found[LevelKey(row["functional_warehouse_id"], row["sku_id"])].append(row)
    return found
