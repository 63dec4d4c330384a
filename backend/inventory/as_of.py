"""Stock as it stood right before an order took its part of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from backend.db.pool import TenantTransaction
from backend.inventory.ledger import SQL
from backend.inventory.model import FreeAt, LevelKey

A_COMMIT = timedelta(seconds=30)
"""Longer than the transaction of a batch lasts: what it writes has times that lie no further
apart."""
ID_MOST = 2**63 - 1


async def moment_of_order(tx: TenantTransaction, order_id: int, decided_at: datetime) -> int:
    """Return the movement before which an order was decided on.

    Its own first one, if it took anything; movements are numbered in the order in which batches
    take. Else the first of any that came after the decision.
    """
    own = await tx.fetch_value(
        SQL.first_reserved_for, tx.tenant_id, order_id, decided_at - A_COMMIT
    )
    return await moment_after(tx, decided_at) if own is None else int(own)


async def moment_after(tx: TenantTransaction, decided_at: datetime) -> int:
    """Return the first movement that came after a decision."""
    next_one = await tx.fetch_value(SQL.first_movement_since, tx.tenant_id, decided_at)
    return ID_MOST if next_one is None else int(next_one)


async def reserved_before(
    tx: TenantTransaction, order_id: int, movement_id: int, placed_at: datetime
) -> dict[int, int]:
    """Return the units of each line that an order had reserved before a movement."""
    since = placed_at - A_COMMIT
    rows = await tx.fetch(SQL.reserved_before, tx.tenant_id, order_id, movement_id, since)
    return {row["line_no"]: row["units"] for row in rows}


async def reserved_levels_before(
    tx: TenantTransaction, order_id: int, movement_id: int, placed_at: datetime
) -> dict[LevelKey, int]:
    """Return the units of each level that an order had reserved before a movement."""
    since = placed_at - A_COMMIT
    rows = await tx.fetch(SQL.reserved_levels_before, tx.tenant_id, order_id, movement_id, since)
    return {LevelKey(row[0], row[1]): row[2] for row in rows}


async def free_before(
    tx: TenantTransaction, sku_ids: Sequence[int], movement_id: int, decided_at: datetime
) -> list[FreeAt]:
    """Return what was free of the levels of some SKUs before a movement, but for earmarks."""
    rows = await tx.fetch(
        SQL.free_before, tx.tenant_id, sku_ids, movement_id, decided_at - A_COMMIT
    )
    return [FreeAt(row[0], row[1], row[2], 0) for row in rows]
