"""Brings a database to the newest schema: `migrations/NNNN_*.sql`, in order, each once.

Each migration runs in a transaction of its own as the owner of the tables. Its checksum is kept, so
that an edited migration is noticed. An advisory lock makes a second migrator wait; `lock_timeout`
makes a migration give up rather than queue behind traffic and block it.
"""

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from backend.db.errors import DatabaseUnavailable, MigrationBlocked, MigrationChanged
from backend.db.pool import APPLICATION_ROLE, NO_CONNECTION, SQL, Transaction

MIGRATIONS = Path(__file__).with_name("migrations")
OWNER_ROLE = "yipan_owner"
ADVISORY_LOCK = 0x59495041
LOCK_TIMEOUT = "10s"

BOOTSTRAP = Path(__file__).with_name("bootstrap.sql")


class Migration(NamedTuple):
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations() -> list[Migration]:
    """Return all migrations, oldest first."""
    return [
        Migration(path.stem, path.read_text("utf-8")) for path in sorted(MIGRATIONS.glob("*.sql"))
    ]


async def migrate(
    url: str, load_reference: Callable[[Transaction], Awaitable[None]] | None = None
) -> list[str]:
    """Apply what is missing and return the names of what was applied.

    `load_reference` then fills the reference tables, as their owner. `url` logs in as a role that
    may create roles and objects. Raises MigrationChanged if an applied migration's file has been
    edited, MigrationBlocked if traffic holds what one has to lock, DatabaseUnavailable if nobody
    answers; what was applied before an error stays, the failing migration leaves nothing.
    """
    try:
        connection = await asyncpg.connect(url, server_settings={"lock_timeout": LOCK_TIMEOUT})
    except (*NO_CONNECTION, ValueError) as error:
        raise DatabaseUnavailable(f"The database does not take connections: {error}") from error
    try:
        applied = await _apply_missing(connection)
        if load_reference is not None:
            async with connection.transaction():
                await load_reference(Transaction(connection))
        return applied
    finally:
        await connection.close()


async def _apply_missing(connection: Any) -> list[str]:
    await connection.execute("set lock_timeout = 0")  # sql-ok: the session's, before any table
    await connection.execute(f"select pg_advisory_lock({ADVISORY_LOCK})")  # sql-ok: likewise
    await connection.execute(f"set lock_timeout = '{LOCK_TIMEOUT}'")  # sql-ok: likewise
    await connection.execute(
        BOOTSTRAP.read_text("utf-8").format(owner=OWNER_ROLE, application=APPLICATION_ROLE)
    )
    await connection.execute(f"set role {OWNER_ROLE}")  # sql-ok: the session's
    missing = await _missing(connection)
    for migration in missing:
        try:
            async with connection.transaction():
                await connection.execute(migration.text)
                await connection.execute(
                    "insert into migration (name, checksum) values ($1, $2)",  # sql-ok: the owner's
                    migration.name,
                    migration.checksum,
                )
        except asyncpg.LockNotAvailableError as error:
            raise MigrationBlocked(f"{migration.name}: {MigrationBlocked.__doc__}") from error
    await connection.execute(SQL.ensure_partitions.text)
    return [migration.name for migration in missing]


async def _missing(connection: Any) -> list[Migration]:
    """Return what is not applied yet, oldest first; raises MigrationChanged."""
    rows = await connection.fetch("select name, checksum from migration")  # sql-ok: the owner's
    applied = dict(rows)
    for migration in migrations():
        if applied.get(migration.name, migration.checksum) != migration.checksum:
            raise MigrationChanged(f"{migration.name}: {MigrationChanged.__doc__}")
    return [migration for migration in migrations() if migration.name not in applied]
