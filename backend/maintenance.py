"""What runs beside the orders: the reaper, the sweep, waiting orders, simulations, partitions.

Each part is safe to run in several processes at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime

import structlog

from backend.admission.admission import Admission
from backend.admission.model import Base
from backend.admission.reaper import reap
from backend.admission.valkey import ValkeyAway
from backend.clock import now
from backend.db.errors import DatabaseUnavailable
from backend.db.pool import SQL, Database
from backend.documents.issue import issue_next
from backend.documents.statements import issue_statements
from backend.dropship.dealing_version import Dealing
from backend.dropship.quotas.upkeep import mind_quotas
from backend.events.log import mark_events
from backend.fulfilment.deadlines import tell_overdue
from backend.fulfilment.wave_times import release_due_waves
from backend.inventory.accuracy.accuracy import learn_accuracy
from backend.inventory.counters import CounterReader, Counters, PublishCounters, PublishLevels
from backend.inventory.earmarks.change_earmarks import close_ended
from backend.inventory.earmarks.lend import lend_unused
from backend.inventory.earmarks.queries import ended_earmarks, lending_earmarks
from backend.inventory.model import Level
from backend.inventory.pools.live import units_sold
from backend.inventory.safety.keep_back import keep_back
from backend.inventory.safety.shop_floors import keep_back_of_shops
from backend.metrics import DRIFTED
from backend.network.regions.table import RegionTable
from backend.orders.allocate_backorders import BackorderAllocator
from backend.orders.auditing.auditor import audit_placed
from backend.orders.dealing.settle import DealingUpkeep
from backend.orders.deposits.deposits import end_deposits
from backend.orders.find_orders import units_sold_by_shop
from backend.orders.hold_orders import release_expired
from backend.orders.price_stock import StockPricer
from backend.orders.reroute_orders import Rerouter
from backend.orders.routing_upkeep import RoutingUpkeep
from backend.orders.search.index import SearchIndexer
from backend.orders.simulation.runner import SimulationRunner
from backend.orders.stock_holds.ending import expire_holds
from backend.pickups.expire import expire_pickups, remind_of_pickups
from backend.replenishment.watch import StockWatch
from tenants.brands import Brand, BrandDirectory
from tenants.principal import system_principal

log = structlog.get_logger(__name__)

REAP_EVERY_SECONDS = 1.0
SWEEP_EVERY_SECONDS = 3.0
"""With what a sweep itself takes, every base is right again within five seconds."""
ALLOCATE_EVERY_SECONDS = 5.0
EXPIRE_HOLDS_EVERY_SECONDS = 1.0
CLOSE_EARMARKS_EVERY_SECONDS = 5.0
LEND_EVERY_SECONDS = 3600.0
KEEP_BACK_EVERY_SECONDS = 6 * 3600.0
"""Safety stock follows sales four times a day."""
WATCH_EVERY_SECONDS = 5.0
"""How soon somebody learns that stock runs low."""
OVERDUE_EVERY_SECONDS = 300.0
REROUTE_EVERY_SECONDS = 300.0
INDEX_EVERY_SECONDS, INDEX_FOR_SECONDS = 1.0, 0.2
"""How soon orders are found by what they are now, and how much of the time that may take: after a
peak the search catches up.
"""
AUDIT_EVERY_SECONDS, AUDIT_PAGES = 1.0, 100
"""How soon orders are audited, and how much of one brand before the next has its turn."""
RELEASE_HOLDS_EVERY_SECONDS = 5.0
SETTLE_DEALINGS_EVERY_SECONDS = 1.0
"""How soon a dealer's order goes once its quota is there."""
MIND_QUOTAS_EVERY_SECONDS = 5.0
ISSUE_EVERY_SECONDS = 5.0
"""How soon there is a document of what happened."""
STATEMENTS_EVERY_SECONDS = 3600.0
PICKUPS_EVERY_SECONDS = 15.0
WAVES_EVERY_SECONDS = 15.0
DEPOSITS_EVERY_SECONDS = 15.0
DEADLINES_EVERY_SECONDS = 15.0
"""How soon somebody learns that a step lasts too long; the shortest deadline is a minute."""
PRICE_EVERY_SECONDS = 1800.0
"""A fifth of a per cent of the horizon that stock is priced for."""
JUDGE_EVERY_SECONDS = 5.0
"""How soon a policy that makes something worse routes no more."""
SIMULATE_EVERY_SECONDS = 5.0
MARK_EVERY_SECONDS = 5.0
PARTITIONS_EVERY_SECONDS = 6 * 3600.0

Work = Callable[[], Awaitable[None]]


def count_old(bases: Sequence[Base], known: Sequence[tuple[int, int, int] | None]) -> int:
    """Return how many counters Valkey knows in an older version."""
    return sum(
        found is not None and found[1] < base.version
        for base, found in zip(bases, known, strict=True)
    )


def missing(bases: Sequence[Base], known: Sequence[tuple[int, int, int] | None]) -> list[Base]:
    """Return the counters that Valkey does not know, or knows in an older version."""
    return [
        base
        for base, found in zip(bases, known, strict=True)
        if found is None or found[1] < base.version
    ]


class Maintenance:
    """The background work of one process, for all tenants."""

    def __init__(
        self,
        database: Database,
        admission: Admission,
        brands: BrandDirectory,
        counters: CounterReader,
        allocator: BackorderAllocator,
        publish_levels: PublishLevels,
        publish_counters: PublishCounters,
        watch: StockWatch,
        routing: RoutingUpkeep,
        pricer: StockPricer,
        simulations: SimulationRunner,
        rerouter: Rerouter,
        indexer: SearchIndexer,
        dealing: DealingUpkeep,
        regions: RegionTable,
    ) -> None:
        self._database = database
        self._admission = admission
        self._brands = brands
        self._counters = counters
        self._allocator = allocator
        self._publish_levels = publish_levels
        self._publish_counters = publish_counters
        self._watch = watch
        self._routing = routing
        self._pricer = pricer
        self._simulations = simulations
        self._rerouter = rerouter
        self._indexer = indexer
        self._dealing = dealing
        self._regions = regions
        self._deals = Dealing(database)
        self._stopping = asyncio.Event()
        self._used: list[int] = []
        self._swept_at: dict[int, datetime] = {}

    def _works(self) -> list[tuple[float, Work]]:
        """Return what is done, and after how many seconds again."""
        return [
            (REAP_EVERY_SECONDS, self.reap),
            (SWEEP_EVERY_SECONDS, self.sweep),
            (ALLOCATE_EVERY_SECONDS, self.allocate),
            (EXPIRE_HOLDS_EVERY_SECONDS, self.expire_holds),
            (CLOSE_EARMARKS_EVERY_SECONDS, self.close_earmarks),
            (KEEP_BACK_EVERY_SECONDS, self.keep_back),
            (LEND_EVERY_SECONDS, self.lend),
            (WATCH_EVERY_SECONDS, self._watch.look),
            (OVERDUE_EVERY_SECONDS, self._routing.cancel_overdue),
            (DEADLINES_EVERY_SECONDS, self.tell_overdue),
            (DEPOSITS_EVERY_SECONDS, self.end_deposits),
            (WAVES_EVERY_SECONDS, self.release_due_waves),
            (AUDIT_EVERY_SECONDS, self.audit_placed),
            (INDEX_EVERY_SECONDS, self.index_orders),
            (PICKUPS_EVERY_SECONDS, self.end_pickups),
            (RELEASE_HOLDS_EVERY_SECONDS, self.release_expired_holds),
            (MIND_QUOTAS_EVERY_SECONDS, self.mind_quotas),
            (SETTLE_DEALINGS_EVERY_SECONDS, self.settle_dealings),
            (ISSUE_EVERY_SECONDS, self.issue_documents),
            (STATEMENTS_EVERY_SECONDS, self.issue_statements),
            (PRICE_EVERY_SECONDS, self._pricer.price_all),
            (REROUTE_EVERY_SECONDS, self._rerouter.reroute_all),
            (JUDGE_EVERY_SECONDS, self._routing.judge_rollouts),
            (SIMULATE_EVERY_SECONDS, self._simulations.run_waiting),
            (MARK_EVERY_SECONDS, self.mark_events),
            (PARTITIONS_EVERY_SECONDS, self.ensure_partitions),
        ]

    async def run(self) -> None:
        """Do everything in its rhythm, until `stop`."""
        async with asyncio.TaskGroup() as group:
            for seconds, work in self._works():
                group.create_task(self._every(seconds, work))

    async def once(self) -> None:
        """Do everything once, one after the other: for who lets time pass by hand."""
        for _, work in self._works():
            await work()

    def stop(self) -> None:
        """Let `run` end once the piece of work in hand is done."""
        self._stopping.set()
        self._simulations.stop()
        self._rerouter.stop()

    async def reap(self) -> None:
        """Warm again what was warm, and give back what was left behind."""
        brands = [brand.id for brand in await self._brands.all()]
        self._used = await self._admission.ensure_used(brands)
        for tenant_id in await self._admission.with_tokens(self._used):
            await reap(self._admission, tenant_id, self._counters.read)

    async def sweep(self) -> None:
        """Publish what moved lately: whoever committed it may have died before saying so."""
        for tenant_id in self._used:
            read_at = await self._counters.moment(tenant_id)
            changed = self._counters.changed(tenant_id, self._swept_at.get(tenant_id))
            if all([await self._publish_missed(tenant_id, bases) async for bases in changed]):
                self._swept_at[tenant_id] = read_at

    async def _publish_missed(self, tenant_id: int, bases: Sequence[Base]) -> bool:
        """Publish what Valkey has in no version, or in an older one; False while it is away."""
        known = await self._admission.look(tenant_id, [base.counter for base in bases])
        missed = missing(bases, known)
        DRIFTED.inc(count_old(bases, known))
        return not missed or await self._admission.finish(tenant_id, [], missed)

    async def allocate(self) -> None:
        """Give free stock to waiting orders."""
        for brand in await self._brands.all():
            if self._stopping.is_set():
                return
            units = await self._allocator.allocate(brand.id)
            if units:
                log.info("backorders.allocated", tenant=brand.id, units=units)

    async def expire_holds(self) -> None:
        """Give back what holds keep whose time is over."""
        for brand in await self._brands.all():
            principal = system_principal(brand.id, "stock_holds")
            async with self._database.tenant_transaction(principal) as tx:
                ended, counters = await expire_holds(tx)
            if ended:
                await self._publish_counters(brand.id, counters)

    async def tell_overdue(self) -> None:
        """Tell of steps that last too long, or soon will."""
        for brand in await self._brands.all():
            while await tell_overdue(self._database, brand) and not self._stopping.is_set():
                pass

    async def release_due_waves(self) -> None:
        """Release the waves whose time has come."""
        for brand in await self._brands.all():
            released = await release_due_waves(self._database, brand)
            if released:
                log.info("waves.released", tenant=brand.id, fulfilments=released)

    async def release_expired_holds(self) -> None:
        """Release the holds of orders whose time is over, and give them what there is."""
        for brand in await self._brands.all():
            if await release_expired(self._database, brand.id, self._regions):
                await self._publish_counters(brand.id, Counters())

    async def _dealing_brands(self) -> list[Brand]:
        """Return the brands that deal with dealers."""
        return [one for one in await self._brands.all() if await self._deals.does(one.id)]

    async def mind_quotas(self) -> None:
        """Let time pass for dealers' quotas."""
        for brand in await self._dealing_brands():
            quotas = await mind_quotas(self._database, brand.id, brand.today())
            if quotas:
                await self._publish_counters(brand.id, Counters(quotas=quotas))

    async def settle_dealings(self) -> None:
        """Let dealers' orders go that may, and give them what there is."""
        for brand in await self._dealing_brands():
            went, counters = await self._dealing.settle(brand)
            if went:
                await self._publish_counters(brand.id, counters)

    async def issue_documents(self) -> None:
        """Issue the documents of what has happened to dealers' business."""
        for brand in await self._dealing_brands():
            while await issue_next(self._database, brand) and not self._stopping.is_set():
                pass

    async def issue_statements(self) -> None:
        """Issue the statements of last month."""
        for brand in await self._dealing_brands():
            await issue_statements(self._database, brand)

    async def end_pickups(self) -> None:
        """Remind who is to fetch orders, and cancel those that nobody fetched."""
        for brand in await self._brands.all():
            ended, counters = await expire_pickups(self._database, brand.id)
            if ended:
                await self._publish_counters(brand.id, counters)
            await remind_of_pickups(self._database, brand.id)

    async def end_deposits(self) -> None:
        """Cancel orders whose rest was not paid in time."""
        for brand in await self._brands.all():
            ended, counters = await end_deposits(self._database, brand.id)
            if ended:
                await self._publish_counters(brand.id, counters)

    async def audit_placed(self) -> None:
        """Ask the rules of brands about what was placed, and hold what they say."""
        for brand in await self._brands.all():
            for _ in range(AUDIT_PAGES):
                done = await audit_placed(self._database, brand.id, self._regions)
                if not done.has_more or self._stopping.is_set():
                    break

    async def index_orders(self) -> None:
        """Let orders be found by what they are now."""
        await self._indexer.index(INDEX_FOR_SECONDS, self._stopping.is_set)

    async def close_earmarks(self) -> None:
        """Give back what earmarks have unused when their time is over.

        Each by itself: who waited for one with the levels of another might wait for ever.
        """
        for brand in await self._brands.all():
            principal = system_principal(brand.id, "earmarks")
            async with self._database.tenant_transaction(principal, read_only=True) as tx:
                codes = await ended_earmarks(tx)
            for code in codes:
                async with self._database.tenant_transaction(principal) as tx:
                    levels = await close_ended(tx, code)
                await self._publish(brand.id, levels)

    async def keep_back(self) -> None:
        """Let levels and shops keep back what the rules of safety stock say, and learn accuracy."""
        for brand in await self._brands.all():
            principal = system_principal(brand.id, "safety")
            local = brand.local_time()
            await self._publish(brand.id, await keep_back(self._database, principal, local))
            await keep_back_of_shops(self._database, principal, local, units_sold_by_shop)
            async with self._database.tenant_transaction(principal) as tx:
                await learn_accuracy(tx, local)

    async def lend(self) -> None:
        """Lend what earmarks do not need for now, each by itself."""
        for brand in await self._brands.all():
            principal = system_principal(brand.id, "earmarks")
            async with self._database.tenant_transaction(principal, read_only=True) as tx:
                codes = await lending_earmarks(tx)
                sold = await units_sold(tx, brand.local_time()) if codes else {}
            for code in codes:
                async with self._database.tenant_transaction(principal) as tx:
                    levels = await lend_unused(tx, code, sold)
                await self._publish(brand.id, levels)

    async def _publish(self, tenant_id: int, levels: Sequence[Level]) -> None:
        if levels:
            await self._publish_levels(tenant_id, levels)

    async def mark_events(self) -> None:
        await mark_events(self._database)

    async def ensure_partitions(self) -> None:
        async with self._database.platform_transaction() as tx:
            await tx.fetch_value(SQL.ensure_partitions)

    async def _every(self, seconds: float, work: Work) -> None:
        while not self._stopping.is_set():
            started = now()
            try:
                await work()
            except (DatabaseUnavailable, ValkeyAway) as error:
                log.warning("maintenance.waiting", work=work.__name__, error=error.message)
            except Exception:
                log.exception("maintenance.failed", work=work.__name__)
            pause = max(0.0, seconds - (now() - started))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
