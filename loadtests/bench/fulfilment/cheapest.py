"""The cheapest way to serve every kind of order, at given prices of the stock.

Exact: given the centres that send a parcel, each item comes from the cheapest of them, and all sets
of centres are looked at.
"""

from typing import NamedTuple

import numpy as np

from loadtests.bench.fulfilment.instance import Flags, Instance, Numbers
from loadtests.bench.fulfilment.network import Floats
from loadtests.bench.fulfilment.outcome import parcel_costs

COSTS_AT_ONCE = 2**22
"""Numbers of one intermediate array: 32 MiB."""


class Ways(NamedTuple):
    """One way for each of some kinds."""

    cost: Floats
    """With the prices of what it takes."""
    centres: Numbers
    """Kinds x M; behind the items of a kind it means nothing."""


class Cheapest:
    """Finds the cheapest ways of one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._parcels = parcel_costs(instance)
        self._unit_costs = instance.unit_costs()
        self._padded = np.where(instance.is_item, instance.items, 0)
        self._step = max(1, COSTS_AT_ONCE // (len(self._parcels) * instance.items.shape[1]))

    def ways(self, kinds: Numbers, price: Floats, has: Flags) -> Ways:
        """Return the cheapest ways; `price` and `has` are (K - 1) x I, the dummy is free of both.

        Ties go to the set of centres that comes first, counted in bits.
        """
        parts = [
            self._some(kinds[at : at + self._step], price, has)
            for at in range(0, len(kinds), self._step)
        ]
        if not parts:
            return Ways(np.zeros(0), self._padded[kinds])
        return Ways(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _some(self, kinds: Numbers, price: Floats, has: Flags) -> Ways:
        items = self._padded[kinds]
        is_item = self._instance.is_item[kinds]
        centres = len(self._instance.network.parcel_cost)
        costs = np.zeros((centres, *items.shape))
        added = np.where(has, price, np.inf)
        costs[:-1] = added[:, items]
        costs += self._unit_costs[kinds].T[:, :, None]
        costs[:, ~is_item] = 0.0
        least = np.full((1 << centres, *items.shape), np.inf)
        for centre in range(centres):
            size = 1 << centre
            np.minimum(least[:size], costs[centre], out=least[size : 2 * size])
        total = least.sum(axis=2) + self._parcels[:, None]
        total[0] = np.inf
        best = total.argmin(axis=0)
        is_open = best >> np.arange(centres)[:, None] & 1 == 1
        chosen = np.where(is_open[:, :, None], costs, np.inf).argmin(axis=0)
        return Ways(total[best, np.arange(len(kinds))], chosen)
