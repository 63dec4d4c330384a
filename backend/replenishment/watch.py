"""Looking at stock: what runs low is told once, and where rules say so, units are moved there."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import structlog

from backend.clock import now
from backend.db.errors import DatabaseUnavailable, YipanError
from backend.db.pool import Database
from backend.inventory.levels import levels_of_sku
from backend.inventory.model import Level
from backend.network.regions.table import RegionTable
from backend.replenishment import alerts
from backend.replenishment.alert_rules import alert_rules
from backend.replenishment.ground import Ground, Sales, read_ground, read_sales
from backend.replenishment.judge import Clearing, Firing, Judgement, Place, judge
from backend.replenishment.model import AlertRule, StockAlert, Transfers
from backend.replenishment.plan_transfers import TransferPlanner
from backend.replenishment.transfers import (
    lock_alert,
    lock_transfers_of,
    moving_of,
    propose,
    send_proposed,
)
from backend.routing.live_book import LiveBook, LiveBooks
from backend.routing.network_view import NetworkView
from backend.routing.tenant_book import TenantBook
from tenants.brands import BrandDirectory
from tenants.principal import Principal, system_principal

log = structlog.get_logger(__name__)

ItemT = TypeVar("ItemT")

FULL_SECONDS = 300.0
"""How often every SKU is looked at; in between, those that moved."""
SALES_SECONDS = 3_600.0
"""How often sales are summed up: it reads four weeks of orders and movements."""
SALES_AGAIN_SECONDS = 600.0
"""After a summing up that failed: until then the last one counts."""
SKUS_A_STEP = 20
"""SKUs looked at in one go: some milliseconds, with a few rules for hundreds of nodes."""
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
        """Look at what has moved since the last time, of every brand.

        Where one cannot be looked at, the others are nonetheless. Raises DatabaseUnavailable.
        """
        for brand in await self._brands.all():
            try:
                await self._look_at(brand.id)
            except DatabaseUnavailable:
                raise
            except Exception:
                log.exception("alerts.not_looked_at", tenant=brand.id)

    async def _look_at(self, tenant_id: int) -> None:
        principal = system_principal(tenant_id, "replenishment")
        async with self._database.tenant_transaction(principal, read_only=True) as tx:
            rules = await alert_rules(tx)
        if rules:
            await (await self._watch_of(tenant_id, principal)).look(rules)
        elif watch := self._watched.pop(tenant_id, None):
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
        self._moved: dict[int, set[int]] = {}
        """SKUs that have moved since the last look, with the functional warehouses."""
        self._ground: Ground | None = None
        self._rules: Sequence[AlertRule] = ()
        self._view: NetworkView | None = None
        self._full_at = 0.0
        self._sales = Sales({}, {})
        self._sales_at = 0.0
        self._live.book.watchers.append(self._hear)

    def close(self) -> None:
        """Hear no more."""
        self._live.book.watchers.remove(self._hear)

    def _hear(self, moved: Iterable[tuple[int, int]]) -> None:
        for sku_id, warehouse_id in moved:
            self._moved.setdefault(sku_id, set()).add(warehouse_id)

    async def look(self, rules: Sequence[AlertRule]) -> None:
        """Judge the SKUs that moved, or all where it is time to; keeps what has changed."""
        await self._live.freshen()
        stock, moved = self._live.book, self._moved
        self._moved = {}
        is_all = now() >= self._full_at or rules != self._rules or stock.view is not self._view
        self._rules, self._view = rules, stock.view
        try:
            if is_all or self._ground is None or not all(map(self._ground.knows, moved)):
                is_all, self._full_at = True, now() + FULL_SECONDS
                self._ground = await self._read_ground(rules)
                for sku_id in self._all_skus(stock):
                    moved.setdefault(sku_id, set())
            found = await self._judge(self._ground, stock, moved, is_all=is_all)
            fired = await self._keep(found)
            low = fired + (found.still_low if is_all else [])
            await self._replenish(self._ground, stock, low)
        except BaseException:
            self._full_at = 0.0  # what was to be looked at is looked at the next time
            for sku_id, warehouses in moved.items():
                self._hear((sku_id, warehouse_id) for warehouse_id in warehouses)
            raise

    def _all_skus(self, stock: TenantBook) -> set[int]:
        return {*stock.book.skus(), *self._sales.by_node, *self._sales.by_shop}

    async def _read_ground(self, rules: Sequence[AlertRule]) -> Ground:
        async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
            if now() >= self._sales_at:
                self._sales_at = now() + SALES_AGAIN_SECONDS
                self._sales = await read_sales(tx, self._live.brand.local_time())
                self._sales_at = now() + SALES_SECONDS
            return await read_ground(tx, rules, self._regions, self._sales)

    async def _judge(
        self, ground: Ground, stock: TenantBook, moved: Mapping[int, set[int]], *, is_all: bool
    ) -> Judgement:
        """Judge SKUs step by step; where all are judged, what nothing was read of is cleared.

        Alerts of rules that are not known here are left to those who know them.
        """
        listed = sorted(moved)
        async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
            found = await alerts.open_alerts(tx, None if is_all else listed)
        is_open = {
            Place(one.rule_id, one.subject_id, one.sku_id): one
            for one in found
            if one.rule_id in ground.rules
        }
        low: dict[int, list[Place]] = {}
        for place in is_open:
            low.setdefault(place.sku_id, []).append(place)
        judged = Judgement([], [], [])
        for first in range(0, len(listed), SKUS_A_STEP):
            for sku_id in listed[first : first + SKUS_A_STEP]:
                readings = ground.readings(stock, sku_id, moved[sku_id], low.get(sku_id, ()))
                judged.extend(judge(ground.rules, readings, is_open))
            await asyncio.sleep(0)
        if is_all:
            read = {one.alert.id for one in judged.cleared}
            read |= {alert.id for alert, _ in judged.still_low}
            gone = (alert for alert in is_open.values() if alert.id not in read)
            judged.cleared.extend(Clearing(alert, None) for alert in gone)
        return judged

    async def _keep(self, found: Judgement) -> list[tuple[StockAlert, Firing]]:
        """Keep what has changed, as far as the rules are still in force; returns what is new."""
        cleared = 0
        for step in _steps(found.cleared):
            async with self._database.tenant_transaction(self._principal) as tx:
                in_force = await alerts.rules_in_force(tx, self._rules)
                ended = [one for one in step if one.alert.rule_id in in_force]
                cleared += await alerts.clear(tx, ended)
        fired: list[tuple[StockAlert, Firing]] = []
        for firings in _steps(found.fired):
            async with self._database.tenant_transaction(self._principal) as tx:
                fired += await alerts.fire(tx, firings)
        if fired or cleared:
            tenant_id = self._principal.tenant_id
            log.info("alerts.changed", tenant=tenant_id, fired=len(fired), cleared=cleared)
        return fired

    async def _replenish(
        self, ground: Ground, stock: TenantBook, low: Iterable[tuple[StockAlert, Firing]]
    ) -> None:
        """Have units moved to where they are low, where that can be and nothing is under way."""
        wanted = [each for each in low if each[1].rule.transfers is not Transfers.NONE]
        for step in _steps(wanted):
            async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
                moving = await moving_of(tx, {alert.sku_id for alert, _ in step})
            for alert, firing in step:
                planner = TransferPlanner(ground, stock, moving[alert.sku_id], firing)
                if planner.plan() is not None:
                    await self._move_there(ground, alert, firing)
                await asyncio.sleep(0)

    async def _move_there(self, ground: Ground, alert: StockAlert, firing: Firing) -> None:
        """Propose transfers for an alert, unless some are under way; sent at once by rule.

        What cannot be sent is not proposed either, and stops nothing else: the next full look tries
        again. One transaction at a time plans for a SKU, on what PostgreSQL has of it.
        """
        tenant_id, sku_id = self._principal.tenant_id, alert.sku_id
        levels: list[Level] = []
        try:
            async with self._database.tenant_transaction(self._principal) as tx:
                await lock_transfers_of(tx, sku_id)
                if not await lock_alert(tx, alert.id, firing.rule):
                    return
                moving = (await moving_of(tx, [sku_id]))[sku_id]
                stock = FreshStock(await levels_of_sku(tx, sku_id))
                plan = TransferPlanner(ground, stock, moving, firing).plan()
                ids = [] if plan is None else await propose(tx, alert.id, firing, plan)
                if firing.rule.transfers is Transfers.AUTOMATIC:
                    today = self._live.brand.local_time().date()
                    for transfer_id in ids:
                        levels += (await send_proposed(tx, transfer_id, today)).levels
        except DatabaseUnavailable:
            raise
        except YipanError as error:
            log.warning("transfers.not_sent", tenant=tenant_id, sku=sku_id, why=error.message)
        else:
            if levels:
                await self._publish_levels(tenant_id, levels)


class FreshStock:
    """What PostgreSQL has of a SKU, as plans of transfers see it."""

    def __init__(self, levels: Sequence[Level]) -> None:
        self._free = [
            (level.functional_warehouse_id, max(0, level.signed_free)) for level in levels
        ]

    def free_of(self, sku_id: int) -> Iterable[tuple[int, int]]:
        """Return functional warehouses, and their units that no earmark keeps, not below 0."""
        return self._free


def _steps(listed: Sequence[ItemT]) -> Iterator[Sequence[ItemT]]:
    """Return parts of what is worked on, each for one transaction."""
    for first in range(0, len(listed), ALERTS_A_TRANSACTION):
        yield listed[first : first + ALERTS_A_TRANSACTION]
