"""The pool: who may log in, what a transaction guarantees, and what happens without a database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import asyncpg
import pytest

from backend.db import pool
from backend.db.errors import (
    DatabaseUnavailable,
    TextNotStorable,
    UnsafeRole,
    WriteRefused,
    YipanError,
)
from backend.db.migrate import OWNER_ROLE
from backend.db.pool import Database, TenantTransaction
from backend.db.sql import Query
from tenants.principal import Kind, Principal, system_principal
from tests.catalogue import Connection, contents

SYSTEM = system_principal(1, "test")
HANGS_SECONDS = 15
SHORT_SECONDS = 0.3
INSERT = Query("insert", "", "insert into legal_entity (tenant_id, code, name) values ($1, $2, '')")
COUNT = Query("count", "", "select count(*) from legal_entity where tenant_id = $1")
CODES = Query("codes", "", "select code from legal_entity where tenant_id = $1 order by code")
OTHERS = "select count(*) from pg_stat_activity where datname = current_database() and pid <> $1"


async def count(database: Database) -> int:
    async with database.tenant_transaction(SYSTEM) as tx:
        return int(await tx.fetch_value(COUNT, 1))


async def insert(database: Database, code: str, who: Principal = SYSTEM) -> int:
    async with database.tenant_transaction(who) as tx:
        return await tx.execute(INSERT, 1, code)


# ---------------------------------------------------------------------------------- opening


@pytest.mark.parametrize(
    "url",
    [
        "postgres://u@127.0.0.1:1/x",
        "postgres://u@h:no-port/x",
        "postgres:///x?host=/nowhere",
        "postgres://u@127.0.0.1:1/x?sslmode=perhaps",
    ],
)
async def test_without_a_database_it_says_what_to_do(url: str) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"YIPAN_DATABASE_URL.*yipan migrate"):
        await Database.connect(url)


async def test_without_our_roles_it_says_what_to_do(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "APPLICATION_ROLE", "nobody_created_me")
    with pytest.raises(DatabaseUnavailable, match=r"nobody_created_me.*yipan migrate"):
        await Database.connect(database_url)


@pytest.fixture
async def strange_role(admin: Connection) -> AsyncIterator[str]:
    await admin.execute("create role strange")
    yield "strange"
    await admin.execute("drop owned by strange")
    await admin.execute("drop role strange")


@pytest.mark.parametrize(
    "change",
    [
        "alter role strange superuser",
        "alter role strange bypassrls",
        "alter table sku owner to strange",
        f"grant {OWNER_ROLE} to strange",
        f"grant {OWNER_ROLE} to strange with inherit false",
    ],
)
async def test_a_role_above_the_policies_is_refused(
    database_url: str,
    strange_role: str,
    change: str,
    admin: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await admin.execute(change)
    monkeypatch.setattr(pool, "APPLICATION_ROLE", strange_role)
    async with asyncio.timeout(HANGS_SECONDS):
        with pytest.raises(UnsafeRole):
            await Database.connect(database_url)
    await asyncio.sleep(0.1)
    assert await admin.fetchval(OTHERS, admin.get_server_pid()) == 0


async def test_a_harmless_role_is_taken(
    database_url: str, strange_role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "APPLICATION_ROLE", strange_role)
    await (await Database.connect(database_url)).close()


async def test_whoever_logs_in_is_the_applications_role(database: Database) -> None:
    who = Query("who", "", "select current_user || ' ' || current_setting('timezone')")
    async with database.platform_transaction() as tx:
        assert await tx.fetch_value(who) == "yipan_app UTC"


# ------------------------------------------------------------------------ what it guarantees


async def test_an_error_undoes_everything(database: Database) -> None:
    async def fail(tx: TenantTransaction) -> None:
        await tx.execute(INSERT, 1, "a")
        raise LookupError

    with pytest.raises(LookupError):
        async with database.tenant_transaction(SYSTEM) as tx:
            await fail(tx)
    assert await count(database) == 0


async def test_a_cancelled_task_undoes_everything(database: Database) -> None:
    async def hang() -> None:
        async with database.tenant_transaction(SYSTEM) as tx:
            await tx.execute(INSERT, 1, "a")
            await asyncio.sleep(HANGS_SECONDS)

    task = asyncio.create_task(hang())
    await asyncio.wait([task], timeout=SHORT_SECONDS)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await count(database) == 0


IN_TEXT = (INSERT, 1, "a\0b")
IN_DOCUMENT = (Query("document", "", "select $1::text::jsonb"), r'"a\u0000b"')


@pytest.mark.parametrize("statement", [IN_TEXT, IN_DOCUMENT], ids=["text", "document"])
async def test_a_nul_is_refused_and_undoes_everything(
    database: Database, statement: tuple[Query, *tuple[object, ...]]
) -> None:
    async def work() -> None:
        async with database.tenant_transaction(SYSTEM) as tx:
            await tx.execute(INSERT, 1, "before")
            await tx.fetch(*statement)

    with pytest.raises(TextNotStorable):
        await work()
    assert await count(database) == 0


async def test_execute_says_how_many_rows(database: Database) -> None:
    assert await insert(database, "a") == 1
    delete = Query("delete", "", "delete from legal_entity where tenant_id = $1")
    async with database.tenant_transaction(SYSTEM) as tx:
        assert await tx.execute(delete, 1) == 1
        assert await tx.execute(delete, 1) == 0


async def test_rows_come_one_by_one_too(database: Database) -> None:
    for code in ("b", "a", "c"):
        await insert(database, code)
    async with database.tenant_transaction(SYSTEM) as tx:
        assert [row["code"] async for row in tx.iterate(CODES, 1, prefetch=2)] == ["a", "b", "c"]
        assert await tx.fetch_row(CODES, 2) is None


async def test_reading_is_only_reading(database: Database) -> None:
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with database.tenant_transaction(SYSTEM, read_only=True) as tx:
            await tx.execute(INSERT, 1, "a")
    assert await count(database) == 0


async def test_isolation_is_as_asked_for(database: Database) -> None:
    level = Query("level", "", "select current_setting('transaction_isolation')")
    async with database.platform_transaction() as tx:
        assert await tx.fetch_value(level) == "read committed"
    async with database.tenant_transaction(SYSTEM, isolation="repeatable_read") as tx:
        assert await tx.fetch_value(level) == "repeatable read"


@pytest.mark.parametrize("kind", [Kind.DEALER, Kind.STORE, Kind.GROUP])
async def test_who_may_only_read_is_told_so(
    database: Database, admin: Connection, kind: Kind
) -> None:
    before = await contents(admin)
    reader = Principal(tenant_id=1, kind=kind, subject="user:1", dealer_id=1, node_ids=(1,))
    with pytest.raises(WriteRefused, match="ask the brand"):
        await insert(database, "a", reader)
    assert await contents(admin) == before


# --------------------------------------------------------------------- without a connection


@pytest.fixture
async def narrow(database_url: str) -> AsyncIterator[Database]:
    """A pool of one connection."""
    opened = await Database.connect(database_url, size_max=1)
    yield opened
    await opened.close()


async def test_a_full_pool_is_waited_for(narrow: Database) -> None:
    async with narrow.platform_transaction():
        second = asyncio.create_task(insert(narrow, "a"))
        await asyncio.wait([second], timeout=SHORT_SECONDS)
        assert not second.done()
    assert await second == 1


async def test_a_full_pool_is_not_waited_for_long(
    narrow: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "ACQUIRE_TIMEOUT_SECONDS", SHORT_SECONDS)
    async with narrow.platform_transaction():
        with pytest.raises(DatabaseUnavailable):
            await insert(narrow, "a")
    assert await count(narrow) == 0


class Doors:
    """Lets nobody into the test's database, and in again, as a restart does."""

    def __init__(self, outside: Connection, name: str) -> None:
        self.outside = outside
        self.name = name

    async def shut(self) -> None:
        await self.outside.execute(f"alter database {self.name} allow_connections false")
        await self.outside.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", self.name
        )

    async def open(self) -> None:
        await self.outside.execute(f"alter database {self.name} allow_connections true")


@pytest.fixture
async def doors(database_url: str) -> AsyncIterator[Doors]:
    inside = await asyncpg.connect(database_url)
    name = await inside.fetchval("select current_database()")
    await inside.close()
    outside = await asyncpg.connect(database_url.replace(f"/{name}?", "/postgres?"))
    yield Doors(outside, name)
    await outside.close()


async def test_a_restart_is_waited_for(database: Database, doors: Doors) -> None:
    await doors.shut()
    request = asyncio.create_task(insert(database, "a"))
    await asyncio.wait([request], timeout=SHORT_SECONDS)
    assert not request.done()
    await doors.open()
    assert await request == 1


async def test_a_restart_is_not_waited_for_long(
    database: Database, doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "ACQUIRE_TIMEOUT_SECONDS", SHORT_SECONDS)
    await doors.shut()
    with pytest.raises(DatabaseUnavailable):
        await insert(database, "a")
    await doors.open()
    assert await count(database) == 0


async def test_a_closed_pool_refuses_at_once(database_url: str) -> None:
    database = await Database.connect(database_url)
    await database.close()
    async with asyncio.timeout(SHORT_SECONDS):
        with pytest.raises(DatabaseUnavailable):
            await insert(database, "a")


async def test_a_connection_lost_in_the_middle_is_told_apart(
    database: Database, doors: Doors
) -> None:
    async def insert_behind_shut_doors(tx: TenantTransaction) -> None:
        await doors.shut()
        await tx.execute(INSERT, 1, "a")

    with pytest.raises(pool.CONNECTION_LOST):
        async with database.tenant_transaction(SYSTEM) as tx:
            await insert_behind_shut_doors(tx)
    await doors.open()
    assert await count(database) == 0


def test_a_refusal_is_not_a_lost_connection() -> None:
    assert not issubclass(YipanError, pool.CONNECTION_LOST)


async def test_whoever_is_cancelled_at_any_moment_leaves_no_transaction(database: Database) -> None:
    told: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context["message"]))

    async def work() -> None:
        async with database.platform_transaction(read_only=True):
            pass

    for pauses in range(40):
        task = asyncio.create_task(work())
        for _ in range(pauses):
            await asyncio.sleep(0.0001)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    loop.set_exception_handler(None)
    assert told == []
