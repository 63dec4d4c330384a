"""拒单率: how much of what a node should have had was not there when somebody looked for it."""

from array import array

from backend.inventory.pools.model import WHOLE_BP
from backend.routing.criteria.criterion import Criterion
from backend.routing.network_view import NetworkView
from backend.routing.numbering import Tables
from core_ext.policy import Kind, Term


def _term(view: NetworkView, tables: Tables) -> Term:
    accuracy = view.figures.accuracy_bp
    rates = [WHOLE_BP - accuracy.get(node.id, WHOLE_BP) for node in view.nodes]
    return Term(kind=Kind.NODE, values=array("i", rates))


CRITERION = Criterion(
    name="reject_rate",
    unit="basis points",
    range="0 to 10,000",
    source="picks that failed and counts of the last 90 days",
    limit=WHOLE_BP,
    term=_term,
)
