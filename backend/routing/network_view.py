"""The network of a tenant as the planner's arrays see it: dense indexes for nodes and sources."""

from array import array
from collections.abc import Callable, Sequence

from backend.network.geo import distance_m
from backend.network.model import FunctionalWarehouse, Node
from backend.network.regions.table import RegionTable
from backend.routing.model import Place

LOAD_UNKNOWN = 0
PERMILLE = 1000


class NetworkView:
    """The open nodes of a tenant and their sellable functional warehouses.

    Index i of `nodes` is the planner's node i; index s of `sources` its source s, in the order in
    which the stock of a node is used.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        warehouses: Sequence[FunctionalWarehouse],
        regions: RegionTable,
    ) -> None:
        self.regions = regions
        self.nodes = [node for node in nodes if node.is_active]
        self.node_index = {node.id: index for index, node in enumerate(self.nodes)}
        self.sources = [
            warehouse
            for warehouse in sorted(warehouses, key=lambda w: (w.rank, w.id))
            if warehouse.is_sellable and self._holds_own_goods(warehouse)
        ]
        self.source_index = {source.id: index for index, source in enumerate(self.sources)}
        self.source_node = array("i", [self.node_index[s.node_id] for s in self.sources])
        self.load_permille = array("i", [LOAD_UNKNOWN]) * len(self.nodes)
        self._rows: dict[tuple[str, Place], array[int]] = {}
        self._distances: dict[int, list[int]] = {}

    def _holds_own_goods(self, warehouse: FunctionalWarehouse) -> bool:
        """Goods of the node's own party; another owner's goods (货权) are only stored there."""
        index = self.node_index.get(warehouse.node_id)
        return index is not None and warehouse.dealer_id == self.nodes[index].dealer_id

    def distances_m(self, region_code: int) -> list[int]:
        """Return the distance of each node to a region, in metres."""
        known = self._distances.get(region_code)
        if known is None:
            region = self.regions.by_code[region_code]
            known = self._distances[region_code] = [
                distance_m(
                    region.longitude_e6, region.latitude_e6, node.longitude_e6, node.latitude_e6
                )
                for node in self.nodes
            ]
        return known

    def place_table(
        self, name: str, places: Sequence[Place], row: Callable[[Place], Sequence[int]]
    ) -> "array[int]":
        """Return `row(place)` for each place, one after the other; each row is computed once."""
        table = array("i")
        for place in places:
            known = self._rows.get((name, place))
            if known is None:
                known = self._rows[name, place] = array("i", row(place))
            table.extend(known)
        return table

    def serving(self, dealer_id: int | None) -> bytes:
        """Return, per node, 1 where it may serve the orders of a dealer (None: the brand's)."""
        return bytes(
            node.dealer_id is None or node.dealer_id == dealer_id or node.serves_all
            for node in self.nodes
        )

    def set_loads(self, free_parcels: Sequence[int]) -> None:
        """Take over what each node still takes today."""
        for index, node in enumerate(self.nodes):
            if node.daily_capacity:
                used = node.daily_capacity - max(0, free_parcels[index])
                self.load_permille[index] = min(
                    PERMILLE, max(0, used * PERMILLE // node.daily_capacity)
                )
