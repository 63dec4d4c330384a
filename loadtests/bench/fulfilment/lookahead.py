"""Policies that look ahead: an order costs what it costs, and what the stock it takes is worth.

The prices are made anew many times in a run, from what a real system knows: the stock as it stands,
the expected rates of orders, the time that is left.
"""

from typing import Protocol

import numpy as np
from numpy.random import Generator

from loadtests.bench.fulfilment.instance import Arrivals, Instance, Numbers
from loadtests.bench.fulfilment.network import Floats
from loadtests.bench.fulfilment.planned import PlannerServer
from loadtests.bench.fulfilment.prices import StockPrices

KEPT = 0.7
"""Weight of the prices before, when new ones come: what a few futures say is smoothed over time."""


class PriceSource(Protocol):
    """Knows what a unit is worth."""

    def prices(self, stock: Numbers, periods: int) -> Floats:
        """Return the prices ((K - 1) x I) with this stock when so many periods are to come."""


class ExpectedPrices:
    """Prices as if orders came exactly as expected."""

    def __init__(self, instance: Instance, program: StockPrices) -> None:
        self._rate, self._program = instance.rate, program

    def prices(self, stock: Numbers, periods: int) -> Floats:
        """As `PriceSource` says."""
        return self._program.prices(stock, periods * self._rate)


class SampledPrices:
    """Prices on average over drawn futures, and over those drawn before: one object a run.

    In expected demand a cell is short or it is not. A drawn future may be either, so that the
    average says how likely it is (as in randomized linear programs, Talluri and van Ryzin 1999).
    They begin with the prices of expected demand.
    """

    def __init__(
        self, instance: Instance, program: StockPrices, random: Generator, futures: int
    ) -> None:
        """`futures` are drawn for each new set of prices."""
        self._program, self._random, self._futures = program, random, futures
        self._rate = instance.rate
        self._shares = np.append(instance.rate, max(0.0, 1.0 - instance.rate.sum()))
        self._price: Floats | None = None

    def prices(self, stock: Numbers, periods: int) -> Floats:
        """As `PriceSource` says."""
        if self._price is None:
            self._price = self._program.prices(stock, periods * self._rate)
        drawn = [
            self._program.prices(stock, orders[:-1].astype(np.float64))
            for orders in self._random.multinomial(periods, self._shares, self._futures)
        ]
        self._price = KEPT * self._price + (1 - KEPT) * np.mean(drawn, axis=0)
        return self._price


def served_ahead(
    instance: Instance, server: PlannerServer, arrivals: Arrivals, source: PriceSource, times: int
) -> Numbers:
    """Return the choices of a run in which the prices are made anew so many times."""
    stock, choices = instance.stock.copy(), []
    edges = np.unique(np.linspace(0, instance.periods, times + 1).astype(np.int64))
    ends = np.searchsorted(arrivals.period, edges)
    for period, first, end in zip(edges[:-1], ends[:-1], ends[1:], strict=True):
        price = source.prices(stock, int(instance.periods - period))
        some = Arrivals(arrivals.kind[first:end], arrivals.period[first:end])
        choices.append(server.serve(some, stock, price))
    return np.concatenate(choices)
