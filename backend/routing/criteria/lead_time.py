"""时效: minutes from release at the node to the customer: its own lead time, and the road."""

from backend.routing.criteria.criterion import Criterion, by_place
from backend.routing.model import Place
from backend.routing.network_view import NetworkView

MINUTES_MAX = 65_535
"""A month and a half; what takes longer is equally late."""


def _row(view: NetworkView, place: Place) -> list[int]:
    distances = view.distances_m(place.region_code)
    roads = view.delivery.road_minutes(place.region_code, distances)
    return [
        node.lead_time_minutes + minutes for node, minutes in zip(view.nodes, roads, strict=True)
    ]


CRITERION = Criterion(
    name="lead_time",
    unit="minutes",
    range="0 to 65,535",
    source="the node's lead time; the transit time of its lane, else a road model by distance",
    limit=MINUTES_MAX,
    term=by_place("lead_time", _row, most=MINUTES_MAX),
    looks_at=frozenset({"region_code"}),
)
