"""The network of a tenant as the planner's arrays see it: dense indexes for nodes and sources."""

from array import array
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from backend.inventory.earmarks.model import OpenEarmark, sources_of
from backend.inventory.model import StockSource
from backend.inventory.pools.compile import CompiledLayout
from backend.inventory.warehouses import is_default_source
from backend.network.geo import distance_m
from backend.network.model import FunctionalWarehouse, Node
from backend.network.regions.table import RegionTable
from backend.network.terms import NetworkTerms
from backend.routing.delivery import Delivery
from backend.routing.tariffs import Tariff, tariffs_of

NOWHERE = 0
"""The region of who has not said yet where to: a cart."""
LOAD_UNKNOWN = 0
PERMILLE = 1000
LOAD_STEP_PERMILLE = 10


class Figures(NamedTuple):
    """What is known of nodes, and of SKUs at nodes, from time to time."""

    accuracy_bp: Mapping[int, int] = {}
    """Of 10,000, by node; one that is left out has found all that it should have had."""
    age_days: Mapping[int, Mapping[int, int]] = {}
    """Days since units last came, by SKU and node."""
    price_minor: Mapping[int, Mapping[int, int]] = {}
    """What a unit is worth where it lies (影子价格), by SKU and node."""

    def knows(self, sku_id: int) -> bool:
        """Whether anything is known of a SKU by node."""
        return sku_id in self.price_minor or sku_id in self.age_days


NO_FIGURES = Figures()


class NetworkView:
    """The open nodes of a tenant and the functional warehouses that somebody may sell from.

    Without a layout of pools these are the sellable ones with goods of the node's own party, and
    every order may take from all of them. With one, they are also those that feed a pool, and a
    shop that has shares takes from those that feed its pools, and from what earmarks keep for them.

    Index i of `nodes` is the planner's node i; index s of `sources` its source s, in the order in
    which the stock of a node is used: earmarks first.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        warehouses: Sequence[FunctionalWarehouse],
        regions: RegionTable,
        layout: CompiledLayout | None = None,
        earmarks: Sequence[OpenEarmark] = (),
        terms: NetworkTerms | None = None,
    ) -> None:
        self.regions = regions
        self.terms = terms
        self.nodes = [node for node in nodes if node.is_active]
        self.node_index = {node.id: index for index, node in enumerate(self.nodes)}
        self.layout = layout
        by_id = {node.id: node for node in self.nodes}
        feeding = layout.named_warehouses() if layout else frozenset()
        node_of = {warehouse.id: warehouse.node_id for warehouse in warehouses}
        pools = layout.vertex_of_pool if layout else {}
        kept = [
            source
            for source in sources_of(earmarks, node_of)
            if source.node_id in by_id and source.pool in pools
        ]
        self.sources = kept + [
            StockSource(warehouse.id, warehouse.node_id)
            for warehouse in sorted(warehouses, key=lambda w: (w.rank, w.id))
            if is_default_source(warehouse, by_id.get(warehouse.node_id))
            or (warehouse.id in feeding and warehouse.node_id in by_id)
        ]
        self.source_index = {
            (source.functional_warehouse_id, source.earmark_id): index
            for index, source in enumerate(self.sources)
        }
        self.source_node = array("i", [self.node_index[s.node_id] for s in self.sources])
        self.limited_nodes = {n.id for n in self.nodes if n.daily_capacity is not None}
        """Ids of the nodes that take so many parcels a day."""
        self.load_permille = array("i", [LOAD_UNKNOWN]) * len(self.nodes)
        self.figures = NO_FIGURES
        self.today: date | None = None
        """The day where the brand is, as `look_at` was told."""
        self._hour: datetime | None = None
        self.delivery = Delivery(self.nodes, regions, terms, None)
        self._distances: dict[int, list[int]] = {}
        self._tariffs: dict[int, list[Tariff]] = {}
        self._scope_of_shop: dict[int, int] = {}
        defaults = {w.id for w in warehouses if is_default_source(w, by_id.get(w.node_id))}
        self.scopes = self._scopes(layout, defaults) if layout else b""
        """A row for each scope, with a byte for each source: 1 where it may be taken from."""

    def _scopes(self, layout: CompiledLayout, defaults: set[int]) -> bytes:
        rows = {
            bytes(
                not source.earmark_id and source.functional_warehouse_id in defaults
                for source in self.sources
            ): 0
        }
        for shop_id, vertex in layout.vertex_of_shop.items():
            feeding, pools = layout.upstream[vertex], layout.pools_above(vertex)
            row = bytes(
                source.pool in pools
                if source.earmark_id
                else source.functional_warehouse_id in feeding
                for source in self.sources
            )
            self._scope_of_shop[shop_id] = rows.setdefault(row, len(rows))
        return b"".join(rows)

    def look_at(self, local: datetime, figures: Figures) -> bool:
        """Take over what time it is where the brand is, and what is known of nodes and SKUs.

        Returns whether tables that were made before are to be made anew: another hour has begun,
        nodes dispatch on other days, or something else is known.
        """
        delivery = Delivery(self.nodes, self.regions, self.terms, local)
        hour = local.replace(minute=0, second=0, microsecond=0)
        is_other_time = hour != self._hour or delivery.wait_days != self.delivery.wait_days
        if not is_other_time and figures == self.figures:
            return False
        self._hour, self.today = hour, local.date()
        self.delivery, self.figures = delivery, figures
        return True

    def ready_at(self, node_id: int, local: datetime) -> datetime | None:
        """Return when a node has ready what it is given now; None of one that is closed."""
        index = self.node_index.get(node_id)
        return None if index is None else self.delivery.ready_at(index, local)

    def has_sources_of(self, other: "NetworkView") -> bool:
        """Whether a stock book that is numbered by the other view is numbered by this one too."""
        same_nodes = [node.id for node in self.nodes] == [node.id for node in other.nodes]
        return same_nodes and self.sources == other.sources

    def scope(self, shop_id: int) -> int:
        """Return the row of `scopes` for the orders of a shop; -1 without a layout."""
        return self._scope_of_shop.get(shop_id, 0) if self.layout else -1

    def scope_where(self, scope: int, may_serve: Callable[[int], bool]) -> bytes:
        """Return a row of `scopes` with the sources of some nodes; of all for scope -1."""
        count = len(self.sources)
        row = self.scopes[scope * count : (scope + 1) * count] if scope >= 0 else b"\1" * count
        return bytes(
            may_take and may_serve(source.node_id)
            for may_take, source in zip(row, self.sources, strict=True)
        )

    def may_take(self, shop_id: int, functional_warehouse_id: int) -> bool:
        """Whether the orders of a shop may take from a functional warehouse."""
        source = self.source_index.get((functional_warehouse_id, 0))
        if source is None:
            return False
        scope = self.scope(shop_id)
        return scope < 0 or bool(self.scopes[scope * len(self.sources) + source])

    def may_send(self, seller: tuple[int, int | None], functional_warehouse_id: int) -> bool:
        """Whether orders of a shop, and of the dealer it is of, may be sent from a warehouse."""
        shop_id, dealer_id = seller
        if not self.may_take(shop_id, functional_warehouse_id):
            return False
        return self.nodes[self.node_index[self.node_of(functional_warehouse_id)]].serves(dealer_id)

    def node_of(self, functional_warehouse_id: int) -> int:
        """Return the id of the node of a functional warehouse that somebody may sell from."""
        return self.nodes[self.source_node[self.source_index[functional_warehouse_id, 0]]].id

    def distances_m(self, region_code: int) -> list[int]:
        """Return the distance of each node to a region, in metres; to NOWHERE all are as near."""
        known = self._distances.get(region_code)
        if region_code == NOWHERE:
            known = [0] * len(self.nodes)
        elif known is None:
            region = self.regions.by_code[region_code]
            known = self._distances[region_code] = [
                distance_m(
                    region.longitude_e6, region.latitude_e6, node.longitude_e6, node.latitude_e6
                )
                for node in self.nodes
            ]
        return known

    def tariffs(self, region_code: int) -> list[Tariff]:
        """Return what a parcel of each node to a region costs."""
        known = self._tariffs.get(region_code)
        if known is None:
            lanes, distances = self.delivery.lanes(region_code), self.distances_m(region_code)
            known = self._tariffs[region_code] = tariffs_of(lanes, distances)
        return known

    def serving(self, dealer_id: int | None) -> bytes:
        """Return, per node, 1 where it may serve the orders of a dealer (None: the brand's)."""
        return bytes(node.serves(dealer_id) for node in self.nodes)

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
