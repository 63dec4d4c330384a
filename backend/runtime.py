"""One process's parts, put together and taken apart in order."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from backend.admission.admission import Admission
from backend.admission.announcements import Announcements, bases_of
from backend.admission.valkey import Valkey, connect_valkey
from backend.after_sales.collecting import note_collected
from backend.channels.http_platform import channel_client
from backend.db.errors import DatabaseUnavailable
from backend.db.pool import Database
from backend.events.log import EventLog, WakeUps
from backend.fulfilment.carriers.http_carrier import carrier_client
from backend.fulfilment.carriers.labels import Labeller
from backend.inventory.counters import CounterReader, Counters, counters_of
from backend.inventory.ledger import free_of_levels
from backend.inventory.model import FreeAt, Level
from backend.maintenance import Maintenance
from backend.network.regions.table import bundled_regions
from backend.orders.allocate_backorders import BackorderAllocator
from backend.orders.dealing.settle import DealingUpkeep
from backend.orders.place_orders import OrderIntake
from backend.orders.price_stock import StockPricer
from backend.orders.reroute_orders import Rerouter
from backend.orders.routing_upkeep import RoutingUpkeep
from backend.orders.search.index import SearchIndexer
from backend.orders.simulation.runner import SimulationRunner
from backend.publishing.publisher import Publisher
from backend.replenishment.watch import StockWatch
from backend.routing.live_book import LiveBooks
from tenants.authenticate import Authenticator
from tenants.brands import BrandDirectory
from tenants.principal import system_principal
from tenants.tokens import TokenIssuer

log = structlog.get_logger(__name__)

CANCEL_AGAIN_SECONDS = 0.5


class Runtime:
    """Everything that a process needs to take orders."""

    def __init__(self, database: Database, valkey: Valkey, secret: str) -> None:
        self.database = database
        self.valkey = valkey
        self.regions = bundled_regions()
        self.brands = BrandDirectory(database)
        self.counters = CounterReader(database, self.brands)
        self.admission = Admission(valkey, database, self.counters.all_counters)
        self.tokens = TokenIssuer(secret)
        self.authenticator = Authenticator(database, self.tokens)
        self.announcements = Announcements(valkey, self._on_changes, self._on_events)
        self.wake_ups = WakeUps(self.announcements.announce_events)
        self.events = EventLog(database, self.wake_ups)
        self.books = LiveBooks(
            database,
            self.admission,
            self.brands,
            self.regions,
            lambda: self.announcements.hearing,
        )
        self.intake = OrderIntake(
            database, self.admission, self.books, self.regions, self.wake_ups.tell
        )
        self.allocator = BackorderAllocator(database, self.intake)
        self.rerouter = Rerouter(database, self.intake, self.brands, self.publish_counters)
        self.dealing = DealingUpkeep(database, self.regions)
        self.indexer = SearchIndexer(database, self.brands)
        self.wake_ups.listeners.add(self.indexer.hear)
        self.maintenance = Maintenance(
            database,
            self.admission,
            self.brands,
            self.counters,
            self.allocator,
            self.publish_levels,
            self.publish_counters,
            StockWatch(database, self.books, self.brands, self.regions, self.publish_levels),
            RoutingUpkeep(database, self.brands, self.publish_counters),
            StockPricer(database, self.brands, self.regions),
            SimulationRunner(database, self.brands, self.regions),
            self.rerouter,
            self.indexer,
            self.dealing,
            self.regions,
        )
        self.publisher = Publisher(database, self.books, self.brands, self.intake)
        self.labeller = Labeller(database, self.brands, note_collected)
        self._background: set[asyncio.Task[None]] = set()

    async def publish_levels(self, tenant_id: int, levels: Sequence[Level]) -> None:
        """Tell everybody of levels that a command changed, and give what came free to who waits."""
        free = [FreeAt(*level.key, level.signed_free, level.version) for level in levels]
        if levels:
            principal = system_principal(tenant_id, "publish")
            try:
                async with self.database.tenant_transaction(principal, read_only=True) as tx:
                    free = await free_of_levels(tx, [level.key for level in levels])
            except DatabaseUnavailable:
                # The command is done: its levels are told, and the sweep tells of their earmarks.
                log.warning("levels.not_read_again", tenant=tenant_id, levels=len(levels))
        await self.publish_counters(tenant_id, Counters(free))

    async def publish_counters(self, tenant_id: int, counters: Counters) -> None:
        """Tell everybody of counters that changed, and give what came free to who waits."""
        self._learn(tenant_id, counters)
        await self.admission.finish(tenant_id, [], counters.bases())
        await self.wake_ups.tell(tenant_id)
        task = asyncio.create_task(self._allocate(tenant_id))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _allocate(self, tenant_id: int) -> None:
        try:
            await self.allocator.allocate(tenant_id)
        except Exception:
            # Who waits is tried again by the maintenance.
            log.exception("backorders.not_allocated", tenant=tenant_id)

    def _on_changes(self, tenant_id: int, message: bytes) -> None:
        if self.books.opened(tenant_id) is not None:
            self._learn(tenant_id, counters_of(bases_of(message)))

    def _learn(self, tenant_id: int, counters: Counters) -> None:
        book = self.books.opened(tenant_id)
        if book is not None:
            book.apply(counters)

    def _on_events(self, tenant_id: int) -> None:
        self.wake_ups.wake(tenant_id)

    async def settle(self) -> None:
        """Wait until everything that was taken in is answered."""
        await self.intake.close()
        await self.books.settle()
        await asyncio.gather(*self._background)


@asynccontextmanager
async def open_runtime(
    database_url: str, valkey_url: str, secret: str, *, with_maintenance: bool = True
) -> AsyncIterator[Runtime]:
    """Connect everything, run the background work, and close in order at the end.

    Raises DatabaseUnavailable and UnsafeRole; a Valkey that is away is no obstacle.
    """
    async with AsyncExitStack() as stack:
        database = await Database.connect(database_url)
        stack.push_async_callback(database.close)
        valkey = connect_valkey(valkey_url)
        runtime = Runtime(database, valkey, secret)
        stack.push_async_callback(runtime.admission.close)
        listening = asyncio.create_task(runtime.announcements.listen())
        stack.push_async_callback(end_task, listening)
        if with_maintenance:
            working = asyncio.create_task(runtime.maintenance.run())
            stack.push_async_callback(_finish, working)
            stack.callback(runtime.maintenance.stop)
            http = await stack.enter_async_context(channel_client())
            publishing = asyncio.create_task(runtime.publisher.run(http))
            stack.push_async_callback(_finish, publishing)
            stack.callback(runtime.publisher.stop)
            carriers = await stack.enter_async_context(carrier_client())
            labelling = asyncio.create_task(runtime.labeller.run(carriers))
            stack.push_async_callback(_finish, labelling)
            stack.callback(runtime.labeller.stop)
        stack.push_async_callback(runtime.settle)
        yield runtime


async def _finish(task: asyncio.Task[None]) -> None:
    """Wait until the work in hand is done; its own bounds end it."""
    await asyncio.wait([task])


async def end_task(task: asyncio.Task[None]) -> None:
    """End a task; where its library swallowed the cancellation, again."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_AGAIN_SECONDS)
