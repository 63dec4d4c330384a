"""Whole lines under the limits of a policy, in plain Python."""

from __future__ import annotations

from core_ext.limits import WHOLE_LINES
from core_ext.parcel_cost_twin import Assignment, Order, Piece, Policy, whole_parcel_cost

Best = tuple[int, tuple[int, ...]]
"""Cost, and the node of each demand of the set in demand order, 0 where the set lacks it."""


def keeps_limits(policy: Policy, order: Order, pieces: list[Piece]) -> bool:
    """Whether pieces are few parcels, each worth enough."""
    limits = policy.limits
    values: dict[int, int] = {}
    for demand, node, quantity in pieces:
        values[node] = values.get(node, 0) + quantity * order.unit_values[demand]
    if len(values) > limits.max_parcels:
        return False
    is_all = len(values) == 1 and order.is_whole
    return is_all or all(value >= limits.least_value for value in values.values())


def plan_bounded_lines(
    policy: Policy, order: Order, nodes: list[int], dropped: int | None, may_be_short: bool
) -> Assignment:
    """Cheapest plan within the limits; no pieces where there is none.

    An order that may be short is cut to what few nodes have, chosen greedily; then nothing is
    proved. `dropped` is the least cost of any plan with a node that is none of `nodes`.
    """
    full = (1 << len(order.quantities)) - 1
    found = _layers(policy, order, nodes, full, order.is_whole)
    if found is not None:
        cost, vector = found
        proved = dropped is None or dropped > cost
        bound = cost if proved or dropped is None else min(dropped, cost)
        return Assignment(_pieces(order, vector, full), cost, bound, proved)
    target = _most_covered(policy, order, nodes)
    if target == full:
        return Assignment([], 0, 0, False, -1, True)
    uncovered = next(d for d in order.demands if not target >> d & 1)
    if not may_be_short or not target:
        return Assignment([], 0, 0, False, uncovered)
    found = _layers(policy, order, nodes, target, False)
    if found is None:
        return Assignment([], 0, 0, False, uncovered, True)
    cost, vector = found
    bound = min(cost, _rest(policy, order, nodes, target))
    return Assignment(_pieces(order, vector, target), cost, bound, False, uncovered)


def _pieces(order: Order, vector: tuple[int, ...], target: int) -> list[Piece]:
    return [(d, vector[d], order.quantities[d]) for d in order.demands if target >> d & 1]


def _able(order: Order, node: int) -> int:
    return sum(1 << d for d in order.demands if order.fits(d, node))


def _most_covered(policy: Policy, order: Order, nodes: list[int]) -> int:
    full, covered = (1 << len(order.quantities)) - 1, 0
    for _ in range(policy.limits.max_parcels):
        best = max(nodes, key=lambda n: (_able(order, n) & ~covered).bit_count())
        if covered == full or not _able(order, best) & ~covered:
            break
        covered |= _able(order, best)
    return covered


def _layers(
    policy: Policy, order: Order, nodes: list[int], target: int, is_whole: bool
) -> Best | None:
    """Cheapest plan for the demands of a set, with one layer for every parcel."""
    count, full = len(order.quantities), (1 << len(order.quantities)) - 1
    most = min(policy.limits.max_parcels, count, WHOLE_LINES)
    best: list[dict[int, Best]] = [{} for _ in range(most + 1)]
    best[0][0] = 0, (0,) * count
    for node in nodes:
        able = _able(order, node) & target
        costs = {}
        for part in range(1, full + 1):
            members = [d for d in order.demands if part >> d & 1]
            value = sum(order.quantities[d] * order.unit_values[d] for d in members)
            is_worth = value >= policy.limits.least_value or (is_whole and part == full)
            if not part & ~able and is_worth:
                costs[part] = whole_parcel_cost(policy, order, node, members)
        for k in range(most - 1, -1, -1):
            for s, (rest_cost, rest_vector) in best[k].items():
                for part, cost in costs.items():
                    if part & s:
                        continue
                    vector = tuple(node if part >> d & 1 else v for d, v in enumerate(rest_vector))
                    candidate = (rest_cost + cost, vector)
                    if s | part not in best[k + 1] or candidate < best[k + 1][s | part]:
                        best[k + 1][s | part] = candidate
    return min((layer[target] for layer in best[1:] if target in layer), default=None)


def _rest(policy: Policy, order: Order, nodes: list[int], target: int) -> int:
    """What the demands of a set cost at least: the dearest alone, and one more parcel where no
    node has all of them.
    """
    members = [d for d in order.demands if target >> d & 1]
    alone = {
        d: min(whole_parcel_cost(policy, order, n, [d]) for n in nodes if order.fits(d, n))
        for d in order.demands
    }
    bound = max(alone[d] for d in members)
    if not any(target & ~_able(order, n) == 0 for n in nodes):
        bound += min(alone.values())
    return bound
