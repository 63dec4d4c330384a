"""国补: whether an order sold with a region's subsidy would be sent from outside that region."""

from backend.routing.criteria.criterion import Criterion, by_place
from backend.routing.model import Place
from backend.routing.network_view import NetworkView


def _row(view: NetworkView, place: Place) -> list[int]:
    subsidised = place.subsidy_region
    if subsidised is None:
        return [0] * len(view.nodes)
    return [
        int(all(region.code != subsidised for region in view.regions.ancestors(node.region_code)))
        for node in view.nodes
    ]


CRITERION = Criterion(
    name="subsidy_region",
    unit="parcels from outside",
    range="0 or 1",
    source="the region whose subsidy the order was sold with; the region of the node",
    limit=1,
    term=by_place("subsidy_region", _row, most=1),
    looks_at=frozenset({"subsidy_region"}),
)
