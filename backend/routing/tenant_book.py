"""What a process knows of one tenant's network and stock, to plan with.

The book follows PostgreSQL by version: from our own commits, from what other processes announce,
and from a sweep over what moved lately. It may lag, never lie for long: the commit decides.
"""

from array import array
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

import structlog

from backend.clock import now
from backend.db.pool import TenantTransaction
from backend.dropship.quotas.book import QuotaBook
from backend.dropship.quotas.counters import changed_quotas
from backend.inventory.allotments.book import AllotmentBook
from backend.inventory.allotments.counters import BEGINNING, changed_allotments
from backend.inventory.allotments.model import AllotmentState
from backend.inventory.counters import Counters
from backend.inventory.levels import SWEEP_OVERLAP, free_of_all_levels
from backend.inventory.model import FreeAt
from backend.inventory.pools.compile import CompiledLayout
from backend.inventory.pools.live import LivePools, PoolGround, Profiles, read_profiles
from backend.inventory.safety.model import ShopFloor, ShopFloorBook
from backend.inventory.safety.shop_floors import changed_shop_floors
from backend.network.capacity import CapacityAt, capacities_of_day
from backend.network.regions.table import RegionTable
from backend.routing.model import DEFAULT_POLICY
from backend.routing.network_view import NetworkView
from backend.routing.node_figures import FigureReader, criteria_of
from backend.routing.plan_orders import Candidate, OrderPlanner, Seen
from backend.routing.policies import active_policy, document_of
from backend.routing.read_network import Topology, read_topology, terms_in_force, view_of
from backend.routing.rollouts import running_rollout
from core_ext import StockBook

log = structlog.get_logger(__name__)

TICK = timedelta(microseconds=1)
"""Of PostgreSQL's clock."""


class Stock(NamedTuple):
    """A network, a stock book that is numbered by it, and the pools that are computed on it."""

    view: NetworkView
    book: StockBook
    pools: LivePools | None = None


NewNumbers = Callable[["array[int]"], None]
"""Hears of SKUs of which some pool or shop has another number now ('q')."""
Moved = Callable[[Iterable[tuple[int, int]]], None]
"""Hears of levels that moved, as SKU and functional warehouse; warehouse 0 where a pool or shop has
another number of the SKU."""


class TenantBook:
    """Network view, stock book, pools and policy of one tenant."""

    def __init__(self, regions: RegionTable) -> None:
        self._regions = regions
        self._topology: Topology | None = None
        self._stock = Stock(NetworkView([], [], regions), StockBook(array("i"), 1))
        self._coming: Stock | None = None
        """What is being read while orders are still planned on `_stock`."""
        self.planner = OrderPlanner(self.view, DEFAULT_POLICY, 0)
        self._figures = FigureReader()
        self.seen: Seen = {}
        """What the orders of a rollout came to, until it is stored."""
        self.day = date.min
        self.allotments = AllotmentBook()
        self._allotted_at = BEGINNING
        self.quotas = QuotaBook()
        self._quotas_at = BEGINNING
        self._floors = ShopFloorBook()
        self._floored_at = BEGINNING
        self._floors_heard_at = 0.0
        self.listeners: list[NewNumbers] = []
        self.watchers: list[Moved] = []

    @property
    def view(self) -> NetworkView:
        return self._stock.view

    @property
    def book(self) -> StockBook:
        return self._stock.book

    @property
    def pools(self) -> LivePools | None:
        """What pools and shops may offer; None while no layout is active."""
        return self._stock.pools

    def offered(self, sku_id: int, shop_id: int) -> int:
        """Return what a shop may offer of a SKU; without a share, all that its orders may take."""
        found = self.pools.of_shop(sku_id, shop_id) if self.pools is not None else None
        if found is not None:
            return found
        return sum(
            max(0, free)
            for source, free, _ in self.book.entries(sku_id)
            if self.view.may_take(shop_id, self.view.sources[source].functional_warehouse_id)
            and not self.view.sources[source].earmark_id
        )

    def free_of(self, sku_id: int) -> list[tuple[int, int]]:
        """Return functional warehouses, and their units that no earmark keeps, not below 0."""
        sources = self.view.sources
        return [
            (sources[source].functional_warehouse_id, max(0, free))
            for source, free, _ in self.book.entries(sku_id)
            if not sources[source].earmark_id
        ]

    def may_take(self, shop_id: int, warehouse_id: int) -> bool:
        """Whether orders of a shop may take from a functional warehouse."""
        return self.view.may_take(shop_id, warehouse_id)

    async def refresh(self, tx: TenantTransaction, local: datetime) -> Counters:
        """Read network, layout, policy and capacities anew; the stock too where sources changed.

        `local` is the time where the brand is: capacities are counted by its day.
        View, book, pools and planner change together, once all is read: batches are under way
        meanwhile. Returns the counters that were read.
        """
        topology = await read_topology(tx)
        terms = await terms_in_force(tx, topology, local, self.view.terms)
        levels: list[FreeAt] = []
        stock = self._stock
        try:
            policy, version = await active_policy(tx)
            candidate = await self._candidate(tx)
            documents = [policy] if candidate is None else [policy, candidate.document]
            figures = await self._figures.read(tx, topology.weights, criteria_of(*documents), local)
            capacities = await capacities_of_day(tx, local.date())
            allotted = await changed_allotments(tx, self._allotted_at - SWEEP_OVERLAP)
            quotas = await changed_quotas(tx, self._quotas_at - SWEEP_OVERLAP)
            floors: list[ShopFloor] = []
            if topology.layout_version:  # else no shop has a number to keep anything of
                floors = await changed_shop_floors(tx, self._floors_since())
            if topology != self._topology or terms is not self.view.terms:
                view, layout = await view_of(tx, topology, terms, self._regions)
                if not view.has_sources_of(stock.view):
                    # What is announced while it is being filled goes into it as well.
                    self._coming = Stock(view, StockBook(view.source_node, max(1, len(view.nodes))))
                    async for chunk in free_of_all_levels(tx):
                        self.apply_levels(chunk)
                        levels += chunk
                book = self._coming.book if self._coming else stock.book
                profiles = None
                if layout is not None:
                    profiles = await read_profiles(tx, layout, book, view.sources, local)
                # From here on nobody else is heard: the numbers are those of the book.
                stock = Stock(view, book, self._pools(topology, layout, view, book, profiles))
            changed = stock.pools is not self._stock.pools
            self._stock = stock
            self._learn_allotments(allotted)
            self._quotas_at = max([self._quotas_at, *(changed for _, changed in quotas)])
            self.quotas.apply(at for at, _ in quotas)
            self._learn_floors(floors)
        finally:
            self._coming = None
        self._topology = topology
        routed_by = stock.view, version, candidate
        if routed_by != (self.planner.view, self.planner.policy_version, self.planner.candidate):
            self.planner = OrderPlanner(stock.view, policy, version, candidate, self.seen)
        self.planner.look_at(local, figures)
        self.day = local.date()
        self.apply_capacities(capacities)
        if changed and stock.pools is not None:
            self._tell(stock.pools.availability.take_changed())
        allotments = [state.at for state in allotted]
        return Counters(levels, capacities, allotments, [at for at, _ in quotas])

    async def _candidate(self, tx: TenantTransaction) -> Candidate | None:
        """Return the policy that is on trial, if one is."""
        running = await running_rollout(tx)
        if running is None:
            return None
        known = self.planner.candidate
        if known is not None and known.rollout_id == running.id:
            return known
        document = await document_of(tx, running.candidate)
        return Candidate(running.id, document, running.candidate, running.share_bp)

    def _learn_allotments(self, states: Sequence[AllotmentState]) -> None:
        self._allotted_at = max([self._allotted_at, *(state.changed_at for state in states)])
        self._recap(self.allotments.learn(states))

    def _learn_floors(self, floors: Sequence[ShopFloor]) -> None:
        newest = max([self._floored_at, *(floor.changed_at for floor in floors)])
        if newest > self._floored_at:
            self._floored_at, self._floors_heard_at = newest, now()
        self._recap(self._floors.learn(floors))

    def _floors_since(self) -> datetime:
        """Return from when on floors are read: those of a bulk are not read for ever again."""
        is_settled = now() - self._floors_heard_at > 2 * SWEEP_OVERLAP.total_seconds()
        return self._floored_at + TICK if is_settled else self._floored_at - SWEEP_OVERLAP

    def _recap(self, sku_ids: Iterable[int]) -> None:
        """Let shops show what their allotments and safety stock of some SKUs leave them."""
        if self.pools is not None and sku_ids:
            self._tell(self.pools.update(sku_ids, recap=True))

    async def refresh_rules(self, tx: TenantTransaction, local: datetime) -> None:
        """Look at the rules of the layout again; `local` is the time where the brand is."""
        stock = self._stock
        if stock.pools is None or not stock.pools.layout.rules:
            return
        layout, sources = stock.pools.layout, stock.view.sources
        profiles = await read_profiles(tx, layout, stock.book, sources, local)
        if stock is not self._stock:  # the layout or the network changed meanwhile
            return
        pools = stock.pools.with_profiles(profiles)
        if pools is not stock.pools:
            self._stock = stock._replace(pools=pools)
            self._tell(pools.availability.take_changed())

    def _pools(
        self,
        topology: Topology,
        layout: CompiledLayout | None,
        view: NetworkView,
        book: StockBook,
        profiles: Profiles | None,
    ) -> LivePools | None:
        if layout is None or profiles is None:
            return None
        ground = PoolGround(
            layout, view.sources, book, self.allotments, self._floors, topology.weights
        )
        return LivePools(topology.layout_version, ground, profiles)

    def apply(self, counters: Counters) -> None:
        """Take over what is newer."""
        self.apply_levels(counters.levels)
        self.apply_capacities(counters.capacities)
        self.quotas.apply(counters.quotas)
        self._recap(self.allotments.apply(counters.allotments))

    def apply_levels(self, levels: Iterable[FreeAt]) -> None:
        """Take over what is newer."""
        known = list(levels)
        for stock in (self._stock, self._coming):
            if stock is not None:
                _put(stock, known)
        moved = {level.sku_id for level in known}
        for watcher in self.watchers:
            watcher((level.sku_id, level.functional_warehouse_id) for level in known)
        if self.pools is not None:
            self._tell(self.pools.update(moved))

    def _tell(self, sku_ids: "array[int]") -> None:
        if sku_ids:
            for listener in self.listeners:
                listener(sku_ids)
            for watcher in self.watchers:
                watcher((sku_id, 0) for sku_id in sku_ids)

    def apply_capacities(self, capacities: Iterable[CapacityAt]) -> None:
        """Take over what is newer, of the day that is planned for."""
        for capacity in capacities:
            node = self.view.node_index.get(capacity.node_id)
            if node is not None and capacity.day == self.day:
                self.book.set_capacity(node, capacity.free, self._day_version(capacity.version))

    def _day_version(self, version: int) -> int:
        """Versions of a later day are newer than any of an earlier one."""
        return (self.day.toordinal() << 40) + version + 1


def _put(stock: Stock, levels: Iterable[FreeAt]) -> None:
    skus, sources, free, versions = array("q"), array("i"), array("q"), array("q")
    for level in levels:
        source = stock.view.source_index.get((level.functional_warehouse_id, level.earmark_id))
        if source is not None:
            skus.append(level.sku_id)
            sources.append(source)
            free.append(level.free)
            versions.append(level.version)
    stock.book.put_many(skus, sources, free, versions)
