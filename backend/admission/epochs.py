"""Epochs: which life of which server a tenant's counters belong to, and how they are warmed.

The epoch lives in PostgreSQL. It is raised when another server answers (run id or replication id),
when the warm key is gone (a flush), or when a process could not tell Valkey too much of what it
committed. One process at a time warms: it holds the warming key, which expires with it, and every
other process publishes under that epoch from then on. So what commits after the warm-up has begun
to read is published by whoever committed it, and what commits before is read.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

import structlog

from backend.admission.keys import epoch_keys, function_keys, warm_key, warming_key
from backend.admission.model import Base
from backend.admission.valkey import Identity, Valkey, ValkeyAway, pack
from backend.db.pool import Database, Record
from backend.db.sql import load_queries
from backend.metrics import WARM_UPS
from tenants.principal import system_principal

SQL = load_queries(__file__)
log = structlog.get_logger(__name__)

WARM_UP_CHUNK = 5_000
"""Counters set in one call of a warm-up: a few milliseconds of the server's one thread."""
WARMING_SECONDS = 3.0
"""A warm-up that made no progress for so long is taken over."""
RAISE_ATTEMPTS_MAX = 5

Counters = Callable[[int], AsyncIterator[list[Base]]]
"""Reads all counters of a tenant from PostgreSQL, in chunks."""


class Tenant:
    """What this process believes of a tenant's counters."""

    def __init__(self) -> None:
        self.epoch = 0
        self.is_warm = False
        self.must_refill = False
        self.owed: dict[str, Base] = {}
        """Bases that Valkey could not be told; they go with the next call that reaches it."""
        self.warm_up: asyncio.Task[None] | None = None
        self.identity: Identity | None = None
        """The server that these beliefs are about."""


class _Seen(NamedTuple):
    identity: Identity
    connections: int


class Epochs:
    """The epochs of all tenants, as one process knows them."""

    def __init__(self, valkey: Valkey, database: Database, counters: Counters) -> None:
        self._valkey = valkey
        self._database = database
        self._counters = counters
        self._tenants: dict[int, Tenant] = {}
        self._seen: dict[str, _Seen] = {}
        """What each server said last, and how many connections there were then."""

    def of(self, tenant_id: int) -> Tenant:
        return self._tenants.setdefault(tenant_id, Tenant())

    async def close(self) -> None:
        tasks = [tenant.warm_up for tenant in self._tenants.values() if tenant.warm_up]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def check_server(self, tenant_id: int) -> Identity:
        """See whether the tenant's keys lie on the server that was warmed, and return which it is.

        Nothing is warm on another one. A server is asked anew after each new connection: it may
        lead elsewhere. Raises ValkeyAway.
        """
        server = await self._valkey.server_of(warm_key(tenant_id))
        seen = self._seen.get(server)
        if seen is None or seen.connections != self._valkey.connections_made:
            seen = await self._ask(server)
        tenant = self.of(tenant_id)
        if tenant.identity != seen.identity:
            tenant.identity, tenant.is_warm = seen.identity, False
        return seen.identity

    def start_warm_up(self, tenant_id: int) -> None:
        """Warm in the background; does nothing if that is under way."""
        tenant = self.of(tenant_id)
        if tenant.warm_up is None or tenant.warm_up.done():
            tenant.is_warm = False
            tenant.warm_up = asyncio.create_task(self._warm_up(tenant_id))

    async def ensure_used(self, tenant_ids: Sequence[int]) -> list[int]:
        """Warm again what was warm, of many tenants, and return those that are warm now.

        One question for all of them. A tenant that no order has come for is left cold: its first
        order warms it. Raises ValkeyAway.
        """
        for server in list(self._seen):
            await self._ask(server)
        warm = await self._valkey.commands([("GET", warm_key(each)) for each in tenant_ids])
        used = []
        for tenant_id, epoch in zip(tenant_ids, warm, strict=True):
            await self.check_server(tenant_id)
            tenant = self.of(tenant_id)
            if tenant.is_warm and not tenant.must_refill and epoch is not None:
                is_warm = int(epoch) == tenant.epoch or await self.ensure_warm(tenant_id)
            else:
                is_known = epoch is not None or tenant.epoch > 0
                is_warm = is_known and await self.ensure_warm(tenant_id)
            if is_warm:
                used.append(tenant_id)
        return used

    async def ensure_warm(self, tenant_id: int) -> bool:
        """Warm the tenant's counters if they are not; returns whether they are now.

        Raises ValkeyAway. Another process that is at it is left to finish.
        """
        tenant = self.of(tenant_id)
        identity = await self.check_server(tenant_id)
        for _ in range(RAISE_ATTEMPTS_MAX):
            row = await self._read_epoch(tenant_id)
            tenant.epoch = row["epoch"]
            if identity == (row["run_id"], row["replication_id"]) and not tenant.must_refill:
                warm = await self._valkey.command("GET", warm_key(tenant_id))
                if warm is not None and int(warm) == tenant.epoch:
                    tenant.is_warm = True
                    return True
            next_epoch = tenant.epoch + 1
            if not await self._begin_warming(tenant_id, next_epoch):
                return False
            if await self._raise_epoch(tenant_id, row, identity):
                return await self._fill(tenant_id, next_epoch)
            await self._valkey.command("DEL", warming_key(tenant_id))
        return False

    async def _begin_warming(self, tenant_id: int, epoch: int) -> bool:
        """Become the one process that warms, before the epoch is raised."""
        milliseconds = int(WARMING_SECONDS * 1000)
        key = warming_key(tenant_id)
        answer = await self._valkey.command("SET", key, epoch, "NX", "PX", milliseconds)
        return answer is not None

    async def _fill(self, tenant_id: int, epoch: int) -> bool:
        tenant = self.of(tenant_id)
        tenant.epoch, tenant.is_warm, tenant.must_refill = epoch, False, False
        tenant.owed.clear()
        keys = function_keys(tenant_id, epoch)
        milliseconds = int(WARMING_SECONDS * 1000)
        count = 0
        async for bases in self._counters(tenant_id):
            count += len(bases)
            for first in range(0, len(bases), WARM_UP_CHUNK):
                chunk = pack(columns(bases[first : first + WARM_UP_CHUNK]))
                if not await self._valkey.call("yipan_fill", keys, epoch, milliseconds, chunk):
                    return False
        if not await self._valkey.call("yipan_warm", keys, epoch):
            return False
        await self._valkey.command("UNLINK", *epoch_keys(tenant_id, epoch - 1))
        tenant.is_warm = True
        WARM_UPS.inc()
        log.info("admission.warm", tenant=tenant_id, epoch=epoch, counters=count)
        return True

    async def _read_epoch(self, tenant_id: int) -> Record:
        principal = system_principal(tenant_id, "admission")
        async with self._database.tenant_transaction(principal) as tx:
            row = await tx.fetch_row(SQL.read_epoch, tenant_id)
            if row is None:
                await tx.execute(SQL.create_epoch, tenant_id)
                row = await tx.fetch_row(SQL.read_epoch, tenant_id)
        assert row is not None, "the epoch was inserted in this transaction"
        return row

    async def _raise_epoch(self, tenant_id: int, row: Record, identity: Identity) -> bool:
        principal = system_principal(tenant_id, "admission")
        async with self._database.tenant_transaction(principal) as tx:
            raised = await tx.fetch_value(
                SQL.raise_epoch,
                tenant_id,
                row["epoch"],
                row["run_id"],
                identity.run_id,
                identity.replication_id,
                row["replication_id"],
            )
        return raised is not None

    async def _ask(self, server: str) -> _Seen:
        # Counted before it is asked: a connection made meanwhile is looked at the next time.
        connections = self._valkey.connections_made
        try:
            seen = _Seen(await self._valkey.identity(server), connections)
        except ValkeyAway:
            self._seen.pop(server, None)
            raise
        self._seen[server] = seen
        return seen

    async def _warm_up(self, tenant_id: int) -> None:
        try:
            await self.ensure_warm(tenant_id)
        except Exception as error:
            log.warning("admission.warm_up_failed", tenant=tenant_id, error=str(error))


def columns(bases: list[Base]) -> list[list[str] | list[int]]:
    """Return counters, bases and versions, as the server-side functions take them."""
    return [[b.counter for b in bases], [b.free for b in bases], [b.version for b in bases]]
