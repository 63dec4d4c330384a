"""就近: the great-circle distance from the node to the point of the order's region."""

from backend.routing.criteria.criterion import Criterion, by_place
from backend.routing.model import Place
from backend.routing.network_view import NetworkView

HALF_AROUND_M = 20_037_508


def _row(view: NetworkView, place: Place) -> list[int]:
    return view.distances_m(place.region_code)


CRITERION = Criterion(
    name="distance",
    unit="m",
    range="0 to 20,037,508 (half the circumference of the earth)",
    source="coordinates of the node; region table for the destination",
    limit=HALF_AROUND_M,
    term=by_place("distance", _row, most=HALF_AROUND_M),
    looks_at=frozenset({"region_code"}),
)
