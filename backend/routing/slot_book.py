"""Which visits an order can have at an agreed time: delivered, and installed where it needs that.

Delivery and installation (送装一体) are found together, or neither is.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from operator import attrgetter
from typing import NamedTuple

from backend.network.model import Slot, SlotKind, SlotProvider
from backend.network.slots import Window
from backend.routing.network_view import NetworkView


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

    A node for which nobody delivers at agreed times delivers whenever its parcels can be there by
    the day. A slot is one of those that lie within the agreed time. The installer comes no earlier
    than the goods: its slot begins with the last delivery's, or later.
    """

    def __init__(
        self, providers: Iterable[SlotProvider], slots: Iterable[Slot], view: NetworkView
    ) -> None:
        self._providers = {one.id: one for one in providers if one.is_active}
        self._with_slots = {
            one.node_id for one in self._providers.values() if one.node_id is not None
        }
        self._slots = sorted(
            (slot for slot in slots if slot.provider_id in self._providers),
            key=attrgetter("day", "first_minute", "end_minute", "id"),
        )
        self._by_day: dict[tuple[SlotKind, date], dict[Window, list[Slot]]] = {}
        for slot in self._slots:
            kind = self._providers[slot.provider_id].kind
            of_day = self._by_day.setdefault((kind, slot.day), {})
            of_day.setdefault(_window(slot), []).append(slot)
        self._arrivals: dict[int, Sequence[date]] = {}
        """The day on which parcels of each node arrive, by region."""
        self.free = {slot.id: slot.free for slot in self._slots}
        """Visits that are left, by slot."""
        self._view = view
        self._windows: dict[bool, list[Window]] = {}

    def without(self, visit: Visit) -> frozenset[int]:
        """Return the nodes that cannot deliver to a visit, or not before somebody installs."""
        last = self._last_start(visit)
        if last is None:
            return frozenset(self._view.node_index)
        starts = self._deliveries(visit)
        late = self._late(visit)
        return frozenset(
            node_id
            for node_id in self._view.node_index
            if node_id in late
            or (
                node_id in self._with_slots
                and (node_id not in starts or starts[node_id].first_minute > last)
            )
        )

    def book(self, visit: Visit, nodes: Collection[int]) -> Bookings | None:
        """Return the visits by which these nodes deliver, and goods are installed; None: no way.

        Each node delivers in its first slot, so whoever `without` leaves finds an installer. Takes
        nothing.
        """
        starts = self._deliveries(visit)
        if not all(node_id in starts for node_id in nodes if node_id in self._with_slots):
            return None
        deliveries = {node_id: starts[node_id] for node_id in nodes if node_id in starts}
        if not visit.installs:
            return Bookings({node_id: slot.id for node_id, slot in deliveries.items()}, None)
        begin = max((slot.first_minute for slot in deliveries.values()), default=0)
        installers = [slot for slot in self._installers(visit) if slot.first_minute >= begin]
        if not installers:
            return None
        chosen = min(installers, key=lambda slot: (slot.first_minute, -self.free[slot.id], slot.id))
        return Bookings({node_id: slot.id for node_id, slot in deliveries.items()}, chosen.id)

    def take(self, bookings: Bookings, visits: int = 1) -> None:
        """Take visits of each slot, or (below 0) give them back."""
        for slot_id in bookings.slots:
            self.free[slot_id] -= visits

    def windows(self, *, installs: bool) -> Sequence[Window]:
        """Return the times that could be agreed to when the book was made, the earliest first.

        They are the windows in which there is somebody who installs, or delivers, and behind those
        of a day the whole time from its first one to its last.
        """
        known = self._windows.get(installs)
        if known is None:
            kind = SlotKind.INSTALLATION if installs else SlotKind.DELIVERY
            known = self._windows[installs] = self._windows_of(kind)
        return known

    def _windows_of(self, kind: SlotKind) -> list[Window]:
        of_kind: dict[date, dict[Window, None]] = {}
        spans: dict[date, Window] = {}
        for slot in self._slots:
            if slot.free > 0:
                window = _window(slot)
                span = spans.get(slot.day, window)
                first = min(span.from_minute, window.from_minute)
                spans[slot.day] = Window(slot.day, first, max(span.to_minute, window.to_minute))
                if self._providers[slot.provider_id].kind is kind:
                    of_kind.setdefault(slot.day, {})[window] = None
        return [
            window for day, windows in of_kind.items() for window in {**windows, spans[day]: None}
        ]

    def _last_start(self, visit: Visit) -> int | None:
        """Return when goods must have begun to be delivered at the latest; None: at no time."""
        if not visit.installs:
            return visit.window.to_minute
        starts = [slot.first_minute for slot in self._installers(visit)]
        return max(starts, default=None)

    def _late(self, visit: Visit) -> set[int]:
        """Return the nodes whose parcels come after the day."""
        view = self._view
        if view.today is None:
            return set()
        arrivals = self._arrivals.get(visit.region_code)
        if arrivals is None:
            distances = view.distances_m(visit.region_code)
            arrivals = view.delivery.arrivals(visit.region_code, distances)
            self._arrivals[visit.region_code] = arrivals
        return {
            node.id
            for node, arrival in zip(view.nodes, arrivals, strict=True)
            if arrival > visit.window.day
        }

    def _deliveries(self, visit: Visit) -> dict[int, Slot]:
        """Return the first free slot of each node that has one within the time."""
        found: dict[int, Slot] = {}
        for slot in self._within(visit, SlotKind.DELIVERY):
            node_id = self._providers[slot.provider_id].node_id
            assert node_id is not None, "who delivers does so for a node"
            found.setdefault(node_id, slot)
        return found

    def _installers(self, visit: Visit) -> list[Slot]:
        """Return the free slots within the time of those who install all of it."""
        return [
            slot
            for slot in self._within(visit, SlotKind.INSTALLATION)
            if not (categories := self._providers[slot.provider_id].categories)
            or visit.installs <= set(categories)
        ]

    def _within(self, visit: Visit, kind: SlotKind) -> Sequence[Slot]:
        around = {region.code for region in self._view.regions.ancestors(visit.region_code)}
        found = []
        for window, slots in self._by_day.get((kind, visit.window.day), {}).items():
            for slot in slots if window.lies_in(visit.window) else ():
                regions = self._providers[slot.provider_id].regions
                if self.free[slot.id] > 0 and (not regions or not around.isdisjoint(regions)):
                    found.append(slot)
        return found


def _window(slot: Slot) -> Window:
    return Window(slot.day, slot.first_minute, slot.end_minute)
