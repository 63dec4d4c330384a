"""The marked rows in a database, the people who read them, and what the policies let them see."""

import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from tenants.principal import Kind, Permission, Principal
from tests.api.marked_rows import (
    BRAND,
    DEALERS,
    NOW,
    OURS,
    THEIRS,
    A,
    B,
    Cell,
    Maker,
    Row,
    Table,
    marks_in,
)
from tests.catalogue import Connection, columns, names, tenant_tables

ONE_OF = re.compile(r"\(?(\w+) = ANY \(ARRAY\[(.*?)\]", re.DOTALL)
CHECKS = """
    select pg_get_constraintdef(oid) from pg_constraint
    where conrelid = $1::text::regclass and contype = 'c'
"""
DROP_CHECKS = """
    select format('alter table %s drop constraint %I cascade', r.conrelid::regclass, r.conname)
    from pg_constraint r
    where r.contype = 'c' and r.connamespace = 'public'::regnamespace
      and r.conparentid = 0 and r.coninhcount = 0 and r.conrelid <> 0
"""
PRIMARY_KEY = """
    select a.attname from pg_index x
    join pg_attribute a on a.attrelid = x.indrelid and a.attnum = any(x.indkey)
    where x.indrelid = $1::text::regclass and x.indisprimary
"""

PROTECTED = re.compile(r"^call protect\('(\w+)', '(\w+)'", re.MULTILINE)
SCHEMA = Path(__file__).parents[2] / "backend/db/schema.sql"
PLATFORM_READERS = {"agreement": "dealer", "api_key": "dealer", "membership": "dealer"}
"""Of these each dealer sees its own, and the brand those of its dealers and its own."""
SEEING_ALL = (Kind.BRAND, Kind.GROUP)


class Reader(NamedTuple):
    """Somebody who asks, and the brands that they work for."""

    principal: Principal
    brands: frozenset[int]
    places: tuple[str, ...]


def read_policies() -> dict[str, str]:
    """Return who reads which table, as the schema says."""
    found = dict(PROTECTED.findall(SCHEMA.read_text("utf-8")))
    assert len(found) > 80, "the schema says it otherwise now"
    return found | PLATFORM_READERS


def may_see(reader: Reader, row: Row, policies: dict[str, str]) -> bool:
    """Whether the policies let somebody read a row."""
    who = reader.principal
    if row.table == "brand":
        return row.tenant in reader.brands
    if row.tenant != who.tenant_id:
        return False
    readers = policies[row.table]
    if who.kind in SEEING_ALL or readers == "tenant":
        return True
    if who.kind is Kind.DEALER:
        return readers in ("dealer", "dealer_store") and row.dealer == who.dealer_id
    return readers in ("store", "dealer_store") and row.node in who.node_ids


async def read_tables(connection: Connection) -> dict[str, Table]:
    """Return every tenant table, with the values that its checks list."""
    found = {}
    for name in await tenant_tables(connection):
        options = {}
        for check in await names(connection, CHECKS, name):
            for column, listed in ONE_OF.findall(check):
                options[column] = re.findall(r"'([^']*)'", listed)
        key = tuple(await names(connection, PRIMARY_KEY, name))
        found[name] = Table(name, tuple(await columns(connection, name)), options, key)
    return found


def as_text(value: Any, kind: str) -> str:
    """Return a value as PostgreSQL reads it."""
    if kind in ("json", "jsonb"):
        return json.dumps(value)
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    if isinstance(value, list):
        return "{" + ",".join(f'"{part}"' for part in value) + "}"
    return value.isoformat() if isinstance(value, date) else str(value)


async def insert(connection: Connection, table: str, rows: list[dict[str, Any]]) -> None:
    """Put rows into a table."""
    types = {column.name: column.type for column in await columns(connection, table)}
    for row in rows:
        given = ", ".join(f"${n}::text::{types[name]}" for n, name in enumerate(row, 1))
        statement = (
            f"insert into {table} ({', '.join(row)}) overriding system value "  # noqa: S608
            f"values ({given})"
        )
        texts = [as_text(value, types[name]) for name, value in row.items()]
        await connection.execute(statement, *texts)


class World(NamedTuple):
    """What was made."""

    maker: Maker
    readers: dict[str, Reader]


async def fill(url: str) -> World:
    """Put rows of everybody into every table of an empty database."""
    connection = await asyncpg.connect(url)
    try:
        maker = Maker(await read_tables(connection))
        for drop in await names(connection, DROP_CHECKS):
            await connection.execute(drop)
        await connection.execute("set session_replication_role = replica")
        for table, rows in maker.rows.items():
            await insert(connection, table, rows)
        readers = await Founder(connection, maker).found()
        await connection.execute("analyze")
        return World(maker, readers)
    finally:
        await connection.close()


class Person(NamedTuple):
    """A user, and as what."""

    kind: Kind
    tenant: int
    owner: str = BRAND
    places: tuple[str, ...] = ()


PEOPLE = {
    "brand": Person(Kind.BRAND, OURS),
    "group": Person(Kind.GROUP, OURS),
    "dealer a": Person(Kind.DEALER, OURS, A),
    "dealer b": Person(Kind.DEALER, OURS, B),
    "store of the brand": Person(Kind.STORE, OURS, BRAND, ("front",)),
    "store of dealer a": Person(Kind.STORE, OURS, A, ("a-store",)),
    "other brand": Person(Kind.BRAND, THEIRS),
}
BRANDS_OF = {A: {OURS, THEIRS}, B: {OURS}}
GROUP = 1
CHANGE = 1_000_003
"""By how much numbers change that somebody may not read."""


class Founder:
    """Fills the platform's tables."""

    def __init__(self, connection: Connection, maker: Maker) -> None:
        self._connection = connection
        self._maker = maker

    async def found(self) -> dict[str, Reader]:
        """Create the brands, their dealers, and a user and a key for everybody."""
        await self._insert("brand_group", id=GROUP, code="group", name="group")
        for tenant in (OURS, THEIRS):
            await self._insert(
                "brand",
                Row("brand", tenant, None, None),
                id=tenant,
                group_id=GROUP,
                code=f"~brand-{tenant}.code~",
                name=f"~brand-{tenant}.name~",
                currency="CNY",
                time_zone="Asia/Shanghai",
            )
        for owner, dealer in DEALERS.items():
            await self._insert("dealer", id=dealer, code=f"~{owner}.code~", name=f"~{owner}.name~")
            for tenant in BRANDS_OF[owner]:
                await self._sign(tenant, owner)
        return {name: await self._hire(name, person) for name, person in PEOPLE.items()}

    async def _sign(self, tenant: int, owner: str) -> None:
        dealer = DEALERS[owner]
        row = Row("agreement", tenant, dealer, None)
        self._maker.holders[f"~{owner}.code~"].add(row)
        self._maker.holders[f"~{owner}.name~"].add(row)
        await self._insert(
            "agreement",
            row,
            id=self._maker.number(),
            brand_id=tenant,
            dealer_id=dealer,
            starts_on=date(2020, 1, 1),
            ends_on=date(2120, 1, 1),
        )

    async def _hire(self, name: str, person: Person) -> Reader:
        maker, tenant = self._maker, person.tenant
        cell = Cell(tenant, person.owner, "")
        nodes = tuple(maker.id("node", cell._replace(place=place), 0) for place in person.places)
        dealer = DEALERS.get(person.owner)
        row = Row("membership", tenant, dealer, None)
        mark, user = name.replace(" ", "-"), maker.number()
        granted = [permission.value for permission in Permission]
        of_brand = tenant if person.kind in (Kind.BRAND, Kind.STORE) else None
        group = GROUP if person.kind is Kind.GROUP else None
        await self._insert(
            "app_user",
            row,
            id=user,
            email=f"~{mark}.email~",
            name=f"~{mark}.name~",
            password_hash="",
        )
        member = maker.number()
        await self._insert(
            "membership",
            row,
            id=member,
            user_id=user,
            kind=person.kind.value,
            brand_id=of_brand,
            group_id=group,
            dealer_id=dealer,
            node_ids=list(nodes),
            permissions=granted,
        )
        if person.kind in (Kind.BRAND, Kind.DEALER):
            await self._employ(mark, row, member, of_brand)
        for revoked_at in () if group else (None, NOW):
            key = f"{mark}.{'old-' if revoked_at else ''}key"
            await self._insert(
                "api_key",
                row._replace(table="api_key"),
                id=maker.number(),
                brand_id=tenant,
                kind=person.kind.value,
                dealer_id=dealer,
                node_ids=list(nodes),
                permissions=granted,
                name=f"~{key}~",
                key_hash=key.encode(),
                expires_at=NOW + timedelta(days=1),
                revoked_at=revoked_at,
            )
        principal = Principal(
            tenant_id=tenant,
            kind=person.kind,
            subject=f"user:{user}",
            group_id=group,
            dealer_id=dealer,
            node_ids=nodes,
            permissions=frozenset(Permission),
        )
        seen = {OURS, THEIRS} if group else {tenant}
        if person.kind is Kind.DEALER:
            seen = BRANDS_OF[person.owner]
        return Reader(principal, frozenset(seen), person.places)

    async def _employ(self, mark: str, row: Row, member: int, brand: int | None) -> None:
        """Give a member two posts, of which one stands in for the other."""
        of = {"brand_id": brand, "dealer_id": row.dealer}
        number = self._maker.number
        before: dict[str, int | None] = {"department": None, "post": None}
        for name in ("first", "second"):
            ids = {table: number() for table in ("department", "role", "post")}
            said = {"code": f"~{mark}.{name}~", "name": f"~{mark}.{name}.name~"}
            parent = before["department"]
            await self._insert(
                "department", row, id=ids["department"], parent_id=parent, **of, **said
            )
            await self._insert(
                "role", row, id=ids["role"], permissions=["stock:read"], **of, **said
            )
            await self._insert(
                "post",
                row,
                id=ids["post"],
                membership_id=member,
                role_id=ids["role"],
                department_id=ids["department"],
                starts_on=date(2020, 1, 1),
                ends_on=date(2120, 1, 1),
                deputy_for=before["post"],
            )
            before = {"department": ids["department"], "post": ids["post"]}

    async def _insert(self, table: str, row: Row | None = None, **values: Any) -> None:
        given = {name: value for name, value in values.items() if value is not None}
        for value in given.values():
            for mark in marks_in(value):
                if row is not None and mark not in DEALERS.values():
                    self._maker.holders[mark].add(row)
        await insert(self._connection, f"platform.{table}", [given])


def seen_by(reader: Reader, table: Table, policies: dict[str, str]) -> str:
    """Return the condition under which somebody may read a row."""
    who, readers = reader.principal, policies[table.name]
    own = f"tenant_id = {who.tenant_id}"
    if who.kind in SEEING_ALL or readers == "tenant":
        return own
    if who.kind is Kind.DEALER and readers in ("dealer", "dealer_store"):
        return f"{own} and dealer_id is not distinct from {who.dealer_id}"
    if who.kind is Kind.STORE and readers in ("store", "dealer_store"):
        node = "id" if table.name == "node" else "node_id"
        return f"{own} and {node} in ({', '.join(map(str, who.node_ids))})"
    return "false"


async def change_unseen(url: str, reader: Reader, maker: Maker) -> None:
    """Change every figure in the rows that somebody may not read."""
    policies = read_policies()
    connection = await asyncpg.connect(url)
    try:
        for table in (await read_tables(connection)).values():
            changes = [f"{name} = {name} + {CHANGE}" for name in maker.figures(table.name)]
            if changes:
                await connection.execute(
                    f"update {table.name} set {', '.join(changes)} "  # noqa: S608
                    f"where ({seen_by(reader, table, policies)}) is not true"
                )
    finally:
        await connection.close()
