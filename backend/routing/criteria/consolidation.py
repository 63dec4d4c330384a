"""合包: whether the node sends nothing of the order yet, where another one already does.

0 for a node that sends a part of it, and for all where none does; 1 for the others.
"""

from backend.routing.criteria.criterion import Criterion, by_place
from backend.routing.model import Place
from backend.routing.network_view import NetworkView


def _row(view: NetworkView, place: Place) -> list[int]:
    if not place.joins:
        return [0] * len(view.nodes)
    return [int(node.id not in place.joins) for node in view.nodes]


CRITERION = Criterion(
    name="consolidation",
    unit="nodes that join in",
    range="0 or 1",
    source="the fulfilments that the order has",
    limit=1,
    term=by_place("consolidation", _row, most=1),
    looks_at=frozenset({"joins"}),
)
