"""Minutes on the road, from when a parcel leaves the node until the customer has it."""

from backend.routing.criteria.criterion import Criterion, by_place
from backend.routing.model import Place
from backend.routing.network_view import NetworkView

MINUTES_MAX = 65_535
"""A month and a half; what takes longer is equally late."""


def _row(view: NetworkView, place: Place) -> list[int]:
    return view.delivery.road_minutes(place.region_code, view.distances_m(place.region_code))


CRITERION = Criterion(
    name="transit_time",
    unit="minutes",
    range="0 to 65,535",
    source="the transit time of the node's lane, else a road model by distance",
    limit=MINUTES_MAX,
    term=by_place("transit_time", _row, most=MINUTES_MAX),
    looks_at=frozenset({"region_code"}),
)
