"""库存深度: units by which a node falls short of a comfortable stock once the order is taken."""

from array import array

from backend.routing.criteria.criterion import Criterion
from backend.routing.network_view import NetworkView
from backend.routing.numbering import Tables
from core_ext.policy import Kind, Term

COMFORTABLE_UNITS = 100
"""From this depth on, more stock makes a node no better."""


def _term(view: NetworkView, tables: Tables) -> Term:
    return Term(kind=Kind.DEPTH, values=array("i"), step=COMFORTABLE_UNITS)


CRITERION = Criterion(
    name="stock_depth",
    unit="units",
    range="0 to 1,000 a parcel",
    source="the stock book, at the order's turn",
    limit=1_000,
    term=_term,
)
