"""The simulated month of dealers: the same for a seed, and well in the end."""

import re
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from backend.network.regions.table import bundled_regions
from backend.settings import environment_of, read_settings
from loadtests.month.books import replay
from loadtests.month.calendar import Calendar
from loadtests.month.dealers import (
    DAYS,
    DEALERS,
    FIRST_OF_NEXT,
    LEVELS,
    SCARCE,
    SHAPES_CYCLE,
    Habit,
    Shape,
    dealers_of,
)
from loadtests.month.judge import reason_of
from loadtests.month.plan import Fate, Planned, Planner
from loadtests.month.sight import rows_of

UNTIMED = re.compile(r"; \d+ s$", re.MULTILINE)
SMALL = ["--orders", "200", "--dealers", str(SHAPES_CYCLE), "--days", "6", "--seed", "1"]


def month(seed: int, orders: int = 10_000) -> list[Planned]:
    dealers = dealers_of(DEALERS, DAYS)
    rounds = Planner(seed, dealers, Calendar.of(DAYS), bundled_regions()).month(orders, DAYS)
    return list(chain.from_iterable(rounds))


def test_a_seed_draws_the_same_orders_again_and_another_one_others() -> None:
    assert month(7, 500) == month(7, 500)
    assert month(7, 500) != month(8, 500)


def test_every_fate_is_drawn_paid_and_not() -> None:
    drawn = Counter((one.fate, one.draft.is_paid) for one in month(1))
    assert {fate for fate, _ in drawn} == set(Fate)
    both = (Fate.UNAGREED, Fate.ELSEWHERE, Fate.CHEAP, Fate.UNPRICED, Fate.PLAIN)
    assert all(drawn[fate, is_paid] > 10 for fate in both for is_paid in (True, False))


def test_few_dealers_are_of_all_sorts() -> None:
    few = dealers_of(SHAPES_CYCLE, DAYS)
    assert {one.shape for one in few} == set(Shape)
    assert {one.level for one in few} == set(LEVELS)
    assert {(one.is_credit, one.habit) for one in few} == {
        (is_credit, habit) for is_credit in (True, False) for habit in Habit
    }
    codes = {one.code: one for one in few}
    assert any(one.parent for one in few)
    assert all(codes[one.parent].level == "gold" for one in few if one.parent)


def test_each_shape_is_on_credit_and_prepaid() -> None:
    found = {(one.shape, one.is_credit) for one in dealers_of(DEALERS, DAYS)}
    assert len(found) == 2 * len(Shape)


FIRST, SECOND = date(2026, 11, 1), date(2026, 11, 2)


def entry(type_: str, used: int = 0, granted: int = 0, **changes: Any) -> dict[str, Any]:
    """Return an entry of the second day of the month."""
    values = {"type": type_, "used_delta": used, "granted_delta": granted, "due_on": None}
    return {"id": 1, "day": SECOND, **values, **changes}


@pytest.mark.parametrize(
    ("entries", "faults"),
    [
        ([entry("taken", 100)], 0),
        ([entry("taken", 101)], 1),
        ([entry("limit_set", granted=-50), entry("taken", 50)], 0),
        ([entry("taken", 60), entry("limit_set", granted=-50), entry("taken", 1)], 1),
        ([entry("taken", 60), entry("limit_set", granted=-50), entry("given_back", -1)], 0),
        ([entry("charged", 200), entry("paid", -150), entry("taken", 50)], 0),
        ([entry("paid_out", granted=-101)], 1),
        ([entry("taken", 10, day=FIRST, due_on=FIRST), entry("taken", 1)], 1),
        ([entry("taken", 10, day=FIRST, due_on=FIRST), entry("paid", -10), entry("taken", 1)], 0),
        ([entry("taken", 10, day=FIRST, due_on=SECOND), entry("taken", 1)], 0),
    ],
)
def test_what_was_taken_beyond_a_quota_is_seen(entries: list[dict[str, Any]], faults: int) -> None:
    assert len(replay([entry("opened", granted=100), *entries]).faults) == faults


STANDS: dict[str, Any] = {
    "holds": [],
    "waiting": 0,
    "waits_for": [],
    "standing": [],
    "since": FIRST_OF_NEXT - timedelta(days=1),
}


@pytest.mark.parametrize(
    ("row", "is_explained"),
    [
        ({}, False),
        ({"standing": ["shipped"]}, True),
        ({"standing": ["shipped"], "since": FIRST_OF_NEXT - timedelta(days=9)}, False),
        ({"holds": ["territory"]}, True),
        ({"holds": ["dealer_price"]}, False),
        ({"holds": ["quota"]}, False),
        ({"holds": ["agreement"]}, False),
        ({"waiting": 1, "waits_for": [SCARCE[0]]}, True),
        ({"waiting": 1, "waits_for": ["COOL-02"]}, False),
    ],
)
def test_an_order_that_has_not_ended_says_why(row: dict[str, Any], is_explained: bool) -> None:
    """Its quota is there, and its agreement: to wait for them is no reason."""
    reason = reason_of(STANDS | row, is_short=False, is_bound=True)
    assert bool(reason) == is_explained


def test_who_waits_for_what_is_not_there_says_so() -> None:
    for hold in ("quota", "agreement"):
        assert reason_of(STANDS | {"holds": [hold]}, is_short=True, is_bound=False)


def test_every_table_with_dealers_can_be_counted() -> None:
    assert "from document where tenant_id = $1" in rows_of("document").text


@pytest.mark.timeout(250)
def test_six_days_end_well_and_are_the_same_again(tmp_path: Path) -> None:
    """On servers of its own, whose clock says November 2026 for a while."""
    plays = [_play(tmp_path / name) for name in ("once", "again")]
    reports = [play.communicate()[0] for play in plays]
    assert [play.returncode for play in plays] == [0, 0], reports[0][-2_000:]
    once, again = (UNTIMED.sub("", report) for report in reports)
    assert once == again
    assert once.endswith("All is well.\n")
    assert re.search(r"^ +differences +0$", once, re.MULTILINE)
    assert re.search(r"mark [0-9a-f]{16}$", once, re.MULTILINE)


def _play(folder: Path) -> subprocess.Popen[str]:
    folder.mkdir()
    settings = read_settings().model_copy(update={"data": folder})
    return subprocess.Popen(
        [sys.executable, "-m", "loadtests.month.run", *SMALL],
        stdout=subprocess.PIPE,
        text=True,
        env=environment_of(settings),
    )
