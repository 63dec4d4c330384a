"""Instances: which orders there are and how often they come, who carries what, and how much.

| name | meaning |
| --- | --- |
| kind | a set of items ordered together by one metro; R of them, the empty set has none |
| items | R x M: the items of a kind, then NO_ITEM up to the size of the largest |
| cell | a centre's stock of one item; a row of `stock` is a centre, the dummy has none |
"""

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from loadtests.bench.fulfilment.network import Floats, Network

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

NO_ITEM = -1
NEARLY = 1e-9
SAFETY = 0.5
"""Standard deviations of demand that are in stock beyond its mean."""


class Setting(NamedTuple):
    """What instances are drawn from."""

    items: int
    largest: int
    """Items of the largest orders."""
    sets_a_size: int
    periods: int
    """In each of them comes one order, or the empty one."""
    carried: float
    """Share of the items that a centre carries."""
    has_safety: bool
    """Safety stock as Ma has it, or the mean rounded up as Amil, Makhdoumi and Wei have it."""


class Instance(NamedTuple):
    """One draw: R kinds of orders, K centres with the dummy, I items."""

    network: Network
    periods: int
    items: Numbers
    metro: Numbers
    """R."""
    rate: Floats
    """R: orders of the kind a period; together less than 1, the rest is empty."""
    carries: Flags
    """(K - 1) x I."""
    stock: Numbers
    """(K - 1) x I units."""

    @property
    def is_item(self) -> Flags:
        """R x M: False behind the items of a kind."""
        found: Flags = self.items != NO_ITEM
        return found

    def unit_costs(self) -> Floats:
        """R x K: of a unit from each centre to the metro of the kind."""
        return self.network.unit_cost[self.metro]

    def item_rates(self) -> Floats:
        """J x I: units a period."""
        rates = np.zeros((len(self.network.share), self.stock.shape[1]))
        kinds, places = np.nonzero(self.is_item)
        np.add.at(rates, (self.metro[kinds], self.items[kinds, places]), self.rate[kinds])
        return rates


def drawn_instance(network: Network, setting: Setting, random: Generator) -> Instance:
    """Draw the sets of items, how often they are ordered, and who carries what; stock follows."""
    sets, weights = _drawn_sets(setting, random)
    metros = len(network.share)
    rate = np.outer(weights, network.share).ravel()
    carries = random.random((network.centres, setting.items)) < setting.carried
    instance = Instance(
        network=network,
        periods=setting.periods,
        items=np.repeat(sets, metros, axis=0),
        metro=np.tile(np.arange(metros), len(sets)),
        rate=rate,
        carries=carries,
        stock=np.zeros(carries.shape, np.int64),
    )
    return instance._replace(stock=_stock(instance, setting))


def _drawn_sets(setting: Setting, random: Generator) -> tuple[Numbers, Floats]:
    """Return sets of items, padded, and the probability of each; the rest is the empty one's."""
    of_size = random.random(setting.largest + 1)
    of_size /= of_size.sum()
    sets = np.full((setting.largest * setting.sets_a_size, setting.largest), NO_ITEM, np.int64)
    weights = np.zeros(len(sets))
    for size in range(1, setting.largest + 1):
        rows = slice((size - 1) * setting.sets_a_size, size * setting.sets_a_size)
        for row in range(rows.start, rows.stop):
            sets[row, :size] = random.choice(setting.items, size, replace=False)
        share = random.random(setting.sets_a_size)
        weights[rows] = of_size[size] * share / share.sum()
    return sets, weights


def nearest_carrying(instance: Instance) -> Numbers:
    """J x I: the nearest centre that carries the item, the dummy where none does."""
    network = instance.network
    near = network.unit_cost[:, :-1, None] + np.where(instance.carries, 0.0, np.inf)
    found: Numbers = near.argmin(axis=1)
    found[:, ~instance.carries.any(axis=0)] = network.centres
    return found


def _stock(instance: Instance, setting: Setting) -> Numbers:
    """What each centre needs for those to whom it is the nearest."""
    rates, nearest = instance.item_rates(), nearest_carrying(instance)
    rate = np.stack(
        [np.where(nearest == k, rates, 0.0).sum(axis=0) for k in range(instance.network.centres)]
    )
    mean = setting.periods * rate
    if setting.has_safety:
        units = np.rint(mean + SAFETY * np.sqrt(mean * (1 - rate)))
    else:
        # A mean that is whole but for the last bits of a float is whole.
        units = np.ceil(mean - NEARLY)
    stock: Numbers = units.astype(np.int64)
    return stock


class Arrivals(NamedTuple):
    """One sequence of orders; n of them, empty ones left out."""

    kind: Numbers
    """n."""
    period: Numbers
    """n, rising: the period in which the order came."""


def drawn_arrivals(instance: Instance, random: Generator) -> Arrivals:
    """Draw one order a period."""
    bounds = np.cumsum(instance.rate)
    drawn = np.searchsorted(bounds, random.random(instance.periods), side="right")
    period = np.flatnonzero(drawn < len(bounds))
    return Arrivals(drawn[period], period)
