"""How far the dealer that owns the node falls short of sending perfectly; 0 for the brand's."""

from array import array

from backend.inventory.pools.model import WHOLE_BP
from backend.routing.criteria.criterion import Criterion
from backend.routing.dealers import terms_of
from backend.routing.network_view import NetworkView
from backend.routing.numbering import Tables
from core_ext.policy import Kind, Term


def _term(view: NetworkView, tables: Tables) -> Term:
    found = [terms_of(view, node) for node in view.nodes]
    values = [WHOLE_BP - terms.performance_bp if terms else 0 for terms in found]
    return Term(kind=Kind.NODE, values=array("i", values))


CRITERION = Criterion(
    name="dealer_performance",
    unit="basis points",
    range="0 to 10,000",
    source="the performance that the brand keeps of its dealers",
    limit=WHOLE_BP,
    term=_term,
)
