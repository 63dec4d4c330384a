"""What a criterion is: a name, what its values mean, and the term it puts into the planner."""

from collections.abc import Callable
from typing import NamedTuple

from backend.routing.network_view import NetworkView
from backend.routing.places import Places
from core_ext.policy import Term

MakeTerm = Callable[[NetworkView, Places], Term]


class Criterion(NamedTuple):
    """A way to compare parcels; lower is better, values are integers from 0 on."""

    name: str
    unit: str
    range: str
    source: str
    limit: int
    """The largest value told apart, before banding; beyond it all are equally bad."""
    term: MakeTerm
    """Makes the term of the planner: tables over nodes, or places × nodes."""
