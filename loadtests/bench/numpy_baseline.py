"""The planner as one would write it with NumPy: the yardstick of the benchmark.

For each order every set of its lines is priced at every node at once, and the cheapest way to part
the lines into sets is taken. Exact for costs of which a parcel's is at most the sum of its parts';
ties go as in the planner, so that both go on from the same stock.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core_ext.demand import Demand
from core_ext.parcel_cost_twin import Policy, is_constant
from core_ext.policy import Kind, Term

Numbers = NDArray[np.int64]
NEVER = 2**60
"""The cost of what cannot be; three of them still fit 64 bits."""


class NumpyPlan(NamedTuple):
    """What an order costs, and the node of each of its lines."""

    cost: int
    nodes: tuple[int, ...]


class Ways(NamedTuple):
    """The sets of some lines, and the ways to part the lines into them, as matrices."""

    members: Numbers
    """Set by line: 1 where the set has the line."""
    parts: Numbers
    """Way by set: 1 where the set is a part of the way."""
    set_of_line: NDArray[np.intp]
    """Way by line: the set that the line is in."""


@cache
def ways_of(lines: int) -> Ways:
    """Return the sets of so many lines, and the ways."""
    sets = range(1, 1 << lines)
    members = [[s >> line & 1 for line in range(lines)] for s in sets]
    ways = list(_partitions((1 << lines) - 1))
    parts = [[int(s in way) for s in sets] for way in ways]
    of_line = [[next(s - 1 for s in way if s >> n & 1) for n in range(lines)] for way in ways]
    return Ways(np.array(members, np.int64), np.array(parts, np.int64), np.array(of_line, np.intp))


def _partitions(rest: int) -> Iterator[tuple[int, ...]]:
    """Yield every way to part a set; the part with the lowest line comes first."""
    if not rest:
        yield ()
    part = rest
    while part:
        if part & rest & -rest:
            yield from ((part, *others) for others in _partitions(rest ^ part))
        part = (part - 1) & rest


class NumpyPlanner:
    """Plans batches of orders of a few lines under one policy, against one stock."""

    def __init__(self, policy: Policy, free: Numbers, free_parcels: Numbers) -> None:
        """`free` has a row for each SKU, numbered from 0, and a column for each node."""
        shape = (policy.place_count, policy.node_count)
        self._free, self._free_parcels = free, free_parcels
        self._filters = np.frombuffer(policy.filters, np.uint8).reshape(-1, policy.node_count) == 1
        self._constants = np.zeros(shape, np.int64)
        for term in policy.terms:
            if is_constant(term):
                self._constants += _of_parcel(term, shape)
        others = [term for term in policy.terms if not is_constant(term)]
        self._tariffs = [_Tariff(term, shape) for term in others if term.kind is Kind.TARIFF]
        self._units = [_by_place(term, shape) for term in others if term.kind is Kind.UNIT]
        self._depths = [term for term in others if term.kind is Kind.DEPTH]
        self._goods = np.zeros((policy.goods_count + 1, policy.node_count), np.int64)
        for term in others:
            if term.kind is Kind.GOODS:  # the last row is that of goods of no class
                values = np.array(term.values, np.int64).reshape(-1, policy.node_count)
                self._goods[:-1] += term.multiplier * values
        assert all(term.band == 1 for term in others), "parts may cost less otherwise"

    def plan(self, demand: Demand) -> list[NumpyPlan]:
        """Plan one order after another, each seeing what those before it took."""
        known, row_of = np.unique(np.array(demand.sku), return_inverse=True)
        free, parcels = self._free[known], self._free_parcels.copy()
        quantity, weight = np.array(demand.quantity), np.array(demand.unit_weight_g)
        plans = []
        for order in range(len(demand.place)):
            rows = slice(demand.order_offsets[order], demand.order_offsets[order + 1])
            at = row_of[rows]
            allowed = self._filters[demand.filter[order]] & (parcels > 0)
            stock = np.where(allowed, free[at], 0)
            goods = np.array(demand.goods[rows])
            plan = self._plan_order(demand.place[order], quantity[rows], weight[rows], stock, goods)
            free[at, plan.nodes] -= quantity[rows]
            parcels[np.unique(plan.nodes)] -= 1
            plans.append(plan)
        return plans

    def _plan_order(
        self, place: int, units: Numbers, weight: Numbers, stock: Numbers, goods: Numbers
    ) -> NumpyPlan:
        ways = ways_of(len(units))
        left = stock - units[:, None]
        of_lines = self._depth_costs(left) + self._goods[goods] * units[:, None]
        for by_unit in self._units:
            of_lines += by_unit[place] * units[:, None]
        cost = ways.members @ of_lines
        cost += self._constants[place]
        for tariff in self._tariffs:
            cost += tariff.costs(place, ways.members @ (units * weight))
        cost[ways.members @ (left < 0) > 0] = NEVER
        node = cost.argmin(axis=1)
        total = ways.parts @ cost[np.arange(len(node)), node]
        least = total.min()
        assert least < NEVER, "everything is somewhere"
        nodes = min(map(tuple, node[ways.set_of_line[total == least]].tolist()))
        return NumpyPlan(int(least), nodes)

    def _depth_costs(self, left: Numbers) -> Numbers:
        cost = np.zeros_like(left)
        for term in self._depths:
            cost += term.multiplier * np.maximum(0, term.step - left)
        return cost


class _Tariff:
    """A price list: its base, and its rate for each begun step of weight."""

    def __init__(self, term: Term, shape: tuple[int, int]) -> None:
        self._base = term.multiplier * np.array(term.values, np.int64).reshape(shape)
        self._rate = term.multiplier * np.array(term.rates, np.int64).reshape(shape)
        self._step = term.step

    def costs(self, place: int, weights_g: Numbers) -> Numbers:
        """Return the cost of parcels of these weights from every node."""
        steps = -(-weights_g // self._step)
        costs: Numbers = self._base[place] + self._rate[place] * steps[:, None]
        return costs


def _by_place(term: Term, shape: tuple[int, int]) -> Numbers:
    """Return what a unit adds, by place and node."""
    return term.multiplier * np.array(term.values, np.int64).reshape(shape)


def _of_parcel(term: Term, shape: tuple[int, int]) -> Numbers:
    """Return what a term adds to any parcel, by place and node."""
    values = np.array(term.values, np.int64)
    table = values if term.kind is Kind.NODE else values.reshape(shape)
    costs: Numbers = term.multiplier * np.minimum(term.limit, table // term.band)
    return np.broadcast_to(costs, shape)


def free_by_node(
    rows: Sequence["Sequence[int]"], node_of: Sequence[int], skus: int, nodes: int
) -> Numbers:
    """Return the free units of each SKU at each node, from rows of SKU, source and units."""
    sku, source, units = (np.array(column, np.int64) for column in rows)
    free = np.zeros((skus, nodes), np.int64)
    np.add.at(free, (sku, np.array(node_of)[source]), units)
    return free
