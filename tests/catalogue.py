"""What PostgreSQL's own catalogue says of a database, for tests that follow the schema."""

from typing import Any, NamedTuple

import asyncpg

Connection = asyncpg.Connection

TABLES = """
    select c.oid::regclass::text from pg_class c
    where c.relnamespace::regnamespace::text in ('public', 'platform')
      and c.relkind in ('r', 'p') and not c.relispartition order by 1
"""
TENANT_TABLES = """
    select c.relname from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
    where c.relnamespace = 'public'::regnamespace
      and c.relkind in ('r', 'p') and not c.relispartition order by 1
"""
PARTITIONS = """
    select c.relname from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relispartition
"""
COLUMNS = """
    select a.attname as name, format_type(a.atttypid, null) as type, a.attnotnull as is_required,
           a.atthasdef or a.attidentity <> '' as has_default
    from pg_attribute a
    where a.attrelid = $1::text::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum
"""


class Column(NamedTuple):
    """A column of a table."""

    name: str
    type: str
    is_required: bool
    has_default: bool


async def names(connection: Connection, query: str, *arguments: object) -> list[str]:
    """Return the first column of what a query finds."""
    return [str(row[0]) for row in await connection.fetch(query, *arguments)]


async def tenant_tables(connection: Connection) -> list[str]:
    """Return the tables with a tenant_id, partitions aside."""
    found = await names(connection, TENANT_TABLES)
    assert "orders" in found, "the catalogue is not ours"
    return found


async def columns(connection: Connection, table: str) -> list[Column]:
    """Return the columns of a table."""
    return [Column(*row) for row in await connection.fetch(COLUMNS, table)]


async def contents(connection: Connection) -> dict[str, Any]:
    """Return a mark for each table that differs wherever its rows do.

    But for the epoch of admission, which a process raises by itself when it warms Valkey up.
    """
    marks = {}
    for table in set(await names(connection, TABLES)) - {"admission_epoch"}:
        digest = f"select md5(string_agg(t::text, ',' order by t::text)) from {table} t"  # noqa: S608
        marks[table] = await connection.fetchval(digest)
    return marks
