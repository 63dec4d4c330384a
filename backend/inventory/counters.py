"""Stock and capacity as admission's counters, read from PostgreSQL without locks."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from backend.admission.model import (
    Base,
    allotment_counter,
    capacity_counter,
    parse_allotment_counter,
    parse_capacity_counter,
    parse_quota_counter,
    parse_stock_counter,
    quota_counter,
    stock_counter,
)
from backend.db.pool import Database, TenantTransaction
from backend.dropship.quotas.counters import changed_quotas, free_of_all_quotas, read_quotas
from backend.dropship.quotas.model import QuotaAt
from backend.inventory.allotments.counters import (
    changed_allotments,
    free_of_all_allotments,
    read_allotments,
)
from backend.inventory.allotments.model import AllotmentAt
from backend.inventory.ledger import free_of_levels
from backend.inventory.levels import (
    SWEEP_OVERLAP,
    database_time,
    free_of_all_levels,
    free_of_changed_levels,
)
from backend.inventory.model import FreeAt, Level, LevelKey
from backend.network.capacity import CapacityAt, capacities_of_day, read_capacities
from tenants.brands import BrandDirectory
from tenants.principal import system_principal

FIRST_LOOK_BACK = timedelta(seconds=30)
"""Longer than a server is paused, or a worker is replaced, on an ordinary bad day."""


class Counters(NamedTuple):
    """Counters as PostgreSQL has them: what admission is told, and the stock books follow."""

    levels: Sequence[FreeAt] = ()
    capacities: Sequence[CapacityAt] = ()
    allotments: Sequence[AllotmentAt] = ()
    quotas: Sequence[QuotaAt] = ()

    @property
    def has_any(self) -> bool:
        """Whether there is one, so that it is to be told."""
        return any(self)

    def bases(self) -> list[Base]:
        """Return them as admission knows them."""
        stock = [
            Base(stock_counter(at.functional_warehouse_id, at.sku_id, at.earmark_id), at[2], at[3])
            for at in self.levels
        ]
        allotted = [Base(allotment_counter(at.id), at.free, at.version) for at in self.allotments]
        quotas = [Base(quota_counter(at.id), at.free, at.version) for at in self.quotas]
        return (
            stock
            + allotted
            + quotas
            + [
                Base(capacity_counter(at.node_id, at.day), at.free, at.version)
                for at in self.capacities
            ]
        )

    def and_also(self, others: "Counters") -> "Counters":
        """Return these and others."""
        return Counters(
            [*self.levels, *others.levels],
            [*self.capacities, *others.capacities],
            [*self.allotments, *others.allotments],
            [*self.quotas, *others.quotas],
        )


PublishLevels = Callable[[int, Sequence[Level]], Awaitable[None]]
"""Tells admission, and the waiting orders, of a tenant's levels that were changed."""
PublishCounters = Callable[[int, Counters], Awaitable[None]]
"""Tells them of a tenant's counters that were changed."""


def counters_of(bases: Iterable[Base]) -> Counters:
    """Return what admission's counters are of."""
    levels, capacities, allotments, quotas = [], [], [], []
    for name, free, version in bases:
        if key := parse_stock_counter(name):
            levels.append(FreeAt(key[0], key[1], free, version, key[2]))
        elif day := parse_capacity_counter(name):
            capacities.append(CapacityAt(*day, free, version))
        elif allotment_id := parse_allotment_counter(name):
            allotments.append(AllotmentAt(allotment_id, free, version))
        elif account_id := parse_quota_counter(name):
            quotas.append(QuotaAt(account_id, free, version))
    return Counters(levels, capacities, allotments, quotas)


class CounterReader:
    """Reads the counters of any tenant."""

    def __init__(self, database: Database, brands: BrandDirectory) -> None:
        self._database = database
        self._brands = brands

    async def all_counters(self, tenant_id: int) -> AsyncIterator[list[Base]]:
        """Yield every level and the capacities of today, in chunks."""
        principal = system_principal(tenant_id, "counters")
        today = (await self._brands.get(tenant_id)).today()
        async with self._database.tenant_transaction(principal, read_only=True) as tx:
            async for levels in free_of_all_levels(tx):
                yield Counters(levels).bases()
            capacities = await capacities_of_day(tx, today)
            allotments, quotas = await free_of_all_allotments(tx), await free_of_all_quotas(tx)
            yield Counters((), capacities, allotments, quotas).bases()

    async def moment(self, tenant_id: int) -> datetime:
        """Return the time on the clock that movements are stamped with."""
        principal = system_principal(tenant_id, "counters")
        async with self._database.tenant_transaction(principal, read_only=True) as tx:
            return await database_time(tx)

    async def changed(self, tenant_id: int, since: datetime | None) -> AsyncIterator[list[Base]]:
        """Yield today's capacities, and what moved since a time, in small chunks.

        Without a time it looks back a little: whoever looks for the first time may come after
        somebody who moved a level and died, or lost its connection, before saying so.
        """
        principal = system_principal(tenant_id, "counters")
        today = (await self._brands.get(tenant_id)).today()
        async with self._database.tenant_transaction(principal, read_only=True) as tx:
            begin = since or await database_time(tx) - FIRST_LOOK_BACK
            begin -= SWEEP_OVERLAP
            allotments = [state.at for state in await changed_allotments(tx, begin)]
            quotas = [at for at, _ in await changed_quotas(tx, begin)]
            yield Counters((), await capacities_of_day(tx, today), allotments, quotas).bases()
            async for levels in free_of_changed_levels(tx, begin):
                yield Counters(levels).bases()

    async def read(self, tenant_id: int, names: Sequence[str]) -> list[Base]:
        """Return the named counters as they stand; one that does not exist is left out."""
        wanted = counters_of(Base(name, 0, 0) for name in names)
        principal = system_principal(tenant_id, "counters")
        async with self._database.tenant_transaction(principal, read_only=True) as tx:
            return (await read_counters(tx, wanted)).bases()


async def read_counters(tx: TenantTransaction, wanted: Counters) -> Counters:
    """Return counters anew, without locks; of a level, all its earmarks."""
    return Counters(
        await free_of_levels(tx, [LevelKey(at[0], at[1]) for at in wanted.levels]),
        await read_capacities(tx, [at.key for at in wanted.capacities]),
        await read_allotments(tx, [at.id for at in wanted.allotments]),
        await read_quotas(tx, [at.id for at in wanted.quotas]),
    )
