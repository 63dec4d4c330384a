"""成本: freight of a parcel by zone and weight, in minor units of the brand's currency.

What the node's carrier charges on its lane to the region: a base fee for the first weight (首重),
and a fee for each further step (续重), as by the kilogram. Without lanes a default tariff by
distance takes their place: it has the shape of Chinese parcel price lists, in round figures.
Weight is what carriers charge by: a piece's own, or that of its volume.
"""

from bisect import bisect_left
from typing import NamedTuple

from backend.network.model import Lane
from backend.routing.criteria.criterion import Criterion
from backend.routing.model import Place
from backend.routing.network_view import NetworkView
from backend.routing.numbering import Tables
from core_ext.policy import Kind, Term

ZONE_UNTIL_M = (100_000, 300_000, 800_000, 1_500_000)
BASE_MINOR = (600, 800, 1_000, 1_200, 1_500)
PER_KILOGRAM_MINOR = (100, 150, 250, 400, 700)
STEP_G = 1_000
LIMIT_MINOR = 2**20 - 1


class Tariff(NamedTuple):
    """What a parcel costs: a base, and a rate for each begun kilogram."""

    base_minor: int
    per_kilogram_minor: int


def tariffs(view: NetworkView, region_code: int) -> list[Tariff]:
    """Return the tariff of each node to a region."""
    lanes, distances = view.delivery.lanes(region_code), view.distances_m(region_code)
    return [
        _of_lane(lane) if lane else _of_distance(metres)
        for lane, metres in zip(lanes, distances, strict=True)
    ]


def _of_lane(lane: Lane) -> Tariff:
    """What a kilogram costs is what the carrier charges; each further one costs its steps."""
    rate = min(LIMIT_MINOR, lane.step_minor * STEP_G // lane.step_g)
    return Tariff(min(LIMIT_MINOR, max(0, lane.charge_minor(STEP_G) - rate)), rate)


def _of_distance(metres: int) -> Tariff:
    zone = bisect_left(ZONE_UNTIL_M, metres)
    return Tariff(BASE_MINOR[zone], PER_KILOGRAM_MINOR[zone])


def _term(view: NetworkView, tables: Tables) -> Term:
    def bases(place: Place) -> list[int]:
        return [tariff.base_minor for tariff in tariffs(view, place.region_code)]

    def rates(place: Place) -> list[int]:
        return [tariff.per_kilogram_minor for tariff in tariffs(view, place.region_code)]

    return Term(
        kind=Kind.TARIFF,
        values=tables.places.table("freight", bases),
        rates=tables.places.table("freight.rate", rates),
        step=STEP_G,
    )


CRITERION = Criterion(
    name="freight",
    unit="minor units",
    range="0 to 1,048,575",
    source="the carriers' lanes of the node, else a default tariff by distance; weights, volumes",
    limit=LIMIT_MINOR,
    term=_term,
    looks_at=frozenset({"region_code"}),
)
