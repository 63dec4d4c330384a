"""The books of the tenants that this process works for, each kept fresh."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

import structlog

from backend.admission.admission import Admission
from backend.clock import now
from backend.db.errors import DatabaseUnavailable
from backend.db.pool import CONNECTION_LOST, Database
from backend.inventory.counters import Counters
from backend.inventory.levels import SWEEP_OVERLAP, database_time, free_of_changed_levels
from backend.inventory.pools.live import SALES_WINDOW, units_sold
from backend.network.regions.table import RegionTable
from backend.network.slots import slots_of_days
from backend.routing.kpis import Figures
from backend.routing.rollouts import add_figures
from backend.routing.slot_book import SlotBook
from backend.routing.tenant_book import TenantBook
from tenants.brands import Brand, BrandDirectory
from tenants.principal import system_principal

log = structlog.get_logger(__name__)

FRESH_SECONDS = 1.0
"""How often network, policy, pools and capacities are read anew."""
SLOTS_AHEAD = timedelta(days=30)
"""How far visits at agreed times are promised in advance."""
RULES_SECONDS = 60.0
"""How often the rules of pools are looked at again: for the time, new SKUs, stock and sales."""

VELOCITY_SECONDS = 3_600.0
"""How often sales are summed up: it reads four weeks of movements."""

FIGURES_SECONDS = 5.0
"""How often what the orders of a rollout came to is stored."""

Hearing = Callable[[], int | None]
"""Says by which connection other processes are heard, or None while they are not."""


class LiveBook:
    """One tenant's book, and what it takes to keep it fresh."""

    def __init__(
        self,
        brand: Brand,
        database: Database,
        admission: Admission,
        regions: RegionTable,
        hearing: Hearing,
    ) -> None:
        self.brand = brand
        self.book = TenantBook(regions)
        self._database = database
        self._admission = admission
        self._hearing = hearing
        self._principal = system_principal(brand.id, "book")
        self._heard: int | None = None
        self._freshening = asyncio.Lock()
        self._swept_at: datetime | None = None
        self._fresh_until = 0.0
        self._rules_until = 0.0
        self._looking_at_rules: asyncio.Task[None] | None = None
        self._summing: asyncio.Task[None] | None = None
        self._storing: asyncio.Task[None] | None = None
        self._figures_until = 0.0
        self._velocity_until = 0.0
        self._velocity: dict[int, int] = {}
        self._slots: SlotBook | None = None
        self._slots_until = 0.0
        self._reading_slots = asyncio.Lock()

    async def freshen(self) -> None:
        """Read the book anew if it is older than FRESH_SECONDS, and tell Valkey what was read.

        Levels are followed by what other processes announce; what was announced while nobody
        listened is read.
        """
        async with self._freshening:
            moment = now()
            if moment < self._fresh_until:
                return
            hearing = self._hearing()
            async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
                swept_at = await database_time(tx)
                local = self.brand.local_time()
                counters = await self.book.refresh(tx, local)
                if self._swept_at is not None and (hearing is None or hearing != self._heard):
                    since = self._swept_at - SWEEP_OVERLAP
                    async for moved in free_of_changed_levels(tx, since):
                        counters = counters.and_also(Counters(moved))
            self.book.apply_levels(counters.levels)
            self._heard, self._swept_at = hearing, swept_at
            self._fresh_until = moment + FRESH_SECONDS
        is_looking = self._looking_at_rules is not None and not self._looking_at_rules.done()
        if moment >= self._rules_until and not is_looking:
            self._rules_until = moment + RULES_SECONDS
            self._looking_at_rules = asyncio.create_task(self._look_at_rules())
        if self.book.seen and moment >= self._figures_until:
            self._figures_until = moment + FIGURES_SECONDS
            self._storing = asyncio.create_task(self._store_figures())
        if bases := counters.bases():
            await self._admission.finish(self.brand.id, [], bases)

    async def slots(self) -> SlotBook | None:
        """Return the visits of the days to come, no older than FRESH_SECONDS, to promise from.

        None where nobody makes any at agreed times.
        """
        async with self._reading_slots:
            view, moment = self.book.view, now()
            providers = view.terms.providers if view.terms else ()
            if not providers or view.today is None:
                return None
            if moment >= self._slots_until:
                async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
                    slots = await slots_of_days(tx, view.today, view.today + SLOTS_AHEAD)
                self._slots = SlotBook(providers, slots, view, self.book.planner.local)
                self._slots_until = moment + FRESH_SECONDS
            return self._slots

    async def _store_figures(self) -> None:
        """Add what the orders of a rollout came to, beside the orders."""
        seen = dict(self.book.seen)
        self.book.seen.clear()
        try:
            async with self._database.tenant_transaction(self._principal) as tx:
                await add_figures(tx, seen)
        except (DatabaseUnavailable, *CONNECTION_LOST) as error:
            log.warning("routing.figures_not_stored", tenant=self.brand.id, error=str(error))
            for at, sums in seen.items():
                self.book.seen[at] = self.book.seen.get(at, Figures()).plus(sums)

    def expire(self) -> None:
        """Let everything be read anew by who asks next, however young it is."""
        self._fresh_until = self._rules_until = self._slots_until = self._velocity_until = 0.0

    async def settled(self) -> None:
        """Wait until what was begun beside the orders has ended."""
        begun = (self._looking_at_rules, self._summing, self._storing)
        under_way = [task for task in begun if task is not None]
        if under_way:
            await asyncio.wait(under_way)

    async def _look_at_rules(self) -> None:
        """Look at the rules of pools again, beside the orders: that takes a while."""
        try:
            async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
                await self.book.refresh_rules(tx, self.brand.local_time())
        except (DatabaseUnavailable, *CONNECTION_LOST) as error:
            log.warning("pools.rules_not_looked_at", tenant=self.brand.id, error=str(error))

    def velocity(self) -> Mapping[int, int]:
        """Return thousandths of a unit that are sold a day, by SKU, as they were last summed up.

        Nothing at first: they are summed up beside the orders, once an hour.
        """
        is_summing = self._summing is not None and not self._summing.done()
        if now() >= self._velocity_until and not is_summing:
            self._velocity_until = now() + VELOCITY_SECONDS
            self._summing = asyncio.create_task(self._sum_up_sales())
        return self._velocity

    async def _sum_up_sales(self) -> None:
        try:
            async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
                sold = await units_sold(tx, self.brand.local_time())
        except (DatabaseUnavailable, *CONNECTION_LOST) as error:
            log.warning("pools.sales_not_summed_up", tenant=self.brand.id, error=str(error))
            return
        days = SALES_WINDOW.days
        self._velocity = {sku: units * 1000 // days for sku, units in sold.items()}


class LiveBooks:
    """The books of this process; a tenant's is opened when somebody first asks for it."""

    def __init__(
        self,
        database: Database,
        admission: Admission,
        brands: BrandDirectory,
        regions: RegionTable,
        hearing: Hearing,
    ) -> None:
        self._database = database
        self._admission = admission
        self._brands = brands
        self._regions = regions
        self._hearing = hearing
        self._books: dict[int, LiveBook] = {}

    def __iter__(self) -> Iterator[LiveBook]:
        return iter(list(self._books.values()))

    async def settle(self) -> None:
        """Wait until nothing that was begun in the background is under way."""
        for live in self:
            await live.settled()

    def expire(self) -> None:
        """Let all books be read anew: for who sets the clock by hand."""
        for live in self:
            live.expire()

    def opened(self, tenant_id: int) -> TenantBook | None:
        """Return the tenant's book if somebody has asked for it here."""
        live = self._books.get(tenant_id)
        return None if live is None else live.book

    async def open(self, tenant_id: int) -> LiveBook:
        """Return the tenant's book, which may have to be freshened; raises UnknownBrand."""
        live = self._books.get(tenant_id)
        if live is None:
            brand = await self._brands.get(tenant_id)
            live = self._books.setdefault(
                tenant_id,
                LiveBook(brand, self._database, self._admission, self._regions, self._hearing),
            )
        return live
