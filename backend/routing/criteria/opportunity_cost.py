"""机会成本: what units are worth where they lie, to the orders that are still to come.

The shadow price of a SKU at a node: what another unit there would save on expected demand. Sending
the last units of a place that will want them is dear; what will not be missed costs nothing.
"""

from backend.routing.criteria.criterion import Criterion
from backend.routing.criteria.of_goods import goods_term
from backend.routing.model import Goods
from backend.routing.network_view import NetworkView

LIMIT_MINOR = 2**24 - 1


def _row(view: NetworkView, goods: Goods) -> list[int]:
    prices = view.figures.price_minor.get(goods.sku_id, {})
    return [min(LIMIT_MINOR, prices.get(node.id, 0)) for node in view.nodes]


CRITERION = Criterion(
    name="opportunity_cost",
    unit="minor units",
    range="0 to 16,777,215",
    source="duals of the linear program over expected demand, refreshed in the background",
    limit=LIMIT_MINOR,
    term=goods_term("opportunity_cost", _row),
)
