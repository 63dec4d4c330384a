"""The prices of Acimovic and Graves (2015): each item by itself, as a transportation problem.

The units to come of an item go from the stock to the metros at the cost of a parcel of one unit. An
order of several items is then served at its true cost plus these prices.
"""

import numpy as np

from loadtests.bench.fulfilment.instance import Instance, Numbers
from loadtests.bench.fulfilment.linear import Solver, by_columns
from loadtests.bench.fulfilment.network import Floats


class TransportPrices:
    """Prices of an instance's stock; kept from one question to the next."""

    def __init__(self, instance: Instance) -> None:
        self._rates = instance.item_rates()
        network = instance.network
        metros, items = self._rates.shape
        reach = np.vstack([instance.carries, np.ones((1, items), np.bool_)])
        centre, item, metro = (
            column.ravel() for column in np.nonzero(np.repeat(reach[:, :, None], metros, axis=2))
        )
        is_real = centre < network.centres
        column, wanted = np.arange(len(centre)), metro * items + item
        cell = metros * items + centre * items + item
        self._solver = Solver(
            by_columns(
                network.parcel_cost[centre] + network.unit_cost[metro, centre],
                np.concatenate([column, column[is_real]]),
                np.concatenate([wanted, cell[is_real]]),
                np.ones(len(column) + int(is_real.sum())),
            ),
            np.zeros(metros * items + instance.stock.size),
            np.zeros(metros * items + instance.stock.size),
        )

    def prices(self, stock: Numbers, periods: int) -> Floats:
        """Return what each unit is worth ((K - 1) x I) when so many periods are to come."""
        wanted = periods * self._rates.ravel()
        most = np.concatenate([wanted, stock.ravel()]).astype(np.float64)
        least = np.concatenate([wanted, np.full(stock.size, -np.inf)])
        self._solver.bound(least, most)
        duals = self._solver.solve().duals
        price: Floats = -duals[len(wanted) :].clip(max=0.0).reshape(stock.shape)
        return price
