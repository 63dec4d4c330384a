"""跨省发货: whether a parcel comes from another province than it goes to."""

from backend.routing.criteria.criterion import Criterion, by_place
from backend.routing.model import Place
from backend.routing.network_view import NetworkView


def _row(view: NetworkView, place: Place) -> list[int]:
    province_of = view.delivery.province_of
    province = province_of(place.region_code)
    return [int(province_of(node.region_code) != province) for node in view.nodes]


CRITERION = Criterion(
    name="cross_region",
    unit="parcels from another province",
    range="0 or 1",
    source="regions of the node and of the order",
    limit=1,
    term=by_place("cross_region", _row, most=1),
    looks_at=frozenset({"region_code"}),
)
