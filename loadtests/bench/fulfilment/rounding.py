"""The published policies: static, they choose without looking at the stock that is left.

Each makes choices for a whole sequence at once; what is not in stock then comes from the dummy.
Those that round the linear program keep its shares as the probabilities of each item: the schemes
differ in how the items of an order go together.
"""

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.random import Generator

from loadtests.bench.fulfilment.bound import Bound
from loadtests.bench.fulfilment.coupling import Coupling
from loadtests.bench.fulfilment.instance import Arrivals, Instance, Numbers, nearest_carrying
from loadtests.bench.fulfilment.network import Floats

NEARLY = 1e-9
"""A share closer to nothing or to all is taken for it: the formula divides by what is left."""
SHARES_AT_ONCE = 2**24
"""Numbers of one intermediate array: 128 MiB."""
EXPONENT_MOST = 700.0
"""What a float's exponential holds."""


class Rounding:
    """The published policies for one instance."""

    def __init__(self, instance: Instance, bound: Bound) -> None:
        self._instance, self._bound = instance, bound

    @cached_property
    def _nearest(self) -> Numbers:
        instance = self._instance
        return nearest_carrying(instance)[instance.metro[:, None], instance.items]

    @cached_property
    def _coupling(self) -> Coupling:
        return Coupling(self._bound.share, self._instance.is_item)

    def myopic(self, arrivals: Arrivals, random: Generator) -> Numbers:
        """Every item from the nearest centre that carried it at first."""
        return self._nearest[arrivals.kind]

    def independent(self, arrivals: Arrivals, random: Generator) -> Numbers:
        """Every item by itself, with the program's probabilities."""
        return self._in_parts(arrivals, random, _independent)

    def correlated(self, arrivals: Arrivals, random: Generator) -> Numbers:
        """Items of an order together as far as their probabilities overlap (see `Coupling`)."""
        return self._coupling.choices(arrivals.kind, random.random(len(arrivals.kind)))

    def dilated(self, arrivals: Arrivals, random: Generator) -> Numbers:
        """Centres open at random; an item sees that the later, the smaller its share (Ma 2023)."""
        return self._in_parts(arrivals, random, _dilated)

    def force_open(self, arrivals: Arrivals, random: Generator) -> Numbers:
        """Dilated, but the centre of an item's largest share opens by a fixed time (Ma 2023)."""
        return self._in_parts(arrivals, random, _force_open)

    def _in_parts(
        self, arrivals: Arrivals, random: Generator, choose: Callable[[Floats, Generator], Numbers]
    ) -> Numbers:
        share = self._bound.share
        step = max(1, SHARES_AT_ONCE // share[0].size)
        parts = [
            choose(share[arrivals.kind[at : at + step]], random)
            for at in range(0, len(arrivals.kind), step)
        ]
        return np.concatenate(parts)


def _independent(share: Floats, random: Generator) -> Numbers:
    drawn = random.random(share.shape[:2])
    return _at_most((share.cumsum(axis=2) <= drawn[:, :, None]).sum(axis=2), share)


def _at_most(choices: Numbers, share: Floats) -> Numbers:
    """Sums of shares may end below 1 by the last bit of a float; what is behind is the last one."""
    last = share.shape[2] - 1 - (share[:, :, ::-1] > 0).argmax(axis=2)
    found: Numbers = np.minimum(choices, last)
    return found


def _dilated(share: Floats, random: Generator) -> Numbers:
    clock = random.exponential(size=(share.shape[0], 1, share.shape[2]))
    first: Numbers = _opening(clock, share).argmin(axis=2)
    return first


def _opening(clock: Floats, share: Floats) -> Floats:
    """When an item sees a centre open; never where it has no share."""
    never = np.full(share.shape, np.inf)
    opening: Floats = np.divide(clock, share, out=never, where=share > 0)
    return opening


def _force_open(share: Floats, random: Generator) -> Numbers:
    clock = random.exponential(size=(share.shape[0], 1, share.shape[2]))
    opening = _opening(clock, share)
    favourite = share.argmax(axis=2)[:, :, None]
    largest = np.take_along_axis(share, favourite, axis=2)
    own = np.take_along_axis(np.broadcast_to(clock, share.shape), favourite, axis=2)
    # One draw for all items of an order: each keeps its probabilities, and they go together more.
    is_late = random.random((len(share), 1, 1)) < late_probability(largest)
    time = np.where(is_late, 1.0, np.minimum(own, 1.0)) / np.where(largest > 0, largest, 1.0)
    np.put_along_axis(opening, favourite, time, axis=2)
    first: Numbers = opening.argmin(axis=2)
    return first


def late_probability(share: Floats) -> Floats:
    """Return how often the largest share opens at its last moment, so that it stays a probability.

    (1 - u) / (1 - u + u e^(1/u) - e); 0 where the share is all, or nothing.
    """
    is_part = (share > NEARLY) & (share < 1 - NEARLY)
    u = np.where(is_part, share, 0.5)
    late: Floats = (1 - u) / (1 - u + u * np.exp(np.minimum(1 / u, EXPONENT_MOST)) - np.e)
    return np.where(is_part, late, 0.0)
