"""The terms of a strategy: which criteria it compares by, and how they share one integer.

Objectives are compared one after another; a sum is one objective whose parts are weighed. Each gets
a field of the packed cost that is wide enough for its largest value over all parcels.
"""

from array import array
from typing import NamedTuple

from backend.routing.criteria import CRITERIA
from backend.routing.model import Strategy
from backend.routing.network_view import NetworkView
from backend.routing.numbering import Tables
from backend.routing.presets import objectives_of
from core_ext.limits import MAX_PARCELS
from core_ext.policy import Kind, Term, pack_levels


class TooFine(ValueError):
    """The objectives need more bits than there are."""


class Part(NamedTuple):
    """One criterion in the cost of a strategy."""

    criterion: str
    band: int
    weight: int
    level: int
    """The objective that it belongs to: 0 is compared first."""
    multiplier: int
    limit: int


def parcels_of(strategy: Strategy) -> int:
    return strategy.max_parcels or MAX_PARCELS


def pack(strategy: Strategy) -> tuple[Part, ...]:
    """Return the parts of a strategy's cost, most important first. Raises TooFine."""
    levels = []
    for objective in objectives_of(strategy):
        if objective.criterion:
            levels.append([(objective.criterion, objective.band or 1, 1)])
        else:
            levels.append([(part.criterion, part.band or 1, part.weight) for part in objective.sum])
    bare = [
        [
            (Term(Kind.DEPTH, array("i"), limit=_limit(name, band)), weight)
            for name, band, weight in level
        ]
        for level in levels
    ]
    try:
        packed = iter(pack_levels(bare, parcels_of(strategy)))
    except ValueError as error:
        raise TooFine(str(error)) from error
    parts = []
    for number, level in enumerate(levels):
        for name, band, weight in level:
            multiplier = next(packed).multiplier
            parts.append(Part(name, band, weight, number, multiplier, _limit(name, band)))
    return tuple(parts)


def _limit(criterion: str, band: int) -> int:
    """Return the largest banded value that is told apart."""
    return max(1, CRITERIA[criterion].limit // band)


class Terms:
    """The terms of criteria over the places and goods that are known, each made once."""

    def __init__(self, view: NetworkView, tables: Tables) -> None:
        self._view = view
        self._tables = tables
        self._made: dict[str, Term] = {}

    def of(self, parts: tuple[Part, ...]) -> list[Term]:
        """Return the terms of a strategy."""
        return [self._term(part) for part in parts]

    def _term(self, part: Part) -> Term:
        bare = self._made.get(part.criterion)
        if bare is None:
            bare = CRITERIA[part.criterion].term(self._view, self._tables)
            self._made[part.criterion] = bare
        return Term(
            kind=bare.kind,
            values=bare.values,
            rates=bare.rates,
            step=bare.step,
            band=part.band,
            limit=part.limit,
            multiplier=part.multiplier,
        )
