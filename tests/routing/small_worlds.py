"""Small worlds to plan in: nodes on one meridian, so many metres north of where orders go.

Node n has the functional warehouse 10 · n; the orders go to HERE, on the equator. HERE is a
province; PROVINCE has a CITY with a DISTRICT, all three on the same spot.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from backend.network.model import Condition, FunctionalWarehouse, Lane, Node, NodeKind, Region
from backend.network.regions.table import RegionTable
from backend.network.terms import NetworkTerms
from backend.routing.model import (
    DEFAULT_POLICY,
    Objective,
    OrderFacts,
    OrderPlan,
    Otherwise,
    Place,
    PlanRequest,
    PlanRow,
    PolicyDocument,
    Strategy,
)
from backend.routing.network_view import NO_FIGURES, Figures, NetworkView
from backend.routing.plan_orders import OrderPlanner
from core_ext import StockBook

METRES_A_MICRODEGREE = 0.111_195_08
"""6,371,008.8 m · π / 180 / 1,000,000."""
HERE, ONE_DEGREE_EAST = 1, 2
PROVINCE, CITY, DISTRICT = 33, 3301, 330106
POLICY_VERSION = 4


def region(code: int, longitude_e6: int, parent_code: int | None = None) -> Region:
    return Region(
        code=code,
        country="XX",
        name=f"region {code}",
        parent_code=parent_code,
        level=1,
        longitude_e6=longitude_e6,
        latitude_e6=0,
    )


REGIONS = RegionTable(
    [
        region(HERE, 0),
        region(ONE_DEGREE_EAST, 1_000_000),
        region(PROVINCE, 0),
        region(CITY, 0, PROVINCE),
        region(DISTRICT, 0, CITY),
    ]
)


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


def lane(node_id: int = 1, region_code: int = HERE, **changes: Any) -> Lane:
    """Return a lane of the carrier "sf": 8.00 for the first kilogram, 2.00 for each further one."""
    values: dict[str, Any] = {
        "id": 0,
        "carrier": "sf",
        "base_minor": 800,
        "step_minor": 200,
        "step_g": 1_000,
        "transit_minutes": 600,
        "is_active": True,
    }
    return Lane(node_id=node_id, region_code=region_code, **(values | changes))


def terms(*lanes: Lane, **changes: Any) -> NetworkTerms:
    """Return terms of the network: lanes, and nothing else that is agreed."""
    nodes = {lane.node_id for lane in lanes}
    values: dict[str, Any] = {
        "mark": 1,
        "first_day": date(2026, 11, 26),
        "closed_days": {},
        "lanes": {n: tuple(one for one in lanes if one.node_id == n) for n in nodes},
        "dealers": {},
        "channels": {},
    }
    return NetworkTerms(**(values | changes))


def request(
    units: Mapping[int, int],
    *,
    grams: int = 0,
    needs: int = 0,
    value_minor: int = 0,
    shop_id: int = 1,
    dealer_id: int | None = None,
    takes_what_is_there: bool = False,
    facts: OrderFacts | None = None,
    **place: Any,
) -> PlanRequest:
    """Return an order of units by SKU, each so heavy and worth so much, with the same needs."""
    rows = [PlanRow(sku_id, n, grams, value_minor, needs) for sku_id, n in units.items()]
    going = Place(**({"region_code": HERE} | place))
    return PlanRequest(rows, going, shop_id, dealer_id, takes_what_is_there, facts=facts)


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
        *,
        terms: NetworkTerms | None = None,
        local: datetime | None = None,
        figures: Figures = NO_FIGURES,
    ) -> None:
        """`stock` has units by SKU for each functional warehouse; `local` is what time it is."""
        listed = own_warehouses(nodes) if warehouses is None else warehouses
        self.view = NetworkView(nodes, listed, REGIONS, terms=terms)
        self.book = StockBook(self.view.source_node, max(1, len(self.view.nodes)))
        for warehouse_id, units in stock.items():
            source = self.view.source_index.get((warehouse_id, 0))
            for sku_id, free in units.items() if source is not None else ():
                self.book.put(sku_id, source or 0, free, 1)
        self.planner = OrderPlanner(self.view, document, POLICY_VERSION)
        if local is not None or figures is not NO_FIGURES:
            self.planner.look_at(local or datetime(2026, 11, 26), figures)

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
