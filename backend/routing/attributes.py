"""What the conditions of strategies may ask about: orders, and the nodes that might send them."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from backend.catalog.model import Sku
from backend.conditions.attributes import Type, attributes
from backend.network.model import Node
from backend.routing.dealers import is_outside_territory
from backend.routing.goods_needs import Need, lacks, needs_of
from backend.routing.model import OrderFacts, Place, PlanRequest
from backend.routing.network_view import NetworkView

MINUTES_PER_HOUR = 60
METRES_PER_KM = 1_000
MM3_PER_CM3 = 1_000

ORDER_ATTRIBUTES = attributes(
    ("order.channel", Type.TEXT, "The channel of the shop, as in tmall."),
    ("order.shop", Type.TEXT, "The code of the shop."),
    ("order.is_dealers", Type.FLAG, "Whether a dealer owns the shop."),
    ("order.dealer", Type.TEXT, "The number of the dealer that owns the shop."),
    ("order.type", Type.TEXT, "The type of the order, as its channel calls it."),
    ("order.region", Type.SET, "Codes of the district, city and province that it goes to."),
    ("order.amount_minor", Type.NUMBER, "What is to be paid for it, in minor units."),
    ("order.weight_g", Type.NUMBER, "The weight of its goods, as carriers charge it, in grams."),
    ("order.volume_cm3", Type.NUMBER, "The volume of one unit of each of its SKUs, together."),
    ("order.lines", Type.NUMBER, "How many SKUs it has."),
    ("order.units", Type.NUMBER, "How many units it has."),
    ("order.customer_level", Type.NUMBER, "The level of the customer, 0 to 9."),
    ("order.payment", Type.TEXT, "How it is paid."),
    ("order.is_paid", Type.FLAG, "Whether it is paid already, on its platform."),
    ("order.is_presale", Type.FLAG, "Whether it is sold ahead of supplies (预售)."),
    ("order.promised_on", Type.DATE, "The day by which the customer was promised it."),
    ("order.days_to_promise", Type.NUMBER, "Days until then; below 0 once it is over."),
    ("order.tags", Type.SET, "Its tags."),
    ("order.promotions", Type.SET, "Codes of the promotions that it was sold under."),
    ("order.remark", Type.SET, "Words in the customer's remark."),
    ("order.subsidy_region", Type.SET, "Codes of the region whose subsidy it has, and of its own."),
    ("order.needs_installation", Type.FLAG, "Whether some of its goods are installed."),
    ("order.needs", Type.SET, "oversize, chilled, frozen, dangerous, installs."),
    ("goods.skus", Type.SET, "The codes of its SKUs."),
    ("goods.categories", Type.SET, "Their categories."),
    ("goods.product_lines", Type.SET, "Their product lines."),
    ("goods.brands", Type.SET, "Their attributes `brand`."),
    ("goods.tags", Type.SET, "Their attributes `tags`."),
    ("stock.age_days", Type.NUMBER, "Days since units of any of its SKUs last came to a node."),
    ("time.date", Type.DATE, "Today, where the brand is."),
    ("time.weekday", Type.NUMBER, "The day of the week, 1 (Monday) to 7."),
    ("time.of_day", Type.TIME, "The time of the day, where the brand is."),
)
"""Of `when`: of one order at one time."""

NODE_ATTRIBUTES = attributes(
    ("node.code", Type.TEXT, "The node."),
    ("node.kind", Type.TEXT, "warehouse, store, dealer, third_party or platform."),
    ("node.region", Type.SET, "Codes of the district, city and province that it lies in."),
    ("node.priority", Type.NUMBER, "Its priority, 0 first."),
    ("node.is_dealers", Type.FLAG, "Whether a dealer owns it."),
    ("node.capabilities", Type.SET, "oversize, chilled, frozen, dangerous, installs."),
    ("node.service_level", Type.NUMBER, "Its service level, 0 to 9."),
    ("node.keeps_for_region", Type.FLAG, "Whether its stock is meant for its province first."),
    ("node.wait_days", Type.NUMBER, "Days until it dispatches what it is given now."),
    ("node.accuracy_bp", Type.NUMBER, "How much of its stock is there when looked for, of 10,000."),
    ("node.distance_km", Type.NUMBER, "Its distance from where the order goes."),
    ("node.transit_hours", Type.NUMBER, "Hours on the road to where the order goes."),
    ("node.is_same_province", Type.FLAG, "Whether it lies in the province that the order goes to."),
    ("node.is_covered", Type.FLAG, "Whether one of its carriers goes there."),
    ("node.is_in_territory", Type.FLAG, "Whether its dealer, if it has one, sends there."),
    ("node.is_same_entity", Type.FLAG, "Whether it has the legal entity that invoices."),
    ("node.is_same_dealer", Type.FLAG, "Whether the dealer that sells owns it."),
    ("node.can_handle", Type.FLAG, "Whether it can do all that the goods need."),
)
"""Of `nodes`: of one node for one order."""

PLACE_FIELDS_OF_NODE_ATTRIBUTES = {
    "node.distance_km": "region_code",
    "node.transit_hours": "region_code",
    "node.is_same_province": "region_code",
    "node.is_covered": "region_code",
    "node.is_in_territory": "region_code",
    "node.is_same_entity": "legal_entity_id",
    "node.is_same_dealer": "dealer_id",
    "node.can_handle": "needs",
}
"""The field of a place that an attribute depends on; the others depend on the node alone."""

Ask = Callable[[PlanRequest, OrderFacts, NetworkView, datetime | None], Any]

INSTALLS = int(Need.INSTALLS)
_LABELS = {
    int(Need.OVERSIZE): "oversize",
    int(Need.CHILLED): "chilled",
    int(Need.FROZEN): "frozen",
    int(Need.DANGEROUS): "dangerous",
    int(Need.INSTALLS): "installs",
}


def _region_codes(view: NetworkView, region_code: int | None) -> set[str]:
    ancestors = view.regions.ancestors(region_code) if region_code else []
    return {str(region.code) for region in ancestors}


def _labels(facts: OrderFacts, attribute: str) -> set[str]:
    """Return a text attribute of the SKUs, or the texts of a list."""
    found: set[str] = set()
    for sku in facts.skus:
        value = sku.attributes.get(attribute)
        found.update(part for part in (value if isinstance(value, list) else [value]) if part)
    return {part for part in found if isinstance(part, str)}


def _days_to_promise(facts: OrderFacts, local: datetime | None) -> int | None:
    promised = facts.traits.promised_on
    return None if promised is None or local is None else (promised - local.date()).days


def _age_days(facts: OrderFacts, view: NetworkView) -> int | None:
    ages = [view.figures.age_days.get(sku.id, {}) for sku in facts.skus]
    return max((days for by_node in ages for days in by_node.values()), default=None)


def _needs(facts: OrderFacts) -> int:
    needs = 0
    for sku in facts.skus:
        needs |= needs_of(sku)
    return needs


def _volume_cm3(skus: Collection[Sku]) -> int:
    return sum(sku.length_mm * sku.width_mm * sku.height_mm for sku in skus) // MM3_PER_CM3


_ASK: dict[str, Ask] = {
    "order.channel": lambda _, facts, *__: facts.shop.channel,
    "order.shop": lambda _, facts, *__: facts.shop.code,
    "order.is_dealers": lambda request, *_: request.dealer_id is not None,
    "order.dealer": lambda request, *_: str(request.dealer_id) if request.dealer_id else None,
    "order.type": lambda _, facts, *__: facts.traits.order_type,
    "order.region": lambda request, _, view, __: _region_codes(view, request.place.region_code),
    "order.amount_minor": lambda _, facts, *__: facts.amount_minor,
    "order.weight_g": lambda _, facts, *__: facts.weight_g,
    "order.volume_cm3": lambda _, facts, *__: _volume_cm3(facts.skus),
    "order.lines": lambda _, facts, *__: len(facts.skus),
    "order.units": lambda _, facts, *__: facts.units,
    "order.customer_level": lambda _, facts, *__: facts.traits.customer_level,
    "order.payment": lambda _, facts, *__: facts.traits.payment,
    "order.is_paid": lambda _, facts, *__: facts.is_paid,
    "order.is_presale": lambda _, facts, *__: facts.is_presale,
    "order.promised_on": lambda _, facts, *__: facts.traits.promised_on,
    "order.days_to_promise": lambda _, facts, __, local: _days_to_promise(facts, local),
    "order.tags": lambda _, facts, *__: facts.traits.tags,
    "order.promotions": lambda _, facts, *__: facts.traits.promotions,
    "order.remark": lambda _, facts, *__: facts.remark,
    "order.subsidy_region": lambda _, facts, view, __: _region_codes(
        view, facts.traits.subsidy_region
    ),
    "order.needs_installation": lambda _, facts, *__: bool(_needs(facts) & INSTALLS),
    "order.needs": lambda _, facts, *__: {
        label for need, label in _LABELS.items() if _needs(facts) & need
    },
    "goods.skus": lambda _, facts, *__: {sku.code for sku in facts.skus},
    "goods.categories": lambda _, facts, *__: {sku.category for sku in facts.skus},
    "goods.product_lines": lambda _, facts, *__: {sku.product_line for sku in facts.skus},
    "goods.brands": lambda _, facts, *__: _labels(facts, "brand"),
    "goods.tags": lambda _, facts, *__: _labels(facts, "tags"),
    "stock.age_days": lambda _, facts, view, __: _age_days(facts, view),
    "time.date": lambda *parts: parts[-1] and parts[-1].date(),
    "time.weekday": lambda *parts: parts[-1] and parts[-1].isoweekday(),
    "time.of_day": lambda *parts: (
        parts[-1] and parts[-1].hour * MINUTES_PER_HOUR + parts[-1].minute
    ),
}
assert _ASK.keys() == ORDER_ATTRIBUTES.keys(), "every attribute is asked for in one way"


def facts_of_order(
    wanted: Collection[str], request: PlanRequest, view: NetworkView, local: datetime | None
) -> Mapping[str, Any]:
    """Return the wanted attributes of an order; those that nobody knows are None."""
    facts = request.facts
    if facts is None:
        return {}
    return {name: _ASK[name](request, facts, view, local) for name in wanted}


def facts_of_nodes(view: NetworkView, place: Place) -> list[dict[str, Any]]:
    """Return what `nodes` may ask about each node, for orders to a place."""
    distances = view.distances_m(place.region_code)
    lanes = view.delivery.lanes(place.region_code)
    roads = view.delivery.road_minutes(place.region_code, distances)
    province = view.delivery.province_of(place.region_code)
    return [
        _of_node_alone(view, index, node)
        | {
            "node.distance_km": distances[index] // METRES_PER_KM,
            "node.transit_hours": roads[index] // MINUTES_PER_HOUR,
            "node.is_same_province": view.delivery.province_of(node.region_code) == province,
            "node.is_covered": lanes[index] is not None or not view.delivery.has_lanes(index),
            "node.is_in_territory": not is_outside_territory(view, node, place.region_code),
            "node.is_same_entity": node.legal_entity_id == place.legal_entity_id,
            "node.is_same_dealer": node.dealer_id is not None and node.dealer_id == place.dealer_id,
            "node.can_handle": not lacks(place.needs, node.capabilities),
        }
        for index, node in enumerate(view.nodes)
    ]


def _of_node_alone(view: NetworkView, index: int, node: Node) -> dict[str, Any]:
    return {
        "node.code": node.code,
        "node.kind": node.kind.value,
        "node.region": _region_codes(view, node.region_code),
        "node.priority": node.priority,
        "node.is_dealers": node.dealer_id is not None,
        "node.capabilities": {capability.value for capability in node.capabilities},
        "node.service_level": node.service_level,
        "node.keeps_for_region": node.keeps_for_region,
        "node.wait_days": view.delivery.wait_days[index],
        "node.accuracy_bp": view.figures.accuracy_bp.get(node.id, 10_000),
    }
