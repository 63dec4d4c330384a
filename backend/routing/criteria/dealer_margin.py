"""What the brand pays the dealer that owns the node for a parcel it sends; 0 for its own nodes."""

from array import array

from backend.routing.criteria.criterion import Criterion
from backend.routing.dealers import terms_of
from backend.routing.network_view import NetworkView
from backend.routing.numbering import Tables
from core_ext.policy import Kind, Term

LIMIT_MINOR = 2**24 - 1


def _term(view: NetworkView, tables: Tables) -> Term:
    found = [terms_of(view, node) for node in view.nodes]
    values = [min(LIMIT_MINOR, terms.service_fee_minor) if terms else 0 for terms in found]
    return Term(kind=Kind.NODE, values=array("i", values))


CRITERION = Criterion(
    name="dealer_margin",
    unit="minor units",
    range="0 to 16,777,215",
    source="the fee agreed with the dealer",
    limit=LIMIT_MINOR,
    term=_term,
)
