"""Running every policy on the same instances and sequences, and what comes out on average."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from math import inf, sqrt
from statistics import fmean, stdev
from typing import NamedTuple

import numpy as np
from numpy.random import Generator, default_rng

from loadtests.bench.fulfilment.bound import Bound, deterministic_bound
from loadtests.bench.fulfilment.clairvoyant import least_cost, optimum
from loadtests.bench.fulfilment.instance import (
    Arrivals,
    Instance,
    Numbers,
    drawn_arrivals,
    drawn_instance,
)
from loadtests.bench.fulfilment.lookahead import (
    ExpectedPrices,
    PriceSource,
    SampledPrices,
    served_ahead,
)
from loadtests.bench.fulfilment.network import Network
from loadtests.bench.fulfilment.outcome import served, total_cost
from loadtests.bench.fulfilment.planned import PlannerServer
from loadtests.bench.fulfilment.prices import StockPrices
from loadtests.bench.fulfilment.protocols import Protocol
from loadtests.bench.fulfilment.rounding import Rounding
from loadtests.bench.fulfilment.transport import TransportPrices
from loadtests.bench.report import Stopwatch

Costing = Callable[[Arrivals, Generator], float]
"""Returns what a sequence costs."""

YIPAN, MYOPIC = "yipan", "stock_aware_myopic"
CLAIRVOYANT_BOUND, CLAIRVOYANT = "clairvoyant_bound", "clairvoyant"

QUANTILES = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 9: 2.26, 14: 2.14, 19: 2.09, 29: 2.05}
"""Of Student's distribution at 97.5 %, by degrees of freedom; those between go to the one below."""


class Measured(NamedTuple):
    """What one protocol gave, by policy."""

    cost_ratio: dict[str, float]
    """Mean cost over the cost of the deterministic program."""
    interval: dict[str, float]
    """The 95 % interval is the ratio plus and minus so much; over instances."""
    seconds: dict[str, float]
    """Of one sequence."""

    def gap_closed(self, policy: str, floor: float) -> float:
        """Return how much of the distance from the stock-aware myopic to a floor a policy saves."""
        myopic = self.cost_ratio[MYOPIC]
        return (myopic - self.cost_ratio[policy]) / (myopic - floor)


def measured(network: Network, protocol: Protocol, seed: int) -> Measured:
    """Run a protocol; instance i and its sequences are drawn from the seeds (seed, i)."""
    ratios: defaultdict[str, list[float]] = defaultdict(list)
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    for number in range(protocol.instances):
        random = default_rng((seed, number))
        instance = drawn_instance(network, protocol.setting, random)
        bound = deterministic_bound(instance, "ipm" if protocol.is_large else "choose")
        sequences = [drawn_arrivals(instance, random) for _ in range(protocol.sequences)]
        for name, costing in costings(instance, bound, protocol).items():
            watch = Stopwatch()
            # Each policy's own chance begins at the same place, whatever the others drew.
            own = default_rng((seed, number, 1))
            costs = [costing(sequence, own) for sequence in sequences]
            seconds[name].append(watch.seconds / len(costs))
            ratios[name].append(fmean(costs) / bound.cost)
    return Measured(
        cost_ratio={name: fmean(values) for name, values in ratios.items()},
        interval={name: half_width(values) for name, values in ratios.items()},
        seconds={name: fmean(values) for name, values in seconds.items()},
    )


def half_width(values: Sequence[float]) -> float:
    """Return half the width of the 95 % interval of a mean."""
    if len(values) < 2:
        return inf
    degrees = max(d for d in QUANTILES if d < len(values))
    return QUANTILES[degrees] * stdev(values) / sqrt(len(values))


def costings(instance: Instance, bound: Bound, protocol: Protocol) -> dict[str, Costing]:
    """Return every policy, and the least costs of sequences that are known in advance."""
    found = _static(instance, bound) | _stock_aware(instance, protocol)
    program = StockPrices(instance)
    found[CLAIRVOYANT_BOUND] = lambda orders, _: least_cost(program, instance, orders)
    if protocol.has_optimum:
        found[CLAIRVOYANT] = lambda orders, _: optimum(program, instance, orders)
    return found


def _static(instance: Instance, bound: Bound) -> dict[str, Costing]:
    rounding = Rounding(instance, bound)

    def costing(choose: Callable[[Arrivals, Generator], Numbers]) -> Costing:
        return lambda orders, random: total_cost(
            instance, orders, served(instance, orders, choose(orders, random))
        )

    return {
        "myopic": costing(rounding.myopic),
        "independent": costing(rounding.independent),
        "correlated": costing(rounding.correlated),
        "dilated": costing(rounding.dilated),
        "force_open": costing(rounding.force_open),
    }


def _stock_aware(instance: Instance, protocol: Protocol) -> dict[str, Costing]:
    planner = PlannerServer(instance)
    transport, program = TransportPrices(instance), StockPrices(instance)
    free = np.zeros(instance.stock.shape)

    def myopic(orders: Arrivals, _: Generator) -> float:
        choices = planner.serve(orders, instance.stock.copy(), free)
        return total_cost(instance, orders, choices)

    def ahead(source: Callable[[Generator], PriceSource]) -> Costing:
        def costing(orders: Arrivals, random: Generator) -> float:
            made = source(random)
            choices = served_ahead(instance, planner, orders, made, protocol.prices_made)
            return total_cost(instance, orders, choices)

        return costing

    return {
        MYOPIC: myopic,
        "acimovic_graves": ahead(lambda _: transport),
        "expected_prices": ahead(lambda _: ExpectedPrices(instance, program)),
        YIPAN: ahead(lambda random: SampledPrices(instance, program, random, protocol.futures)),
    }
