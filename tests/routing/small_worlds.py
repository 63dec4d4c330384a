"""Small worlds to plan in: nodes on one meridian, so many metres north of where orders go.

Node n has the functional warehouse 10 · n; the orders go to HERE, on the equator.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from backend.network.model import Condition, FunctionalWarehouse, Node, NodeKind, Region
from backend.network.regions.table import RegionTable
from backend.routing.model import (
    DEFAULT_POLICY,
    Objective,
    OrderPlan,
    Otherwise,
    Place,
    PlanRequest,
    PlanRow,
    PolicyDocument,
    Strategy,
)
from backend.routing.network_view import NetworkView
from backend.routing.plan_orders import OrderPlanner
from core_ext import StockBook

METRES_A_MICRODEGREE = 0.111_195_08
"""6,371,008.8 m · π / 180 / 1,000,000."""
HERE, ONE_DEGREE_EAST = 1, 2
POLICY_VERSION = 4


def region(code: int, longitude_e6: int) -> Region:
    return Region(
        code=code,
        country="XX",
        name=f"region {code}",
        parent_code=None,
        level=1,
        longitude_e6=longitude_e6,
        latitude_e6=0,
    )


REGIONS = RegionTable([region(HERE, 0), region(ONE_DEGREE_EAST, 1_000_000)])


def node(number: int, metres: int = 0, **changes: Any) -> Node:
    """Return an open warehouse so far north of HERE, without any peculiarity."""
    values: dict[str, Any] = {
        "code": f"n{number}",
        "name": f"node {number}",
        "kind": NodeKind.WAREHOUSE,
        "region_code": HERE,
        "longitude_e6": 0,
        "latitude_e6": round(metres / METRES_A_MICRODEGREE),
        "priority": 100,
        "daily_capacity": None,
        "lead_time_minutes": 0,
        "legal_entity_id": None,
        "dealer_id": None,
        "serves_all": True,
        "is_active": True,
    }
    return Node(id=number, **(values | changes))


def warehouse(number: int, node_id: int, **changes: Any) -> FunctionalWarehouse:
    """Return a functional warehouse with sellable goods of the brand."""
    values: dict[str, Any] = {
        "code": f"w{number}",
        "condition": Condition.GOOD,
        "purpose": "default",
        "legal_entity_id": None,
        "dealer_id": None,
        "rank": 0,
    }
    return FunctionalWarehouse(id=number, node_id=node_id, **(values | changes))


def own_warehouses(nodes: Sequence[Node]) -> list[FunctionalWarehouse]:
    """Return a functional warehouse for each node, with goods of the node's own party."""
    return [warehouse(10 * n.id, n.id, dealer_id=n.dealer_id) for n in nodes]


def request(
    units: Mapping[int, int],
    *,
    grams: int = 0,
    region_code: int = HERE,
    legal_entity_id: int | None = None,
    shop_id: int = 1,
    dealer_id: int | None = None,
    takes_what_is_there: bool = False,
) -> PlanRequest:
    """Return an order of units by SKU, of so many grams a unit."""
    rows = [PlanRow(sku_id, quantity, grams) for sku_id, quantity in units.items()]
    place = Place(region_code, legal_entity_id)
    return PlanRequest(rows, place, shop_id, dealer_id, takes_what_is_there)


def policy(criterion: str, band: int | None = None, **changes: Any) -> PolicyDocument:
    """Return a policy that looks at one criterion: the cost of a plan is its value."""
    return compared_by(Objective(criterion, band), **changes)


def compared_by(*objectives: Objective, **changes: Any) -> PolicyDocument:
    """Return a policy of one strategy for all orders; what it leaves waits for stock."""
    values: dict[str, Any] = {"otherwise": Otherwise.BACKORDER} | changes
    return PolicyDocument((Strategy(name="only", objectives=objectives, **values),))


class SmallWorld:
    """A network with its book, and a planner on it."""

    def __init__(
        self,
        nodes: Sequence[Node],
        stock: Mapping[int, Mapping[int, int]],
        document: PolicyDocument = DEFAULT_POLICY,
        warehouses: Sequence[FunctionalWarehouse] | None = None,
    ) -> None:
        """`stock` has units by SKU for each functional warehouse."""
        listed = own_warehouses(nodes) if warehouses is None else warehouses
        self.view = NetworkView(nodes, listed, REGIONS)
        self.book = StockBook(self.view.source_node, max(1, len(self.view.nodes)))
        for warehouse_id, units in stock.items():
            source = self.view.source_index.get((warehouse_id, 0))
            for sku_id, free in units.items() if source is not None else ():
                self.book.put(sku_id, source or 0, free, 1)
        self.planner = OrderPlanner(self.view, document, POLICY_VERSION)

    def set_capacity(self, node_id: int, parcels: int) -> None:
        """Say how many parcels a node still takes today."""
        self.book.set_capacity(self.view.node_index[node_id], parcels, 1)

    def plan(self, *requests: PlanRequest) -> list[OrderPlan]:
        return self.planner.plan(requests, self.book)

    def cost(self, order: PlanRequest) -> int:
        """Return the cost of an order's plan, which must be whole."""
        (plan,) = self.plan(order)
        assert plan.is_whole
        return plan.decision.cost

    def nodes_of(self, order: PlanRequest) -> tuple[int, ...]:
        """Return the nodes that would send an order."""
        (plan,) = self.plan(order)
        return plan.decision.winner_nodes


def shares(plan: OrderPlan) -> list[tuple[int, int, int]]:
    """Return (row, functional warehouse, units) of what a plan takes."""
    return [(a.row, a.functional_warehouse_id, a.quantity) for a in plan.allocations]
