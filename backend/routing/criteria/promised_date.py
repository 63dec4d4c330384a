"""承诺时效: days by which a parcel would come after the day that the customer was promised."""

from backend.routing.criteria.criterion import Criterion, by_place
from backend.routing.model import Place
from backend.routing.network_view import NetworkView

DAYS_MAX = 60


def _row(view: NetworkView, place: Place) -> list[int]:
    if place.promised_on is None or view.today is None:
        return [0] * len(view.nodes)
    arrivals = view.delivery.arrivals(place.region_code, view.distances_m(place.region_code))
    return [max(0, (arrival - place.promised_on).days) for arrival in arrivals]


CRITERION = Criterion(
    name="promised_date",
    unit="days late",
    range="0 (in time, or nothing promised) to 60",
    source="the order's promised day; cut-off, working days, lead time and lane of the node",
    limit=DAYS_MAX,
    term=by_place("promised_date", _row, most=DAYS_MAX),
    looks_at=frozenset({"region_code", "promised_on"}),
)
