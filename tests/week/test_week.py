"""The simulated week: the same for a seed, well in the end, with a judge who sees what is not."""

import re
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backend.demo.brand import SHOPS, STORES, demo_skus, districts
from backend.embedded import processes
from backend.network.regions.table import bundled_regions
from backend.settings import environment_of, read_settings
from loadtests.week.clock import NoClock, WeekClock
from loadtests.week.evening import reason_of
from loadtests.week.plan import FATES, ROUNDS, Fate, Planned, Planner, Way

ORDERS = 10_000
CARRIED = {store.code: [sku.code for sku, _ in demo_skus()[60:]] for store in STORES}
UNTIMED = re.compile(r"; \d+ s$", re.MULTILINE)


def week(seed: int) -> list[list[Planned]]:
    return Planner(seed, districts(bundled_regions()), CARRIED).week(ORDERS)


def test_a_seed_draws_the_same_orders_again_and_another_one_others() -> None:
    assert week(7) == week(7)
    assert week(7) != week(8)


def test_every_way_and_every_fate_is_drawn_over_five_channels() -> None:
    orders = [one for of_round in week(1) for one in of_round]
    assert len(orders) == ORDERS
    assert {one.way for one in orders} == set(Way)
    assert {one.fate for one in orders} == set(Fate)
    channels = {shop.code: shop.channel for shop in SHOPS}
    assert len({channels[one.draft.shop] for one in orders}) == 5
    assert len({one.draft.external_id for one in orders}) == ORDERS


def test_the_evening_of_the_eleventh_has_more_orders_than_a_night() -> None:
    counts = {at: len(of_round) for at, of_round in zip(ROUNDS, week(1), strict=True)}
    assert counts[2, 20] > 2 * counts[2, 1] > 0


def test_fates_are_shares_of_a_hundred() -> None:
    assert all(0 < sum(shares.values()) < 100 for shares in FATES.values())


STANDS: dict[str, Any] = {
    "holds": [],
    "waiting": 0,
    "expected_on": None,
    "standing": [],
    "parcels": [],
    "pickup": None,
    "visit": None,
}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({}, ""),
        ({"pickup": "handed_over"}, ""),
        ({"parcels": ["delivered"]}, ""),
        ({"holds": ["audit", "manual"]}, "held: audit, manual"),
        ({"waiting": 2}, "waits for stock, from nowhere yet"),
        ({"waiting": 2, "expected_on": 1}, "waits for stock, from a supply"),
        ({"standing": ["shipped"], "parcels": ["exception"]}, "its carrier is in trouble with it"),
        ({"standing": ["shipped"], "parcels": ["shipped"]}, "on its way"),
        ({"standing": ["picked", "shipped"]}, "in a node: picked"),
        ({"standing": ["reserved"], "visit": 1}, "its visit is to come"),
        ({"standing": ["packed"], "pickup": "ready"}, "to be fetched: ready"),
    ],
)
def test_an_order_that_has_not_ended_says_why(row: dict[str, Any], reason: str) -> None:
    assert reason_of(STANDS | row) == reason


def test_a_clock_that_cannot_be_set_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the library is for another machine, and is not loaded."""
    monkeypatch.setattr(processes, "ENVIRONMENT", {})
    clock = WeekClock(tmp_path, time.time() - time.monotonic())
    clock.set(datetime.now(UTC))
    with pytest.raises(NoClock):
        clock.set(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.timeout(250)
def test_three_days_end_well_and_are_the_same_again(tmp_path: Path) -> None:
    """On servers of its own, whose clock says November 2026 for a while."""
    days = [_play(tmp_path / name) for name in ("once", "again")]
    reports = [day.communicate()[0] for day in days]
    assert [day.returncode for day in days] == [0, 0], reports[0][-2_000:]
    once, again = (UNTIMED.sub("", report) for report in reports)
    assert once == again
    assert once.endswith("All is well.\n")
    assert re.search(r"^ +differences +0$", once, re.MULTILINE)
    done = Counter(line.split(":")[0].strip() for line in once.splitlines())
    assert done["placed"] == 5


def _play(folder: Path) -> subprocess.Popen[str]:
    folder.mkdir()
    settings = read_settings().model_copy(update={"data": folder})
    words = ["--orders", "700", "--days", "3", "--seed", "3"]
    return subprocess.Popen(
        [sys.executable, "-m", "loadtests.week.run", *words],
        stdout=subprocess.PIPE,
        text=True,
        env=environment_of(settings),
    )
