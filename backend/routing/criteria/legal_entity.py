"""Whether the node belongs to another legal entity than the shop that invoices: 0 same, 1 other.

An order without a legal entity, or a node without one, counts as the same.
"""

from backend.routing.criteria.criterion import Criterion
from backend.routing.model import Place
from backend.routing.network_view import NetworkView
from backend.routing.places import Places
from core_ext.policy import Kind, Term


def _term(view: NetworkView, places: Places) -> Term:
    def row(place: Place) -> list[int]:
        wanted = place.legal_entity_id
        return [
            int(None not in (wanted, node.legal_entity_id) and wanted != node.legal_entity_id)
            for node in view.nodes
        ]

    return Term(kind=Kind.PLACE, values=places.table("legal_entity", row))


CRITERION = Criterion(
    name="legal_entity",
    unit="other legal entities",
    range="0 or 1",
    source="legal entity of the shop and of the node",
    limit=1,
    term=_term,
)
