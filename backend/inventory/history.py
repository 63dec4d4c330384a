"""Stock as it stood at a time, and how it moved on from there."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import NamedTuple

from backend.db.pool import TenantTransaction
from backend.inventory.as_of import A_COMMIT
from backend.inventory.ledger import SQL
from backend.inventory.levels import database_time, free_of_all_levels
from backend.inventory.model import FreeAt

SUMMED_AT_ONCE = timedelta(days=7)
"""Movements that one statement sums up: some seconds of a large brand."""


class Moved(NamedTuple):
    """Units that came to be free of a level, or (below 0) ceased to be."""

    at: datetime
    functional_warehouse_id: int
    sku_id: int
    units: int


async def free_at(tx: TenantTransaction, since: datetime) -> AsyncIterator[list[FreeAt]]:
    """Yield what was free of every level at a time, but for what earmarks kept; in pieces.

    What is free now, less what moved since. Levels come first as they are now, then what is to be
    added to them: whoever sums them up by level has what was free. The transaction sees one state
    of the database throughout, so it has to be one of repeatable reads.
    """
    async for levels in free_of_all_levels(tx):
        yield [level for level in levels if not level.earmark_id]
    start, end = since, await database_time(tx) + A_COMMIT
    while start < end:
        until = min(end, start + SUMMED_AT_ONCE)
        rows = await tx.fetch(SQL.moved_between, tx.tenant_id, start, until)
        yield [FreeAt(row[0], row[1], -row[2], 0) for row in rows]
        start = until


async def moved_but_for_orders(
    tx: TenantTransaction, start: datetime, until: datetime, *, orders_since: datetime
) -> list[Moved]:
    """Return how levels moved from a time to another, in order, whatever the orders since did.

    That is all that the orders placed from `orders_since` on did not cause. What a stock hold gives
    back counts as long before as a transaction may last: the order that takes it over was placed a
    little earlier in the same one.
    """
    rows = await tx.fetch(
        SQL.moved_but_for_orders, tx.tenant_id, start, until, orders_since, A_COMMIT
    )
    return [Moved(*row) for row in rows]
