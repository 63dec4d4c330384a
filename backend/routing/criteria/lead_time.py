"""时效: minutes from release at the node to the customer.

The node's own lead time, and on the road 30 minutes and a minute a kilometre: the pace of Chinese
road parcels over the day, with sorting (a round figure until carriers' lanes give a better one).
"""

from backend.routing.criteria.criterion import Criterion
from backend.routing.model import Place
from backend.routing.network_view import NetworkView
from backend.routing.places import Places
from core_ext.policy import Kind, Term

ROAD_START_MINUTES = 30
METRES_PER_MINUTE = 1_000
MINUTES_MAX = 65_535
"""A month and a half; what takes longer is equally late."""


def _term(view: NetworkView, places: Places) -> Term:
    def row(place: Place) -> list[int]:
        return [
            min(
                MINUTES_MAX,
                node.lead_time_minutes + ROAD_START_MINUTES + distance // METRES_PER_MINUTE,
            )
            for node, distance in zip(view.nodes, view.distances_m(place.region_code), strict=True)
        ]

    return Term(kind=Kind.PLACE, values=places.table("lead_time", row))


CRITERION = Criterion(
    name="lead_time",
    unit="minutes",
    range="0 to 65,535",
    source="the node's lead time; distance",
    limit=MINUTES_MAX,
    term=_term,
)
