"""Made-up counters, and the admission filter of a process over them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import pytest

from backend.admission.admission import Admission
from backend.admission.epochs import SQL
from backend.admission.model import ADMITTED, Base, Request, Take
from backend.admission.valkey import Valkey, ValkeyAway, connect_valkey
from backend.db.pool import Database
from loadtests.waiting import until
from tenants.principal import system_principal

Looked = list[tuple[int, int, int] | None]


ONE_SERVER, CLUSTER = "one server", "cluster"
ON_BOTH = pytest.mark.parametrize("valkey_url", [ONE_SERVER, CLUSTER], indirect=True)
"""The tests of a module run on one server, and again on a cluster."""


class Authority:
    """The counters as PostgreSQL would have them, and what happens while they are read."""

    def __init__(self) -> None:
        self.bases: dict[str, Base] = {}
        self.meanwhile: list[Callable[[], Awaitable[object]]] = []
        """What happens after the first chunk was taken, and what after the second, once."""
        self.reads = 0

    def set(self, *bases: Base) -> None:
        self.bases |= {base.counter: base for base in bases}

    async def all_counters(self, tenant_id: int) -> AsyncIterator[list[Base]]:
        """Yield what there is at the beginning, in two chunks."""
        self.reads += 1
        read, meanwhile = list(self.bases.values()), iter(self.meanwhile)
        self.meanwhile = []
        for chunk in (read[: len(read) // 2], read[len(read) // 2 :]):
            yield chunk
            if happens := next(meanwhile, None):
                await happens()

    async def read(self, tenant_id: int, counters: Sequence[str]) -> list[Base]:
        return [self.bases[name] for name in counters if name in self.bases]


class Process(NamedTuple):
    """One process's filter for one tenant."""

    admission: Admission
    valkey: Valkey
    database: Database
    authority: Authority
    tenant_id: int

    async def warm(self, *bases: Base) -> None:
        """Warm the tenant with these counters."""
        self.authority.set(*bases)
        assert await self.admission.ensure_warm(self.tenant_id)

    async def warmed(self) -> None:
        """Wait until orders are no longer cold; they have it warmed where nobody else does."""
        probe = order("probe")

        async def admits() -> bool:
            return await self.admit(probe) == [ADMITTED]

        await until(admits)
        assert await self.finish([probe.token])

    async def answered(self) -> None:
        """Wait until Valkey answers again."""

        async def answers() -> bool:
            with suppress(ValkeyAway):
                return bool(await self.valkey.command("PING"))
            return False

        await until(answers)

    async def admit(self, *requests: Request) -> list[object]:
        return [*await self.admission.admit(self.tenant_id, requests)]

    async def finish(self, tokens: Sequence[str] = (), bases: Sequence[Base] = ()) -> bool:
        return await self.admission.finish(self.tenant_id, tokens, bases)

    async def look(self, *counters: str) -> Looked:
        return await self.admission.look(self.tenant_id, counters)

    async def pending(self, *counters: str) -> list[int | None]:
        """Return what is pending of counters, None where one is not known."""
        return [found and found[2] for found in await self.look(*counters)]

    async def tokens(self) -> dict[str, list[Take]]:
        """Return all tokens with what they hold."""
        return dict(await self.admission.stale(self.tenant_id, -1_000, 100_000))

    async def epoch(self) -> int:
        """Return the epoch in PostgreSQL, 0 before the first."""
        who = system_principal(self.tenant_id, "test")
        async with self.database.tenant_transaction(who, read_only=True) as tx:
            return await tx.fetch_value(SQL.read_epoch, self.tenant_id) or 0


@asynccontextmanager
async def open_process(
    database_url: str, valkey_url: str, tenant_id: int, authority: Authority
) -> AsyncIterator[Process]:
    """Open the filter of a process of its own."""
    database, valkey = await Database.connect(database_url), connect_valkey(valkey_url)
    admission = Admission(valkey, database, authority.all_counters)
    try:
        yield Process(admission, valkey, database, authority, tenant_id)
    finally:
        await admission.close()
        await database.close()


def order(token: str, *takes: tuple[str, int]) -> Request:
    """Return what an order needs."""
    return Request(token, [Take(*take) for take in takes])


def orders(quantities: Iterable[int], counter: str = "a") -> list[Request]:
    """Return orders "t0", "t1", … of so many units of one counter each."""
    return [order(f"t{number}", (counter, units)) for number, units in enumerate(quantities)]
