"""The made-up brand of the planner's benchmark: its network, its policies, its stock, its orders.

Fifty nodes in real Chinese districts: every third has a daily capacity that is used up in part, one
half belongs to each of two legal entities, the last few are dealers'. Nothing is stored anywhere.
"""

from array import array
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple, TypeVar

from backend.channels.model import Shop
from backend.conditions.model import Comparison, Condition, Operator
from backend.network.model import Condition as GoodsCondition
from backend.network.model import FunctionalWarehouse, Node, NodeKind
from backend.network.regions.table import bundled_regions
from backend.routing.check_policy import check_policy
from backend.routing.goods_needs import Need
from backend.routing.model import (
    Objective,
    OrderFacts,
    Otherwise,
    Place,
    PlanRequest,
    PlanRow,
    PolicyDocument,
    Preset,
    Strategy,
    Weighed,
)
from backend.routing.network_view import NetworkView
from backend.routing.plan_orders import OrderPlanner
from backend.routing.traits import OrderTraits
from core_ext import Policy, StockBook
from core_ext.limits import UNLIMITED
from core_ext.parcel_cost_twin import Policy as TwinPolicy
from core_ext.stock_book_twin import StockBook as TwinBook
from loadtests.bench.brands import districts
from loadtests.bench.planner_terms import drawn_figures, drawn_node_terms, drawn_terms

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
PRICES = (1_000, 30_000)
NEEDS = (*[Need(0)] * 7, Need.OVERSIZE, Need.FROZEN, Need.INSTALLS)

LOCAL = datetime(2026, 11, 26, 15, 30)
"""The time at which all is planned: some nodes have passed their cut-off."""
PROMISED_DAYS = (None, 0, 2, 4)
SHADOWED_SKUS = 200
"""SKUs with a shadow price and a known age at every node."""

SPLIT, LATE = Objective("split"), Objective("promised_date")
LEFT_OUT = {"split", "promised_date", "stock_depth"}
"""Compared before all others, or behind them."""
WEIGHED = {
    "cross_region": (1, 200),
    "node_priority": (1, 1),
    "node_load": (10, 2),
    "lead_time": (60, 5),
    "transit_time": (60, 3),
    "freight": (1, 1),
    "handling": (1, 1),
    "dealer_margin": (1, 1),
    "distance": (20_000, 2),
    "cut_off": (1, 100),
    "parcels": (1, 50),
    "consolidation": (1, 30),
    "node_kind": (1, 20),
    "reject_rate": (100, 5),
    "region_reserve": (1, 60),
    "carrier_coverage": (1, 5_000),
    "legal_entity": (1, 500),
    "dealer_territory": (1, 900),
    "dealer_performance": (100, 5),
    "channel_commission": (50, 3),
    "customer_level": (1, 40),
    "subsidy_region": (1, 700),
    "carbon": (1, 1),
    "oversize": (1, 3_000),
    "temperature": (1, 4_000),
    "dangerous_goods": (1, 4_000),
    "installation_service": (1, 800),
    "stock_age": (1, 1),
    "opportunity_cost": (1, 1),
}
"""Criteria with a band and what a band costs, in fen: one sum, most in minor units.

What depends on the parcel has a band of one, so that a parcel never costs more than its parts.
"""
ALL_WEIGHED = WEIGHED | {"split": (1, 300), "promised_date": (1, 400), "stock_depth": (1, 2)}
"""Every criterion there is, in a sum that a float holds exactly."""


def _sum(weights: Mapping[str, tuple[int, int]]) -> Objective:
    return Objective(
        sum=tuple(
            Weighed(name, weight, None if band == 1 else band)
            for name, (band, weight) in weights.items()
        )
    )


def _test(attribute: str, operator: Operator, *values: str) -> Condition:
    return Condition(test=Comparison(attribute, operator, values))


ALL_CRITERIA = (SPLIT, LATE, _sum(WEIGHED), Objective("stock_depth", band=10))
"""Fewest nodes, nothing late, then what it costs, then depth: every criterion there is."""


def _strategy(name: str, **changes: Any) -> Strategy:
    values: dict[str, Any] = {"objectives": ALL_CRITERIA, "max_parcels": 10} | changes
    return Strategy(name=name, **values)


POLICY = PolicyDocument(
    (
        _strategy(
            "frozen",
            when=_test("order.needs", Operator.CONTAINS, "frozen"),
            nodes=_test("node.can_handle", Operator.EQUALS, "true"),
        ),
        _strategy(
            "express",
            when=_test("order.days_to_promise", Operator.AT_MOST, "0"),
            nodes=_test("node.wait_days", Operator.AT_MOST, "0"),
        ),
        _strategy(
            "best customers",
            when=_test("order.customer_level", Operator.AT_LEAST, "5"),
            max_parcels=1,
            whole_only=True,
        ),
        _strategy(
            "subsidised",
            when=_test("order.tags", Operator.CONTAINS, "subsidised"),
            nodes=_test("node.is_same_province", Operator.EQUALS, "true"),
        ),
        _strategy(
            "large amounts",
            when=_test("order.amount_minor", Operator.AT_LEAST, "60000"),
            nodes=_test("node.kind", Operator.EQUALS, "warehouse"),
            whole_only=True,
        ),
        _strategy(
            "dealers",
            when=_test("order.is_dealers", Operator.EQUALS, "true"),
            nodes=_test("node.is_in_territory", Operator.EQUALS, "true"),
        ),
        _strategy(
            "live streams",
            when=_test("order.channel", Operator.EQUALS, "douyin"),
            least_parcel_minor=1_000,
        ),
        _strategy(
            "near",
            nodes=_test("node.distance_km", Operator.AT_MOST, "1000"),
            max_parcels=2,
            whole_only=True,
        ),
        _strategy("everywhere", max_parcels=3, whole_only=True),
        _strategy("whatever", otherwise=Otherwise.BACKORDER),
    )
)
"""Ten strategies, each with every criterion; an order goes through up to nine of them."""
WEIGHTED = PolicyDocument(
    (Strategy(name="sum", objectives=(_sum(ALL_WEIGHED),), otherwise=Otherwise.BACKORDER),)
)
"""One strategy, in which it pays to split some orders."""
CHEAPEST = PolicyDocument(
    (Strategy(name="cheapest", preset=Preset.COST, otherwise=Otherwise.BACKORDER),)
)
LAST_UNITS, CONTESTED_SKUS, CONTESTED_ORDERS, CONTESTED_CARRIED = (1, 3), 40, 50, 0.1
"""Of a batch in which orders want the same SKUs, of which five nodes have one or two each."""
SHOPS = tuple(
    Shop(
        id=number,
        code=channel,
        name=channel,
        channel=channel,
        dealer_id=None,
        legal_entity_id=None,
        is_active=True,
    )
    for number, channel in enumerate(("tmall", "jd", "douyin", "pinduoduo"), 1)
)


class Brand(NamedTuple):
    """A network as the planner's arrays see it, and what is free in it."""

    view: NetworkView
    free_parcels: list[int]
    destinations: list[int]
    """Codes of districts."""
    unit_weights_g: list[int]
    """By SKU; a SKU's id is its position."""
    needs: list[int]
    """By SKU: bits of what goods need."""
    stock: tuple["array[int]", "array[int]", "array[int]", "array[int]"]
    """SKU, source, free units and version, row by row."""


Book = TypeVar("Book", StockBook, TwinBook)


def made_up_brand(random: Random) -> Brand:
    """Draw a brand."""
    nodes = _nodes(random)
    terms = drawn_terms(random, nodes, LOCAL.date())
    view = NetworkView(nodes, _warehouses(), bundled_regions(), terms=terms)
    view.look_at(LOCAL, drawn_figures(random, [node.id for node in nodes], SHADOWED_SKUS))
    free_parcels = [
        UNLIMITED if node.daily_capacity is None else random.randrange(500, node.daily_capacity)
        for node in view.nodes
    ]
    weights = [random.randrange(*WEIGHTS_G) for _ in range(SKUS)]
    needs = [int(random.choice(NEEDS)) for _ in range(SKUS)]
    stock = drawn_stock(random, [UNITS] * SKUS, len(view.sources))
    destinations = random.sample(districts(), DESTINATIONS)
    return Brand(view, free_parcels, destinations, weights, needs, stock)


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
            **drawn_node_terms(random),
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
            condition=GoodsCondition.GOOD,
            purpose="default",
            legal_entity_id=None,
            dealer_id=_dealer(number),
            rank=0,
        )
        for number in range(NODES)
    ]


def drawn_stock(
    random: Random, units: Sequence[tuple[int, int]], sources: int, carried: float = CARRIED
) -> tuple["array[int]", "array[int]", "array[int]", "array[int]"]:
    """Draw which source carries each SKU, and how much of it between the SKU's bounds."""
    skus, places, free = array("q"), array("i"), array("q")
    for sku, bounds in enumerate(units):
        for source in range(sources):
            if random.random() < carried:
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


def planner_of(brand: Brand, document: PolicyDocument) -> OrderPlanner:
    """Return a planner under a policy; raises InvalidPolicy."""
    check_policy(document)
    planner = OrderPlanner(brand.view, document, 1)
    planner.local = LOCAL
    return planner


def twin_policies(policies: Sequence[Policy]) -> list[TwinPolicy]:
    """Return the same policies for the twin."""
    return [
        TwinPolicy(p.node_count, p.place_count, p.terms, p.filters, p.limits, p.goods_count)
        for p in policies
    ]


def drawn_requests(brand: Brand, random: Random, orders: int, lines: int) -> list[PlanRequest]:
    """Draw orders of so many lines."""
    return [
        drawn_request(
            brand,
            random,
            [
                (sku, random.randint(1, QUANTITY_MOST))
                for sku in random.sample(range(len(brand.unit_weights_g)), lines)
            ],
        )
        for _ in range(orders)
    ]


def last_units(brand: Brand, random: Random) -> Brand:
    """Return the brand with so few units of each SKU that orders want the same ones."""
    few, sources = [LAST_UNITS] * CONTESTED_SKUS, len(brand.view.sources)
    stock = drawn_stock(random, few, sources, CONTESTED_CARRIED)
    return brand._replace(stock=stock)


def contested_requests(brand: Brand, random: Random) -> list[PlanRequest]:
    """Draw a batch of orders of one or two SKUs that few are left of."""
    return [
        drawn_request(
            brand,
            random,
            [(sku, 1) for sku in random.sample(range(CONTESTED_SKUS), random.choice((1, 1, 2)))],
        )
        for _ in range(CONTESTED_ORDERS)
    ]


def drawn_request(brand: Brand, random: Random, units: Sequence[tuple[int, int]]) -> PlanRequest:
    """Draw the rest of an order of units by SKU."""
    shop = random.choice(SHOPS)
    dealer_id = random.choice(DEALERS[1:]) if random.random() < DEALERS_SHARE else None
    promised = random.choice(PROMISED_DAYS)
    region_code = random.choice(brand.destinations)
    traits = OrderTraits(
        customer_level=random.choice((0, 0, 0, 3, 6)),
        promised_on=None if promised is None else LOCAL.date() + timedelta(days=promised),
        tags=("subsidised",) if random.random() < DEALERS_SHARE else (),
    )
    rows = [
        PlanRow(
            sku, quantity, brand.unit_weights_g[sku], random.randrange(*PRICES), brand.needs[sku]
        )
        for sku, quantity in units
    ]
    return PlanRequest(
        rows=rows,
        place=Place(
            region_code,
            random.choice(LEGAL_ENTITIES),
            channel=shop.channel,
            customer_level=traits.customer_level,
            promised_on=traits.promised_on,
            subsidy_region=region_code if traits.tags else None,
        ),
        shop_id=shop.id,
        dealer_id=dealer_id,
        take_what_is_there=True,
        facts=OrderFacts(
            shop=shop,
            skus=(),
            units=sum(row.quantity for row in rows),
            weight_g=sum(row.quantity * row.unit_weight_g for row in rows),
            amount_minor=sum(row.quantity * row.unit_value_minor for row in rows),
            traits=traits,
        ),
    )
