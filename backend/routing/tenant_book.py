"""What a process knows of one tenant's network and stock, to plan with.

The book follows PostgreSQL by version: from our own commits, from what other processes announce,
and from a sweep over what moved lately. It may lag, never lie for long: the commit decides.
"""

from array import array
from collections.abc import Iterable
from datetime import date

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
from core_ext import StockBook

SQL = load_queries(__file__)


class TenantBook:
    """Network view, stock book and policy of one tenant."""

    def __init__(self, regions: RegionTable) -> None:
        self._regions = regions
        self._topology: tuple[list[Node], list[FunctionalWarehouse]] | None = None
        self.view = NetworkView([], [], regions)
        self.book = StockBook(array("i"), 1)
        self.policy: PolicyDocument = DEFAULT_POLICY
        self.policy_version = 0
        self.day = date.min

    async def refresh(
        self, tx: TenantTransaction, day: date
    ) -> tuple[list[FreeAt], list[CapacityAt]]:
        """Read network, policy and capacities anew; the stock too where the network changed.

        Returns the levels and capacities that were read.
        """
        topology = (await list_nodes(tx), await list_warehouses(tx))
        levels: list[FreeAt] = []
        if topology != self._topology:
            view = NetworkView(*topology, self._regions)
            # In place before it is filled: what is announced meanwhile goes into it.
            self.view, self.book = view, StockBook(view.source_node, max(1, len(view.nodes)))
            async for chunk in free_of_all_levels(tx):
                self.apply_levels(chunk)
                levels += chunk
            self._topology = topology
        row = await tx.fetch_row(SQL.active_policy, tx.tenant_id)
        if row is not None and row["version"] != self.policy_version:
            self.policy = msgspec.json.decode(row["document"], type=PolicyDocument)
            self.policy_version = row["version"]
        self.day = day
        capacities = await capacities_of_day(tx, day)
        self.apply_capacities(capacities)
        return levels, capacities

    def apply_levels(self, levels: Iterable[FreeAt]) -> None:
        """Take over what is newer."""
        skus, sources, free, versions = array("q"), array("i"), array("q"), array("q")
        for level in levels:
            source = self.view.source_index.get(level.functional_warehouse_id)
            if source is not None:
                skus.append(level.sku_id)
                sources.append(source)
                free.append(level.free)
                versions.append(level.version)
        self.book.put_many(skus, sources, free, versions)

    def apply_capacities(self, capacities: Iterable[CapacityAt]) -> None:
        """Take over what is newer, of the day that is planned for."""
        for capacity in capacities:
            node = self.view.node_index.get(capacity.node_id)
            if node is not None and capacity.day == self.day:
                self.book.set_capacity(node, capacity.free, self._day_version(capacity.version))

    def _day_version(self, version: int) -> int:
        """Versions of a later day are newer than any of an earlier one."""
        return (self.day.toordinal() << 40) + version + 1
