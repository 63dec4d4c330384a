"""Reading orders: pages for lists, and parts by order for the data loaders."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from backend.db.pool import Record, TenantTransaction
from backend.db.sql import Query
from backend.inventory.pools.live import SALES_WINDOW
from backend.orders.claim import SQL
from backend.orders.model import FulfilmentStatus, OrderStatus

NEWEST = 2**62
"""Before this id there is everything."""


async def page_of_orders(
    tx: TenantTransaction,
    *,
    status: OrderStatus | None,
    shop_id: int | None,
    before: int,
    limit: int,
) -> list[Record]:
    """Return up to `limit` orders that the principal may see, newest first, below an id."""
    return await tx.fetch(SQL.page_of_orders, tx.tenant_id, before, status, shop_id, limit)


async def orders_by_ids(tx: TenantTransaction, ids: Sequence[int]) -> dict[int, Record]:
    """Return the orders that exist and may be seen, by id."""
    rows = await tx.fetch(SQL.orders_by_ids, tx.tenant_id, ids)
    return {row["id"]: row for row in rows}


async def orders_by_external_ids(
    tx: TenantTransaction, shop_id: int, numbers: Sequence[str]
) -> dict[str, int]:
    """Return the ids of the orders that a shop calls so, by that; of those that were placed."""
    rows = await tx.fetch(SQL.orders_by_external_ids, tx.tenant_id, shop_id, numbers)
    return {row["number"]: row["order_id"] for row in rows}


async def lines_of_orders(tx: TenantTransaction, ids: Sequence[int]) -> dict[int, list[Record]]:
    return await _by_order(tx, SQL.full_lines_of_orders, ids)


async def fees_of_orders(tx: TenantTransaction, ids: Sequence[int]) -> dict[int, list[Record]]:
    return await _by_order(tx, SQL.fees_of_orders, ids)


async def holds_of_orders(tx: TenantTransaction, ids: Sequence[int]) -> dict[int, list[Record]]:
    return await _by_order(tx, SQL.holds_of_orders, ids)


async def fulfilments_of_orders(
    tx: TenantTransaction, ids: Sequence[int]
) -> dict[int, list[Record]]:
    return await _by_order(tx, SQL.fulfilments_of_orders, ids)


async def reservations_of_orders(
    tx: TenantTransaction, ids: Sequence[int]
) -> dict[int, list[Record]]:
    return await _by_order(tx, SQL.reservations_of_orders, ids)


async def page_of_fulfilments(
    tx: TenantTransaction,
    *,
    node_id: int | None,
    status: FulfilmentStatus | None,
    before: tuple[int, int],
    limit: int,
) -> list[Record]:
    """Return up to `limit` fulfilments that the principal may see, newest order first."""
    return await tx.fetch(SQL.page_of_fulfilments, tx.tenant_id, node_id, status, *before, limit)


async def decisions_of_orders(tx: TenantTransaction, ids: Sequence[int]) -> dict[int, list[Record]]:
    return await _by_order(tx, SQL.decisions_of_orders, ids)


async def appointments_of_orders(
    tx: TenantTransaction, ids: Sequence[int]
) -> dict[int, list[Record]]:
    return await _by_order(tx, SQL.appointments_of_orders, ids)


async def units_sold_by_shop(tx: TenantTransaction, now: datetime) -> dict[tuple[int, int], int]:
    """Return the units that each shop sold of each SKU in the SALES_WINDOW before a time.

    Ordered and not cancelled; by shop and SKU.
    """
    rows = await tx.fetch(SQL.sold_by_shop, tx.tenant_id, now - SALES_WINDOW, now)
    return {(row["shop_id"], row["sku_id"]): row["units"] for row in rows if row["units"]}


async def sold_by_agreement(
    tx: TenantTransaction, dealer_id: int, begin: datetime, end: datetime
) -> list[Record]:
    """Return what has arrived of a dealer's orders that were placed in a period, by agreement."""
    return await tx.fetch(SQL.sold_by_agreement, tx.tenant_id, dealer_id, begin, end)


async def dealt_lines(
    tx: TenantTransaction, ids: Sequence[int], begin: datetime, end: datetime
) -> dict[tuple[int, int], Record]:
    """Return lines by an agreement of orders that were placed in a period, by order and line."""
    rows = await tx.fetch(SQL.dealt_lines, tx.tenant_id, ids, begin, end)
    return {(row["order_id"], row["line_no"]): row for row in rows}


async def _by_order(
    tx: TenantTransaction, query: Query, ids: Sequence[int]
) -> dict[int, list[Record]]:
    found: defaultdict[int, list[Record]] = defaultdict(list)
    for row in await tx.fetch(query, tx.tenant_id, ids):
        found[row["order_id"]].append(row)
    return found
