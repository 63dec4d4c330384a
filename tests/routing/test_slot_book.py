"""Which visits an order finds at its time: deliveries and installation together, or neither."""

from datetime import date, datetime
from itertools import count
from typing import Any

import pytest

from backend.network.model import Slot, SlotKind, SlotProvider
from backend.network.slots import Window
from backend.routing.network_view import NO_FIGURES, NetworkView
from backend.routing.slot_book import Bookings, SlotBook, Visit
from tests.routing.small_worlds import CITY, DISTRICT, HERE, PROVINCE, REGIONS, node, own_warehouses

DAY = date(2026, 11, 26)
NODES = [node(1), node(2, 100_000), node(3, 200_000)]
MORNING, AFTERNOON = (540, 720), (780, 1_020)
ALL_DAY = Window(DAY, 0, 1_440)
_ids = count(1)


def delivers(node_id: int, *times: tuple[int, int], free: int = 1, **changes: Any) -> "Given":
    return _provider(SlotKind.DELIVERY, node_id, times, free, changes)


def installs(*times: tuple[int, int], free: int = 1, **changes: Any) -> "Given":
    return _provider(SlotKind.INSTALLATION, None, times, free, changes)


Given = tuple[SlotProvider, list[Slot]]


def _provider(
    kind: SlotKind,
    node_id: int | None,
    times: tuple[tuple[int, int], ...],
    free: int,
    changes: dict[str, Any],
) -> Given:
    values: dict[str, Any] = {
        "id": next(_ids),
        "code": "p",
        "name": "p",
        "regions": (),
        "categories": (),
        "is_active": True,
    }
    provider = SlotProvider(kind=kind, node_id=node_id, **(values | changes))
    slots = [Slot(provider.id, DAY, first, end, next(_ids), free, free) for first, end in times]
    return provider, slots


def slot_book(*given: Given, at: datetime | None = None) -> SlotBook:
    view = NetworkView(NODES, own_warehouses(NODES), REGIONS)
    if at is not None:
        view.look_at(at, NO_FIGURES)
    providers = [provider for provider, _ in given]
    return SlotBook(providers, [slot for _, slots in given for slot in slots], view, at)


def visit(window: Window = ALL_DAY, region: int = HERE, *categories: str) -> Visit:
    return Visit(window, region, frozenset(categories))


def ids(given: Given) -> list[int]:
    return [slot.id for slot in given[1]]


def test_nodes_without_slots_come_at_any_time() -> None:
    book = slot_book(delivers(1, MORNING, free=0))
    assert book.without(visit()) == {1}
    assert book.book(visit(), [2, 3]) == Bookings({}, None)
    assert book.book(visit(), [1, 2]) is None


def test_only_slots_within_the_time_count() -> None:
    dock = delivers(1, MORNING, AFTERNOON)
    book = slot_book(dock)
    assert book.without(visit(Window(DAY, 600, 1_440))) == frozenset()
    assert book.without(visit(Window(DAY, 541, 779))) == {1}
    assert book.without(visit(Window(date(2026, 11, 27), 0, 1_440))) == {1}
    found = book.book(visit(Window(DAY, 600, 1_440)), [1])
    assert found is not None
    assert found.deliveries == {1: ids(dock)[1]}


def test_the_first_free_slot_is_taken_and_used_up() -> None:
    dock = delivers(1, AFTERNOON, MORNING)
    book = slot_book(dock)
    taken = []
    while (found := book.book(visit(), [1])) is not None:
        taken += found.slots
        book.take(found)
    assert taken == ids(dock)[::-1]
    assert book.without(visit()) == {1}
    book.take(Bookings({1: taken[0]}, None), -1)
    assert book.without(visit()) == frozenset()


@pytest.mark.parametrize(("region", "comes"), [(DISTRICT, True), (PROVINCE, False), (HERE, False)])
def test_regions_are_those_that_the_place_lies_in(region: int, *, comes: bool) -> None:
    book = slot_book(delivers(1, MORNING, regions=(CITY,)), installs(MORNING, regions=(CITY,)))
    assert (1 not in book.without(visit(ALL_DAY, region))) is comes
    assert (book.without(visit(ALL_DAY, region, "ac")) == frozenset()) is comes


def test_nobody_installs_so_nobody_comes() -> None:
    for given in ([], [installs(MORNING, free=0)], [installs(MORNING, categories=("tv",))]):
        book = slot_book(*given)
        assert book.without(visit(ALL_DAY, HERE, "ac")) == {1, 2, 3}
        assert book.book(visit(ALL_DAY, HERE, "ac"), [2]) is None


def test_one_installer_installs_everything() -> None:
    both = installs(AFTERNOON, categories=("ac", "tv"))
    book = slot_book(installs(MORNING, categories=("ac",)), both)
    found = book.book(visit(ALL_DAY, HERE, "ac", "tv"), [1])
    assert found == Bookings({}, ids(both)[0])


def test_the_installer_does_not_come_before_the_goods() -> None:
    dock, early = delivers(1, AFTERNOON), installs(MORNING)
    assert slot_book(dock, early).without(visit(ALL_DAY, HERE, "ac")) == {1}
    late = installs(AFTERNOON)
    found = slot_book(dock, early, late).book(visit(ALL_DAY, HERE, "ac"), [1])
    assert found == Bookings({1: ids(dock)[0]}, ids(late)[0])


def test_whoever_is_left_finds_an_installer_together() -> None:
    morning, afternoon = delivers(1, MORNING), delivers(2, AFTERNOON)
    fitters = installs(MORNING, AFTERNOON)
    book = slot_book(morning, afternoon, fitters)
    assert book.without(visit(ALL_DAY, HERE, "ac")) == frozenset()
    found = book.book(visit(ALL_DAY, HERE, "ac"), [1, 2, 3])
    deliveries = {1: ids(morning)[0], 2: ids(afternoon)[0]}
    assert found == Bookings(deliveries, ids(fitters)[1])


def test_of_installers_at_one_time_the_freest_comes() -> None:
    busy, free = installs(MORNING), installs(MORNING, free=5)
    found = slot_book(busy, free).book(visit(ALL_DAY, HERE, "ac"), [1])
    assert found == Bookings({}, ids(free)[0])


def test_a_parcel_that_comes_later_than_the_day_does_not_come() -> None:
    book = slot_book(at=datetime(2026, 11, 26, 23, 0))
    assert book.without(visit()) == {2, 3}  # half an hour, and a minute a kilometre
    assert book.without(visit(Window(date(2026, 11, 27), 0, 1_440))) == frozenset()
    assert book.without(visit(Window(date(2026, 11, 25), 0, 1_440))) == {1, 2, 3}


def test_a_slot_that_ends_before_the_parcel_is_there_is_none() -> None:
    """At 9:00: parcels of node 2 are there at 11:10, those of node 3 at 12:50."""
    docks = [delivers(n, MORNING, AFTERNOON) for n in (1, 2, 3)]
    book = slot_book(*docks, installs((540, 700)), at=datetime(2026, 11, 26, 9, 0))
    assert book.without(visit(Window(DAY, *MORNING))) == {3}
    found = book.book(visit(), [2, 3])
    assert found is not None
    assert found.deliveries == {2: ids(docks[1])[0], 3: ids(docks[2])[1]}


def test_a_slot_that_is_over_is_none() -> None:
    given = (delivers(1, MORNING, AFTERNOON), installs(MORNING))
    book = slot_book(*given, at=datetime(2026, 11, 26, 12, 0))
    assert book.without(visit(Window(DAY, *MORNING))) == {1, 2, 3}
    assert book.without(visit(ALL_DAY, HERE, "ac")) == {1, 2, 3}
    assert book.windows(HERE, frozenset()) == [Window(DAY, *AFTERNOON)]
    assert book.windows(HERE, frozenset({"ac"})) == []


def test_where_there_is_no_dock_the_installer_waits_for_the_parcel() -> None:
    early, late = installs((540, 600)), installs((540, 800))
    at = datetime(2026, 11, 26, 9, 0)
    assert slot_book(early, at=at).without(visit(ALL_DAY, HERE, "ac")) == {2, 3}
    found = slot_book(early, late, at=at).book(visit(ALL_DAY, HERE, "ac"), [3])
    assert found == Bookings({}, ids(late)[0])


def test_an_installer_who_is_gone_before_the_goods_come_is_none() -> None:
    dock, early = delivers(1, (0, 1_440)), installs((540, 600))
    assert slot_book(dock, early).without(visit(ALL_DAY, HERE, "ac")) == {1}


def test_who_is_switched_off_delivers_nothing() -> None:
    book = slot_book(delivers(1, MORNING, is_active=False))
    assert book.without(visit()) == {1}


def test_windows_are_those_in_which_somebody_comes_and_the_whole_time() -> None:
    given = (delivers(1, MORNING, AFTERNOON), installs((600, 720)))
    book = slot_book(*given)
    assert book.windows(HERE, frozenset()) == [
        Window(DAY, *MORNING),
        Window(DAY, *AFTERNOON),
        Window(DAY, 540, 1_020),
    ]
    wanted = frozenset({"ac"})
    assert book.windows(HERE, wanted) == [Window(DAY, 600, 720), Window(DAY, 540, 1_020)]
    assert slot_book(delivers(1, MORNING, free=0)).windows(HERE, frozenset()) == []
    elsewhere = installs(*((m, m + 60) for m in range(0, 1_440, 60)), regions=(CITY,))
    assert slot_book(elsewhere, *given).windows(HERE, wanted) == book.windows(HERE, wanted)
