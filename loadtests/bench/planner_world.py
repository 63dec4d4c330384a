"""The made-up brand of the planner's benchmark: its network, its policies, its stock, its orders.

Fifty nodes in real Chinese districts: every third has a daily capacity that is used up in part, one
half belongs to each of two legal entities, the last few are dealers'. Nothing is stored anywhere.
"""

from array import array
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import NamedTuple, TypeVar

from backend.network.model import Condition, FunctionalWarehouse, Node, NodeKind
from backend.network.regions.table import bundled_regions
from backend.routing.compile_policy import check_policy, compile_policy
from backend.routing.criteria import CRITERIA
from backend.routing.model import Objective, Place, PlanRequest, PlanRow, PolicyDocument
from backend.routing.network_view import NetworkView
from backend.routing.places import Places
from core_ext import Policy, StockBook
from core_ext.demand import MAY_SPLIT, TAKE_WHAT_IS_THERE, Demand
from core_ext.limits import UNLIMITED
from core_ext.parcel_cost_twin import Policy as TwinPolicy
from core_ext.policy import Limits, pack_weighted
from core_ext.stock_book_twin import StockBook as TwinBook
from loadtests.bench.brands import districts

NODES, SKUS, DESTINATIONS = 50, 2_000, 300
CARRIED = 0.6
"""Share of the SKUs that a node carries: nearly every node has one of three lines."""
UNITS = (20, 200)
"""Of a SKU where it is carried: around the comfortable depth, and no batch sells it out."""
LIMITED_EVERY = 3
DAILY_CAPACITY = 2_000
LEGAL_ENTITIES = (1, 2)
DEALERS = (None, 1, 2)
DEALERS_NODES = 5
DEALERS_SHARE = 0.1
"""Share of the orders that are dealers'."""
QUANTITY_MOST = 3
WEIGHTS_G = (100, 3_000)

POLICY = PolicyDocument(
    objectives=(
        Objective("split"),
        Objective("legal_entity"),
        Objective("distance", band=50_000),
        Objective("node_priority", band=10),
        Objective("node_load", band=100),
        Objective("lead_time", band=240),
        Objective("freight", band=10),
        Objective("stock_depth", band=10),
    )
)
"""Every criterion there is, compared one after another."""

WEIGHED = {
    "split": (1, 300),
    "legal_entity": (1, 500),
    "distance": (20_000, 2),
    "node_priority": (1, 1),
    "node_load": (10, 2),
    "lead_time": (60, 5),
    "freight": (1, 1),
    "stock_depth": (1, 2),
}
"""Every criterion with a band and what a band costs, in fen: one sum that a float holds exactly.

What depends on the parcel has a band of one, so that a parcel never costs more than its parts.
"""


class Brand(NamedTuple):
    """A network as the planner's arrays see it, and what is free in it."""

    view: NetworkView
    free_parcels: list[int]
    destinations: list[Place]
    unit_weights_g: list[int]
    """By SKU; a SKU's id is its position."""
    stock: tuple["array[int]", "array[int]", "array[int]", "array[int]"]
    """SKU, source, free units and version, row by row."""


Book = TypeVar("Book", StockBook, TwinBook)


def made_up_brand(random: Random) -> Brand:
    """Draw a brand."""
    view = NetworkView(_nodes(random), _warehouses(), bundled_regions())
    free_parcels = [
        UNLIMITED if node.daily_capacity is None else random.randrange(500, node.daily_capacity)
        for node in view.nodes
    ]
    view.set_loads(view.loads(free_parcels))
    destinations = [
        Place(code, random.choice(LEGAL_ENTITIES))
        for code in random.sample(districts(), DESTINATIONS)
    ]
    weights = [random.randrange(*WEIGHTS_G) for _ in range(SKUS)]
    stock = drawn_stock(random, [UNITS] * SKUS, len(view.sources))
    return Brand(view, free_parcels, destinations, weights, stock)


def _nodes(random: Random) -> list[Node]:
    regions = bundled_regions().by_code
    places = [regions[code] for code in random.sample(districts(), NODES)]
    return [
        Node(
            id=1_000 + number,
            code=f"node-{number:02}",
            name=place.name,
            kind=NodeKind.STORE if number % 5 else NodeKind.WAREHOUSE,
            region_code=place.code,
            longitude_e6=place.longitude_e6,
            latitude_e6=place.latitude_e6,
            priority=100 if number % 5 else 10,
            daily_capacity=None if number % LIMITED_EVERY else DAILY_CAPACITY,
            lead_time_minutes=random.choice([60, 240, 1_440]),
            legal_entity_id=LEGAL_ENTITIES[number % len(LEGAL_ENTITIES)],
            dealer_id=_dealer(number),
            serves_all=number % 2 == 0,
            is_active=True,
        )
        for number, place in enumerate(places)
    ]


def _dealer(number: int) -> int | None:
    dealers = DEALERS[1:]
    return None if number < NODES - DEALERS_NODES else dealers[number % len(dealers)]


def _warehouses() -> list[FunctionalWarehouse]:
    return [
        FunctionalWarehouse(
            id=5_000 + number,
            node_id=1_000 + number,
            code="good",
            condition=Condition.GOOD,
            purpose="default",
            legal_entity_id=None,
            dealer_id=_dealer(number),
            rank=0,
        )
        for number in range(NODES)
    ]


def drawn_stock(
    random: Random, units: Sequence[tuple[int, int]], sources: int
) -> tuple["array[int]", "array[int]", "array[int]", "array[int]"]:
    """Draw which source carries each SKU, and how much of it between the SKU's bounds."""
    skus, places, free = array("q"), array("i"), array("q")
    for sku, bounds in enumerate(units):
        for source in range(sources):
            if random.random() < CARRIED:
                skus.append(sku)
                places.append(source)
                free.append(random.randrange(*bounds))
    return skus, places, free, array("q", [1]) * len(skus)


def filled(book: Book, brand: Brand) -> Book:
    """Put a brand's stock and capacities into an empty book, and return it."""
    book.put_many(*brand.stock)
    for node, parcels in enumerate(brand.free_parcels):
        book.set_capacity(node, parcels, 1)
    return book


def book_of(brand: Brand) -> StockBook:
    return filled(StockBook(brand.view.source_node, len(brand.view.nodes)), brand)


def twin_book_of(brand: Brand) -> TwinBook:
    return filled(TwinBook(brand.view.source_node, len(brand.view.nodes)), brand)


def numbered(brand: Brand) -> Places:
    """Return the destinations, numbered as they stand."""
    places = Places()
    places.add(brand.destinations)
    return places


def lexicographic_policy(brand: Brand) -> Policy:
    """Compile POLICY as an order's planning does."""
    assert {o.criterion for o in POLICY.objectives} == set(CRITERIA), "name every criterion"
    check_policy(POLICY)
    return compile_policy(POLICY, brand.view, numbered(brand), DEALERS)


def weighted_policy(brand: Brand) -> Policy:
    """Compile WEIGHED."""
    assert set(WEIGHED) == set(CRITERIA), "weigh every criterion"
    places, terms = numbered(brand), []
    for name, (band, _) in WEIGHED.items():
        criterion = CRITERIA[name]
        term = criterion.term(brand.view, places)
        terms.append(replace(term, band=band, limit=max(1, criterion.limit // band)))
    return Policy(
        node_count=len(brand.view.nodes),
        place_count=len(places),
        terms=pack_weighted(terms, [weight for _, weight in WEIGHED.values()]),
        filters=b"".join(brand.view.serving(dealer) for dealer in DEALERS),
        limits=Limits(max_nodes=POLICY.max_nodes),
    )


def twin_policy(policy: Policy) -> TwinPolicy:
    """Return the same policy for the twin."""
    parts = (policy.node_count, policy.place_count, policy.terms, policy.filters)
    return TwinPolicy(*parts, policy.limits, policy.goods_count)


def drawn_requests(brand: Brand, random: Random, orders: int, lines: int) -> list[PlanRequest]:
    """Draw orders of so many lines."""
    weights = brand.unit_weights_g
    return [
        PlanRequest(
            rows=[
                PlanRow(sku, random.randint(1, QUANTITY_MOST), weights[sku])
                for sku in random.sample(range(len(weights)), lines)
            ],
            place=random.choice(brand.destinations),
            shop_id=1,
            dealer_id=random.choice(DEALERS[1:]) if random.random() < DEALERS_SHARE else None,
            take_what_is_there=True,
        )
        for _ in range(orders)
    ]


def demand_of(brand: Brand, requests: Sequence[PlanRequest]) -> Demand:
    """Return the arrays of some orders, for the policies above."""
    places = numbered(brand)
    offsets = array("i", [0])
    for request in requests:
        offsets.append(offsets[-1] + len(request.rows))
    rows = [row for request in requests for row in request.rows]
    return Demand(
        order_offsets=offsets,
        sku=array("q", [row.sku_id for row in rows]),
        quantity=array("q", [row.quantity for row in rows]),
        unit_weight_g=array("q", [row.unit_weight_g for row in rows]),
        place=array("i", [places.number(request.place) for request in requests]),
        filter=array("i", [DEALERS.index(request.dealer_id) for request in requests]),
        flags=array("B", [MAY_SPLIT | TAKE_WHAT_IS_THERE]) * len(requests),
    )
