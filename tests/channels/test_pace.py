"""The pace finds what a channel takes, and keeps to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.channels.pace import (
    CALLS_PER_SECOND_MIN,
    FASTER,
    FASTER_AFTER_SECONDS,
    SLOWER,
    Pace,
)
from backend.demo.platform.bucket import Bucket


def spend(pace: Pace, now: float) -> int:
    """Call as long as it may be done at once, and return how often."""
    calls = 0
    while pace.may_call(now) == 0:
        pace.called(now)
        calls += 1
    return calls


def test_a_second_of_calls_may_go_out_at_once() -> None:
    pace = Pace(100.0, 5.0)
    assert (spend(pace, 100.0), spend(pace, 101.0), spend(pace, 200.0)) == (5, 5, 5)


def test_the_next_call_may_go_out_when_its_token_is_there() -> None:
    pace = Pace(0.0, 5.0)
    spend(pace, 0.0)
    assert pace.may_call(0.0) == pytest.approx(0.2)
    assert pace.may_call(0.15) == pytest.approx(0.05)
    assert pace.may_call(0.2) == 0


def test_asking_changes_nothing() -> None:
    pace = Pace(0.0, 5.0)
    assert [pace.may_call(now) for now in (9.0, 0.0, 3.0)] == [0, 0, 0]
    assert spend(pace, 0.0) == 5


def test_a_refusal_stops_all_calls_for_as_long_as_it_says() -> None:
    pace = Pace(0.0, 5.0)
    pace.refused(1.0, 30.0)
    assert pace.may_call(1.0) == 30.0
    assert pace.may_call(30.5) == pytest.approx(0.5)
    assert pace.may_call(31.0) == 0
    assert spend(pace, 31.0) == 1


def test_a_refusal_slows_down_and_a_short_wait_tells_the_rate() -> None:
    punished, told = Pace(0.0, 20.0), Pace(0.0, 20.0)
    punished.refused(0.0, 30.0)
    told.refused(0.0, 0.5)
    assert punished.calls_per_second == 20.0 * SLOWER
    assert told.calls_per_second == 2.0


def test_calls_that_were_refused_together_slow_down_once() -> None:
    pace = Pace(0.0, 20.0)
    for late in (0.0, 0.01, 0.02):
        pace.refused(late, 0.06)
    assert pace.calls_per_second == 20.0 * SLOWER
    assert pace.may_call(0.02) == pytest.approx(0.06)


def test_a_longer_wait_is_not_shortened_by_a_shorter_one() -> None:
    pace = Pace(0.0, 20.0)
    pace.refused(0.0, 30.0)
    pace.refused(1.0, 0.5)
    assert pace.may_call(1.0) == 29.0


def test_a_while_without_refusal_tries_a_little_more() -> None:
    pace = Pace(0.0, 20.0)
    pace.refused(0.0, 0.5)
    pace.called(0.5 + FASTER_AFTER_SECONDS - 0.1)
    assert pace.calls_per_second == 2.0
    pace.called(0.5 + FASTER_AFTER_SECONDS)
    pace.called(0.6 + FASTER_AFTER_SECONDS)
    assert pace.calls_per_second == pytest.approx(2.0 * FASTER)


def test_it_never_hopes_for_more_than_at_first() -> None:
    pace = Pace(0.0, 5.0)
    pace.refused(0.0, 0.0)
    for minute in range(1, 60):
        pace.called(60.0 * minute)
    assert pace.calls_per_second == 5.0


def test_however_often_it_is_refused_it_comes_back() -> None:
    pace = Pace(0.0, 5.0)
    for second in range(100):
        pace.refused(float(second), 0.5)
    assert pace.calls_per_second == CALLS_PER_SECOND_MIN
    assert pace.may_call(99.5) == 0


def test_who_calls_too_early_is_in_debt_for_a_second_at_most() -> None:
    pace = Pace(0.0, 5.0)
    for _ in range(1_000):
        pace.called(0.0)
    assert pace.may_call(0.0) == pytest.approx(1.2)


def test_a_clock_that_goes_back_fills_nothing() -> None:
    pace = Pace(100.0, 5.0)
    spend(pace, 100.0)
    pace.called(50.0)
    assert pace.may_call(100.0) == pytest.approx(0.4)


@given(st.integers(1, 60), st.floats(1.0, 60.0))
def test_any_limit_is_found_and_most_of_it_is_used(limit: int, hoped: float) -> None:
    """Five minutes of a shop with endless work, on a channel whose limit nobody knows."""
    channel, pace = Bucket(limit), Pace(0.0, hoped)
    now, taken, refused = 0.0, 0, 0
    while now < 300.0:
        now += pace.may_call(now)
        pace.called(now)
        if wait_seconds := channel.take(now):
            pace.refused(now, wait_seconds)
            refused += 1
        else:
            taken += 1
    assert refused <= 0.02 * taken + 10
    assert taken >= 0.6 * 300 * min(limit, hoped)


@given(st.lists(st.tuples(st.floats(0, 5), st.sampled_from("cr"), st.floats(0, 20)), max_size=40))
def test_whoever_waits_as_long_as_told_may_call(steps: list[tuple[float, str, float]]) -> None:
    pace, now = Pace(0.0), 0.0
    for later, step, wait_seconds in steps:
        now += later
        if step == "c":
            pace.called(now)
        else:
            pace.refused(now, wait_seconds)
        assert pace.may_call(now + pace.may_call(now) + 1e-6) == 0
