"""How long stock has lain at nodes, and how much of it is free there."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from backend.db.pool import TenantTransaction
from backend.inventory.ledger import SQL

LOOKED_BACK = timedelta(days=90)
"""What came before is as old as anything."""


async def last_receipts_by_node(
    tx: TenantTransaction, now: datetime
) -> dict[int, dict[int, datetime]]:
    """Return when units of each SKU last came to each node, of the last 90 days."""
    rows = await tx.fetch(SQL.last_receipts_by_node, tx.tenant_id, now - LOOKED_BACK)
    found: defaultdict[int, dict[int, datetime]] = defaultdict(dict)
    for row in rows:
        found[row["sku_id"]][row["node_id"]] = row["at"]
    return dict(found)


async def free_by_node(
    tx: TenantTransaction, warehouse_ids: Sequence[int]
) -> dict[int, dict[int, int]]:
    """Return the units of every SKU that are free at each node, in some functional warehouses."""
    found: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for row in await tx.fetch(SQL.free_by_node, tx.tenant_id, warehouse_ids):
        found[row["sku_id"]][row["node_id"]] = row["units"]
    return dict(found)
