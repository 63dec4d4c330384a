"""What every pool and shop of a tenant may offer, live: computed on the process's stock book."""

import asyncio
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog

from backend.catalog.find_skus import page_of_skus
from backend.catalog.model import Sku
from backend.conditions.compile import attributes_of
from backend.db.pool import TenantTransaction
from backend.inventory.accuracy.model import Weights
from backend.inventory.allotments.book import AllotmentBook
from backend.inventory.model import StockSource
from backend.inventory.pools.attributes import (
    StockFacts,
    facts_of_sku,
    facts_of_stock,
    facts_of_time,
)
from backend.inventory.pools.compile import CompiledLayout, Figures
from backend.inventory.pools.layouts import SQL
from backend.inventory.pools.model import Sync
from backend.inventory.safety.model import ShopFloorBook
from core_ext import Availability, StockBook
from core_ext.limits import MAX_RULES
from core_ext.pool_graph import NO_LIMIT

log = structlog.get_logger(__name__)

PROFILES_MAX = 10_000
"""Kinds of SKUs that the rules of a layout may tell apart."""
SKUS_A_PAGE = 1_000
"""SKUs read, and looked at, in one go: some ten milliseconds."""
SALES_WINDOW = timedelta(days=28)
AGE, AGE_DAYS_MAX = "stock.days_since_receipt", 90
SALES_ATTRIBUTES = frozenset({"sales.units_per_day", "stock.days_of_cover"})

Profile = tuple[Figures, ...]


class Profiles(NamedTuple):
    """The figures of the links with rules, by kind of SKU; kind 0 is where no rule holds."""

    listed: list[Profile]
    of_sku: dict[int, int]


def no_profiles(layout: CompiledLayout) -> Profiles:
    """Return what holds before any rule was looked at."""
    return Profiles([layout.figures()], {})


async def read_profiles(
    tx: TenantTransaction,
    layout: CompiledLayout,
    book: StockBook,
    sources: Sequence[StockSource],
    local: datetime,
) -> Profiles:
    """Look at the rules of a layout for every SKU; `local` is the time where the brand is.

    `sources` are those of the book.
    Lets others work after every page. Beyond PROFILES_MAX kinds of SKUs no rule holds for the rest.
    """
    found = no_profiles(layout)
    if not layout.rules:
        return found
    asked = asked_about(layout)
    past = Past(
        await units_sold(tx, local) if asked & SALES_ATTRIBUTES else {},
        await last_receipts(tx, local) if AGE in asked else {},
        local,
    )
    most = min(PROFILES_MAX, MAX_RULES // len(layout.links))
    numbers: dict[Profile, int] = {found.listed[0]: 0}
    at = facts_of_time(local)
    after = 0
    while page := await page_of_skus(tx, after, SKUS_A_PAGE):
        after = page[-1].id
        for sku in page:
            profile = layout.figures(_facts(sku, book, sources, past) | at)
            if len(numbers) < most:
                numbers.setdefault(profile, len(numbers))
            if number := numbers.get(profile, 0):
                found.of_sku[sku.id] = number
        await asyncio.sleep(0)
    if len(numbers) == most:
        log.warning("pools.too_many_profiles", tenant=tx.tenant_id, most=most)
    return Profiles(list(numbers), found.of_sku)


def asked_about(layout: CompiledLayout) -> set[str]:
    """Return the attributes that the rules of a layout ask about."""
    flows = [layout.links[number].flow for number, _ in layout.rules]
    return {name for flow in flows for rule in flow.rules for name in attributes_of(rule.when)}


async def units_sold(tx: TenantTransaction, now: datetime) -> dict[int, int]:
    """Return the units of each SKU that orders took in the SALES_WINDOW before a time."""
    rows = await tx.fetch(SQL.ordered_between, tx.tenant_id, now - SALES_WINDOW, now)
    return {row["sku_id"]: max(0, row["units"]) for row in rows}


async def last_receipts(tx: TenantTransaction, now: datetime) -> dict[int, datetime]:
    """Return when units of each SKU last came, of those that did within AGE_DAYS_MAX."""
    since = now - timedelta(days=AGE_DAYS_MAX)
    rows = await tx.fetch(SQL.last_receipts, tx.tenant_id, since, now)
    return {row["sku_id"]: row["at"] for row in rows}


class Past(NamedTuple):
    """What became of SKUs until now: units sold in the SALES_WINDOW, and the last receipts."""

    sold: Mapping[int, int]
    received: Mapping[int, datetime]
    now: datetime

    def age_days(self, sku_id: int) -> int:
        """Return the days since units last came, AGE_DAYS_MAX at most."""
        at = self.received.get(sku_id)
        return AGE_DAYS_MAX if at is None else max(0, (self.now - at).days)


def _facts(sku: Sku, book: StockBook, sources: Sequence[StockSource], past: Past) -> dict[str, Any]:
    found = [(sources[source], units) for source, units, _ in book.entries(sku.id) if units > 0]
    kept_for = {source.pool for source, _ in found if source.earmark_id}
    free = [(source, units) for source, units in found if not source.earmark_id]
    nodes = {source.node_id for source, _ in free}
    units = sum(units for _, units in free)
    return facts_of_sku(sku) | facts_of_stock(
        StockFacts(units, len(nodes), kept_for, past.age_days(sku.id), past.sold.get(sku.id, 0))
    )


class PoolGround(NamedTuple):
    """What numbers are computed of: a layout, over a stock book with its sources, and caps."""

    layout: CompiledLayout
    sources: Sequence[StockSource]
    book: StockBook
    allotments: AllotmentBook
    floors: ShopFloorBook
    weights: Weights
    """What is known of the accuracy of nodes."""


class LivePools:
    """The numbers of one layout over one stock book."""

    def __init__(self, version: int, ground: PoolGround, profiles: Profiles) -> None:
        self.version = version
        self.layout = ground.layout
        self.profiles = profiles
        self._ground = ground
        self._book = ground.book
        self._sources_above: dict[int, frozenset[int]] = {}
        """The sources of the book that a shop may take from, by vertex; as far as asked for."""
        graph = ground.layout.graph(ground.sources, profiles.listed, ground.weights)
        self.availability = Availability(ground.book, graph)
        for sku_id, profile in profiles.of_sku.items():
            self.availability.set_profile(sku_id, profile)
        self._bound(ground.allotments.sku_ids() | ground.floors.sku_ids())
        self.availability.recompute()
        self._follow_depths(self.availability, ground.book.skus())

    def update(self, sku_ids: Iterable[int], *, recap: bool = False) -> "array[int]":
        """Compute SKUs anew after the book has changed; returns those with another number.

        `recap` where their allotments, or what shops keep back of them, have changed.
        """
        moved = array("q", sorted(set(sku_ids)))
        if recap:
            self._bound(moved)
        self.availability.update_many(moved)
        self._follow_depths(self.availability, moved)
        return self.availability.take_changed()

    def _bound(self, sku_ids: Iterable[int]) -> None:
        """Let shops show no more than their allotments have left, and keep their safety stock."""
        for sku_id in sku_ids:
            for shop in self.layout.shops:
                cap = self._ground.allotments.cap(sku_id, shop.id, shop.dealer_id)
                vertex = self.layout.vertex_of_shop[shop.id]
                self.availability.set_cap(sku_id, vertex, NO_LIMIT if cap is None else cap)
                floor = self._ground.floors.of(sku_id, shop.id)
                self.availability.set_floor(sku_id, vertex, floor)

    def _follow_depths(self, availability: Availability, sku_ids: "array[int]") -> None:
        """Let depth-first pools give first to the shop that has most of a SKU from other pools."""
        by_depth = self.layout.depth_links
        if not by_depth:
            return
        for sku_id in sku_ids:
            flow = availability.derive(sku_id).flow
            for vertex, links in by_depth.items():
                availability.set_depth(sku_id, vertex, sum(flow[link] for link in links))
            availability.update(sku_id)

    @property
    def may_bind(self) -> bool:
        """Whether any shop may be bound to what it is offered."""
        return bool(self.layout.binding or self._ground.floors)

    def binds(self, shop_id: int, sku_ids: Iterable[int], *, is_sold: bool) -> bool:
        """Whether a shop may sell no more of some SKUs than it is offered.

        By its share, or because it keeps some back: not from what is sold already.
        """
        vertex = self.layout.vertex_of_shop.get(shop_id)
        if vertex is None:
            return False
        floors = self._ground.floors
        keeps = not is_sold and any(floors.of(sku_id, shop_id) for sku_id in sku_ids)
        return vertex in self.layout.binding or keeps

    def offered_on(self, book: StockBook) -> Callable[[int, int, bool], int | None]:
        """Return what says how much of a SKU a shop that is bound may sell on a book.

        By its share, if that binds, what it is offered; else all that lies above it but for what it
        keeps back. The book is numbered as this one's, and may change between one question and the
        next.
        """
        availability = Availability(book, self.availability)

        def offered(sku_id: int, shop_id: int, is_sold: bool) -> int | None:
            if not self.binds(shop_id, (sku_id,), is_sold=is_sold):
                return None
            vertex = self.layout.vertex_of_shop[shop_id]
            floor = 0 if is_sold else self._ground.floors.of(sku_id, shop_id)
            if vertex not in self.layout.binding:
                return max(0, self._above(book, sku_id, vertex) - floor)
            availability.set_profile(sku_id, self.profiles.of_sku.get(sku_id, 0))
            availability.set_floor(sku_id, vertex, floor)
            availability.update(sku_id)
            self._follow_depths(availability, array("q", [sku_id]))
            return availability.number(sku_id, vertex)

        return offered

    def _above(self, book: StockBook, sku_id: int, vertex: int) -> int:
        """Return the units of a SKU that lie above a shop, kept for its pools or free to all."""
        if vertex not in self._sources_above:
            feeding, pools = self.layout.upstream[vertex], self.layout.pools_above(vertex)
            self._sources_above[vertex] = frozenset(
                at
                for at, source in enumerate(self._ground.sources)
                if (
                    source.pool in pools
                    if source.earmark_id
                    else source.functional_warehouse_id in feeding
                )
            )
        above = self._sources_above[vertex]
        return sum(max(0, free) for source, free, _ in book.entries(sku_id) if source in above)

    def with_profiles(self, profiles: Profiles) -> "LivePools":
        """Return the same layout and book with rules that were looked at again."""
        if profiles == self.profiles:
            return self
        return LivePools(self.version, self._ground, profiles)

    def profile_of(self, sku_id: int) -> Profile:
        """Return the figures of the links with rules for a SKU."""
        return self.profiles.listed[self.profiles.of_sku.get(sku_id, 0)]

    def of_shop(self, sku_id: int, shop_id: int) -> int | None:
        """Return what a shop may offer of a SKU, in units; None for a shop without a share."""
        vertex = self.layout.vertex_of_shop.get(shop_id)
        return None if vertex is None else self.availability.number(sku_id, vertex)

    def sync_of(self, shop_code: str) -> Sync:
        """Return the sync policy of a shop; one that changes nothing where there is none."""
        return self.layout.syncs.get(shop_code) or Sync(shop=shop_code)

    def sku_ids(self) -> set[int]:
        """Return every SKU that the book has heard of."""
        return set(self._book.skus())

    def shown(self, shop_code: str, number: int) -> int:
        """Return what a shop's platform shall show for its number."""
        return self.sync_of(shop_code).shown(number)

    def of_pool(self, sku_id: int, pool: str) -> int:
        """Return what a pool may offer of a SKU, in units."""
        return self.availability.number(sku_id, self.layout.vertex_of_pool[pool])
