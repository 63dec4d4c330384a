"""How much of a node's daily capacity is taken; 0 for a node without one."""

from array import array

from backend.routing.criteria.criterion import Criterion
from backend.routing.network_view import PERMILLE, NetworkView
from backend.routing.numbering import Tables
from core_ext.policy import Kind, Term


def _term(view: NetworkView, tables: Tables) -> Term:
    return Term(kind=Kind.NODE, values=array("i", view.load_permille))


CRITERION = Criterion(
    name="node_load",
    unit="‰ of the daily capacity",
    range="0 to 1000",
    source="the capacity counters of the day as the batch begins, in steps of 10 ‰",
    limit=PERMILLE,
    term=_term,
)
