"""What a parcel from a node to a region costs, how far it goes, and when it arrives."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from backend.routing.dealers import terms_of
from backend.routing.delivery import DAY_STARTS, Delivery
from backend.routing.network_view import NetworkView
from backend.routing.tariffs import Tariff

MINUTES_A_DAY = 24 * 60
DAY_STARTS_MINUTE = DAY_STARTS.seconds // 60


class PlaceFigures(NamedTuple):
    """Figures of parcels to a region, each by node."""

    distances_m: Sequence[int]
    tariffs: Sequence[Tariff]
    minutes: Sequence[int]
    """On the road, with what the node takes to have it ready."""
    is_other_province: Sequence[bool]


class Scoring:
    """The figures of parcels in a network."""

    def __init__(self, view: NetworkView) -> None:
        self._view = view
        self.handling_minor = [node.handling_minor for node in view.nodes]
        terms = [terms_of(view, node) for node in view.nodes]
        self.fees_minor = [one.service_fee_minor if one else 0 for one in terms]
        self._places: dict[int, PlaceFigures] = {}

    def place(self, region_code: int) -> PlaceFigures:
        """Return the figures of parcels to a region."""
        known = self._places.get(region_code)
        if known is None:
            known = self._places[region_code] = self._figures(region_code)
        return known

    def _figures(self, region_code: int) -> PlaceFigures:
        view, province_of = self._view, self._view.delivery.province_of
        distances, province = view.distances_m(region_code), province_of(region_code)
        roads = view.delivery.road_minutes(region_code, distances)
        return PlaceFigures(
            distances,
            view.tariffs(region_code),
            [node.lead_time_minutes + road for node, road in zip(view.nodes, roads, strict=True)],
            [province_of(node.region_code) != province for node in view.nodes],
        )


class Calendar:
    """When nodes dispatch what they are given, as days and cut-offs pass."""

    def __init__(self, view: NetworkView) -> None:
        self._view = view
        self._terms = view.terms._replace(lanes={}) if view.terms else None
        cut_offs = {node.cut_off_minute for node in view.nodes}
        self._cut_offs = sorted(minute for minute in cut_offs if minute is not None)
        self._wait_days: list[int] = []
        self.mark: tuple[date, int] = (date.min, 0)
        """The day, and how many different cut-offs of it have passed."""
        self.minute = 0
        """The minute of the day."""

    def look_at(self, local: datetime) -> None:
        """Take over what time it is where the brand is."""
        self.minute = local.hour * 60 + local.minute
        mark = (local.date(), bisect_right(self._cut_offs, self.minute))
        if mark != self.mark:
            self.mark = mark
            nodes, regions = self._view.nodes, self._view.regions
            self._wait_days = Delivery(nodes, regions, self._terms, local).wait_days

    def days_until(self, node: int, minutes: int) -> int:
        """Return in how many days a parcel arrives that takes so many minutes from a node."""
        wait = self._wait_days[node]
        start = wait * MINUTES_A_DAY + DAY_STARTS_MINUTE if wait else self.minute
        return (start + minutes) // MINUTES_A_DAY
