"""What a process knows of one tenant's network and stock, to plan with.

The book follows PostgreSQL by version: from our own commits, from what other processes announce,
and from a sweep over what moved lately. It may lag, never lie for long: the commit decides.
"""

from array import array
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

import msgspec

from backend.db.pool import TenantTransaction
from backend.db.sql import load_queries
from backend.inventory.levels import free_of_all_levels
from backend.inventory.model import FreeAt
from backend.inventory.warehouses import list_warehouses
from backend.network.capacity import CapacityAt, capacities_of_day
from backend.network.model import FunctionalWarehouse, Node
from backend.network.nodes import list_nodes
from backend.network.regions.table import RegionTable
from backend.routing.model import DEFAULT_POLICY, PolicyDocument
from backend.routing.network_view import NetworkView
from backend.routing.plan_orders import OrderPlanner
from core_ext import StockBook

SQL = load_queries(__file__)


class Stock(NamedTuple):
    """A network and a stock book that is numbered by it."""

    view: NetworkView
    book: StockBook


class TenantBook:
    """Network view, stock book and policy of one tenant."""

    def __init__(self, regions: RegionTable) -> None:
        self._regions = regions
        self._topology: tuple[list[Node], list[FunctionalWarehouse]] | None = None
        self._stock = Stock(NetworkView([], [], regions), StockBook(array("i"), 1))
        self._coming: Stock | None = None
        """What is being read while orders are still planned on `_stock`."""
        self.planner = OrderPlanner(self.view, DEFAULT_POLICY, 0)
        self.day = date.min

    @property
    def view(self) -> NetworkView:
        return self._stock.view

    @property
    def book(self) -> StockBook:
        return self._stock.book

    async def refresh(
        self, tx: TenantTransaction, day: date
    ) -> tuple[list[FreeAt], list[CapacityAt]]:
        """Read network, policy and capacities anew; the stock too where the network changed.

        View, book and planner change together, once all is read: batches are under way meanwhile.
        Returns the levels and capacities that were read.
        """
        topology = (await list_nodes(tx), await list_warehouses(tx))
        levels: list[FreeAt] = []
        view = self.view
        if topology != self._topology:
            view = NetworkView(*topology, self._regions)
            # What is announced while it is being filled goes into it as well.
            self._coming = Stock(view, StockBook(view.source_node, max(1, len(view.nodes))))
        try:
            if self._coming is not None:
                async for chunk in free_of_all_levels(tx):
                    self.apply_levels(chunk)
                    levels += chunk
            policy, version = await self._policy(tx)
            capacities = await capacities_of_day(tx, day)
            if self._coming is not None:
                self._stock = self._coming
        finally:
            self._coming = None
        self._topology = topology
        if self.planner.view is not view or self.planner.policy_version != version:
            self.planner = OrderPlanner(view, policy, version)
        self.day = day
        self.apply_capacities(capacities)
        return levels, capacities

    async def _policy(self, tx: TenantTransaction) -> tuple[PolicyDocument, int]:
        """Return the active policy and its version."""
        known = self.planner.policy, self.planner.policy_version
        row = await tx.fetch_row(SQL.active_policy, tx.tenant_id)
        if row is None or row["version"] == known[1]:
            return known
        return msgspec.json.decode(row["document"], type=PolicyDocument), row["version"]

    def apply_levels(self, levels: Iterable[FreeAt]) -> None:
        """Take over what is newer."""
        known = list(levels)
        for stock in (self._stock, self._coming):
            if stock is not None:
                _put(stock, known)

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
        source = stock.view.source_index.get(level.functional_warehouse_id)
        if source is not None:
            skus.append(level.sku_id)
            sources.append(source)
            free.append(level.free)
            versions.append(level.version)
    stock.book.put_many(skus, sources, free, versions)
