"""The door of one process to the simulated PostgreSQL: as `backend.db.pool.Database`."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

from backend.db.errors import DatabaseUnavailable
from backend.db.pool import ACQUIRE_TIMEOUT_SECONDS, Record, TenantTransaction
from backend.db.sql import Query
from loadtests.torture import (
    dropship_statements,
    fulfilment_statements,
    hold_statements,
    order_statements,
    refund_statements,
    routing_statements,
    slot_statements,
    stock_statements,
)
from loadtests.torture.database_server import DatabaseServer, Session, connection_lost
from loadtests.torture.effects import Effects, Fault
from loadtests.torture.rows import Row
from tenants.principal import Principal, system_principal

STATEMENTS = (
    stock_statements.STATEMENTS
    | order_statements.STATEMENTS
    | fulfilment_statements.STATEMENTS
    | hold_statements.STATEMENTS
    | routing_statements.STATEMENTS
    | refund_statements.STATEMENTS
    | slot_statements.STATEMENTS
    | dropship_statements.STATEMENTS
)


class SimulatedTransaction(TenantTransaction):
    """An open transaction: every statement is an effect."""

    def __init__(self, session: Session, effects: Effects, principal: Principal) -> None:
        super().__init__(None, principal)
        self._session = session
        self._effects = effects

    async def fetch(self, query: Query, *arguments: object) -> list[Record]:
        rows = await self._run(query, arguments)
        assert not isinstance(rows, int), f"{query.name} answers no rows"
        return cast(list[Record], rows)

    async def fetch_row(self, query: Query, *arguments: object) -> Record | None:
        rows = await self.fetch(query, *arguments)
        return rows[0] if rows else None

    async def fetch_value(self, query: Query, *arguments: object) -> Any:
        rows = await self.fetch(query, *arguments)
        return rows[0][0] if rows else None

    async def execute(self, query: Query, *arguments: object) -> int:
        done = await self._run(query, arguments)
        return done if isinstance(done, int) else len(done)

    async def iterate(
        self, query: Query, *arguments: object, prefetch: int = 5_000
    ) -> AsyncIterator[Record]:
        for row in await self.fetch(query, *arguments):
            yield row

    async def _run(self, query: Query, arguments: Sequence[object]) -> list[Row] | int:
        statement = STATEMENTS[query.name]
        act = partial(statement, self._session, *arguments)
        return await self._effects.perform(query.name, act, self._lost)

    def _lost(self, fault: Fault) -> Exception:
        self._session.abort()
        return connection_lost()


class SimulatedDatabase:
    """The pool of one process; its transactions end with it."""

    def __init__(self, server: DatabaseServer, effects: Effects) -> None:
        self._server = server
        self._effects = effects
        self._open: list[Session] = []

    @asynccontextmanager
    async def platform_transaction(
        self, *, read_only: bool = False, isolation: str | None = None
    ) -> AsyncIterator[SimulatedTransaction]:
        principal = system_principal(0, "platform")
        async with self.tenant_transaction(principal, read_only=read_only) as tx:
            yield tx

    @asynccontextmanager
    async def tenant_transaction(
        self, principal: Principal, *, read_only: bool = False, isolation: str | None = None
    ) -> AsyncIterator[SimulatedTransaction]:
        session = await self._begin()
        self._open.append(session)
        try:
            yield SimulatedTransaction(session, self._effects, principal)
        except BaseException:
            session.abort()
            raise
        else:
            commit, broke = partial(_commit, session), partial(_broke, session)
            await self._effects.perform("commit", commit, broke)
        finally:
            self._open = [each for each in self._open if each.is_open]

    def terminate(self) -> None:
        """The process is gone, and the server notices: what was open is rolled back."""
        for session in self._open:
            session.abort()

    async def _begin(self) -> Session:
        self._effects.check_alive()
        try:
            async with asyncio.timeout(ACQUIRE_TIMEOUT_SECONDS):
                await self._server.is_up.wait()
        except TimeoutError:
            raise DatabaseUnavailable from None
        self._effects.check_alive()
        return self._server.begin()


async def _commit(session: Session) -> None:
    session.commit()


def _broke(session: Session, fault: Fault) -> Exception:
    """Return the error of a connection that broke during the commit: only this we know of it."""
    if fault is Fault.LOST_BEFORE:
        session.abort()
    return connection_lost()
