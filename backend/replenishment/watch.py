"""Looking at stock: what runs low is told once, and where rules say so, units are moved there."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog

from backend.clock import now
from backend.db.pool import Database
from backend.inventory.errors import NotEnoughToMove
from backend.inventory.model import Level
from backend.network.regions.table import RegionTable
from backend.replenishment import alerts
from backend.replenishment.alert_rules import alert_rules
from backend.replenishment.ground import Ground, Sales, read_ground, read_sales
from backend.replenishment.judge import Clearing, Firing, Judgement, Place, judge
from backend.replenishment.model import AlertRule, Transfers
from backend.replenishment.transfers import (
    approve_transfer,
    lapse_transfer,
    lock_alert,
    moving_of,
    propose,
)
from backend.routing.live_book import LiveBook, LiveBooks
from backend.routing.tenant_book import TenantBook
from core_ext import StockBook
from tenants.brands import BrandDirectory
from tenants.principal import Principal, system_principal

log = structlog.get_logger(__name__)

FULL_SECONDS = 300.0
"""How often every SKU is looked at; in between, those that moved."""
SALES_SECONDS = 3_600.0
"""How often sales are summed up: it reads four weeks of orders and movements."""
SKUS_A_STEP = 200
"""SKUs looked at in one go: some milliseconds."""
ALERTS_A_TRANSACTION = 500

PublishLevels = Callable[[int, Sequence[Level]], Awaitable[None]]


class StockWatch:
    """Looks at the stock of all brands that have rules; several processes may do so at once."""

    def __init__(
        self,
        database: Database,
        books: LiveBooks,
        brands: BrandDirectory,
        regions: RegionTable,
        publish_levels: PublishLevels,
    ) -> None:
        self._database = database
        self._books = books
        self._brands = brands
        self._regions = regions
        self._publish_levels = publish_levels
        self._watched: dict[int, BrandWatch] = {}

    async def look(self) -> None:
        """Look at what has moved since the last time, of every brand."""
        for brand in await self._brands.all():
            principal = system_principal(brand.id, "replenishment")
            async with self._database.tenant_transaction(principal, read_only=True) as tx:
                rules = await alert_rules(tx)
            if rules:
                await (await self._watch_of(brand.id, principal)).look(rules)
            elif watch := self._watched.pop(brand.id, None):
                watch.close()

    async def _watch_of(self, tenant_id: int, principal: Principal) -> "BrandWatch":
        if tenant_id not in self._watched:
            live = await self._books.open(tenant_id)
            self._watched[tenant_id] = BrandWatch(
                self._database, live, principal, self._regions, self._publish_levels
            )
        return self._watched[tenant_id]


class BrandWatch:
    """What this process has to look at of one brand."""

    def __init__(
        self,
        database: Database,
        live: LiveBook,
        principal: Principal,
        regions: RegionTable,
        publish_levels: PublishLevels,
    ) -> None:
        self._database = database
        self._live = live
        self._principal = principal
        self._regions = regions
        self._publish_levels = publish_levels
        self._moved: set[int] = set()
        self._ground: Ground | None = None
        self._rules: Sequence[AlertRule] = ()
        self._book: StockBook | None = None
        self._full_at = 0.0
        self._sales = Sales({}, {})
        self._sales_at = 0.0
        self._live.book.watchers.append(self._hear)

    def close(self) -> None:
        """Hear no more."""
        self._live.book.watchers.remove(self._hear)

    def _hear(self, sku_ids: Iterable[int]) -> None:
        self._moved.update(sku_ids)

    async def look(self, rules: Sequence[AlertRule]) -> None:
        """Judge the SKUs that moved, or all where it is time to; keeps what has changed."""
        await self._live.freshen()
        stock = self._live.book
        is_all = now() >= self._full_at or rules != self._rules or stock.book is not self._book
        self._rules, self._book = rules, stock.book
        moved, self._moved = self._moved, set()
        try:
            if is_all or self._ground is None:
                self._ground = await self._read_ground(rules)
                self._full_at = now() + FULL_SECONDS
                moved = set(stock.book.skus()) | {sku for _, sku in self._sales.by_node}
                moved |= {sku for _, sku in self._sales.by_shop}
            found = await self._judge(self._ground, stock, moved, is_all=is_all)
            await self._keep(self._ground, stock, found, is_all=is_all)
        except BaseException:
            self._full_at = 0.0  # what was to be looked at is looked at the next time
            raise

    async def _read_ground(self, rules: Sequence[AlertRule]) -> Ground:
        async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
            if now() >= self._sales_at:
                self._sales = await read_sales(tx, self._live.brand.local_time())
                self._sales_at = now() + SALES_SECONDS
            return await read_ground(tx, rules, self._regions, self._sales)

    async def _judge(
        self, ground: Ground, stock: TenantBook, sku_ids: Iterable[int], *, is_all: bool
    ) -> Judgement:
        """Judge SKUs step by step; where all are judged, what nothing was read of is cleared."""
        listed = sorted(sku_ids)
        async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
            found = await alerts.open_alerts(tx, None if is_all else listed)
        is_open = {Place(one.rule_id, one.subject_id, one.sku_id): one for one in found}
        judged = Judgement([], [], [])
        for first in range(0, len(listed), SKUS_A_STEP):
            step = listed[first : first + SKUS_A_STEP]
            readings = (each for sku_id in step for each in ground.readings(stock, sku_id))
            judged.extend(judge(ground.rules, readings, is_open))
            await asyncio.sleep(0)
        if is_all:
            read = {one.alert.id for one in judged.cleared}
            read |= {alert.id for alert, _ in judged.still_low}
            gone = (alert for alert in is_open.values() if alert.id not in read)
            judged.cleared.extend(Clearing(alert, None) for alert in gone)
        return judged

    async def _keep(
        self, ground: Ground, stock: TenantBook, found: Judgement, *, is_all: bool
    ) -> None:
        for first in range(0, len(found.cleared), ALERTS_A_TRANSACTION):
            async with self._database.tenant_transaction(self._principal) as tx:
                await alerts.clear(tx, found.cleared[first : first + ALERTS_A_TRANSACTION])
        fired: list[tuple[int, Firing]] = []
        for first in range(0, len(found.fired), ALERTS_A_TRANSACTION):
            async with self._database.tenant_transaction(self._principal) as tx:
                fired += await alerts.fire(tx, found.fired[first : first + ALERTS_A_TRANSACTION])
        low = fired + ([(alert.id, firing) for alert, firing in found.still_low] if is_all else [])
        for alert_id, firing in low:
            if firing.rule.transfers is not Transfers.NONE:
                await self._move_there(ground, stock, alert_id, firing)
        if fired or found.cleared:
            log.info(
                "alerts.changed",
                tenant=self._principal.tenant_id,
                fired=len(fired),
                cleared=len(found.cleared),
            )

    async def _move_there(
        self, ground: Ground, stock: TenantBook, alert_id: int, firing: Firing
    ) -> None:
        """Propose transfers for an alert, unless some are under way; carry them out by rule."""
        async with self._database.tenant_transaction(self._principal) as tx:
            if not await lock_alert(tx, alert_id):
                return
            moving = await moving_of(tx, [firing.reading.place.sku_id])
            plan = ground.plan(firing, stock, moving)
            ids = [] if plan is None else await propose(tx, alert_id, firing, plan)
        if firing.rule.transfers is Transfers.AUTOMATIC:
            for transfer_id in ids:
                await self._carry_out(transfer_id)

    async def _carry_out(self, transfer_id: int) -> None:
        today = self._live.brand.local_time().date()
        try:
            async with self._database.tenant_transaction(self._principal) as tx:
                done = await approve_transfer(tx, transfer_id, today, key=f"transfer-{transfer_id}")
        except NotEnoughToMove as error:
            async with self._database.tenant_transaction(self._principal) as tx:
                await lapse_transfer(tx, transfer_id, error.message)
        else:
            await self._publish_levels(self._principal.tenant_id, done.levels)
