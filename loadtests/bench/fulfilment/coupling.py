"""Correlated rounding: one draw an order decides for all of its items.

After Jasin and Sinha (2015). The unit interval is cut into pieces, and each piece names a centre
for every item; a uniform number picks the piece. Item after item takes its share of each centre
first in pieces where that centre is used already, then wherever there is room. So every item keeps
its probabilities. For two items the parcels are the fewest possible, as in the paper; for more, the
paper lines the intervals up in a way of its own, and this one may use fewer or more.
"""

import numpy as np

from loadtests.bench.fulfilment.instance import Flags, Numbers
from loadtests.bench.fulfilment.network import Floats

NOTHING = 1e-12
"""A share that is the rounding error of a float."""

Piece = tuple[float, list[int]]
"""Length, and the centre of each item that has been placed."""


class Coupling:
    """Pieces of the unit interval for every kind of order."""

    def __init__(self, share: Floats, is_item: Flags) -> None:
        """`share` is R x M x K, `is_item` R x M."""
        ends: list[Floats] = []
        centres: list[list[int]] = []
        for kind, (of_kind, is_here) in enumerate(zip(share, is_item, strict=True)):
            pieces = coupled(of_kind[is_here])
            padding = [0] * int((~is_here).sum())
            ends.append(kind + np.cumsum([length for length, _ in pieces]))
            ends[-1][-1] = kind + 1
            centres += [chosen + padding for _, chosen in pieces]
        self._ends = np.concatenate(ends)
        self._centres = np.array(centres, np.int64)

    def choices(self, kind: Numbers, drawn: Floats) -> Numbers:
        """Return the centres of each order, of its kind and with a number from [0, 1)."""
        return self._centres[np.searchsorted(self._ends, kind + drawn, side="right")]


def coupled(share: Floats) -> list[Piece]:
    """Return pieces for some items, from the share of each centre in each item (m x K)."""
    pieces: list[Piece] = [(1.0, [])]
    for of_item in share:
        left = of_item / of_item.sum()
        pieces = _with_used(pieces, left)
    return pieces


def _with_used(pieces: list[Piece], left: Floats) -> list[Piece]:
    """Place one more item; `left` is its share by centre, and nothing of it remains."""
    placed: list[Piece] = []
    free: list[Piece] = []
    for length, chosen in pieces:
        for centre in sorted(set(chosen), key=lambda k: -left[k]):
            taken = min(length, float(left[centre]))
            if taken > NOTHING:
                placed.append((taken, [*chosen, centre]))
                left[centre] -= taken
                length -= taken
        if length > NOTHING:
            free.append((length, chosen))
    for length, chosen in free:
        for centre in np.flatnonzero(left > NOTHING).tolist():
            taken = min(length, float(left[centre]))
            if taken > NOTHING:
                placed.append((taken, [*chosen, centre]))
                left[centre] -= taken
                length -= taken
    return placed
