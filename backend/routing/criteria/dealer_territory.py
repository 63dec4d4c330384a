"""经销区域: whether a dealer's node would send to where the dealer has no territory."""

from backend.routing.criteria.criterion import Criterion, by_place
from backend.routing.dealers import is_outside_territory
from backend.routing.model import Place
from backend.routing.network_view import NetworkView


def _row(view: NetworkView, place: Place) -> list[int]:
    return [int(is_outside_territory(view, node, place.region_code)) for node in view.nodes]


CRITERION = Criterion(
    name="dealer_territory",
    unit="parcels outside the territory",
    range="0 or 1",
    source="the territory agreed with the dealer that owns the node",
    limit=1,
    term=by_place("dealer_territory", _row, most=1),
    looks_at=frozenset({"region_code"}),
)
