"""What is pushed first: what costs most while it is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.channels.push_order import (
    HORIZON_SECONDS,
    PENDING_MAX,
    QUANTITY_MAX,
    SINCE_SECONDS_MAX,
    STALENESS_SECONDS_MAX,
    VELOCITY_MAX,
    Pending,
    push_order,
    risk,
)

QUANTITIES = st.one_of(st.integers(0, 20), st.integers(0, QUANTITY_MAX))
VELOCITIES = st.one_of(st.integers(0, 5_000), st.integers(0, VELOCITY_MAX))
AGES = st.one_of(st.integers(0, 2 * STALENESS_SECONDS_MAX), st.integers(0, SINCE_SECONDS_MAX))
NUMBERS = st.builds(
    Pending,
    shop=st.sampled_from("st"),
    sku=st.text("AB", min_size=1, max_size=3),
    shown=st.none() | QUANTITIES,
    wanted=QUANTITIES,
    units_per_day_milli=VELOCITIES,
    since_seconds=AGES,
    is_drifted=st.booleans(),
)


def number(
    shown: int | None, wanted: int, velocity: int = 1_000, since: int = 0, drifted: bool = False
) -> Pending:
    return Pending("s", "A", shown, wanted, velocity, since, drifted)


def is_first(first: Pending, second: Pending) -> bool:
    """Whether one comes before the other, however they come in."""
    orders = (push_order([first, second]), push_order([second, first]))
    return all(order == [first, second] for order in orders)


@given(st.lists(NUMBERS, max_size=30), st.randoms())
def test_the_order_depends_on_the_numbers_alone(numbers: list[Pending], random: object) -> None:
    ordered = push_order(numbers)
    shuffled = list(numbers)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert sorted(map(repr, ordered)) == sorted(map(repr, numbers))
    assert list(map(risk, ordered)) == sorted(map(risk, numbers), reverse=True)
    assert [one[:6:5] for one in push_order(shuffled)] == [one[:6:5] for one in ordered]


@given(NUMBERS)
def test_only_what_is_settled_has_no_risk(one: Pending) -> None:
    assert (risk(one) == 0) == (one.shown == one.wanted and not one.is_drifted)
    assert (one.shown == one.wanted and not one.is_drifted) == (risk(one) == 0)


@given(QUANTITIES, st.integers(1, QUANTITY_MAX), QUANTITIES, QUANTITIES, VELOCITIES, AGES, AGES)
def test_what_is_sold_out_comes_before_all_of_its_velocity(
    shown: int, sold_out_shown: int, wanted: int, more: int, velocity: int, age: int, other: int
) -> None:
    first = number(sold_out_shown, 0, velocity, age)
    second = number(shown, wanted or 1, velocity, other)
    assert risk(first) > risk(second)


@given(st.integers(0, QUANTITY_MAX - 1), st.data(), VELOCITIES, AGES)
def test_too_much_shown_comes_before_too_little(
    low: int, data: st.DataObject, velocity: int, age: int
) -> None:
    high = data.draw(st.integers(low + 1, QUANTITY_MAX))
    assert risk(number(high, low, velocity, age)) > risk(number(low, high, velocity, age))


@pytest.mark.parametrize(("shown", "wanted"), [(9, 3), (3, 9), (9, 0), (None, 3), (None, 0)])
def test_risk_grows_with_velocity_and_staleness(shown: int | None, wanted: int) -> None:
    by_velocity = [risk(number(shown, wanted, velocity)) for velocity in (0, 1, 1_000, 10**9)]
    ages = (0, 1, HORIZON_SECONDS, STALENESS_SECONDS_MAX)
    by_age = [risk(number(shown, wanted, since=age)) for age in ages]
    for risks in (by_velocity, by_age):
        assert sorted(set(risks)) == risks


def test_risk_grows_with_the_gap() -> None:
    by_shown = [risk(number(shown, 5)) for shown in (5, 6, 7, 20, 1_000)]
    by_wanted = [risk(number(5, wanted)) for wanted in (5, 6, 7, 20, 1_000)]
    for risks in (by_shown, by_wanted):
        assert sorted(set(risks)) == risks


def test_the_same_gap_is_riskier_the_less_there_is() -> None:
    risks = [risk(number(wanted + 4, wanted)) for wanted in (0, 1, 2, 10, 1_000, 10**6)]
    assert sorted(set(risks), reverse=True) == risks


def test_the_formula_is_that_of_the_module() -> None:
    expected = (2_000 + 100) * (900 + 60)
    assert risk(number(10, 4, 2_000, 60)) == 4 * expected * 1_000_000 * 6 // 10
    assert risk(number(4, 10, 2_000, 60)) == 1 * expected * 1_000_000 * 6 // 10
    assert risk(number(10, 0, 2_000, 60)) == 20 * expected * 1_000_000


def test_after_an_hour_age_decides_ties_alone() -> None:
    hour, day = (number(9, 3, since=age) for age in (STALENESS_SECONDS_MAX, 86_400))
    assert risk(hour) == risk(day)
    assert is_first(day, hour)


def test_ties_are_by_shop_and_then_by_sku() -> None:
    names = [("a", "B"), ("b", "A"), ("a", "A"), ("b", "B")]
    ordered = push_order(Pending(shop, sku, 9, 3, 1_000, 5) for shop, sku in names)
    assert [(one.shop, one.sku) for one in ordered] == sorted(names)


@given(QUANTITIES, QUANTITIES, VELOCITIES, AGES)
def test_a_drifted_number_is_as_risky_as_an_unknown_one(
    shown: int, wanted: int, velocity: int, age: int
) -> None:
    drifted = risk(number(shown, wanted, velocity, age, drifted=True))
    assert drifted >= risk(number(None, wanted, velocity, age))
    assert drifted >= risk(number(shown, wanted, velocity, age))


def test_an_unknown_number_is_taken_to_be_twice_what_it_should_be() -> None:
    assert risk(number(None, 6)) == risk(number(12, 6))
    assert risk(number(None, 0)) == risk(number(1, 0))


@pytest.mark.parametrize(
    "bad",
    [
        number(-1, 0),
        number(QUANTITY_MAX + 1, 0),
        number(0, -1),
        number(0, QUANTITY_MAX + 1),
        number(0, 1, -1),
        number(0, 1, VELOCITY_MAX + 1),
        number(0, 1, since=-1),
        number(0, 1, since=SINCE_SECONDS_MAX + 1),
    ],
)
def test_what_is_out_of_range_is_a_mistake(bad: Pending) -> None:
    with pytest.raises(AssertionError):
        push_order([bad])


def test_too_many_numbers_are_a_mistake() -> None:
    with pytest.raises(AssertionError):
        push_order([number(0, 1)] * (PENDING_MAX + 1))
