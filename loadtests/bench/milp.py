"""The planner's problem as integer programs for HiGHS, a solver that shares no line with it.

The tests and the benchmark hold the planner's plans against these optima.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, combinations

import highspy

from core_ext.demand import Demand
from core_ext.parcel_cost_twin import Order, Policy, whole_parcel_cost

Row = tuple[float, float, dict[int, int]]
"""Least and most of a sum, and the factor of each variable in it."""

NONE = float("inf")
"""The cost where there is no plan."""
NO_PLAN = {
    highspy.HighsModelStatus.kInfeasible,
    highspy.HighsModelStatus.kUnboundedOrInfeasible,
}


class NotSolved(Exception):
    """HiGHS ended without an answer."""


def solve(costs: list[int], rows: list[Row], most: int) -> float:
    """Return the least cost of whole numbers up to `most`, or NONE where there are none."""
    with greeting_on_stderr():
        model = highspy.Highs()  # type: ignore[no-untyped-call]
    model.silent()
    # By default HiGHS is content with a ten thousandth above the optimum.
    model.setOptionValue("mip_rel_gap", 0.0)
    for cost in costs:
        model.addVar(0, most)
        model.changeColCost(model.numVariables - 1, float(cost))
        model.changeColIntegrality(model.numVariables - 1, highspy.HighsVarType.kInteger)
    for low, high, entries in rows:
        indexes = list(entries)
        model.addRow(low, high, len(indexes), indexes, [float(entries[i]) for i in indexes])
    model.run()
    status = model.getModelStatus()
    if status in NO_PLAN:
        return NONE
    if status != highspy.HighsModelStatus.kOptimal:
        raise NotSolved(status)
    return float(model.getObjectiveValue())


@contextmanager
def greeting_on_stderr() -> Iterator[None]:
    """The first model prints a banner, silent or not; standard output is for the report."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def optimum_of_whole_lines(policy: Policy, order: Order) -> float:
    """Whole lines at any cost: one variable for each node and set of demands that it has."""
    nodes, demands = range(policy.node_count), list(order.demands)
    columns = [
        (node, subset)
        for node in nodes
        for subset in _subsets([d for d in demands if order.fits(d, node)])
    ]
    if not columns:
        return NONE
    costs = [whole_parcel_cost(policy, order, node, subset) for node, subset in columns]
    rows: list[Row] = [
        (1, 1, {i: 1 for i, (_, subset) in enumerate(columns) if d in subset}) for d in demands
    ]
    rows += [(0, 1, {i: 1 for i, (n, _) in enumerate(columns) if n == node}) for node in nodes]
    return solve(costs, rows, 1)


def _subsets(demands: list[int]) -> chain[tuple[int, ...]]:
    """Return every set of these demands but the empty one."""
    sizes = range(1, len(demands) + 1)
    return chain.from_iterable(combinations(demands, size) for size in sizes)


def optimum_of_split_quantities(
    demand: Demand, have: list[list[int]], fixed: list[int], unit: list[int], most_nodes: int
) -> float:
    """Quantities over at most `most_nodes` nodes, at so much a node and so much a unit.

    Units of demand d at node n are variable d * nodes + n; whether n is open comes behind.
    """
    demands, nodes = len(have), len(fixed)
    opened = demands * nodes
    costs = [unit[n] for _ in range(demands) for n in range(nodes)] + fixed
    rows: list[Row] = [(0, most_nodes, {opened + n: 1 for n in range(nodes)})]
    for d in range(demands):
        wanted = demand.quantity[d]
        rows.append((wanted, wanted, {d * nodes + n: 1 for n in range(nodes)}))
        rows += [(0, 99, {opened + n: have[d][n], d * nodes + n: -1}) for n in range(nodes)]
    rows += [(0, 1, {opened + n: 1}) for n in range(nodes)]
    return solve(costs, rows, 99)


def optimum_of_large_order(
    demand: Demand, have: list[list[int]], fixed: list[int], unit: list[int]
) -> float:
    """Whole lines at so much a node and so much a unit, without a column for every set.

    Whether node n takes demand d is variable d * nodes + n; whether n is open comes behind.
    """
    demands, nodes = len(have), len(fixed)
    opened = demands * nodes
    costs = [unit[n] * demand.quantity[d] for d in range(demands) for n in range(nodes)] + fixed
    rows: list[Row] = []
    for d in range(demands):
        able = [n for n in range(nodes) if have[d][n] >= demand.quantity[d]]
        if not able:
            return NONE
        rows.append((1, 1, {d * nodes + n: 1 for n in able}))
        rows += [(0, 1, {opened + n: 1, d * nodes + n: -1}) for n in able]
    return solve(costs, rows, 1)
