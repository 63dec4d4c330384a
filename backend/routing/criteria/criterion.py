"""What a criterion is: a name, what its values mean, and the term it puts into the planner."""

from collections.abc import Callable
from typing import NamedTuple

from backend.routing.model import Place
from backend.routing.network_view import NetworkView
from backend.routing.numbering import Tables
from core_ext.policy import Kind, Term

MakeTerm = Callable[[NetworkView, Tables], Term]


class Criterion(NamedTuple):
    """A way to compare parcels; lower is better, values are integers from 0 on."""

    name: str
    unit: str
    range: str
    source: str
    limit: int
    """The largest value told apart, before banding; beyond it all are equally bad."""
    term: MakeTerm
    """Makes the term of the planner: tables over nodes, places × nodes or goods × nodes."""
    looks_at: frozenset[str] = frozenset()
    """The fields of `Place` that its values depend on."""


def by_place(name: str, row: Callable[[NetworkView, Place], list[int]], *, most: int) -> MakeTerm:
    """Return what makes a term with a value for each node and place, at most `most`."""

    def term(view: NetworkView, tables: Tables) -> Term:
        values = tables.places.table(
            name, lambda place: [min(most, value) for value in row(view, place)]
        )
        return Term(kind=Kind.PLACE, values=values)

    return term
