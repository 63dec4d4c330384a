"""Levels by which the service of a node falls short of the customer's level."""

from backend.routing.criteria.criterion import Criterion, by_place
from backend.routing.model import Place
from backend.routing.network_view import NetworkView
from backend.routing.traits import LEVEL_MAX


def _row(view: NetworkView, place: Place) -> list[int]:
    return [max(0, place.customer_level - node.service_level) for node in view.nodes]


CRITERION = Criterion(
    name="customer_level",
    unit="levels",
    range="0 to 9",
    source="the customer's level in the order; the service level of the node",
    limit=LEVEL_MAX,
    term=by_place("customer_level", _row, most=LEVEL_MAX),
    looks_at=frozenset({"customer_level"}),
)
