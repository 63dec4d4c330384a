"""A threshold with hysteresis, and the choice of who gives."""

from datetime import UTC, datetime

import pytest

from backend.replenishment.choose_transfers import Donor, Transfer, choose_transfers
from backend.replenishment.judge import Place, Reading, judge
from backend.replenishment.model import AlertRule, Measure, Scope, StockAlert, Transfers

NOW = datetime(2026, 11, 11, tzinfo=UTC)
PLACE = Place(rule_id=1, subject_id=7, sku_id=5)


def rule(measure: Measure = Measure.UNITS, fires_below: int = 5, clears_at: int = 8) -> AlertRule:
    return AlertRule(
        id=1,
        code="low",
        scope=Scope.NODE,
        subject_id=None,
        condition=None,
        measure=measure,
        fires_below=fires_below,
        clears_at=clears_at,
        transfers=Transfers.NONE,
        fill_to=clears_at,
        leave_days=0,
        transit_days=0,
        version=1,
        set_by="test",
        changed_at=NOW,
    )


ALERT = StockAlert(
    id=3,
    rule_id=1,
    rule_code="low",
    scope=Scope.NODE,
    subject_id=7,
    sku_id=5,
    measure=Measure.UNITS,
    fired_at=NOW,
    fired_with=4,
    cleared_at=None,
    cleared_with=None,
)


def course(of: AlertRule, *readings: tuple[int, int]) -> str:
    """Return what becomes of readings (units, sold) one after another: a letter each."""
    alerts: dict[Place, StockAlert] = {}
    letters = ""
    for units, sold in readings:
        found = judge({1: of}, [Reading(PLACE, units, sold)], alerts)
        if found.fired:
            alerts[PLACE] = ALERT
        if found.cleared:
            del alerts[PLACE]
        letters += "F" if found.fired else "C" if found.cleared else "-"
    return letters


@pytest.mark.parametrize(
    ("units", "letters"),
    [
        ([6, 5, 4, 3, 0, 4, 5, 7, 8, 7, 5, 4], "--F-----C--F"),
        ([4, 8, 4, 8], "FCFC"),
        ([5, 6, 7, 8], "----"),
        ([0, 9, 0], "FCF"),
    ],
)
def test_it_fires_once_and_is_armed_again_at_the_other_threshold(
    units: list[int], letters: str
) -> None:
    assert course(rule(), *((each, 1) for each in units)) == letters


def test_what_neither_lies_there_nor_sells_is_no_alert() -> None:
    assert course(rule(), (0, 0), (3, 0)) == "-F"


def test_days_are_units_by_the_rate_of_four_weeks() -> None:
    days = rule(Measure.DAYS, 7, 14)
    assert course(days, (7, 28), (6, 28), (13, 28), (14, 28)) == "-F-C"
    assert course(days, (6, 28), (6, 0)) == "FC"  # what does not sell lasts for ever
    assert (days.units(14, 28), days.units(14, 1), days.units(14, 0)) == (14, 1, 0)


NEAR, MIDDLE, FAR = Donor(1, 10, 4), Donor(2, 20, 9), Donor(3, 30, 50)


@pytest.mark.parametrize(
    ("need", "donors", "expected"),
    [
        (3, [FAR, NEAR], [(1, 3)]),
        (9, [NEAR, MIDDLE, FAR], [(2, 9)]),
        (12, [NEAR, MIDDLE], [(2, 9), (1, 3)]),
        (70, [NEAR, MIDDLE, FAR], [(3, 50), (2, 9), (1, 4)]),
        (5, [], []),
        (0, [NEAR], []),
        (-3, [NEAR], []),
        (5, [Donor(1, 10, 0), Donor(2, 20, -3)], []),
        (9, [Donor(n, n, 1) for n in range(1, 9)], [(n, 1) for n in range(1, 6)]),
    ],
)
def test_the_nearest_that_has_all_gives_it(
    need: int, donors: list[Donor], expected: list[tuple[int, int]]
) -> None:
    assert choose_transfers(need, donors, {}) == [Transfer(*each) for each in expected]


def test_who_gives_does_not_run_low_itself() -> None:
    together = {(2, 31): 6}
    donors = [Donor(1, 10, 9, ((2, 31),)), Donor(2, 20, 9, ((2, 31),)), Donor(3, 30, 2)]
    assert choose_transfers(12, donors, together) == [Transfer(1, 6), Transfer(3, 2)]
    assert together == {(2, 31): 6}
