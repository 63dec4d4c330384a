"""Units of a platform's listings as units of an order's lines: none is lost, none made up."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backend.channels.platform import ChannelReturnUnits
from backend.publishing.returns import units_of

LISTINGS = ("A", "B", "C")


class Line(NamedTuple):
    """A line of an order; of what else it has, nothing counts."""

    listing: str
    delivered: int = 0
    shipped: int = 0
    reserved: int = 0

    @property
    def units(self) -> int:
        """Return the units that a buyer can ask for."""
        return self.delivered + self.shipped


def found(lines: Sequence[Line], wanted: Iterable[tuple[str, int]]) -> dict[int, int]:
    """Return the units of each line that are asked for, by its number."""
    rows: Any = [
        {
            "line_no": number,
            "sku_code": line.listing,
            "delivered": line.delivered,
            "shipped": line.shipped,
            "reserved": line.reserved,
            "quantity": line.units + line.reserved,
        }
        for number, line in enumerate(lines, 1)
    ]
    units = units_of(rows, [ChannelReturnUnits(*one) for one in wanted], {})
    numbers = [one.line_no for one in units]
    assert numbers == sorted(set(numbers)), "each line is named once, in order"
    assert all(one.quantity > 0 for one in units), "a line of which nothing is asked is left out"
    return {one.line_no: one.quantity for one in units}


def expected(lines: Sequence[Line], wanted: Mapping[str, int]) -> dict[int, int]:
    """Return the same, line by line: each takes what is left of its listing, the last one all."""
    left, found = Counter(wanted), Counter[int]()
    last = {line.listing: number for number, line in enumerate(lines, 1)}
    for number, line in enumerate(lines, 1):
        takes = min(left[line.listing], line.units)
        found[number] += takes
        left[line.listing] -= takes
    for listing, units in left.items():
        found[last.get(listing, 0)] += units
    return {number: units for number, units in found.items() if units}


few = st.integers(0, 4)
orders = st.lists(st.builds(Line, st.sampled_from(LISTINGS), few, few, few), max_size=6)
wishes = st.dictionaries(st.sampled_from((*LISTINGS, "Z")), st.integers(1, 12), max_size=4)
parts = st.lists(st.tuples(st.sampled_from((*LISTINGS, "Z")), st.integers(1, 5)), max_size=6)


@given(orders, wishes)
def test_the_first_lines_come_first_and_what_none_has_is_asked_of_the_last(
    lines: list[Line], wanted: dict[str, int]
) -> None:
    assert found(lines, wanted.items()) == expected(lines, wanted)


@given(orders, wishes)
def test_no_unit_is_lost_and_none_is_made_up(lines: list[Line], wanted: dict[str, int]) -> None:
    asked: Counter[str] = Counter()
    for number, units in found(lines, wanted.items()).items():
        asked[lines[number - 1].listing if number else "none"] += units
    sold = {line.listing for line in lines}
    of_none = sum(units for listing, units in wanted.items() if listing not in sold)
    there = {listing: units for listing, units in wanted.items() if listing in sold}
    assert asked == Counter(there | {"none": of_none})


@given(orders, wishes)
def test_only_the_last_line_of_a_listing_is_asked_for_more_than_it_has(
    lines: list[Line], wanted: dict[str, int]
) -> None:
    last = {line.listing: number for number, line in enumerate(lines, 1)}
    for number, units in found(lines, wanted.items()).items():
        if number and units > lines[number - 1].units:
            assert number == last[lines[number - 1].listing]


@given(orders, parts)
@example([Line("A", 1), Line("A", 1)], [("A", 1), ("A", 1)])
def test_a_listing_that_is_named_twice_is_asked_for_as_if_it_were_named_once(
    lines: list[Line], wanted: list[tuple[str, int]]
) -> None:
    """As a platform does whose order has two lines of it."""
    together: Counter[str] = Counter()
    for listing, units in wanted:
        together[listing] += units
    assert found(lines, wanted) == expected(lines, together)


@given(orders, wishes, st.randoms(use_true_random=False))
def test_the_order_in_which_listings_are_named_does_not_matter(
    lines: list[Line], wanted: dict[str, int], random: Any
) -> None:
    named = list(wanted.items())
    random.shuffle(named)
    assert found(lines, named) == found(lines, wanted.items())


@pytest.mark.parametrize(
    ("lines", "wanted", "units"),
    [
        ([Line("A", 2)], [("A", 1)], {1: 1}),
        ([Line("A", shipped=2)], [("A", 2)], {1: 2}),
        ([Line("A", 1, 1)], [("A", 2)], {1: 2}),
        ([Line("B", 3), Line("A", 1)], [("A", 1)], {2: 1}),
        ([Line("A", 1), Line("B", 1), Line("A", 2)], [("A", 2)], {1: 1, 3: 1}),
        # Nothing of the first line has left its node: it is not what comes back.
        ([Line("A", reserved=2), Line("A", 2)], [("A", 1)], {2: 1}),
        ([Line("A", 1), Line("A", 1)], [("A", 5)], {1: 1, 2: 4}),
        ([Line("A", reserved=1)], [("A", 1)], {1: 1}),
        ([Line("A", 1)], [("Z", 2), ("A", 1)], {0: 2, 1: 1}),
        ([], [("A", 1)], {0: 1}),
        ([Line("A", 1)], [], {}),
    ],
)
def test_units_of_listings_are_units_of_lines(
    lines: list[Line], wanted: list[tuple[str, int]], units: dict[int, int]
) -> None:
    assert found(lines, wanted) == units
