"""A year of orders of one brand, made by the database itself."""

import asyncpg

from backend.db.pool import Database
from backend.db.sql import load_queries
from backend.orders.search.index import index_next
from loadtests.bench.brands import Size
from tenants.brands import BrandDirectory

SQL = load_queries(__file__)

SIZE = Size(brands=1, nodes=50, skus=5_000)
FILLED_AT_ONCE = 50_000


async def fill_orders(database_url: str, orders: int) -> None:
    """Make a year of orders, and index them."""
    database = await Database.connect(database_url)
    try:
        (brand,) = await BrandDirectory(database).all()
        await _fill_tables(database_url, brand.id, orders)
        while (await index_next(database, brand.id)).has_more:
            pass
    finally:
        await database.close()
    admin = await asyncpg.connect(database_url)  # door-ok: cleans up
    try:
        await admin.execute(SQL.settle.text)
    finally:
        await admin.close()


async def _fill_tables(database_url: str, tenant_id: int, orders: int) -> None:
    admin = await asyncpg.connect(database_url)  # door-ok: makes a year of orders
    try:
        await admin.execute(SQL.without_triggers.text)
        shop_id = await admin.fetchval("select min(id) from shop")  # sql-ok: a bench's own
        for first in range(1, orders + 1, FILLED_AT_ONCE):
            span = (tenant_id, first, first + FILLED_AT_ONCE - 1)
            await admin.execute(SQL.fill_orders.text, *span, orders, shop_id, timeout=600)
            await admin.execute(SQL.fill_lines.text, *span, SIZE.skus, timeout=600)
            await admin.execute(SQL.fill_fulfilments.text, *span, SIZE.nodes, timeout=600)
    finally:
        await admin.close()
