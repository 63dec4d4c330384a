"""Connections to PostgreSQL, and the one door to tenant data."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, NoReturn

import asyncpg

from backend.clock import now
from backend.db.errors import (
    CONSTRAINTS,
    DatabaseUnavailable,
    TextNotStorable,
    UnsafeRole,
    WriteRefused,
)
from backend.db.row_arrays import RowArrayConnection
from backend.db.sql import Query, load_queries
from tenants.principal import WRITERS, Kind, Principal

SQL = load_queries(__file__)

APPLICATION_ROLE = "yipan_app"
POOL_SIZE_MAX = 16
"""A pool of 16 served a public benchmark better than one of 64: commits queue for one disk."""
ACQUIRE_TIMEOUT_SECONDS = 10.0
"""How long a request waits for a connection while the database restarts, before it is refused."""
ACQUIRE_PAUSE_SECONDS = 0.1
"""Between two attempts to connect to a database that does not answer."""
COMMAND_TIMEOUT_SECONDS = 60.0

SESSION_SETTINGS = {
    "timezone": "UTC",
    "jit": "off",
    # What is hot lies in memory or on flash: a look-up by key costs little more than the next row.
    "random_page_cost": "1.1",
}

CONNECTION_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that the server has just closed
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    ConnectionError,
    TimeoutError,
    OSError,
)
"""After one of these the outcome of what was under way is unknown."""

NO_CONNECTION = (*CONNECTION_LOST, asyncpg.PostgresError)
"""What keeps a connection from being made; then nothing is under way."""

WRITE_REFUSED = (asyncpg.InsufficientPrivilegeError, asyncpg.ReadOnlySQLTransactionError)
"""What a policy, or a read-only transaction, makes of a write."""

NOT_STORABLE = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)
"""What the server makes of a NUL: in a text, and in a JSON document."""

Record = asyncpg.Record


class _Connection(RowArrayConnection):
    """All state that we set is transaction-local, so nothing needs a reset at release."""

    def get_reset_query(self) -> str:
        return ""


class Transaction:
    """An open transaction; takes named queries only."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetch(self, query: Query, *arguments: object) -> list[Record]:
        rows: list[Record] = await self._connection.fetch(query.text, *arguments)
        return rows

    async def fetch_row(self, query: Query, *arguments: object) -> Record | None:
        row: Record | None = await self._connection.fetchrow(query.text, *arguments)
        return row

    async def fetch_value(self, query: Query, *arguments: object) -> Any:
        return await self._connection.fetchval(query.text, *arguments)

    async def execute(self, query: Query, *arguments: object) -> int:
        """Return how many rows the statement touched."""
        status: str = await self._connection.execute(query.text, *arguments)
        return int(status.rpartition(" ")[2]) if status[-1].isdigit() else 0

    async def iterate(
        self, query: Query, *arguments: object, prefetch: int = 5_000
    ) -> AsyncIterator[Record]:
        async for row in self._connection.cursor(query.text, *arguments, prefetch=prefetch):
            yield row


class TenantTransaction(Transaction):
    """A transaction that sees and writes what its principal may."""

    def __init__(self, connection: Any, principal: Principal) -> None:
        super().__init__(connection)
        self.principal = principal
        self.tenant_id = principal.tenant_id


class Database:
    """The pool; `await Database.connect(url)` and, at the end, `await database.close()`."""

    def __init__(self, pool: "asyncpg.Pool[Record]") -> None:
        self._pool = pool

    @classmethod
    async def connect(cls, url: str, *, size_max: int = POOL_SIZE_MAX) -> "Database":
        """Open the pool as the application's role, whoever logs in.

        Raises DatabaseUnavailable when nobody answers, UnsafeRole when the role is not bound by
        row-level security.
        """
        try:
            pool = await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=size_max,
                connection_class=_Connection,
                init=_prepare,
                command_timeout=COMMAND_TIMEOUT_SECONDS,
                server_settings={"role": APPLICATION_ROLE, **SESSION_SETTINGS},
            )
        except (*NO_CONNECTION, ValueError) as error:
            raise DatabaseUnavailable(
                f"The database does not take connections ({error}). Check YIPAN_DATABASE_URL, and "
                "run `yipan migrate` if the database is new."
            ) from error
        database = cls(pool)
        if not await database._role_is_safe():
            await database.close()
            raise UnsafeRole
        return database

    async def _role_is_safe(self) -> bool:
        async with self.platform_transaction(read_only=True) as tx:
            return bool(await tx.fetch_value(SQL.role_is_safe))

    async def close(self) -> None:
        await self._pool.close()

    def terminate(self) -> None:
        self._pool.terminate()

    @asynccontextmanager
    async def platform_transaction(
        self, *, read_only: bool = False, isolation: str | None = None
    ) -> AsyncIterator[Transaction]:
        """A transaction without a tenant: platform functions and reference tables only."""
        async with self._begin(_begin_text(read_only, isolation)) as connection:
            yield Transaction(connection)

    @asynccontextmanager
    async def tenant_transaction(
        self, principal: Principal, *, read_only: bool = False, isolation: str | None = None
    ) -> AsyncIterator[TenantTransaction]:
        """The one door to tenant data: nothing else takes a connection for it.

        Guarantees that every statement sees exactly the rows of the principal, and that the
        settings end with the transaction. Groups are read-only. Raises DatabaseUnavailable when
        no connection is to be had, or is lost while reading, the domain error of a violated
        constraint, TextNotStorable for a NUL in an argument, and WriteRefused when a principal that
        may only read writes.
        """
        is_reading = read_only or principal.is_read_only
        begin = _begin_text(is_reading, isolation)
        try:
            async with self._begin(begin + enter_text(principal)) as connection:
                yield TenantTransaction(connection, principal)
        except WRITE_REFUSED as error:
            if principal.kind in WRITERS:
                raise
            raise WriteRefused from error
        except CONNECTION_LOST as error:
            if not is_reading:
                raise
            raise DatabaseUnavailable from error  # nothing was under way that could have happened

    @asynccontextmanager
    async def _begin(self, begin: str) -> AsyncIterator[Any]:
        """Run `begin`, then what is inside, then commit; roll back where it fails."""
        try:
            async with AsyncExitStack() as stack:
                connection = await self._open(stack, begin)
                try:
                    yield connection
                except BaseException:
                    await _roll_back(connection)
                    raise
                await _execute_whole(connection, "commit")
        except asyncpg.IntegrityConstraintViolationError as error:
            _raise_domain_error(error)
        except NOT_STORABLE as error:
            raise TextNotStorable from error
        except asyncpg.InsufficientResourcesError as error:
            # Disk full, out of memory, too many connections: the transaction is rolled back.
            raise DatabaseUnavailable(
                f"The database has no room for this ({error}). Nothing was stored; try again once "
                "its operator has made some."
            ) from error

    async def _open(self, stack: AsyncExitStack, begin: str) -> Any:
        """Begin a transaction on a connection that `stack` releases; wait while the server starts.

        Raises DatabaseUnavailable in the end. Until a transaction has begun nothing is under way,
        so a connection that turns out to be dead is replaced by the next one.
        """
        deadline = now() + ACQUIRE_TIMEOUT_SECONDS
        while True:
            try:
                async with AsyncExitStack() as attempt:
                    timeout_seconds = deadline - now()
                    connection = await self._pool.acquire(timeout=timeout_seconds)
                    attempt.push_async_callback(self._pool.release, connection)
                    await _execute_whole(connection, begin)
                    stack.push_async_exit(attempt.pop_all())
                    return connection
            except NO_CONNECTION as error:
                is_late = now() + ACQUIRE_PAUSE_SECONDS >= deadline
                if is_late or self._pool.is_closing():
                    raise DatabaseUnavailable from error
            await asyncio.sleep(ACQUIRE_PAUSE_SECONDS)


async def _prepare(connection: Any) -> None:
    await connection.encode_row_arrays()


async def _execute_whole(connection: Any, text: str) -> None:
    """Begin or commit; whoever is cancelled over it leaves no transaction open."""
    try:
        await connection.execute(text)
    except asyncio.CancelledError:
        await _roll_back(connection)
        raise


async def _roll_back(connection: Any) -> None:
    """End what failed; where the connection is gone, the server has done so."""
    if not connection.is_closed():
        with suppress(*CONNECTION_LOST):
            await connection.execute("rollback")


def _begin_text(read_only: bool, isolation: str | None) -> str:
    level = f" isolation level {isolation.replace('_', ' ')}" if isolation else ""
    return f"begin{level}{' read only' if read_only else ''};"


def enter_text(principal: Principal) -> str:
    """Return what makes a transaction the principal's: what the policies compare with.

    It goes with the `begin`, in one message; numbers and the names of an enumeration need no
    quoting.
    """
    dealer = "" if principal.dealer_id is None else str(int(principal.dealer_id))
    return (
        "select"  # sql-ok: the door
        f" set_config('yipan.tenant', '{int(principal.tenant_id)}', true),"
        f" set_config('yipan.kind', '{Kind(principal.kind).value}', true),"
        f" set_config('yipan.dealer', '{dealer}', true),"
        f" set_config('yipan.nodes', '{_array_literal(principal.node_ids)}', true)"
    )


def _array_literal(node_ids: Sequence[int]) -> str:
    return "{" + ",".join(str(int(number)) for number in node_ids) + "}" if node_ids else ""


def _raise_domain_error(error: asyncpg.IntegrityConstraintViolationError) -> NoReturn:
    known = CONSTRAINTS.get(error.constraint_name or "")
    if known is None:
        raise error
    error_class, message = known
    raise error_class(message) from error
