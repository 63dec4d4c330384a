"""渠道佣金: what the order's channel charges where a node of this kind sends; 0 where nothing is
agreed.
"""

from backend.inventory.pools.model import WHOLE_BP
from backend.routing.criteria.criterion import Criterion, by_place
from backend.routing.model import Place
from backend.routing.network_view import NetworkView


def _row(view: NetworkView, place: Place) -> list[int]:
    agreed = view.terms.channels if view.terms else {}
    found = [agreed.get((place.channel, node.kind)) for node in view.nodes]
    return [terms.commission_bp if terms else 0 for terms in found]


CRITERION = Criterion(
    name="channel_commission",
    unit="basis points of the goods' amount",
    range="0 to 10,000",
    source="the terms of the channel, by kind of node",
    limit=WHOLE_BP,
    term=by_place("channel_commission", _row, most=WHOLE_BP),
    looks_at=frozenset({"channel"}),
)
