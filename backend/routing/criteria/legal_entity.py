"""Whether the node belongs to another legal entity than the shop that invoices: 0 same, 1 other.

An order without a legal entity, or a node without one, counts as the same.
"""

from backend.routing.criteria.criterion import Criterion, by_place
from backend.routing.model import Place
from backend.routing.network_view import NetworkView


def _row(view: NetworkView, place: Place) -> list[int]:
    wanted = place.legal_entity_id
    return [
        int(None not in (wanted, node.legal_entity_id) and wanted != node.legal_entity_id)
        for node in view.nodes
    ]


CRITERION = Criterion(
    name="legal_entity",
    unit="other legal entities",
    range="0 or 1",
    source="legal entity of the shop and of the node",
    limit=1,
    term=by_place("legal_entity", _row, most=1),
    looks_at=frozenset({"legal_entity_id"}),
)
