"""Who is promised what, against a reference that hands out unit by unit."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from backend.inventory.supplies.model import OpenSupply
from backend.orders.supplies.promise import Buyer, Promise, WaitingLine, promise

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = date(2030, 1, 1)
SHOPS, WAREHOUSES, SKUS = (1, 2, 3), (10, 20, 30), (100, 200)

waiting = st.builds(
    lambda place, age, order_id, line_no, sku_id, shop_id, units: WaitingLine(
        place, BEGIN + timedelta(days=age), order_id, line_no, sku_id, shop_id, None, None, units
    ),
    st.integers(0, 1),
    st.integers(0, 3),
    st.integers(1, 5),
    st.integers(1, 3),
    st.sampled_from(SKUS),
    st.sampled_from(SHOPS),
    st.integers(0, 4),
)
lists_of_lines = st.lists(waiting, max_size=8, unique_by=lambda line: line.key)
coming = st.builds(
    lambda day, number, warehouse_id, sku_id, units: OpenSupply(
        DAY + timedelta(days=day), number, warehouse_id, sku_id, units
    ),
    st.integers(0, 3),
    st.integers(1, 9),
    st.sampled_from(WAREHOUSES),
    st.sampled_from(SKUS),
    st.integers(-1, 5),
)
lists_of_supplies = st.lists(coming, max_size=6, unique_by=lambda one: one.id)
scopes = st.frozensets(st.tuples(st.sampled_from(SHOPS), st.sampled_from(WAREHOUSES)))


def unit_by_unit(
    lines: list[WaitingLine], supplies: list[OpenSupply], scope: frozenset[tuple[int, int]]
) -> tuple[set[Promise], dict[tuple[int, int], date | None]]:
    """Hand out one unit after another: the first line takes the earliest that it may have."""
    units = [one for one in supplies for _ in range(max(0, one.units))]
    taken: Counter[tuple[int, int, int]] = Counter()
    expected: dict[tuple[int, int], date | None] = {}
    for line in sorted(lines, key=lambda each: (each.place, each.placed_at, *each.key)):
        days = []
        for _ in range(line.waiting):
            mine = [
                one
                for one in units
                if one.sku_id == line.sku_id
                and (line.shop_id, one.functional_warehouse_id) in scope
            ]
            if not mine:
                break
            first = min(mine, key=lambda one: (one.expected_on, one.id))
            units.remove(first)
            taken[(*line.key, first.id)] += 1
            days.append(first.expected_on)
        whole = line.waiting > 0 and len(days) == line.waiting
        expected[line.key] = max(days) if whole else None
    return {Promise(*key, quantity) for key, quantity in taken.items()}, expected


@given(lists_of_lines, lists_of_supplies, scopes)
def test_promises_are_those_of_handing_out_unit_by_unit(
    lines: list[WaitingLine], supplies: list[OpenSupply], scope: frozenset[tuple[int, int]]
) -> None:
    found = promise(
        lines, supplies, lambda line, warehouse_id: (line.shop_id, warehouse_id) in scope
    )
    assert (found.promises, found.expected_on) == unit_by_unit(lines, supplies, scope)


@given(lists_of_lines, lists_of_supplies, scopes, st.randoms(use_true_random=False))
def test_the_order_in_which_they_are_given_does_not_matter(
    lines: list[WaitingLine],
    supplies: list[OpenSupply],
    scope: frozenset[tuple[int, int]],
    random: Random,
) -> None:
    def may_take(line: Buyer, warehouse_id: int) -> bool:
        return (line.shop_id, warehouse_id) in scope

    first = promise(lines, supplies, may_take)
    random.shuffle(lines)
    random.shuffle(supplies)
    assert promise(lines, supplies, may_take) == first


def test_nothing_that_waits_is_promised_nothing() -> None:
    soon = OpenSupply(DAY, 1, 10, 100, 5)
    done = WaitingLine(0, BEGIN, 1, 1, 100, 1, None, DAY, 0)
    assert promise([done], [soon], lambda *_: True) == (set(), {(1, 1): None})
