"""What a node is: warehouses first, then those of third parties, dealers, stores, platforms.

Another order of kinds is a matter of strategies with conditions on nodes.
"""

from array import array

from backend.network.model import NodeKind
from backend.routing.criteria.criterion import Criterion
from backend.routing.network_view import NetworkView
from backend.routing.numbering import Tables
from core_ext.policy import Kind, Term

RANK = {
    NodeKind.WAREHOUSE: 0,
    NodeKind.THIRD_PARTY: 1,
    NodeKind.DEALER: 2,
    NodeKind.STORE: 3,
    NodeKind.PLATFORM: 4,
}


def _term(view: NetworkView, tables: Tables) -> Term:
    return Term(kind=Kind.NODE, values=array("i", [RANK[node.kind] for node in view.nodes]))


CRITERION = Criterion(
    name="node_kind",
    unit="rank",
    range="0 to 4",
    source="the node's kind",
    limit=max(RANK.values()),
    term=_term,
)
