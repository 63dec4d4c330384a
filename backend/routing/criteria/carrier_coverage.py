"""Whether a node that has carriers has none that goes to the order's region.

A node without any lanes counts as one that reaches everywhere: nothing is known of it.
"""

from backend.routing.criteria.criterion import Criterion, by_place
from backend.routing.model import Place
from backend.routing.network_view import NetworkView


def _row(view: NetworkView, place: Place) -> list[int]:
    lanes = view.delivery.lanes(place.region_code)
    return [
        int(lane is None and view.delivery.has_lanes(index)) for index, lane in enumerate(lanes)
    ]


CRITERION = Criterion(
    name="carrier_coverage",
    unit="parcels that no carrier takes",
    range="0 or 1",
    source="the carriers' lanes of the node",
    limit=1,
    term=by_place("carrier_coverage", _row, most=1),
    looks_at=frozenset({"region_code"}),
)
