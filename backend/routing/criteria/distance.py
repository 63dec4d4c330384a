"""就近: the great-circle distance from the node to the point of the order's region."""

from backend.routing.criteria.criterion import Criterion
from backend.routing.network_view import NetworkView
from backend.routing.places import Places
from core_ext.policy import Kind, Term


def _term(view: NetworkView, places: Places) -> Term:
    rows = places.table("distance", lambda place: view.distances_m(place.region_code))
    return Term(kind=Kind.PLACE, values=rows)


CRITERION = Criterion(
    name="distance",
    unit="m",
    range="0 to 20,037,508 (half the circumference of the earth)",
    source="coordinates of the node; region table for the destination",
    limit=20_037_508,
    term=_term,
)
