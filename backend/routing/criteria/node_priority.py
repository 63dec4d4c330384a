"""The rank that the brand gave a node: 0 first, 1000 last."""

from array import array

from backend.routing.criteria.criterion import Criterion
from backend.routing.network_view import NetworkView
from backend.routing.numbering import Tables
from core_ext.policy import Kind, Term


def _term(view: NetworkView, tables: Tables) -> Term:
    return Term(kind=Kind.NODE, values=array("i", [node.priority for node in view.nodes]))


CRITERION = Criterion(
    name="node_priority",
    unit="rank",
    range="0 to 1000",
    source="the node's priority",
    limit=1000,
    term=_term,
)
