"""Keeping what stock is worth."""

from collections.abc import Sequence

from backend.db.pool import TenantTransaction
from backend.routing.policies import SQL


async def store_prices(tx: TenantTransaction, prices: Sequence[tuple[int, int, int]]) -> None:
    """Keep SKU, node and price in minor units, in place of what was known before."""
    await tx.execute(SQL.delete_prices, tx.tenant_id)
    if prices:
        columns = (list(column) for column in zip(*prices, strict=True))
        await tx.execute(SQL.insert_prices, tx.tenant_id, *columns)
