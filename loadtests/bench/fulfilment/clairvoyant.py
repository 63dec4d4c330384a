"""The least cost of a sequence that is known in advance: no policy costs less.

The integer program chooses how many orders of each kind are served in which way. Its columns are
all ways that can be in a solution as good as the best one known: those whose reduced cost is no
more than the distance of that solution from the linear bound. So the optimum is exact.
"""

from itertools import product
from typing import NamedTuple

import numpy as np

from loadtests.bench.fulfilment.instance import Arrivals, Instance, Numbers
from loadtests.bench.fulfilment.linear import Columns, Solver
from loadtests.bench.fulfilment.network import Floats
from loadtests.bench.fulfilment.prices import GAIN_LEAST, StockPrices, columns_of

DISTANCE_FIRST = 1.0
"""What the first solution may cost more than the linear bound: a tenth of a parcel."""


def counted(instance: Instance, arrivals: Arrivals) -> Floats:
    """Return how often each kind came (R)."""
    return np.bincount(arrivals.kind, minlength=len(instance.rate)).astype(np.float64)


def least_cost(program: StockPrices, instance: Instance, arrivals: Arrivals) -> float:
    """Return the linear program's lower bound of any way to serve the sequence."""
    program.prices(instance.stock, counted(instance, arrivals))
    return program.cost


def optimum(program: StockPrices, instance: Instance, arrivals: Arrivals) -> float:
    """Return the least cost of a sequence, exactly but for HiGHS's tolerance of a millionth.

    Every set of centres for the items of an order is looked at: for few items and centres only.
    Raises NotSolved.
    """
    orders = counted(instance, arrivals)
    price = program.prices(instance.stock, orders)
    bound, kind_cost = program.cost, program.kind_cost
    kinds = np.flatnonzero(orders)
    ways = [_all_ways(instance, kind, price, kind_cost[kind]) for kind in kinds]
    distance = DISTANCE_FIRST
    while True:
        near = [w.centres[w.reduced <= distance] for w in ways]
        of_kind = np.repeat(kinds, [len(centres) for centres in near])
        columns = columns_of(instance, of_kind, np.concatenate(near))
        cost = _whole(instance, columns, orders)
        if cost - bound <= distance + GAIN_LEAST:
            return cost
        distance = cost - bound


class _AllWays(NamedTuple):
    centres: Numbers
    reduced: Floats
    """Cost above what an order of the kind costs in the linear program."""


def _all_ways(instance: Instance, kind: np.int64, price: Floats, kind_cost: np.float64) -> _AllWays:
    items = instance.items[kind][instance.is_item[kind]]
    dummy = instance.network.centres
    able = [[*np.flatnonzero(instance.carries[:, item]), dummy] for item in items]
    centres = np.zeros((np.prod([len(a) for a in able]), instance.items.shape[1]), np.int64)
    centres[:, : len(items)] = np.array(list(product(*able)))
    columns = columns_of(instance, np.full(len(centres), kind), centres)
    worth = np.vstack([price, np.zeros(price.shape[1])])[centres[:, : len(items)], items]
    return _AllWays(centres, columns.cost + worth.sum(axis=1) - kind_cost)


def _whole(instance: Instance, columns: Columns, orders: Floats) -> float:
    """Solve the integer program of these columns."""
    stock = instance.stock.ravel().astype(np.float64)
    least = np.concatenate([orders, np.full(len(stock), -np.inf)])
    most = np.concatenate([orders, stock])
    return Solver(columns, least, most, are_whole=True).solve().cost
