"""How goods get from the nodes of a brand to where orders go: carriers, time, and when they leave.

Where no carrier has a lane, a road model stands in for it: 30 minutes and a minute a kilometre, the
pace of Chinese road parcels over the day, with sorting. What a node is given after its cut-off, or
on a day on which it does not work, leaves on its next working day at DAY_STARTS.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from backend.network.model import Lane, Node
from backend.network.regions.table import RegionTable
from backend.network.terms import NetworkTerms

ROAD_START_MINUTES = 30
METRES_PER_MINUTE = 1_000
DAY_STARTS = timedelta(hours=8)
DAYS_AHEAD = 60
"""A node that does not work for so long is treated as if it did after it."""
TYPICAL_WEIGHT_G = 1_000
"""Of the parcel that carriers are compared by."""


class Delivery:
    """What there is between nodes and regions, at one time of one day."""

    def __init__(
        self,
        nodes: Sequence[Node],
        regions: RegionTable,
        terms: NetworkTerms | None,
        local: datetime | None,
    ) -> None:
        """`local` is the time where the brand is; without it every node dispatches at once."""
        self._nodes = nodes
        self._regions = regions
        self._local = local
        self.terms = terms
        lanes: Mapping[int, tuple[Lane, ...]] = terms.lanes if terms else {}
        self._by_region = [_by_region(lanes.get(node.id, ())) for node in nodes]
        self._lanes: dict[int, list[Lane | None]] = {}
        self._provinces: dict[int, int] = {}
        self.wait_days = [self._wait_days(node) for node in nodes]
        """Days until each node dispatches what it is given now: 0 today."""

    def lanes(self, region_code: int) -> list[Lane | None]:
        """Return the lane that each node sends a typical parcel to a region by, if it has any.

        Of each carrier the most specific region counts; then the cheapest one, then the fastest.
        """
        known = self._lanes.get(region_code)
        if known is None:
            codes = [region.code for region in self._regions.ancestors(region_code)]
            known = [_cheapest(by_region, codes) for by_region in self._by_region]
            self._lanes[region_code] = known
        return known

    def has_lanes(self, node_index: int) -> bool:
        """Whether a node has any carrier's lane: else the road model stands in for all."""
        return bool(self._by_region[node_index])

    def road_minutes(self, region_code: int, distances_m: Sequence[int]) -> list[int]:
        """Return the minutes on the road from each node to a region."""
        return [
            lane.transit_minutes if lane else ROAD_START_MINUTES + metres // METRES_PER_MINUTE
            for lane, metres in zip(self.lanes(region_code), distances_m, strict=True)
        ]

    def arrivals(self, region_code: int, distances_m: Sequence[int]) -> list[date]:
        """Return the day on which a parcel of each node arrives in a region."""
        return [arrival.date() for arrival in self.arrival_times(region_code, distances_m)]

    def arrival_times(self, region_code: int, distances_m: Sequence[int]) -> list[datetime]:
        """Return when a parcel of each node arrives in a region."""
        roads = self.road_minutes(region_code, distances_m)
        return [
            ready + timedelta(minutes=minutes)
            for ready, minutes in zip(self._ready(), roads, strict=True)
        ]

    def ready_days(self) -> list[date]:
        """Return the day on which each node has ready what it is given now."""
        return [ready.date() for ready in self._ready()]

    def _ready(self) -> list[datetime]:
        assert self._local is not None, "who asks for days has said which day it is"
        return [self.ready_at(index, self._local) for index in range(len(self._nodes))]

    def ready_at(self, node_index: int, local: datetime) -> datetime:
        """Return when a node has ready what it is given at a time of the day that this is for."""
        wait = self.wait_days[node_index]
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        begins = midnight + timedelta(days=wait) + DAY_STARTS if wait else local
        return begins + timedelta(minutes=self._nodes[node_index].lead_time_minutes)

    def province_of(self, region_code: int) -> int:
        """Return the code of the province that a region lies in, or is."""
        known = self._provinces.get(region_code)
        if known is None:
            ancestors = self._regions.ancestors(region_code)
            known = ancestors[-1].code if ancestors else region_code
            self._provinces[region_code] = known
        return known

    def _wait_days(self, node: Node) -> int:
        if self._local is None:
            return 0
        closed = self.terms.closed_days.get(node.id, frozenset()) if self.terms else frozenset()
        minute = self._local.hour * 60 + self._local.minute
        is_late = node.cut_off_minute is not None and minute >= node.cut_off_minute
        today = self._local.date()
        for wait in range(int(is_late), DAYS_AHEAD):
            day = today + timedelta(days=wait)
            if node.works_on(day.weekday()) and day not in closed:
                return wait
        return DAYS_AHEAD


def _by_region(lanes: Iterable[Lane]) -> dict[int, list[Lane]]:
    found: dict[int, list[Lane]] = {}
    for lane in lanes:
        found.setdefault(lane.region_code, []).append(lane)
    return found


def _cheapest(by_region: Mapping[int, list[Lane]], codes: Sequence[int]) -> Lane | None:
    """Return the lane for a region, given with what it lies in, innermost first."""
    of_carrier: dict[str, Lane] = {}
    for code in codes:
        for lane in by_region.get(code, ()):
            of_carrier.setdefault(lane.carrier, lane)
    return min(of_carrier.values(), key=_rank, default=None)


def _rank(lane: Lane) -> tuple[int, int, str]:
    return lane.charge_minor(TYPICAL_WEIGHT_G), lane.transit_minutes, lane.carrier
