"""The planner's problem as integer programs for HiGHS, a solver that shares no line with it.

The tests, the benchmark and the simulator hold the planner's plans against these optima. Costs are
added up again in whole numbers from what the solver chose, because it counts in 64-bit floats; so
they have to stay below 2**53.
"""

from collections.abc import Sequence
from functools import cache
from itertools import chain, combinations
from typing import Any, Final

import highspy
import numpy as np

from backend.routing.solver import silent_highs
from core_ext.demand import Demand
from core_ext.parcel_cost_twin import Order, Policy, whole_parcel_cost

Row = tuple[float, float, dict[int, int]]
"""Least and most of a sum, and the factor of each variable in it."""
Column = tuple[int, tuple[int, ...], int]
"""A parcel: its node, the demands whose whole quantity it has, what it costs."""

ANY: Final = float("inf")
NONE: Final = None
"""The cost where there is no plan."""
COST_MOST: Final = 2**53
"""Costs from here on are not all numbers of the solver."""
SOLVER_NODES_MOST: Final = 5_000
"""Hardly any program here needs more than one; a hopeless one has to end, always at once."""
NO_PLAN = {
    highspy.HighsModelStatus.kInfeasible,
    highspy.HighsModelStatus.kUnboundedOrInfeasible,
}


class NotSolved(Exception):
    """HiGHS ended without an answer."""


def solve(costs: Sequence[int], rows: Sequence[Row], most: Sequence[int]) -> int | None:
    """Return the least cost of whole numbers, each up to its `most`, or NONE if there are none."""
    assert max(costs) < COST_MOST, "costs are too large for the solver"
    model = _solver()
    model.clearModel()
    model.passModel(_program(costs, rows, most))
    model.run()
    status = model.getModelStatus()
    if status in NO_PLAN:
        return NONE
    if status != highspy.HighsModelStatus.kOptimal:
        raise NotSolved(status)
    chosen: list[int] = [round(value) for value in model.getSolution().col_value]
    for low, high, entries in rows:
        if not low <= sum(factor * chosen[i] for i, factor in entries.items()) <= high:
            raise NotSolved("what it chose is no solution")
    return sum(cost * number for cost, number in zip(costs, chosen, strict=True))


def _program(costs: Sequence[int], rows: Sequence[Row], most: Sequence[int]) -> highspy.HighsLp:
    program = highspy.HighsLp()
    program.num_col_, program.num_row_ = len(costs), len(rows)
    program.col_cost_ = np.array(costs, dtype=float)
    program.col_lower_ = np.zeros(len(costs))
    program.col_upper_ = np.array(most, dtype=float)
    program.row_lower_ = np.array([low for low, _, _ in rows], dtype=float)
    program.row_upper_ = np.array([high for _, high, _ in rows], dtype=float)
    program.integrality_ = [highspy.HighsVarType.kInteger] * len(costs)
    matrix = program.a_matrix_
    matrix.format_ = highspy.MatrixFormat.kRowwise
    matrix.start_ = np.cumsum([0, *(len(entries) for _, _, entries in rows)])
    matrix.index_ = np.array([i for _, _, entries in rows for i in entries], dtype=np.int32)
    matrix.value_ = np.array([v for _, _, entries in rows for v in entries.values()], dtype=float)
    return program


@cache
def _solver() -> Any:
    model = silent_highs()
    # By default HiGHS is content with a ten thousandth above the optimum.
    model.setOptionValue("mip_rel_gap", 0.0)
    model.setOptionValue("mip_abs_gap", 0.0)
    model.setOptionValue("mip_max_nodes", SOLVER_NODES_MOST)
    return model


def optimum_of_whole_lines(policy: Policy, order: Order, known: int | None = None) -> int | None:
    """Whole lines at any cost within the policy's limits: one variable for each node and set of
    demands that it has, and that is worth a parcel.

    `known` is the cost of some plan: parcels that are in none as cheap as it are left out.
    """
    demands, limits = list(order.demands), policy.limits
    columns = _columns(policy, order, known)
    if not all(any(d in subset for _, subset, _ in columns) for d in demands):
        return NONE
    rows: list[Row] = [
        (1, 1, {i: 1 for i, (_, subset, _) in enumerate(columns) if d in subset}) for d in demands
    ]
    of_node: dict[int, dict[int, int]] = {}
    for i, (node, _, _) in enumerate(columns):
        of_node.setdefault(node, {})[i] = 1
    rows += [(0, 1, entries) for entries in of_node.values()]
    rows.append((0, limits.max_parcels, dict.fromkeys(range(len(columns)), 1)))
    return solve([cost for _, _, cost in columns], rows, [1] * len(columns))


def _columns(policy: Policy, order: Order, known: int | None) -> list[Column]:
    """Return the parcels that some cheapest plan within the limits, no dearer than `known`, has.

    A parcel costs no less with one demand more, so one without demand d costs at least that of the
    cheapest d alone besides.
    """
    demands = list(order.demands)
    able = {n: [d for d in demands if order.fits(d, n)] for n in range(policy.node_count)}
    alone = {
        d: min((whole_parcel_cost(policy, order, n, [d]) for n in able if d in able[n]), default=0)
        for d in demands
    }
    of_subset: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for node, has in able.items():
        for subset in _subsets(has):
            if not _is_worth(policy, order, subset):
                continue
            cost = whole_parcel_cost(policy, order, node, subset)
            others = max((alone[d] for d in demands if d not in subset), default=0)
            if known is None or cost + others <= known:
                of_subset.setdefault(subset, []).append((cost, node))
    return [
        (node, subset, cost)
        for subset, parcels in of_subset.items()
        for cost, node in _cheapest(policy, order, subset, parcels)
    ]


def _cheapest(
    policy: Policy, order: Order, subset: tuple[int, ...], parcels: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    """As many as there can be parcels in a plan with this one: one of their nodes is free."""
    most = min(policy.limits.max_parcels, len(order.quantities) - len(subset) + 1)
    return sorted(parcels)[:most]


def _is_worth(policy: Policy, order: Order, subset: tuple[int, ...]) -> bool:
    worth = sum(order.quantities[d] * order.unit_values[d] for d in subset)
    is_all = len(subset) == len(order.quantities) and order.is_whole
    return is_all or worth >= policy.limits.least_value


def _subsets(demands: list[int]) -> chain[tuple[int, ...]]:
    """Return every set of these demands but the empty one."""
    sizes = range(1, len(demands) + 1)
    return chain.from_iterable(combinations(demands, size) for size in sizes)


def optimum_of_split_quantities(
    policy: Policy, order: Order, fixed: Sequence[int], unit: Sequence[Sequence[int]]
) -> int | None:
    """Quantities within the policy's limits, at fixed[node] a node and unit[demand][node] a unit.

    Units of demand d at node n are variable d * nodes + n; whether n is open comes behind. No node
    has the whole order.
    """
    nodes, limits = policy.node_count, policy.limits
    opened = len(order.quantities) * nodes
    most = [
        min(q, have)
        for q, row in zip(order.quantities, order.available, strict=True)
        for have in row
    ]
    rows: list[Row] = [
        (0, min(limits.max_nodes, limits.max_parcels), {opened + n: 1 for n in range(nodes)})
    ]
    for d, wanted in enumerate(order.quantities):
        rows.append((wanted, wanted, {d * nodes + n: 1 for n in range(nodes)}))
        for n in range(nodes):
            units = most[d * nodes + n]
            if units:
                rows.append((0, ANY, {opened + n: units, d * nodes + n: -1}))
    if limits.least_value:
        for n in range(nodes):
            worth = {d * nodes + n: order.unit_values[d] for d in order.demands}
            rows.append((0, ANY, worth | {opened + n: -limits.least_value}))
    costs = [cost for row in unit for cost in row] + list(fixed)
    return solve(costs, rows, most + [1] * nodes)


def optimum_of_large_order(
    demand: Demand, have: list[list[int]], fixed: list[int], unit: list[int]
) -> int | None:
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
    return solve(costs, rows, [1] * len(costs))


def whole_lines_can_be_had(policy: Policy, order: Order) -> bool:
    """Whether any plan of whole lines is within the policy's limits, whatever it costs.

    Whether node n takes demand d is variable d * nodes + n; whether n is open comes behind.
    """
    nodes, limits = policy.node_count, policy.limits
    everything = list(order.demands)
    if order.is_whole and any(all(order.fits(d, n) for d in everything) for n in range(nodes)):
        return True
    opened = len(everything) * nodes
    rows: list[Row] = [(0, limits.max_parcels, {opened + n: 1 for n in range(nodes)})]
    for d in everything:
        able = [n for n in range(nodes) if order.fits(d, n)]
        rows.append((1, 1, {d * nodes + n: 1 for n in able}))
        rows += [(0, 1, {opened + n: 1, d * nodes + n: -1}) for n in able]
    for n in range(nodes):
        worth = {
            d * nodes + n: order.quantities[d] * order.unit_values[d]
            for d in everything
            if order.fits(d, n)
        }
        rows.append((0, ANY, worth | {opened + n: -limits.least_value}))
    return solve([0] * (opened + nodes), rows, [1] * (opened + nodes)) is not NONE
