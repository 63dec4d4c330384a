"""The network of a tenant as the planner's arrays see it: dense indexes for nodes and sources."""

from array import array
from collections.abc import Sequence

from backend.network.geo import distance_m
from backend.network.model import FunctionalWarehouse, Node
from backend.network.regions.table import RegionTable

LOAD_UNKNOWN = 0
PERMILLE = 1000
LOAD_STEP_PERMILLE = 10


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
        self.limited_nodes = {n.id for n in self.nodes if n.daily_capacity is not None}
        """Ids of the nodes that take so many parcels a day."""
        self.load_permille = array("i", [LOAD_UNKNOWN]) * len(self.nodes)
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

    def serving(self, dealer_id: int | None) -> bytes:
        """Return, per node, 1 where it may serve the orders of a dealer (None: the brand's)."""
        return bytes(
            node.dealer_id is None or node.dealer_id == dealer_id or node.serves_all
            for node in self.nodes
        )

    def loads(self, free_parcels: Sequence[int]) -> list[int]:
        """Return how much of its daily capacity each node has used, in steps of LOAD_STEP_PERMILLE.

        A finer figure would have the policy compiled anew for every batch, and no planner tells
        such nodes apart.
        """
        used = [LOAD_UNKNOWN] * len(self.nodes)
        for index, node in enumerate(self.nodes):
            if node.daily_capacity:
                taken = node.daily_capacity - max(0, free_parcels[index])
                permille = min(PERMILLE, max(0, taken * PERMILLE // node.daily_capacity))
                used[index] = permille - permille % LOAD_STEP_PERMILLE
        return used

    def set_loads(self, loads: Sequence[int]) -> None:
        """Take over what `loads` returned, for the criterion that looks at it."""
        self.load_permille = array("i", loads)
