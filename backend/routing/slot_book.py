"""Which visits an order can have at an agreed time: delivered, and installed where it needs that.

Delivery and installation (送装一体) are found together, or neither is.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from operator import attrgetter
from typing import NamedTuple

from backend.network.model import Slot, SlotKind, SlotProvider
from backend.network.ranges import MINUTES_A_DAY
from backend.network.slots import Window
from backend.routing.delivery import Delivery
from backend.routing.network_view import NetworkView

BEFORE_THE_DAY = -1
NEVER = MINUTES_A_DAY + 1


class Visit(NamedTuple):
    """What an order wants of whoever comes."""

    window: Window
    region_code: int
    installs: frozenset[str] = frozenset()
    """The categories of its goods that are installed; none: it needs nobody for that."""


class Bookings(NamedTuple):
    """The visits that an order takes."""

    deliveries: dict[int, int]
    """The slot in which each node delivers; a node that is left out has no limit."""
    installation: int | None

    @property
    def slots(self) -> list[int]:
        """Return the slots that it takes a visit of, each."""
        installation = () if self.installation is None else (self.installation,)
        return [*self.deliveries.values(), *installation]


class SlotBook:
    """The free visits of some slots, used up as they are taken.

    A slot is one of those that lie within the agreed time and are not over. A node delivers in the
    first one to end of those that end when its parcels are there; a node for which nobody delivers
    at agreed times, as soon as they are there. The installer comes no earlier than the goods: of a
    slot that ends when the last of them has been delivered, or later.
    """

    def __init__(
        self,
        providers: Iterable[SlotProvider],
        slots: Iterable[Slot],
        view: NetworkView,
        local: datetime | None = None,
        delivery: Delivery | None = None,
    ) -> None:
        """`providers` are all that the brand has; `local` is the time where it is.

        Without that no slot is over, and no parcel late. `delivery` says when parcels arrive: as if
        they were given to their nodes now, where it is left out.
        """
        known = list(providers)
        self._providers = {one.id: one for one in known if one.is_active}
        self._with_slots = {one.node_id for one in known if one.node_id is not None}
        self._slots = sorted(
            (slot for slot in slots if slot.provider_id in self._providers),
            key=attrgetter("day", "end_minute", "first_minute", "id"),
        )
        self._by_day: dict[tuple[SlotKind, date], dict[Window, list[Slot]]] = {}
        for slot in self._slots:
            kind = self._providers[slot.provider_id].kind
            of_day = self._by_day.setdefault((kind, slot.day), {})
            of_day.setdefault(_window(slot), []).append(slot)
        self.free = {slot.id: slot.free for slot in self._slots}
        """Visits that are left, by slot."""
        self._view = view
        self._local = local
        self._delivery = delivery or view.delivery
        self._arrivals: dict[int, Sequence[datetime]] = {}
        """When parcels of each node arrive, by region."""
        self._windows: dict[frozenset[int], list[Window]] = {}
        self._going: dict[int, frozenset[int]] = {}
        """Those who go there, by region."""

    def without(self, visit: Visit) -> frozenset[int]:
        """Return the nodes that cannot deliver to a visit, or not before somebody installs."""
        last = self._last_end(visit)
        delivered = self._delivered(visit, self._deliveries(visit))
        return frozenset(
            node_id for node_id in self._view.node_index if delivered.get(node_id, NEVER) > last
        )

    def book(self, visit: Visit, nodes: Collection[int]) -> Bookings | None:
        """Return the visits by which these nodes deliver, and goods are installed; None: no way.

        Whatever nodes `without` leaves, together they find an installer. Takes nothing.
        """
        slots = self._deliveries(visit)
        delivered = self._delivered(visit, slots)
        end = max((delivered.get(node_id, NEVER) for node_id in nodes), default=0)
        deliveries = {node_id: slots[node_id].id for node_id in nodes if node_id in slots}
        if not visit.installs:
            return Bookings(deliveries, None) if end <= visit.window.to_minute else None
        installers = [slot for slot in self._installers(visit) if slot.end_minute >= end]
        if not installers:
            return None
        chosen = min(installers, key=lambda slot: (slot.end_minute, -self.free[slot.id], slot.id))
        return Bookings(deliveries, chosen.id)

    def take(self, bookings: Bookings, visits: int = 1) -> None:
        """Take visits of each slot, or (below 0) give them back."""
        for slot_id in bookings.slots:
            self.free[slot_id] -= visits

    def windows(self, region_code: int, installs: frozenset[str]) -> Sequence[Window]:
        """Return the times that could be agreed to when the book was made, the earliest first.

        They are the windows in which somebody goes there who installs all of it, or delivers, and
        behind those of a day the whole time from the first visit to the last.
        """
        going = [self._providers[one] for one in self._who_goes(region_code)]
        able = frozenset(
            one.id
            for one in going
            if one.kind is (SlotKind.INSTALLATION if installs else SlotKind.DELIVERY)
            and _installs(one, installs)
        )
        key = able | {one.id for one in going if one.kind is SlotKind.DELIVERY}
        known = self._windows.get(key)
        if known is None:
            known = self._windows[key] = self._windows_of(able, key)
        return known

    def _windows_of(self, able: frozenset[int], all_of_them: frozenset[int]) -> list[Window]:
        of_able: dict[date, dict[Window, None]] = {}
        spans: dict[date, Window] = {}
        for slot in self._slots:
            if slot.free > 0 and slot.provider_id in all_of_them and not self._is_over(slot):
                window = _window(slot)
                span = spans.get(slot.day, window)
                first = min(span.from_minute, window.from_minute)
                spans[slot.day] = Window(slot.day, first, max(span.to_minute, window.to_minute))
                if slot.provider_id in able:
                    of_able.setdefault(slot.day, {})[window] = None
        return [
            window for day, windows in of_able.items() for window in {**windows, spans[day]: None}
        ]

    def _last_end(self, visit: Visit) -> int:
        """Return when goods must have been delivered at the latest."""
        if not visit.installs:
            return visit.window.to_minute
        return max((slot.end_minute for slot in self._installers(visit)), default=BEFORE_THE_DAY)

    def _delivered(self, visit: Visit, slots: Mapping[int, Slot]) -> dict[int, int]:
        """Return the minute by which each open node has delivered; who does not come is left out.

        `slots` are those in which nodes deliver that have any.
        """
        found: dict[int, int] = {}
        for node_id, arrival in self._arrival_minutes(visit).items():
            if node_id in slots:
                found[node_id] = slots[node_id].end_minute
            elif node_id not in self._with_slots:
                minute = max(visit.window.from_minute, arrival)
                if minute < visit.window.to_minute:
                    found[node_id] = minute
        return found

    def _arrival_minutes(self, visit: Visit) -> dict[int, int]:
        """Return the minute of the day by which each node's parcels are there, and it is."""
        view, day = self._view, visit.window.day
        if self._local is None:
            return dict.fromkeys(view.node_index, BEFORE_THE_DAY)
        arrivals = self._arrivals.get(visit.region_code)
        if arrivals is None:
            distances = view.distances_m(visit.region_code)
            arrivals = self._delivery.arrival_times(visit.region_code, distances)
            self._arrivals[visit.region_code] = arrivals
        now = _minute_of(self._local, day)
        return {
            node.id: max(now, _minute_of(arrival, day))
            for node, arrival in zip(view.nodes, arrivals, strict=True)
        }

    def _deliveries(self, visit: Visit) -> dict[int, Slot]:
        """Return the first free slot within the time of each open node that has one."""
        there = self._arrival_minutes(visit)
        found: dict[int, Slot] = {}
        for slot in self._within(visit, SlotKind.DELIVERY):
            node_id = self._providers[slot.provider_id].node_id
            assert node_id is not None, "who delivers does so for a node"
            first = found.get(node_id)
            if slot.end_minute > there.get(node_id, NEVER) and (
                first is None or _rank(slot) < _rank(first)
            ):
                found[node_id] = slot
        return found

    def _installers(self, visit: Visit) -> list[Slot]:
        """Return the free slots within the time of those who install all of it."""
        return [
            slot
            for slot in self._within(visit, SlotKind.INSTALLATION)
            if _installs(self._providers[slot.provider_id], visit.installs)
        ]

    def _within(self, visit: Visit, kind: SlotKind) -> Sequence[Slot]:
        going, now = self._who_goes(visit.region_code), BEFORE_THE_DAY
        if self._local is not None:
            now = _minute_of(self._local, visit.window.day)
        return [
            slot
            for window, slots in self._by_day.get((kind, visit.window.day), {}).items()
            if window.lies_in(visit.window) and window.to_minute > now
            for slot in slots
            if self.free[slot.id] > 0 and slot.provider_id in going
        ]

    def _is_over(self, slot: Slot) -> bool:
        local = self._local
        return local is not None and slot.end_minute <= _minute_of(local, slot.day)

    def _who_goes(self, region_code: int) -> frozenset[int]:
        known = self._going.get(region_code)
        if known is None:
            around = {region.code for region in self._view.regions.ancestors(region_code)}
            known = self._going[region_code] = frozenset(
                one.id
                for one in self._providers.values()
                if not one.regions or not around.isdisjoint(one.regions)
            )
        return known


def _installs(provider: SlotProvider, categories: frozenset[str]) -> bool:
    return not provider.categories or categories <= set(provider.categories)


def _window(slot: Slot) -> Window:
    return Window(slot.day, slot.first_minute, slot.end_minute)


def _rank(slot: Slot) -> tuple[int, int, int]:
    return slot.end_minute, slot.first_minute, slot.id


def _minute_of(moment: datetime, day: date) -> int:
    """Return the minute of a day at which a moment is; before it, or never, if it is on another."""
    if moment.date() != day:
        return BEFORE_THE_DAY if moment.date() < day else NEVER
    return moment.hour * 60 + moment.minute
