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


def terms_of(parts: tuple[Part, ...], view: NetworkView, tables: Tables) -> list[Term]:
    """Return the terms of a strategy over the places and goods that are known."""
    terms = []
    for part in parts:
        term = CRITERIA[part.criterion].term(view, tables)
        terms.append(
            Term(
                kind=term.kind,
                values=term.values,
                rates=term.rates,
                step=term.step,
                band=part.band,
                limit=part.limit,
                multiplier=part.multiplier,
            )
        )
    return terms
