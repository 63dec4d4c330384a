"""The one door: what somebody forgets, and what stays behind."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from backend.db.pool import Database, TenantTransaction
from backend.db.sql import Query
from tenants.principal import Kind, Principal
from tests.catalogue import Connection, names
from tests.tenants.sample import DEALER, NODE, OURS, THEIRS, read_tables
from tests.tenants.test_policies import principal, rows_of

SETTINGS = Query(
    "settings",
    "",
    """
    select coalesce(current_setting('yipan.' || s, true), '')
    from unnest(array['tenant', 'kind', 'dealer', 'nodes']) s
    """,
)
NOTHING = ["", "", "", ""]
TENANTS = Query("tenants", "", "select distinct tenant_id from stock_level order by 1")
EVERYTHING = {
    "dealer": principal(Kind.DEALER, DEALER, (NODE,)),
    "store": principal(Kind.STORE, DEALER, (NODE,)),
    "brand": principal(Kind.BRAND),
}
EACH = pytest.mark.parametrize("who", EVERYTHING.values(), ids=EVERYTHING)


@pytest.fixture
async def narrow(sample_url: str) -> AsyncIterator[Database]:
    """A pool of one connection: whoever comes next gets the same."""
    opened = await Database.connect(sample_url, size_max=1)
    yield opened
    await opened.close()


async def settings_of_the_next(database: Database) -> list[str]:
    async with database.platform_transaction() as tx:
        return [row[0] for row in await tx.fetch(SETTINGS)]


async def test_whoever_forgets_the_door_gets_nothing(
    sample_application: Connection, sample_admin: Connection
) -> None:
    for table in await read_tables(sample_admin):
        assert await names(sample_admin, rows_of(table)) != [], table.name
        assert await names(sample_application, rows_of(table)) == [], table.name


async def test_a_platform_transaction_is_no_door(
    sample: Database, sample_admin: Connection
) -> None:
    async with sample.platform_transaction() as tx:
        for table in await read_tables(sample_admin):
            assert await tx.fetch(Query("rows", "", rows_of(table))) == [], table.name


@EACH
async def test_the_settings_are_the_principals(narrow: Database, who: Principal) -> None:
    async with narrow.tenant_transaction(who) as tx:
        set_ = [row[0] for row in await tx.fetch(SETTINGS)]
    dealer = "" if who.dealer_id is None else str(who.dealer_id)
    nodes = "{21}" if who.node_ids else ""
    assert set_ == [str(OURS), who.kind.value, dealer, nodes]


@EACH
async def test_the_settings_end_with_the_transaction(narrow: Database, who: Principal) -> None:
    async with narrow.tenant_transaction(who):
        pass
    assert await settings_of_the_next(narrow) == NOTHING


async def fail_in(tx: TenantTransaction) -> None:
    await tx.fetch(TENANTS)
    await tx.fetch(Query("wrong", "", "select 1 / 0"))


@EACH
async def test_the_settings_end_with_an_error(narrow: Database, who: Principal) -> None:
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with narrow.tenant_transaction(who) as tx:
            await fail_in(tx)
    assert await settings_of_the_next(narrow) == NOTHING


@EACH
async def test_the_settings_end_with_a_cancelled_task(narrow: Database, who: Principal) -> None:
    async def hang() -> None:
        async with narrow.tenant_transaction(who) as tx:
            await tx.fetch(Query("sleep", "", "select pg_sleep(20)"))

    task = asyncio.create_task(hang())
    await asyncio.wait([task], timeout=0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await settings_of_the_next(narrow) == NOTHING


async def test_the_next_principal_replaces_the_last_wholly(narrow: Database) -> None:
    for who in EVERYTHING.values():
        async with narrow.tenant_transaction(who):
            pass
    async with narrow.tenant_transaction(principal(Kind.STORE)) as tx:
        assert [row[0] for row in await tx.fetch(SETTINGS)] == [str(OURS), "store", "", ""]


async def test_tenants_side_by_side(sample: Database) -> None:
    async def seen(tenant_id: int) -> list[int]:
        who = Principal(tenant_id=tenant_id, kind=Kind.BRAND, subject="user:1")
        async with sample.tenant_transaction(who) as tx:
            await asyncio.sleep(0.01)
            return [row[0] for row in await tx.fetch(TENANTS)]

    everybody = [OURS, THEIRS] * 20
    assert await asyncio.gather(*map(seen, everybody)) == [[tenant] for tenant in everybody]


async def test_a_group_reads_and_is_read_only(sample: Database) -> None:
    state = Query("state", "", "select current_setting('transaction_read_only')")
    async with sample.tenant_transaction(principal(Kind.GROUP)) as tx:
        assert await tx.fetch_value(state) == "on"
        assert [row[0] for row in await tx.fetch(TENANTS)] == [OURS]
