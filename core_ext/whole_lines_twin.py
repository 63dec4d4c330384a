"""Whole lines in plain Python: up to 10 demands, each wholly from one node, exactly.

Dynamic program over sets of demands: best[set] after the nodes up to j is the least, over the part
of
the set that node j takes, of the part's parcel cost plus best[rest] after the nodes before j. It
is the
winner determination of a combinatorial auction (Rothkopf, Pekec, Harstad 1998) with one bid per
node.
"""

from __future__ import annotations

from core_ext.bounded_lines_twin import keeps_limits, plan_bounded_lines
from core_ext.limits import WHOLE_NODES
from core_ext.parcel_cost_twin import Assignment, Order, Policy, whole_parcel_cost

Best = tuple[int, tuple[int, ...]]
"""Cost, and the node of each demand of the set in demand order, 0 where the set lacks the
demand.
"""


def plan_whole_lines(policy: Policy, order: Order, may_be_short: bool) -> Assignment:
    """Cheapest assignment within the policy's limits; among equal ones the lexicographically
    smallest vector of nodes.

    Every demand must fit some node. Proved unless more than 64 nodes remain after those are dropped
    that even with the cheapest second parcel cost more than the best single node. Where the limits
    leave no plan, see `bounded_lines_twin`.
    """
    lowest = _lowest(policy, order)
    nodes, dropped = _kept(policy, order, lowest)
    cost, vector = _dynamic_program(policy, order, nodes)
    proved, lower_bound, bound = True, cost, None
    if dropped:
        bound = min(lowest[n] for n in dropped) + min(lowest.values())
        proved, lower_bound = bound > cost, min(bound, cost)
    pieces = [(d, vector[d], order.quantities[d]) for d in order.demands]
    if not keeps_limits(policy, order, pieces):
        return plan_bounded_lines(policy, order, nodes, bound, may_be_short)
    return Assignment(pieces, cost, lower_bound, proved)


def best_single(policy: Policy, order: Order, without: frozenset[int]) -> tuple[int, int] | None:
    """(cost, node) of the cheapest node that can take the whole order, ties to the smaller node."""
    able = [
        n
        for n in range(policy.node_count)
        if n not in without and all(order.fits(d, n) for d in order.demands)
    ]
    demands = list(order.demands)
    return min(((whole_parcel_cost(policy, order, n, demands), n) for n in able), default=None)


def _lowest(policy: Policy, order: Order) -> dict[int, int]:
    """Least cost of any parcel, by node: costs never fall when a demand is added."""
    lowest: dict[int, int] = {}
    for n in range(policy.node_count):
        for d in order.demands:
            if order.fits(d, n):
                cost = whole_parcel_cost(policy, order, n, [d])
                lowest[n] = min(cost, lowest.get(n, cost))
    return lowest


def _kept(policy: Policy, order: Order, lowest: dict[int, int]) -> tuple[list[int], list[int]]:
    """The nodes for the dynamic program, ascending, and those that had to be dropped unproved."""
    single = best_single(policy, order, frozenset())
    if len(lowest) <= WHOLE_NODES:
        return sorted(lowest), []
    forced = {single[1]} if single else set()
    least = min(lowest.values())
    open_nodes = [n for n in sorted(lowest) if not single or lowest[n] + least <= single[0]]
    open_nodes = sorted(forced.union(open_nodes))
    if len(open_nodes) > WHOLE_NODES:
        # Without them a demand could lose all its nodes.
        alone = [
            min(
                (whole_parcel_cost(policy, order, n, [d]), n)
                for n in open_nodes
                if order.fits(d, n)
            )
            for d in order.demands
        ]
        forced.update(node for _, node in alone)
    ranked = sorted(set(open_nodes) - forced, key=lambda n: (lowest[n], n))
    filled = max(0, WHOLE_NODES - len(forced))
    return sorted(forced.union(ranked[:filled])), ranked[filled:]


def _dynamic_program(policy: Policy, order: Order, nodes: list[int]) -> Best:
    count = len(order.quantities)
    full = (1 << count) - 1
    best: dict[int, Best] = {0: (0, (0,) * count)}
    for node in nodes:
        able = sum(1 << d for d in order.demands if order.fits(d, node))
        costs = {
            part: whole_parcel_cost(policy, order, node, _members(part))
            for part in range(1, full + 1)
            if part & ~able == 0
        }
        # Larger sets first, so that a node is never used twice for one set.
        for target in range(full, 0, -1):
            for part, cost in costs.items():
                if part & ~target or target ^ part not in best:
                    continue
                rest_cost, rest_vector = best[target ^ part]
                vector = tuple(node if part >> d & 1 else rest_vector[d] for d in range(count))
                candidate = (rest_cost + cost, vector)
                if target not in best or candidate < best[target]:
                    best[target] = candidate
    return best[full]


def _members(part: int) -> list[int]:
    return [d for d in range(part.bit_length()) if part >> d & 1]
