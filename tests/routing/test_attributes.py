"""What conditions may ask about is what it says, attribute by attribute."""

from datetime import date, datetime
from typing import Any

import pytest

from backend.catalog.model import Sku
from backend.channels.model import Shop
from backend.conditions.compile import compile_condition
from backend.network.model import Capability, DealerTerms, NodeKind
from backend.routing.attributes import (
    NODE_ATTRIBUTES,
    ORDER_ATTRIBUTES,
    PLACE_FIELDS_OF_NODE_ATTRIBUTES,
    facts_of_nodes,
    facts_of_order,
)
from backend.routing.goods_needs import Need, charged_weight_g, needs_of
from backend.routing.model import OrderFacts, Place
from backend.routing.network_view import Figures, NetworkView
from backend.routing.traits import OrderTraits
from tests.routing.policies import when
from tests.routing.small_worlds import (
    CITY,
    DISTRICT,
    ONE_DEGREE_EAST,
    PROVINCE,
    REGIONS,
    lane,
    node,
    request,
    terms,
)

THURSDAY = datetime(2026, 11, 26, 20, 15)


def sku(number: int = 1, **changes: Any) -> Sku:
    values: dict[str, Any] = {
        "code": f"S{number}",
        "name": "",
        "category": "TV",
        "product_line": "Q",
        "weight_g": 2_000,
        "length_mm": 100,
        "width_mm": 200,
        "height_mm": 300,
        "needs_installation": False,
        "attributes": {},
        "is_active": True,
    }
    return Sku(id=number, **(values | changes))


TELEVISION = sku(
    1,
    length_mm=1_300,
    needs_installation=True,
    attributes={"brand": "Acme", "tags": ["new", "", 7, "live"], "dangerous": "true"},
)
SOUP = sku(
    2,
    category="food",
    product_line="",
    attributes={"brand": ["A", "B"], "temperature": "frozen", "tags": None},
)
SHOP = Shop(
    id=1,
    code="flagship",
    name="",
    channel="tmall",
    dealer_id=5,
    legal_entity_id=None,
    is_active=True,
)
TRAITS = OrderTraits(
    order_type="exchange",
    customer_level=4,
    payment="alipay",
    promised_on=date(2026, 11, 28),
    tags=("vip", "gift"),
    promotions=("1111",),
    subsidy_region=CITY,
)
FACTS = OrderFacts(
    shop=SHOP,
    skus=(TELEVISION, SOUP),
    units=7,
    weight_g=9_000,
    amount_minor=123,
    remark="请尽快发货",
    is_paid=True,
    is_presale=False,
    traits=TRAITS,
)
AGES = Figures(age_days={1: {1: 3, 2: 8}, 2: {1: 5}})

OF_ORDER: dict[str, Any] = {
    "order.channel": "tmall",
    "order.shop": "flagship",
    "order.is_dealers": True,
    "order.dealer": "5",
    "order.type": "exchange",
    "order.region": {"33", "3301", "330106"},
    "order.amount_minor": 123,
    "order.weight_g": 9_000,
    "order.volume_cm3": 1_300 * 200 * 300 // 1_000 + 6_000,
    "order.lines": 2,
    "order.units": 7,
    "order.customer_level": 4,
    "order.payment": "alipay",
    "order.is_paid": True,
    "order.is_presale": False,
    "order.promised_on": date(2026, 11, 28),
    "order.days_to_promise": 2,
    "order.tags": ("vip", "gift"),
    "order.promotions": ("1111",),
    "order.remark": "请尽快发货",
    "order.subsidy_region": {"33", "3301"},
    "order.needs_installation": True,
    "order.needs": {"oversize", "frozen", "installs"},
    "goods.skus": {"S1", "S2"},
    "goods.categories": {"TV", "food"},
    "goods.product_lines": {"Q", ""},
    "goods.brands": {"Acme", "A", "B"},
    "goods.tags": {"new", "live"},
    "stock.age_days": 8,
    "time.date": date(2026, 11, 26),
    "time.weekday": 4,
    "time.of_day": 20 * 60 + 15,
}
UNKNOWN: dict[str, Any] = {
    "order.dealer": None,
    "order.is_dealers": False,
    "order.promised_on": None,
    "order.days_to_promise": None,
    "order.subsidy_region": set(),
    "order.region": set(),
    "order.type": "",
    "order.tags": (),
    "order.needs": set(),
    "stock.age_days": None,
    "time.date": None,
    "time.weekday": None,
    "time.of_day": None,
}
"""Of an order of the brand's, of ordinary goods, of which nothing is said, at no time."""


def view(*nodes: Any, agreed: Any = None) -> NetworkView:
    return NetworkView(nodes, [], REGIONS, terms=agreed)


def of_order(name: str) -> Any:
    network = view(node(1))
    network.look_at(THURSDAY, AGES)
    order = request({1: 1}, facts=FACTS, dealer_id=5, region_code=DISTRICT)
    return facts_of_order([name], order, network, THURSDAY)[name]


def test_every_attribute_of_an_order_is_tried() -> None:
    assert OF_ORDER.keys() == ORDER_ATTRIBUTES.keys()


@pytest.mark.parametrize("name", OF_ORDER)
def test_an_attribute_of_an_order(name: str) -> None:
    assert of_order(name) == OF_ORDER[name]


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_nobody_says_of_an_order(name: str) -> None:
    facts = OrderFacts(shop=SHOP, skus=(sku(),))
    order = request({1: 1}, facts=facts, region_code=0)
    assert facts_of_order([name], order, view(), None)[name] == UNKNOWN[name]


@pytest.mark.parametrize(
    ("attribute", "operator", "value", "expected"),
    [
        ("order.region", "contains", "33", True),
        ("order.region", "contains", "3", False),
        ("order.remark", "contains", "尽快", True),
        ("order.remark", "contains", "慢慢", False),
        ("order.tags", "contains", "gift", True),
        ("order.tags", "contains", "gif", False),
        ("order.days_to_promise", "at_most", "2", True),
        ("order.promised_on", "between", "2026-11-28 2026-11-30", True),
        ("time.of_day", "between", "20:00 02:00", True),
        ("time.date", "equals", "2026-11-27", False),
        ("order.subsidy_region", "contains", "330106", False),
    ],
)
def test_conditions_compare_attributes_of_an_order(
    attribute: str, operator: str, value: str, expected: bool
) -> None:
    check = compile_condition(when(attribute, operator, *value.split()), ORDER_ATTRIBUTES)
    assert check({attribute: of_order(attribute)}) is expected


# ------------------------------------------------------------------------------------ nodes

DEALER = 5
THERE = node(
    1,
    250_999,
    kind=NodeKind.DEALER,
    region_code=DISTRICT,
    priority=7,
    dealer_id=DEALER,
    legal_entity_id=3,
    capabilities=frozenset({Capability.INSTALLS, Capability.FROZEN}),
    service_level=6,
    keeps_for_region=True,
    cut_off_minute=60,
)
BARE = node(2)
AGREED = terms(
    lane(1, CITY, transit_minutes=179),
    dealers={DEALER: DealerTerms(dealer_id=DEALER, territory=(PROVINCE,))},
)
ORDERED = Place(CITY, 3, dealer_id=DEALER, needs=Need.INSTALLS)
OF_NODES: dict[str, tuple[Any, Any]] = {
    "node.code": ("n1", "n2"),
    "node.kind": ("dealer", "warehouse"),
    "node.region": ({"33", "3301", "330106"}, {"1"}),
    "node.priority": (7, 100),
    "node.is_dealers": (True, False),
    "node.capabilities": ({"installs", "frozen"}, set()),
    "node.service_level": (6, 0),
    "node.keeps_for_region": (True, False),
    "node.wait_days": (1, 0),
    "node.accuracy_bp": (9_500, 10_000),
    "node.distance_km": (250, 0),
    "node.transit_hours": (2, 0),
    "node.is_same_province": (True, False),
    "node.is_covered": (True, True),
    "node.is_in_territory": (True, True),
    "node.is_same_entity": (True, False),
    "node.is_same_dealer": (True, False),
    "node.can_handle": (True, False),
}
ELSEWHERE: dict[str, tuple[Any, Any]] = {
    "node.is_same_province": (False, False),
    "node.is_covered": (False, True),
    "node.is_in_territory": (False, True),
    "node.is_same_entity": (False, True),
    "node.is_same_dealer": (False, False),
    "node.can_handle": (False, False),
    "node.transit_hours": (5, 2),
    "node.distance_km": (274, 111),
}
"""Of an order of the brand's to ONE_DEGREE_EAST, of chilled goods, without a legal entity: 251 km
north and 111 km east are 274.5 km; 30 and 274 minutes are 5 hours, 30 and 111 are 2."""


def of_nodes(name: str, place: Place) -> tuple[Any, Any]:
    network = view(THERE, BARE, agreed=AGREED)
    network.look_at(THURSDAY, Figures(accuracy_bp={1: 9_500}))
    there, bare = facts_of_nodes(network, place)
    return there[name], bare[name]


def test_every_attribute_of_a_node_is_tried() -> None:
    assert OF_NODES.keys() == NODE_ATTRIBUTES.keys()
    assert PLACE_FIELDS_OF_NODE_ATTRIBUTES.keys() == ELSEWHERE.keys()
    assert set(PLACE_FIELDS_OF_NODE_ATTRIBUTES.values()) <= set(Place._fields)


@pytest.mark.parametrize("name", OF_NODES)
def test_an_attribute_of_a_node(name: str) -> None:
    assert of_nodes(name, ORDERED) == OF_NODES[name]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_an_attribute_of_a_node_for_another_order(name: str) -> None:
    other = Place(ONE_DEGREE_EAST, None, needs=Need.CHILLED)
    assert of_nodes(name, other) == ELSEWHERE[name]


@pytest.mark.parametrize("name", sorted(NODE_ATTRIBUTES.keys() - ELSEWHERE.keys()))
def test_the_other_attributes_are_of_the_node_alone(name: str) -> None:
    other = Place(ONE_DEGREE_EAST, 9, dealer_id=1, needs=Need.CHILLED)
    assert of_nodes(name, other) == OF_NODES[name]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_place_is_looked_at_by_the_field_that_matters(name: str) -> None:
    """Another value of all other fields changes nothing."""
    field = PLACE_FIELDS_OF_NODE_ATTRIBUTES[name]
    other = Place(ONE_DEGREE_EAST, 8, dealer_id=1, needs=Need.CHILLED, channel="jd")
    mixed = other._replace(**{field: getattr(ORDERED, field)})
    assert of_nodes(name, mixed) == OF_NODES[name]


# ------------------------------------------------------------------------------------ goods


@pytest.mark.parametrize(
    ("changes", "needs"),
    [
        ({}, 0),
        ({"length_mm": 1_200}, 0),
        ({"height_mm": 1_201}, Need.OVERSIZE),
        ({"weight_g": 30_000}, 0),
        ({"weight_g": 30_001}, Need.OVERSIZE),
        ({"needs_installation": True}, Need.INSTALLS),
        ({"attributes": {"temperature": "chilled"}}, Need.CHILLED),
        ({"attributes": {"temperature": "warm"}}, 0),
        ({"attributes": {"temperature": ["frozen"]}}, 0),
        ({"attributes": {"dangerous": True}}, Need.DANGEROUS),
        ({"attributes": {"dangerous": 1}}, 0),
        (
            {"attributes": {"dangerous": True, "temperature": "frozen"}, "width_mm": 5_000},
            Need.DANGEROUS | Need.FROZEN | Need.OVERSIZE,
        ),
    ],
)
def test_what_goods_need(changes: dict[str, Any], needs: int) -> None:
    assert needs_of(sku(**changes)) == needs


@pytest.mark.parametrize(
    ("edges_mm", "weight_g", "charged_g"),
    [
        ((100, 200, 300), 2_000, 2_000),
        ((100, 200, 300), 500, 1_000),
        ((0, 0, 0), 500, 500),
        ((60, 100, 100), 99, 100),
        ((0, 0, 0), 0, 1),
    ],
)
def test_the_charged_weight_is_that_of_the_volume_where_it_is_more(
    edges_mm: tuple[int, int, int], weight_g: int, charged_g: int
) -> None:
    """6,000 cm³ are a kilogram."""
    length, width, height = edges_mm
    there = sku(length_mm=length, width_mm=width, height_mm=height, weight_g=weight_g)
    assert charged_weight_g(there) == charged_g
