"""清库龄: days that units lack to the oldest age told apart, summed over the units of a parcel.

The older what a node has of a SKU, the better it is to send it: stock is cleared where it has lain
longest. What nobody knows the age of counts as new.
"""

from backend.routing.criteria.criterion import Criterion
from backend.routing.criteria.of_goods import goods_term
from backend.routing.model import Goods
from backend.routing.network_view import NetworkView

AGE_MAX_DAYS = 90
LIMIT = 2**16 - 1


def _row(view: NetworkView, goods: Goods) -> list[int]:
    ages = view.figures.age_days.get(goods.sku_id)
    if not ages:
        return [0] * len(view.nodes)
    return [AGE_MAX_DAYS - min(AGE_MAX_DAYS, ages.get(node.id, 0)) for node in view.nodes]


CRITERION = Criterion(
    name="stock_age",
    unit="days short of 90, times units",
    range="0 to 65,535",
    source="when units of the SKU last came to the node, of the last 90 days",
    limit=LIMIT,
    term=goods_term("stock_age", _row),
)
