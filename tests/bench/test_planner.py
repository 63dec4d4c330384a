"""The planner's benchmark measures what it says: all criteria, real optima, the same plans."""

import csv
import gzip
from array import array
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

import core_ext
from backend.routing.criteria import CRITERIA
from backend.routing.model import PolicyDocument
from backend.routing.terms import pack
from core_ext import Plans, Policy, StockBook
from core_ext.demand import Demand
from loadtests.bench import planner
from loadtests.bench.numpy_baseline import NumpyPlanner, free_by_node
from loadtests.bench.planner_world import POLICY, WEIGHTED, drawn_requests, twin_policies
from loadtests.bench.wholesale import FOLDER, read_sales
from loadtests.replay.retail_lines import COLUMNS

SEED = 7
FLOAT_EXACT = 2**53
LINES_MOST = 10
"""Of an order that is held against the optimum."""


@pytest.fixture(scope="module")
def ground() -> planner.Ground:
    return planner.make_ground(Random(SEED), 0.0)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for real orders, named by the environment."""
    monkeypatch.setenv("YIPAN_TEST_DATA", str(tmp_path))
    return tmp_path


def write_sales(data: Path, lines: dict[str, int]) -> None:
    """Write invoices of so many lines, each of a SKU of its own."""
    (data / FOLDER).mkdir()
    with gzip.open(data / FOLDER / "2010-12.csv.gz", "wt", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for invoice, count in lines.items():
            units = "-6" if invoice.startswith("C") else "6"
            for n in range(count):
                rows.writerow(
                    (invoice, f"SKU{n}", "JAR", units, "2010-12-01 08:26:00", "2.55", "17850", "UK")
                )


@pytest.mark.parametrize("document", [POLICY, WEIGHTED])
def test_every_strategy_has_every_criterion(document: PolicyDocument) -> None:
    for strategy in document.strategies:
        parts = pack(strategy)
        assert {part.criterion for part in parts} == set(CRITERIA)
        assert all(part.multiplier > 0 for part in parts)


def test_a_float_holds_every_weighted_sum() -> None:
    worst = sum(part.limit * part.multiplier for part in pack(WEIGHTED.strategies[0]))
    assert worst * LINES_MOST < FLOAT_EXACT


def test_nearly_every_node_is_a_candidate(ground: planner.Ground) -> None:
    free = free_by_node(ground.brand.stock[:3], ground.brand.view.source_node, 2_000, 50)
    orders = [
        [row.sku_id for row in request.rows]
        for request in drawn_requests(ground.brand, Random(SEED), 200, 3)
    ]
    candidates = [int((free[skus] > 0).any(axis=0).sum()) for skus in orders]
    assert sum(candidates) / len(candidates) > 45


@pytest.mark.parametrize("lines", [1, 2, 3, 4])
def test_numpy_finds_the_planners_plans(ground: planner.Ground, lines: int) -> None:
    brand, random = ground.brand, Random(lines)
    free = free_by_node(brand.stock[:3], brand.view.source_node, 2_000, 50)
    parcels = np.array(brand.free_parcels)
    requests = drawn_requests(brand, random, 200, lines)
    policies, demand = ground.weighted.prepare(requests, ground.book)
    plans = core_ext.plan(ground.book, policies, demand)
    found = NumpyPlanner(twin_policies(policies)[0], free, parcels).plan(demand)
    assert [plan.cost for plan in found] == [plans.cost(order) for order in range(200)]
    assert [node for plan in found for node in plan.nodes] == list(plans.allocation_node)


def test_the_gap_is_nothing(ground: planner.Ground) -> None:
    assert planner.largest_gap(ground, 3, 5) == 0


def test_a_dearer_plan_has_a_gap(ground: planner.Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    def dearer(book: StockBook, policies: Sequence[Policy], demand: Demand) -> Plans:
        plans = core_ext.plan(book, policies, demand)
        return replace(plans, costs=array("Q", [plans.costs[0] + 1, plans.costs[1]]))

    monkeypatch.setattr(planner, "plan", dearer)
    assert planner.largest_gap(ground, 3, 2) > 0


def test_a_plan_below_the_optimum_is_no_plan(
    ground: planner.Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cheaper(book: StockBook, policies: Sequence[Policy], demand: Demand) -> Plans:
        plans = core_ext.plan(book, policies, demand)
        return replace(plans, costs=array("Q", [plans.costs[0] - 1, plans.costs[1]]))

    monkeypatch.setattr(planner, "plan", cheaper)
    with pytest.raises(AssertionError, match="optimum"):
        planner.largest_gap(ground, 3, 2)


def test_wholesale_orders_are_sales_of_twenty_lines_and_more(data: Path) -> None:
    write_sales(data, {"536365": 19, "536366": 20, "536367": 700, "536368": 701, "C536369": 30})
    assert [len(sale) for sale in read_sales(data / FOLDER)] == [20, 700]


def test_wholesale_batches_hold_the_real_sales(ground: planner.Ground, data: Path) -> None:
    write_sales(data, {f"5363{number}": 25 for number in range(40)})
    found = planner.wholesale_batches(ground)
    assert found is not None
    assert [len(batch) for batch in found[1]] == [20, 20]
    assert {row.quantity for row in found[1][0][0].rows} == {6}


def test_without_real_data_the_rest_is_measured(ground: planner.Ground, data: Path) -> None:
    assert planner.wholesale_batches(ground) is None
