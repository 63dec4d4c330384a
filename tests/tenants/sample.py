"""Rows in every tenant table, whatever its columns: made from the catalogue, without a list.

The database is for policies alone: its constraints are gone, so a row needs no more than a value
in each column that must have one.
"""

import itertools
from typing import NamedTuple

import asyncpg

from tests.catalogue import Column, Connection, columns, names, tenant_tables

OURS, THEIRS = 1, 2
DEALER, OTHER_DEALER = 11, 12
NODE, OTHER_NODE = 21, 22
TENANTS = (OURS, THEIRS)
DEALERS = (None, DEALER, OTHER_DEALER)
NODES = (NODE, OTHER_NODE)

CONSTRAINTS = """
    select format('alter table %s drop constraint %I cascade', r.conrelid::regclass, r.conname)
    from pg_constraint r
    where r.contype = $1::text::"char" and r.connamespace = 'public'::regnamespace
      and r.conparentid = 0 and r.coninhcount = 0 and r.conrelid <> 0
"""
UNIQUE_INDEXES = """
    select format('drop index %s', x.indexrelid::regclass) from pg_index x
    join pg_class c on c.oid = x.indexrelid
    where x.indisunique and c.relnamespace = 'public'::regnamespace and not c.relispartition
"""
VALUES = {
    "bigint": "1",
    "integer": "1",
    "smallint": "1",
    "numeric": "1",
    "boolean": "true",
    "text": "'x'",
    "bytea": "'x'",
    "date": "current_date",
    "timestamp with time zone": "clock_timestamp()",
    "json": "'{}'",
    "jsonb": "'{}'",
    "uuid": "uuidv7()",
    "bigint[]": "'{}'",
    "text[]": "'{}'",
}
"""Any value of a type; a new type in the schema needs a line here."""


class Table(NamedTuple):
    """A tenant table, and which of its columns say who may see a row."""

    name: str
    dealer_column: str | None
    node_column: str | None
    required: tuple[Column, ...]

    @property
    def dealers(self) -> tuple[int | None, ...]:
        """Whose a row may be: some tables have rows of dealers alone."""
        if self.dealer_column is None:
            return (None,)
        needs_one = self.dealer_column in {column.name for column in self.required}
        return tuple(dealer for dealer in DEALERS if dealer or not needs_one)

    def insert(self, tenant: int, dealer: int | None = None, node: int | None = None) -> str:
        """Return the statement that inserts a row of somebody's."""
        values = {column.name: VALUES[column.type] for column in self.required}
        values["tenant_id"] = str(tenant)
        if self.dealer_column:
            values[self.dealer_column] = "null" if dealer is None else str(dealer)
        if self.node_column:
            values[self.node_column] = str(NODE if node is None else node)
        listed = f"({', '.join(values)}) values ({', '.join(values.values())})"
        return f"insert into {self.name} {listed}"


async def read_tables(connection: Connection) -> list[Table]:
    """Return every tenant table."""
    tables = []
    for name in await tenant_tables(connection):
        found = await columns(connection, name)
        named = {column.name for column in found}
        tables.append(
            Table(
                name,
                "dealer_id" if "dealer_id" in named else None,
                "id" if name == "node" else "node_id" if "node_id" in named else None,
                tuple(c for c in found if c.is_required and not c.has_default),
            )
        )
    return tables


async def fill(url: str) -> None:
    """Drop the constraints, then put rows of everybody into every tenant table."""
    admin = await asyncpg.connect(url)
    try:
        for kind in ("f", "c", "u", "p"):
            for drop in await names(admin, CONSTRAINTS, kind):
                await admin.execute(drop)
        for drop in await names(admin, UNIQUE_INDEXES):
            await admin.execute(drop)
        for table in await read_tables(admin):
            nodes = NODES if table.node_column else (None,)
            for row in itertools.product(TENANTS, table.dealers, nodes):
                await admin.execute(table.insert(*row))
    finally:
        await admin.close()
