"""What another unit of a SKU is worth at each node: duals of a linear program over expected demand.

For each SKU a transportation problem: units from nodes to provinces, at what carrier, handling and
dealer cost, within what each node has; what no node can send costs twice the dearest way. The dual
of a node's stock is what one unit more there would save: its price. Expected demand alone says of
each node that it is short or that it is not; so demands are drawn around it, and the duals
averaged, which says how likely it is (randomized linear programs, Talluri and van Ryzin 1999).
"""

from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

from backend.routing.solver import silent_highs

FUTURES = 4
"""Demands drawn for one SKU."""
UNPLACED_FACTOR = 2
"""What no node sends costs so many times the dearest way to its province."""

Units = NDArray[np.int64]
Costs = NDArray[np.float64]


class ShadowPricer:
    """Prices SKU after SKU; one program is kept, and only its figures change."""

    def __init__(self, nodes: int, provinces: int) -> None:
        self._shape = nodes, provinces
        self._highs: Any = silent_highs()
        ways = nodes * provinces
        problem = highspy.HighsLp()
        problem.num_col_, problem.num_row_ = ways + provinces, nodes + provinces
        problem.col_cost_ = np.zeros(ways + provinces)
        problem.col_lower_ = np.zeros(ways + provinces)
        problem.col_upper_ = np.full(ways + provinces, np.inf)
        problem.row_lower_, problem.row_upper_ = (
            np.zeros(nodes + provinces),
            np.zeros(nodes + provinces),
        )
        node, province = np.divmod(np.arange(ways), provinces)
        index = np.concatenate(
            [np.stack([node, nodes + province], axis=1).ravel(), nodes + np.arange(provinces)]
        )
        start = np.concatenate([2 * np.arange(ways), 2 * ways + np.arange(provinces + 1)])
        problem.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        problem.a_matrix_.start_ = start.astype(np.int32)
        problem.a_matrix_.index_ = index.astype(np.int32)
        problem.a_matrix_.value_ = np.ones(len(index))
        self._highs.passModel(problem)

    def prices(self, stock: Units, demand: Costs, cost: Costs, seed: int) -> Costs:
        """Return the price of a unit at each node, in the unit of `cost`.

        `stock` has units by node, `demand` expected units by province, `cost` what a unit costs by
        node and province. Deterministic for the same seed.
        """
        if is_plenty(stock, demand, cost):
            return np.zeros(len(stock))
        nodes, provinces = self._shape
        random = np.random.default_rng(seed)
        unplaced = UNPLACED_FACTOR * cost.max(axis=0)
        columns = np.arange(nodes * provinces + provinces, dtype=np.int32)
        self._highs.changeColsCost(len(columns), columns, np.concatenate([cost.ravel(), unplaced]))
        found = [self._duals(stock, random.poisson(demand)) for _ in range(FUTURES)]
        prices: Costs = np.mean(found, axis=0)
        return prices

    def _duals(self, stock: Units, wanted: Units) -> Costs:
        nodes, provinces = self._shape
        rows = np.arange(nodes + provinces, dtype=np.int32)
        most = np.concatenate([stock, wanted]).astype(np.float64)
        least = np.concatenate([np.full(nodes, -np.inf), wanted])
        self._highs.changeRowsBounds(len(rows), rows, least, most)
        self._highs.run()
        duals = np.array(self._highs.getSolution().row_dual)[:nodes]
        found: Costs = (-duals).clip(0.0)
        return found


def is_plenty(stock: Units, demand: Costs, cost: Costs) -> bool:
    """Whether every province can have all it may want from the node that is cheapest for it.

    All it may want is its expected demand and three standard deviations more.
    """
    nearest = cost.argmin(axis=0)
    wanted = np.bincount(nearest, demand + 3 * np.sqrt(demand), minlength=len(stock))
    return bool((wanted <= stock).all())
