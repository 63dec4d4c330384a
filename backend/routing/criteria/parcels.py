"""Boxes that a node packs: one for each begun BOX_G of what it sends.

Not to be mixed up with `split`, which counts nodes.
"""

from backend.routing.criteria.criterion import Criterion
from backend.routing.network_view import NetworkView
from backend.routing.numbering import Tables
from core_ext.policy import Kind, Term

BOX_G = 30_000
"""The heaviest box that most express carriers take."""
BOXES_MAX = 1_023


def _term(view: NetworkView, tables: Tables) -> Term:
    one = [1] * len(view.nodes)
    return Term(
        kind=Kind.TARIFF,
        values=tables.places.table("parcels", lambda _: [0] * len(one)),
        rates=tables.places.table("parcels.rate", lambda _: one),
        step=BOX_G,
    )


CRITERION = Criterion(
    name="parcels",
    unit="boxes",
    range="0 to 1,023",
    source="weights and volumes of the SKUs",
    limit=BOXES_MAX,
    term=_term,
)
