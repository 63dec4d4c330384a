"""就全: how many nodes an order is served from. 1 a node; counts nodes, not boxes."""

from array import array

from backend.routing.criteria.criterion import Criterion
from backend.routing.network_view import NetworkView
from backend.routing.numbering import Tables
from core_ext.policy import Kind, Term


def _term(view: NetworkView, tables: Tables) -> Term:
    return Term(kind=Kind.NODE, values=array("i", [1]) * len(view.nodes))


CRITERION = Criterion(
    name="split", unit="nodes", range="1", source="the plan itself", limit=1, term=_term
)
