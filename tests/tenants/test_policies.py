"""Every tenant table against every principal: generated, so a new table is covered at once.

What somebody may see follows from the columns of a table alone: rows with a dealer are that
dealer's too, rows with a node are that node's stores' too, and anything else is the brand's.
"""

import asyncpg
import pytest

from backend.db.pool import Database, enter_text
from backend.db.sql import Query
from tenants.principal import Kind, Principal, system_principal
from tests.catalogue import PARTITIONS, Connection, contents, names, tenant_tables
from tests.tenants.sample import (
    DEALER,
    NODE,
    NODES,
    OURS,
    THEIRS,
    Table,
    read_tables,
)

FOR_EVERYBODY = {
    "pickup_terms",
    "queue_rule",
    "return_rule",
    "sku",
    "slot_provider",
    "step_deadline",
}
"""Tables that every principal of the tenant reads whole."""


def principal(kind: Kind, dealer: int | None = None, nodes: tuple[int, ...] = ()) -> Principal:
    return Principal(tenant_id=OURS, kind=kind, subject="user:1", dealer_id=dealer, node_ids=nodes)


WRITERS = {
    "brand": principal(Kind.BRAND),
    "system": system_principal(OURS, "test"),
}
READERS = {
    "group": principal(Kind.GROUP),
    "dealer": principal(Kind.DEALER, DEALER),
    "dealer without a dealer": principal(Kind.DEALER),
    "dealer with nodes": principal(Kind.DEALER, DEALER, (NODE,)),
    "store": principal(Kind.STORE, None, (NODE,)),
    "store of two nodes": principal(Kind.STORE, None, NODES),
    "store without nodes": principal(Kind.STORE),
    "store of a dealer": principal(Kind.STORE, DEALER, (NODE,)),
}
ENTER = """
    select set_config('yipan.tenant', $1, true), set_config('yipan.kind', $2, true),
           set_config('yipan.dealer', $3, true), set_config('yipan.nodes', $4, true)
"""
"""What the door sets, with whatever values."""
EVERYBODY = pytest.mark.parametrize(
    "who", {**WRITERS, **READERS}.values(), ids=[*WRITERS, *READERS]
)
EACH_WRITER = pytest.mark.parametrize("who", WRITERS.values(), ids=WRITERS)
EACH_READER = pytest.mark.parametrize("who", READERS.values(), ids=READERS)


def may_see(who: Principal, table: Table) -> str:
    """Return the condition that holds for the rows that a principal may see."""
    own = f"tenant_id = {who.tenant_id}"
    if table.name in FOR_EVERYBODY or who.kind in (Kind.BRAND, Kind.GROUP, Kind.SYSTEM):
        return own
    if who.kind is Kind.DEALER and who.dealer_id and table.dealer_column:
        return f"{own} and {table.dealer_column} = {who.dealer_id}"
    if who.kind is Kind.STORE and who.node_ids and table.node_column:
        return f"{own} and {table.node_column} in ({', '.join(map(str, who.node_ids))})"
    return "false"


def rows_of(table: Table, condition: str = "true") -> str:
    return f"select t::text from {table.name} t where {condition} order by 1"  # noqa: S608


async def enter(connection: Connection, who: Principal) -> None:
    """Make an open transaction the principal's, and leave it writable for groups too."""
    await connection.execute(enter_text(who))


# ------------------------------------------------------------------------------- the sample


async def test_the_sample_has_rows_of_everybody(sample_admin: Connection) -> None:
    for table in await read_tables(sample_admin):
        nodes = len(NODES) if table.node_column else 1
        for tenant in (OURS, THEIRS):
            rows = await names(sample_admin, rows_of(table, f"tenant_id = {tenant}"))
            assert len(rows) == len(table.dealers) * nodes, table.name


async def test_what_everybody_reads_exists(sample_admin: Connection) -> None:
    assert set(await tenant_tables(sample_admin)) > FOR_EVERYBODY


# ------------------------------------------------------------------------------ what is seen


@EVERYBODY
async def test_everybody_sees_what_is_theirs(
    sample: Database, sample_admin: Connection, who: Principal
) -> None:
    async with sample.tenant_transaction(who) as tx:
        for table in await read_tables(sample_admin):
            seen = [row[0] for row in await tx.fetch(Query("rows", "", rows_of(table)))]
            assert seen == await names(sample_admin, rows_of(table, may_see(who, table))), (
                table.name
            )


@EVERYBODY
async def test_nobody_is_blind_by_mistake(
    sample: Database, sample_admin: Connection, who: Principal
) -> None:
    tables = await read_tables(sample_admin)
    visible = [table.name for table in tables if may_see(who, table) != "false"]
    if who.kind in (Kind.DEALER, Kind.STORE) and not (who.dealer_id or who.node_ids):
        assert set(visible) == FOR_EVERYBODY
    else:
        assert {"stock_level", "fulfilment"} < set(visible)
    if who.kind is Kind.STORE:
        assert not {"orders", "order_line", "shop", "legal_entity"} & set(visible)


@pytest.mark.parametrize(
    "settings",
    [
        ("", "", "", ""),
        ("", "brand", "", ""),
        ("", "dealer", str(DEALER), ""),
        ("", "store", "", f"{{{NODE}}}"),
        (str(OURS + 2), "brand", "", ""),
    ],
)
async def test_without_a_tenant_nothing_is_seen(
    sample_application: Connection, sample_admin: Connection, settings: tuple[str, ...]
) -> None:
    async with sample_application.transaction():
        await sample_application.fetchrow(ENTER, *settings)
        for table in await read_tables(sample_admin):
            assert await names(sample_application, rows_of(table)) == [], table.name


async def test_an_unknown_kind_sees_what_everybody_does(
    sample_application: Connection, sample_admin: Connection
) -> None:
    async with sample_application.transaction():
        settings = (str(OURS), "janitor", str(DEALER), f"{{{NODE}}}")
        await sample_application.fetchrow(ENTER, *settings)
        for table in await read_tables(sample_admin):
            seen = await names(sample_application, rows_of(table))
            assert bool(seen) == (table.name in FOR_EVERYBODY), table.name


async def test_the_owner_of_the_tables_sees_nothing_either(
    sample_admin: Connection,
) -> None:
    tables = await read_tables(sample_admin)
    await sample_admin.execute("set role yipan_owner")
    for table in tables:
        assert await names(sample_admin, rows_of(table)) == [], table.name


# --------------------------------------------------------------------------- what is written


async def refused(connection: Connection, statement: str) -> bool:
    """Return whether a policy refuses a statement, or no row is there for it."""
    try:
        async with connection.transaction():
            status: str = await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError as error:
        assert "row-level security" in str(error)  # noqa: PT017
        return True
    return status.endswith(" 0")


def changes(table: Table, condition: str) -> list[str]:
    return [
        f"update {table.name} set tenant_id = tenant_id where {condition}",  # noqa: S608
        f"delete from {table.name} where {condition}",  # noqa: S608
    ]


def attempts_on(table: Table, tenant: int) -> list[str]:
    """Return what somebody may try on a tenant's rows, as whoever the rows are of."""
    inserts = [table.insert(tenant, dealer) for dealer in table.dealers]
    return [*inserts, *changes(table, f"tenant_id = {tenant}")]


@EVERYBODY
async def test_nobody_writes_in_a_foreign_tenant(
    sample_application: Connection, sample_admin: Connection, who: Principal
) -> None:
    before = await contents(sample_admin)
    async with sample_application.transaction():
        await enter(sample_application, who)
        for table in await read_tables(sample_admin):
            for attempt in attempts_on(table, THEIRS):
                assert await refused(sample_application, attempt), attempt
    assert await contents(sample_admin) == before


@EACH_WRITER
async def test_nothing_is_given_to_a_foreign_tenant(
    sample_application: Connection, sample_admin: Connection, who: Principal
) -> None:
    before = await contents(sample_admin)
    async with sample_application.transaction():
        await enter(sample_application, who)
        for table in await read_tables(sample_admin):
            gift = f"update {table.name} set tenant_id = {THEIRS}"  # noqa: S608
            assert await refused(sample_application, gift), gift
    assert await contents(sample_admin) == before


@EACH_READER
async def test_readers_write_nothing(
    sample_application: Connection, sample_admin: Connection, who: Principal
) -> None:
    before = await contents(sample_admin)
    async with sample_application.transaction():
        await enter(sample_application, who)
        for table in await read_tables(sample_admin):
            for attempt in attempts_on(table, OURS):
                assert await refused(sample_application, attempt), attempt
    assert await contents(sample_admin) == before


@EACH_WRITER
async def test_writers_write_their_own(
    sample_application: Connection, sample_admin: Connection, who: Principal
) -> None:
    """Without this the refusals above might have other reasons."""
    transaction = sample_application.transaction()
    await transaction.start()
    await enter(sample_application, who)
    for table in await read_tables(sample_admin):
        for attempt in attempts_on(table, OURS):
            assert not await refused(sample_application, attempt), attempt
    await transaction.rollback()


async def test_without_the_door_nothing_is_written(
    sample_application: Connection, sample_admin: Connection
) -> None:
    before = await contents(sample_admin)
    for table in await read_tables(sample_admin):
        for attempt in attempts_on(table, OURS):
            assert await refused(sample_application, attempt), attempt
    assert await contents(sample_admin) == before


# ------------------------------------------------------------------------------ the catalogue


async def test_every_tenant_table_is_protected(sample_admin: Connection) -> None:
    protected = """
        select relname from pg_class
        where relrowsecurity and relforcerowsecurity and not relispartition
    """
    assert set(await names(sample_admin, protected)) == set(await tenant_tables(sample_admin))


async def test_one_policy_for_each_command(sample_admin: Connection) -> None:
    policies = """
        select tablename from pg_policies
        where permissive = 'PERMISSIVE' and roles = '{public}'
        group by tablename
        having array_agg(cmd order by cmd) = array['DELETE', 'INSERT', 'SELECT', 'UPDATE']
    """
    assert set(await names(sample_admin, policies)) == set(await tenant_tables(sample_admin))
    all_of_them = await names(sample_admin, "select tablename from pg_policies")
    assert len(all_of_them) == 4 * len(await tenant_tables(sample_admin))


async def test_partitions_are_reached_through_their_table_alone(
    sample_admin: Connection, sample_application: Connection
) -> None:
    partitions = await names(sample_admin, PARTITIONS)
    assert len(partitions) >= 9
    for partition in partitions:
        assert await privileges(sample_admin, partition) == [], partition


async def privileges(connection: Connection, table: str) -> list[str]:
    """Return what the application's role may do with a table."""
    return await names(
        connection,
        """
        select p from unnest(array['select', 'insert', 'update', 'delete', 'truncate',
                                   'references', 'trigger', 'maintain']) p
        where has_table_privilege('yipan_app', $1, p)
           or p in ('select', 'insert', 'update', 'references')
              and has_any_column_privilege('yipan_app', $1, p)
        order by 1
        """,
        table,
    )


async def test_the_application_may_do_what_it_needs_and_no_more(sample_admin: Connection) -> None:
    for table in await tenant_tables(sample_admin):
        expected = ["delete", "insert", "select", "update"]
        assert await privileges(sample_admin, table) == expected, table
    assert await privileges(sample_admin, "region") == ["select"]
    assert await privileges(sample_admin, "migration") == []
