"""What runs beside the orders: the reaper, the warm-up, waiting orders, partitions.

Each part is safe to run in several processes at once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from backend.admission.admission import Admission
from backend.admission.reaper import reap
from backend.admission.valkey import ValkeyAway
from backend.db.errors import DatabaseUnavailable
from backend.db.pool import SQL, Database
from backend.inventory.counters import CounterReader
from backend.orders.allocate_backorders import BackorderAllocator
from tenants.brands import BrandDirectory

log = structlog.get_logger(__name__)

REAP_EVERY_SECONDS = 1.0
ALLOCATE_EVERY_SECONDS = 5.0
PARTITIONS_EVERY_SECONDS = 6 * 3600.0


class Maintenance:
    """The background work of one process, for all tenants."""

    def __init__(
        self,
        database: Database,
        admission: Admission,
        brands: BrandDirectory,
        counters: CounterReader,
        allocator: BackorderAllocator,
    ) -> None:
        self._database = database
        self._admission = admission
        self._brands = brands
        self._counters = counters
        self._allocator = allocator

    async def run(self) -> None:
        """Do everything in its rhythm until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_every(REAP_EVERY_SECONDS, self.reap))
            group.create_task(_every(ALLOCATE_EVERY_SECONDS, self.allocate))
            group.create_task(_every(PARTITIONS_EVERY_SECONDS, self.ensure_partitions))

    async def reap(self) -> None:
        """Warm what is cold, and give back what was left behind, tenant by tenant."""
        for brand in await self._brands.all():
            if await self._admission.ensure_warm(brand.id):
                await reap(self._admission, brand.id, self._counters.read)

    async def allocate(self) -> None:
        """Give free stock to waiting orders."""
        for brand in await self._brands.all():
            units = await self._allocator.allocate(brand.id)
            if units:
                log.info("backorders.allocated", tenant=brand.id, units=units)

    async def ensure_partitions(self) -> None:
        async with self._database.platform_transaction() as tx:
            await tx.fetch_value(SQL.ensure_partitions)


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        started = time.monotonic()
        try:
            await work()
        except (DatabaseUnavailable, ValkeyAway) as error:
            log.warning("maintenance.waiting", work=work.__name__, error=error.message)
        except Exception:
            log.exception("maintenance.failed", work=work.__name__)
        await asyncio.sleep(max(0.0, seconds - (time.monotonic() - started)))
