"""What carriers charge for a parcel from each node to a region.

A base, and a rate for each begun kilogram: of the lane that the node sends by, where it has one.
Else a default tariff by distance: it has the shape of Chinese parcel price lists, a first weight
and further weight by zone, in round figures.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from backend.network.model import Lane

ZONE_UNTIL_M = (100_000, 300_000, 800_000, 1_500_000)
BASE_MINOR = (600, 800, 1_000, 1_200, 1_500)
PER_KILOGRAM_MINOR = (100, 150, 250, 400, 700)
STEP_G = 1_000
LIMIT_MINOR = 2**20 - 1
"""Of the freight of a parcel that is told apart."""


class Tariff(NamedTuple):
    """What a parcel costs: a base, and a rate for each begun kilogram."""

    base_minor: int
    per_kilogram_minor: int

    def charge_minor(self, weight_g: int) -> int:
        """Return what a parcel of a weight costs."""
        return self.base_minor + self.per_kilogram_minor * -(-weight_g // STEP_G)


def tariffs_of(lanes: Sequence[Lane | None], distances_m: Sequence[int]) -> list[Tariff]:
    """Return the tariff of each node, from the lane it sends by, else from its distance."""
    return [
        _of_lane(lane) if lane else _of_distance(metres)
        for lane, metres in zip(lanes, distances_m, strict=True)
    ]


def _of_lane(lane: Lane) -> Tariff:
    """What a kilogram costs is what the carrier charges; each further one costs its steps."""
    rate = min(LIMIT_MINOR, lane.step_minor * STEP_G // lane.step_g)
    return Tariff(min(LIMIT_MINOR, max(0, lane.charge_minor(STEP_G) - rate)), rate)


def _of_distance(metres: int) -> Tariff:
    zone = bisect_left(ZONE_UNTIL_M, metres)
    return Tariff(BASE_MINOR[zone], PER_KILOGRAM_MINOR[zone])
