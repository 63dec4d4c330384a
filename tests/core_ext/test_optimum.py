"""The planner against an exact solver: where a plan says it is proved, the optimum is the same."""

from array import array
from random import Random

import pytest

import core_ext
from core_ext.demand import MAY_SPLIT, Demand
from core_ext.parcel_cost_twin import Policy as TwinPolicy
from core_ext.planner_twin import order_as_seen
from core_ext.policy import Kind, Limits, Term
from core_ext.stock_book_twin import StockBook as TwinBook
from loadtests.bench.milp import (
    NONE,
    optimum_of_large_order,
    optimum_of_split_quantities,
    optimum_of_whole_lines,
)
from loadtests.torture.optimum import hold
from tests.core_ext.instances import terms_of

INSTANCES_A_TEST = 50
KINDS = (Kind.NODE, Kind.PLACE, Kind.UNIT, Kind.TARIFF, Kind.DEPTH)


def batch(random: Random, demands: int, flags: int, most: int) -> Demand:
    return Demand(
        array("i", [0, demands]),
        array("q", range(demands)),
        array("q", [random.randint(1, most) for _ in range(demands)]),
        array("q", [random.randint(0, 900) for _ in range(demands)]),
        array("i", [0]),
        array("i", [-1]),
        array("B", [flags]),
    )


def books(
    random: Random, nodes: int, demands: int, most: int
) -> tuple[core_ext.StockBook, TwinBook]:
    sources = array("i", range(nodes))
    compiled, twin = core_ext.StockBook(sources, nodes), TwinBook(sources, nodes)
    for sku in range(demands):
        for node in range(nodes):
            units = random.randint(0, most)
            compiled.put(sku, node, units, 1)
            twin.put(sku, node, units, 1)
    return compiled, twin


@pytest.mark.parametrize("first", range(0, 300, INSTANCES_A_TEST))
def test_whole_lines_with_any_cost_are_optimal(first: int) -> None:
    proved = 0
    for seed in range(first, first + INSTANCES_A_TEST):
        random = Random(seed)
        nodes, demands = random.randint(2, 6), random.randint(1, 5)
        kinds = tuple(random.choice(KINDS) for _ in range(random.randint(1, 4)))
        terms = [
            Term(t.kind, t.values, t.rates, t.step, t.band, min(t.limit, 1_000), w)
            for t, w in zip(terms_of(random, nodes, 1, kinds), (7, 3, 2, 5), strict=False)
        ]
        compiled, twin = books(random, nodes, demands, 6)
        demand = batch(random, demands, 0, 4)
        plans = core_ext.plan(compiled, [core_ext.Policy(nodes, 1, terms)], demand)
        policy = TwinPolicy(nodes, 1, terms)
        order = order_as_seen(twin, policy, demand, 0)
        best = optimum_of_whole_lines(policy, order)
        if plans.status[0] == 2:
            assert best == NONE, seed
        else:
            assert plans.proved[0], seed
            assert plans.cost(0) == plans.lower_bound(0) == best, seed
            proved += 1
    assert proved > INSTANCES_A_TEST // 4


@pytest.mark.parametrize("first", range(1_000, 1_200, INSTANCES_A_TEST))
def test_split_quantities_with_additive_costs_are_optimal(first: int) -> None:
    proved = 0
    for seed in range(first, first + INSTANCES_A_TEST):
        random = Random(seed)
        nodes, demands, most_nodes = (
            random.randint(2, 6),
            random.randint(1, 4),
            random.randint(1, 4),
        )
        fixed = [random.randint(0, 60) for _ in range(nodes)]
        unit = [random.randint(0, 9) for _ in range(nodes)]
        terms = [Term(Kind.NODE, array("i", fixed)), Term(Kind.UNIT, array("i", unit))]
        compiled, twin = books(random, nodes, demands, 6)
        demand = batch(random, demands, MAY_SPLIT, 9)
        have = [[compiled.node_free(d, n) for n in range(nodes)] for d in range(demands)]
        plans = core_ext.plan(
            compiled,
            [core_ext.Policy(nodes, 1, terms, b"", Limits(max_nodes=most_nodes))],
            demand,
        )
        if all(max(have[d]) >= demand.quantity[d] for d in range(demands)):
            continue
        limits = Limits(max_nodes=most_nodes)
        policy = TwinPolicy(nodes, 1, terms, b"", limits)
        order = order_as_seen(twin, policy, demand, 0)
        best = optimum_of_split_quantities(policy, order, fixed, [unit] * demands)
        if plans.status[0] == 2:
            assert best == NONE, seed
        else:
            assert plans.proved[0], seed
            assert plans.cost(0) == plans.lower_bound(0) == best, seed
            proved += 1
    assert proved > INSTANCES_A_TEST // 5


@pytest.mark.parametrize("first", range(0, 100, INSTANCES_A_TEST))
def test_large_orders_have_a_true_lower_bound(first: int) -> None:
    placed = 0
    for seed in range(first, first + INSTANCES_A_TEST):
        random = Random(seed)
        nodes, demands = 5, random.randint(11, 18)
        fixed = [random.randint(5, 60) for _ in range(nodes)]
        unit = [random.randint(0, 9) for _ in range(nodes)]
        terms = [Term(Kind.NODE, array("i", fixed)), Term(Kind.UNIT, array("i", unit))]
        compiled, _ = books(random, nodes, demands, 12)
        demand = batch(random, demands, 0, 4)
        have = [[compiled.node_free(d, n) for n in range(nodes)] for d in range(demands)]
        plans = core_ext.plan(compiled, [core_ext.Policy(nodes, 1, terms)], demand)
        best = optimum_of_large_order(demand, have, fixed, unit)
        assert (plans.status[0] == 2) == (best == NONE), seed
        if plans.status[0] == 0:
            assert best is not None
            assert plans.lower_bound(0) <= best <= plans.cost(0), seed
            assert not plans.proved[0] or plans.cost(0) == best, seed
            placed += 1
    assert placed > INSTANCES_A_TEST // 4


@pytest.mark.parametrize("first", range(0, 300, INSTANCES_A_TEST))
def test_plans_hold_against_a_solver_under_every_limit(first: int) -> None:
    proved = 0
    for seed in range(first, first + INSTANCES_A_TEST):
        held = hold(seed)
        assert not held.findings, seed
        proved += held.is_proved
    assert proved > INSTANCES_A_TEST // 4


def test_the_last_unit_goes_to_the_first_order_of_the_batch() -> None:
    book = core_ext.StockBook(array("i", [0]), 1)
    book.put(1, 0, 1, 1)
    two = Demand(
        array("i", [0, 1, 2]),
        array("q", [1, 1]),
        array("q", [1, 1]),
        array("q", [0, 0]),
        array("i", [0, 0]),
        array("i", [-1, -1]),
        array("B", [0, 0]),
    )
    plans = core_ext.plan(book, [core_ext.Policy(1, 1, [])], two)
    assert list(plans.status) == [0, 2]
    assert list(plans.short) == [0, 1]
    assert book.free(1, 0) == 1


def test_a_node_takes_no_more_parcels_than_it_can() -> None:
    book = core_ext.StockBook(array("i", [0, 1]), 2)
    for node in (0, 1):
        book.put(1, node, 10, 1)
        book.set_capacity(node, 1, 1)
    three = Demand(
        array("i", [0, 1, 2, 3]),
        array("q", [1] * 3),
        array("q", [1] * 3),
        array("q", [0] * 3),
        array("i", [0] * 3),
        array("i", [-1] * 3),
        array("B", [0] * 3),
    )
    plans = core_ext.plan(book, [core_ext.Policy(2, 1, [])], three)
    assert list(plans.status) == [0, 0, 2]
    assert list(plans.allocation_node) == [0, 1]
