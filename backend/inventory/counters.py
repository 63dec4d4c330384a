"""Stock and capacity as admission's counters, read from PostgreSQL without locks."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime, timedelta

from backend.admission.model import (
    Base,
    capacity_counter,
    parse_capacity_counter,
    parse_stock_counter,
    stock_counter,
)
from backend.db.pool import Database
from backend.inventory.ledger import free_of_levels
from backend.inventory.levels import (
    SWEEP_OVERLAP,
    database_time,
    free_of_all_levels,
    free_of_changed_levels,
)
from backend.inventory.model import FreeAt, LevelKey
from backend.network.capacity import CapacityAt, CapacityKey, capacities_of_day, read_capacities
from tenants.brands import BrandDirectory
from tenants.principal import system_principal

FIRST_LOOK_BACK = timedelta(seconds=30)
"""Longer than a server is paused, or a worker is replaced, on an ordinary bad day."""


def level_bases(levels: Iterable[FreeAt]) -> list[Base]:
    return [
        Base(stock_counter(at.functional_warehouse_id, at.sku_id, at.earmark_id), at[2], at[3])
        for at in levels
    ]


def capacity_bases(capacities: Iterable[CapacityAt]) -> list[Base]:
    return [Base(capacity_counter(at.node_id, at.day), at.free, at.version) for at in capacities]


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
                yield level_bases(levels)
            yield capacity_bases(await capacities_of_day(tx, today))

    async def changed(self, tenant_id: int, since: datetime | None) -> tuple[list[Base], datetime]:
        """Return the levels that moved since a time, today's capacities, and the time it is now.

        Without a time it looks back a little: whoever looks for the first time may come after
        somebody who moved a level and died, or lost its connection, before saying so.
        """
        principal = system_principal(tenant_id, "counters")
        today = (await self._brands.get(tenant_id)).today()
        async with self._database.tenant_transaction(principal, read_only=True) as tx:
            now = await database_time(tx)
            begin = since - SWEEP_OVERLAP if since else now - FIRST_LOOK_BACK
            levels = await free_of_changed_levels(tx, begin)
            capacities = await capacities_of_day(tx, today)
        return level_bases(levels) + capacity_bases(capacities), now

    async def read(self, tenant_id: int, counters: Sequence[str]) -> list[Base]:
        """Return the named counters as they stand; one that does not exist is left out."""
        keys = [LevelKey(*key[:2]) for name in counters if (key := parse_stock_counter(name))]
        days = [CapacityKey(*day) for name in counters if (day := parse_capacity_counter(name))]
        principal = system_principal(tenant_id, "counters")
        async with self._database.tenant_transaction(principal, read_only=True) as tx:
            levels = await free_of_levels(tx, keys)
            capacities = await read_capacities(tx, days)
        return level_bases(levels) + capacity_bases(capacities)
