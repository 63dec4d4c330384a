"""The planner against an exact solver: where a plan says it is proved, the optimum is the same."""

from array import array
from itertools import chain, combinations
from random import Random

import highspy
import pytest

import core_ext
from core_ext.demand import MAY_SPLIT, Demand
from core_ext.parcel_cost_twin import Policy as TwinPolicy
from core_ext.parcel_cost_twin import whole_parcel_cost
from core_ext.planner_twin import order_as_seen
from core_ext.policy import Kind, Term
from core_ext.stock_book_twin import StockBook as TwinBook
from tests.core_ext.instances import terms_of

INSTANCES_A_TEST = 50
KINDS = (Kind.NODE, Kind.PLACE, Kind.UNIT, Kind.TARIFF, Kind.DEPTH)


def solve(costs: list[int], rows: list[tuple[float, float, dict[int, int]]], most: int) -> float:
    """Return the least cost of whole numbers up to `most`, or infinity where there are none."""
    model = highspy.Highs()  # type: ignore[no-untyped-call]
    model.silent()
    for cost in costs:
        model.addVar(0, most)
        model.changeColCost(model.numVariables - 1, float(cost))
        model.changeColIntegrality(model.numVariables - 1, highspy.HighsVarType.kInteger)
    for low, high, entries in rows:
        indexes = list(entries)
        model.addRow(low, high, len(indexes), indexes, [float(entries[i]) for i in indexes])
    model.run()
    if model.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return float("inf")
    return float(model.getObjectiveValue())


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
        plans = core_ext.plan(compiled, core_ext.Policy(nodes, 1, terms), demand)
        policy = TwinPolicy(nodes, 1, terms)
        order = order_as_seen(twin, policy, demand, 0)
        columns = [
            (node, subset)
            for node in range(nodes)
            for subset in chain.from_iterable(
                combinations(range(demands), size) for size in range(1, demands + 1)
            )
            if all(order.fits(d, node) for d in subset)
        ]
        costs = [whole_parcel_cost(policy, order, node, subset) for node, subset in columns]
        covers: list[tuple[float, float, dict[int, int]]] = [
            (1, 1, {i: 1 for i, (_, subset) in enumerate(columns) if d in subset})
            for d in range(demands)
        ]
        covers += [
            (0, 1, {i: 1 for i, (n, _) in enumerate(columns) if n == node}) for node in range(nodes)
        ]
        best = solve(costs, covers, 1)
        if plans.status[0] == 2:
            assert best == float("inf"), seed
        else:
            assert plans.proved[0], seed
            assert plans.cost(0) == plans.lower_bound(0) == round(best), seed
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
        compiled, _ = books(random, nodes, demands, 6)
        demand = batch(random, demands, MAY_SPLIT, 9)
        have = [[compiled.node_free(d, n) for n in range(nodes)] for d in range(demands)]
        plans = core_ext.plan(compiled, core_ext.Policy(nodes, 1, terms, b"", most_nodes), demand)
        if all(max(have[d]) >= demand.quantity[d] for d in range(demands)):
            continue
        best = solve_split(demand, have, fixed, unit, most_nodes)
        if plans.status[0] == 2:
            assert best == float("inf"), seed
        else:
            assert plans.proved[0], seed
            assert plans.cost(0) == plans.lower_bound(0) == round(best), seed
            proved += 1
    assert proved > INSTANCES_A_TEST // 5


def solve_split(
    demand: Demand, have: list[list[int]], fixed: list[int], unit: list[int], most_nodes: int
) -> float:
    """Units of demand d at node n are variable d * nodes + n; whether n is open comes behind."""
    demands, nodes = len(have), len(fixed)
    opened = demands * nodes
    costs = [unit[n] for _ in range(demands) for n in range(nodes)] + fixed
    rows: list[tuple[float, float, dict[int, int]]] = [(0, most_nodes, {})]
    rows[0][2].update({opened + n: 1 for n in range(nodes)})
    for d in range(demands):
        wanted = demand.quantity[d]
        rows.append((wanted, wanted, {d * nodes + n: 1 for n in range(nodes)}))
        rows += [(0, 99, {opened + n: have[d][n], d * nodes + n: -1}) for n in range(nodes)]
    rows += [(0, 1, {opened + n: 1}) for n in range(nodes)]
    return solve(costs, rows, 99)


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
        plans = core_ext.plan(compiled, core_ext.Policy(nodes, 1, terms), demand)
        best = solve_whole(demand, have, fixed, unit)
        assert (plans.status[0] == 2) == (best == float("inf")), seed
        if plans.status[0] == 0:
            assert plans.lower_bound(0) <= round(best) <= plans.cost(0), seed
            assert not plans.proved[0] or plans.cost(0) == round(best), seed
            placed += 1
    assert placed > INSTANCES_A_TEST // 4


def solve_whole(demand: Demand, have: list[list[int]], fixed: list[int], unit: list[int]) -> float:
    """Whether node n takes demand d is variable d * nodes + n; whether n is open comes behind."""
    demands, nodes = len(have), len(fixed)
    opened = demands * nodes
    costs = [unit[n] * demand.quantity[d] for d in range(demands) for n in range(nodes)] + fixed
    rows: list[tuple[float, float, dict[int, int]]] = []
    for d in range(demands):
        able = [n for n in range(nodes) if have[d][n] >= demand.quantity[d]]
        if not able:
            return float("inf")
        rows.append((1, 1, {d * nodes + n: 1 for n in able}))
        rows += [(0, 1, {opened + n: 1, d * nodes + n: -1}) for n in able]
    return solve(costs, rows, 1)


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
    plans = core_ext.plan(book, core_ext.Policy(1, 1, []), two)
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
    plans = core_ext.plan(book, core_ext.Policy(2, 1, []), three)
    assert list(plans.status) == [0, 0, 2]
    assert list(plans.allocation_node) == [0, 1]
