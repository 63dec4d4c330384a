"""What it costs to handle a parcel at the node."""

from array import array

from backend.routing.criteria.criterion import Criterion
from backend.routing.network_view import NetworkView
from backend.routing.numbering import Tables
from core_ext.policy import Kind, Term

LIMIT_MINOR = 2**24 - 1


def _term(view: NetworkView, tables: Tables) -> Term:
    values = [min(LIMIT_MINOR, node.handling_minor) for node in view.nodes]
    return Term(kind=Kind.NODE, values=array("i", values))


CRITERION = Criterion(
    name="handling",
    unit="minor units",
    range="0 to 16,777,215",
    source="the handling cost of the node",
    limit=LIMIT_MINOR,
    term=_term,
)
