"""What one more unit in stock is worth, from a linear program over the orders to come.

Its columns are ways to serve a kind of order, made as they are needed (column generation), so that
a parcel is a parcel: the program is at least as strong as the deterministic one, and a tenth of its
size. It is kept from one question to the next; only its bounds change, and HiGHS goes on from where
it was.
"""

import numpy as np

from loadtests.bench.fulfilment.cheapest import Cheapest
from loadtests.bench.fulfilment.instance import Instance, Numbers
from loadtests.bench.fulfilment.linear import Columns, Solver
from loadtests.bench.fulfilment.network import Floats
from loadtests.bench.fulfilment.outcome import parcel_costs

GAIN_LEAST = 1e-6
"""A column that saves less an order is not worth its place."""
ROUNDS_MOST = 200


class StockPrices:
    """Prices of an instance's stock; remembers its columns."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._cheapest = Cheapest(instance)
        self._kinds = np.arange(len(instance.rate))
        self.cost = 0.0
        """The least cost that was found last."""
        self.kind_cost = np.zeros(len(self._kinds))
        """R: what one more order of the kind would have cost."""
        kinds, cells = len(self._kinds), instance.stock.size
        none = Columns(np.zeros(0), np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0))
        self._solver = Solver(none, np.zeros(kinds + cells), np.zeros(kinds + cells))
        nothing = np.zeros(instance.stock.shape)
        for has in (nothing > 0, instance.carries):
            self._add(self._kinds, self._cheapest.ways(self._kinds, nothing, has).centres)

    def prices(self, stock: Numbers | Floats, orders: Floats) -> Floats:
        """Return what each unit is worth ((K - 1) x I) if so many orders of each kind (R) come."""
        kinds = len(self._kinds)
        most = np.concatenate([orders, stock.ravel()]).astype(np.float64)
        least = np.concatenate([orders, np.full(stock.size, -np.inf)])
        self._solver.bound(least, most)
        for _ in range(ROUNDS_MOST):
            solution = self._solver.solve()
            self.cost, self.kind_cost = solution.cost, solution.duals[:kinds]
            price = (-solution.duals[kinds:]).clip(0.0).reshape(stock.shape)
            ways = self._cheapest.ways(self._kinds, price, self._instance.carries)
            better = np.flatnonzero((ways.cost < self.kind_cost - GAIN_LEAST) & (orders > 0))
            if not len(better):
                break
            self._add(self._kinds[better], ways.centres[better])
        return price

    def _add(self, kinds: Numbers, centres: Numbers) -> None:
        self._solver.add(columns_of(self._instance, kinds, centres))


def columns_of(instance: Instance, kinds: Numbers, centres: Numbers) -> Columns:
    """Return the columns of ways (n x M) to serve orders of kinds (n).

    Each has 1 in the row of its kind, and in those of the cells that it takes from.
    """
    is_item, items = instance.is_item[kinds], instance.items[kinds]
    unit = np.take_along_axis(instance.unit_costs()[kinds], centres, axis=1)
    used = np.bitwise_or.reduce(np.where(is_item, 1 << centres, 0), axis=1)
    cost = np.where(is_item, unit, 0.0).sum(axis=1) + parcel_costs(instance)[used]
    is_real = is_item & (centres < instance.network.centres)
    cell = len(instance.rate) + centres * instance.stock.shape[1] + items
    entries = np.hstack([kinds[:, None], cell])
    is_entry = np.hstack([np.ones((len(kinds), 1), np.bool_), is_real])
    start = np.concatenate([[0], np.cumsum(is_entry.sum(axis=1))])
    row = entries[is_entry]
    return Columns(cost, start, row, np.ones(len(row)))
