"""Each breach is found and named; a run that keeps to everything has none."""

from typing import Any

import msgspec
import pytest

from loadtests.locust.results import Asked, Results, load_results
from loadtests.locust.scenario import Sale
from loadtests.locust.thresholds import (
    CONTENDED_FACTOR,
    CONTENDED_SHARE,
    DAY,
    LATER,
    MINUTE,
    Threshold,
    Thresholds,
    breaches,
    breaches_of_sale,
)

LIMITS = Thresholds(
    by_name=(Threshold("read", 100, 200, 5.0), Threshold("write", 300, 600, 1.0)),
    wrong_share_max=0.0,
    lost_share_max=0.01,
    later_share_max=0.1,
    orders_per_second_min=2.0,
)
READ = Asked(name="read", count=100, p95_ms=100, p99_ms=200)
WRITE = Asked(name="write", count=10, p95_ms=300, p99_ms=600)
SALE = Sale(sku="X", units=5, buyers=8, minute=0.5)


def results(*asked: Asked, **changes: Any) -> Results:
    whole: dict[str, Any] = {"seconds": 10.0, "bought": 5, "missed": 3, "orders": 20}
    return Results(asked=asked or (READ, WRITE), **(whole | changes))


def changed(asked: Asked, **changes: Any) -> Asked:
    return msgspec.structs.replace(asked, **changes)


def test_a_run_at_its_limits_is_good() -> None:
    assert breaches(results(), LIMITS) == []


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (changed(READ, p95_ms=101), "read: p95 101 ms, at most 100 ms"),
        (changed(READ, p99_ms=1_201), "read: p99 1,201 ms, at most 200 ms"),
        (changed(READ, count=49), "read: 4.90 a second, at least 5.00"),
        (changed(READ, wrong=1), "wrong answers: 1 of 110 requests (0.909%), at most 0.000%"),
        (changed(READ, lost=2), "lost requests: 2 of 110 requests (1.818%), at most 1.000%"),
    ],
)
def test_a_breach_is_named(asked: Asked, named: str) -> None:
    assert breaches(results(asked, WRITE), LIMITS) == [named]


def test_every_breach_is_found() -> None:
    slow = changed(READ, p95_ms=500, p99_ms=500, wrong=1)
    found = breaches(results(slow, changed(WRITE, count=1)), LIMITS)
    assert [text.split(",")[0].split(" (")[0] for text in found] == [
        "wrong answers: 1 of 101 requests",
        "read: p95 500 ms",
        "read: p99 500 ms",
        "write: 0.10 a second",
    ]


def test_what_nobody_asked_for_is_a_breach() -> None:
    assert breaches(results(READ), LIMITS) == ["write: nobody asked for it"]


def test_what_is_in_no_table_is_a_breach() -> None:
    found = breaches(results(READ, WRITE, Asked(name="new", count=1)), LIMITS)
    assert found == ["new: asked for, and in no table of thresholds"]


def test_some_may_be_told_to_come_back() -> None:
    few = Asked(name="write" + LATER, count=12)
    assert breaches(results(READ, WRITE, few), LIMITS) == []
    many = Asked(name="write" + LATER, count=13)
    (found,) = breaches(results(READ, WRITE, many), LIMITS)
    assert found.startswith("told to come back later: 13 of 123 requests")


def test_too_few_orders_are_a_breach() -> None:
    assert breaches(results(orders=19), LIMITS) == ["orders: 1.9 a second, at least 2.0"]


def test_the_texts_of_what_failed_are_shown() -> None:
    (found,) = breaches(results(changed(READ, wrong=1), WRITE, errors=("why",)), LIMITS)
    assert "why" in found


def test_nothing_at_all_is_no_good_run() -> None:
    assert len(breaches(Results(seconds=1, asked=(), bought=0, missed=0, orders=0), LIMITS)) == 3


def test_a_machine_that_others_use_may_be_slower_and_nothing_else() -> None:
    assert LIMITS.on_machine(CONTENDED_SHARE) is LIMITS
    wider = LIMITS.on_machine(CONTENDED_SHARE + 0.01)
    assert wider.by_name[0] == Threshold(
        "read", 100 * CONTENDED_FACTOR, 200 * CONTENDED_FACTOR, 5.0
    )
    assert wider._replace(by_name=LIMITS.by_name) == LIMITS


@pytest.mark.parametrize("thresholds", [MINUTE, DAY], ids=["minute", "day"])
def test_the_tables_ask_for_something(thresholds: Thresholds) -> None:
    assert thresholds.wrong_share_max == 0
    names = [threshold.name for threshold in thresholds.by_name]
    assert len(set(names)) == len(names)
    assert all(0 < limit.p95_ms <= limit.p99_ms for limit in thresholds.by_name)
    assert all(limit.rate_min > 0 for limit in thresholds.by_name)


def test_a_sale_that_adds_up_is_good() -> None:
    assert breaches_of_sale(results(), SALE, sold=5) == []


@pytest.mark.parametrize(
    ("changes", "sold", "named"),
    [
        ({"bought": 6, "missed": 2}, 6, "flash sale: 6 units sold, 5 is right"),
        ({"bought": 4, "missed": 4}, 4, "flash sale: 4 units sold, 5 is right"),
        ({"bought": 4, "missed": 4}, 5, "flash sale: 4 buyers have one, 5 units are sold"),
        ({"missed": 2}, 5, "flash sale: 7 of 8 buyers have an answer"),
    ],
)
def test_a_sale_that_does_not_add_up_is_named(
    changes: dict[str, int], sold: int, named: str
) -> None:
    assert breaches_of_sale(results(**changes), SALE, sold) == [named]


def test_results_are_read_as_they_were_saved(tmp_path: Any) -> None:
    path = tmp_path / "results.json"
    results().save(str(path))
    assert load_results(path) == results()
