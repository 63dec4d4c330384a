"""Migrations: each once, none edited, none half; and where they lead to."""

import asyncio
import re
import shutil
from pathlib import Path

import asyncpg
import pytest

from backend.db import migrate as runner
from backend.db.errors import DatabaseUnavailable, MigrationBlocked, MigrationChanged
from backend.db.migrate import migrate
from backend.db.pool import APPLICATION_ROLE
from tests.catalogue import Connection, names
from tests.db.describe import describe

SCHEMA = Path(runner.__file__).with_name("schema.sql")
ALL = [migration.name for migration in runner.migrations()]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the migrations, to be edited."""
    copy = tmp_path / "migrations"
    shutil.copytree(runner.MIGRATIONS, copy)
    monkeypatch.setattr(runner, "MIGRATIONS", copy)
    return copy


def replace_all(folder: Path, schema: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()
    shutil.copy(schema, folder / "0001_schema.sql")


async def applied(connection: Connection) -> list[str]:
    return await names(connection, "select name from migration order by name")


async def described(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        return await describe(connection)
    finally:
        await connection.close()


# --------------------------------------------------------------------- the reviewed truth


async def test_the_schema_and_the_migrations_agree(
    database_url: str, empty_url: str, folder: Path
) -> None:
    replace_all(folder, SCHEMA)
    await migrate(empty_url)
    assert sorted(await described(database_url) ^ await described(empty_url)) == []


@pytest.mark.parametrize(
    "change",
    [
        "alter table sku add column colour text",
        "alter table sku alter column name drop not null",
        "alter table sku alter column category set default 'none'",
        "alter table sku drop constraint sku_weight_check",
        "drop index orders_dealer_idx",
        "drop policy deleting on sku",
        "alter table sku no force row level security",
        "revoke delete on sku from yipan_app",
        "grant execute on function platform.note to yipan_app",
        "alter function platform.brands() reset search_path",
        "alter sequence order_id_block increment by 10",
        "revoke usage on schema platform from yipan_app",
    ],
)
async def test_every_difference_is_seen(admin: Connection, change: str) -> None:
    before = await describe(admin)
    await admin.execute(change)
    assert await describe(admin) != before


def test_migrations_are_numbered() -> None:
    assert all(re.fullmatch(r"\d{4}_[a-z0-9_]+", name) for name in ALL)
    assert [int(name[:4]) for name in ALL] == list(range(1, len(ALL) + 1))


# -------------------------------------------------------------------------------- the runner


async def test_each_is_applied_once(empty_url: str) -> None:
    assert await migrate(empty_url) == ALL
    before = await described(empty_url)
    assert await migrate(empty_url) == []
    assert await described(empty_url) == before


async def test_a_new_one_is_applied_alone(
    database_url: str, folder: Path, admin: Connection
) -> None:
    (folder / "9999_more.sql").write_text("create table more (id bigint primary key);")
    assert await migrate(database_url) == ["9999_more"]
    owner = "select tableowner from pg_tables where tablename = 'more'"
    assert await admin.fetchval(owner) == runner.OWNER_ROLE


async def test_an_edited_one_is_refused(database_url: str, folder: Path) -> None:
    before = await described(database_url)
    with (folder / f"{ALL[0]}.sql").open("a") as file:
        file.write("create table sneaked_in (id bigint);")
    with pytest.raises(MigrationChanged, match=ALL[0]):
        await migrate(database_url)
    assert await described(database_url) == before


async def test_a_failing_one_leaves_nothing(
    database_url: str, folder: Path, admin: Connection
) -> None:
    before = await describe(admin)
    file = folder / "9999_fails.sql"
    file.write_text("create table half (id bigint); select 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(database_url)
    assert await applied(admin) == ALL
    assert await describe(admin) == before
    file.write_text("create table half (id bigint);")
    assert await migrate(database_url) == ["9999_fails"]


async def test_what_was_applied_before_a_failure_stays(
    database_url: str, folder: Path, admin: Connection
) -> None:
    (folder / "9998_good.sql").write_text("create table good (id bigint);")
    (folder / "9999_fails.sql").write_text("select 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(database_url)
    assert await applied(admin) == [*ALL, "9998_good"]


async def test_two_migrators_at_once(empty_url: str) -> None:
    done = await asyncio.gather(*(migrate(empty_url) for _ in range(3)))
    assert sorted(done) == [[], [], ALL]


async def test_traffic_is_not_queued_behind_a_migration(
    database_url: str, folder: Path, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "LOCK_TIMEOUT", "100ms")
    before = await describe(admin)
    (folder / "9999_locks.sql").write_text("alter table region add column mayor text;")
    async with admin.transaction():
        await admin.execute("lock table region in access share mode")
        with pytest.raises(MigrationBlocked, match="9999_locks"):
            await migrate(database_url)
    assert await describe(admin) == before


async def test_a_failing_load_leaves_the_schema(empty_url: str) -> None:
    async def fail(_: object) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await migrate(empty_url, fail)
    assert await migrate(empty_url) == []


@pytest.mark.parametrize("url", ["postgres://u@127.0.0.1:1/x", "postgres://u@h:no-port/x"])
async def test_nobody_answers(url: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="does not take connections"):
        await migrate(url)


# --------------------------------------------------------------------------------- the roles


async def test_the_roles_are_weak(admin: Connection) -> None:
    roles = await admin.fetch(
        """
        select rolname from pg_roles
        where rolname = any($1) and not (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb)
        """,
        [runner.OWNER_ROLE, APPLICATION_ROLE],
    )
    assert {row["rolname"] for row in roles} == {runner.OWNER_ROLE, APPLICATION_ROLE}
    assert not await admin.fetchval(
        "select pg_has_role($1, $2, 'member')", APPLICATION_ROLE, runner.OWNER_ROLE
    )


async def test_the_application_creates_nothing(application: Connection, admin: Connection) -> None:
    before = await describe(admin)
    for text in ("create table mine (id bigint)", "create schema mine", "drop table sku"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await application.execute(text)
    assert await describe(admin) == before
