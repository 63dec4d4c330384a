"""截单: days until the node dispatches what it is given now; 0 is today.

A node's cut-off, its working days and the days on which it is closed decide.
"""

from array import array

from backend.routing.criteria.criterion import Criterion
from backend.routing.delivery import DAYS_AHEAD
from backend.routing.network_view import NetworkView
from backend.routing.numbering import Tables
from core_ext.policy import Kind, Term


def _term(view: NetworkView, tables: Tables) -> Term:
    return Term(kind=Kind.NODE, values=array("i", view.delivery.wait_days))


CRITERION = Criterion(
    name="cut_off",
    unit="days",
    range="0 to 60",
    source="cut-off and working days of the node, its closed days; the time where the brand is",
    limit=DAYS_AHEAD,
    term=_term,
)
