"""成本: freight of a parcel by zone and weight, in minor units of the brand's currency.

A base fee and a fee for each begun kilogram, both by distance. The default tariff has the shape of
Chinese parcel price lists (first weight and further weight by zone) in round figures; carriers' own
tariffs take its place.
"""

from bisect import bisect_left
from collections.abc import Sequence

from backend.routing.criteria.criterion import Criterion
from backend.routing.model import Place
from backend.routing.network_view import NetworkView
from backend.routing.places import Places
from core_ext.policy import Kind, Term

ZONE_UNTIL_M = (100_000, 300_000, 800_000, 1_500_000)
BASE_MINOR = (600, 800, 1_000, 1_200, 1_500)
PER_KILOGRAM_MINOR = (100, 150, 250, 400, 700)
STEP_G = 1_000


def _term(view: NetworkView, places: Places) -> Term:
    def by_zone(fees: Sequence[int], place: Place) -> list[int]:
        distances = view.distances_m(place.region_code)
        return [fees[bisect_left(ZONE_UNTIL_M, distance)] for distance in distances]

    return Term(
        kind=Kind.TARIFF,
        values=places.table("freight", lambda place: by_zone(BASE_MINOR, place)),
        rates=places.table("freight.rate", lambda place: by_zone(PER_KILOGRAM_MINOR, place)),
        step=STEP_G,
    )


CRITERION = Criterion(
    name="freight",
    unit="minor units",
    range="0 to 1,048,575",
    source="default tariff by distance zone; weights of the SKUs",
    limit=2**20 - 1,
    term=_term,
)
