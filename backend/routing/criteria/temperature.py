"""温控: units of a parcel that are to be kept chilled or frozen, at a node that cannot."""

from backend.routing.criteria.criterion import Criterion
from backend.routing.criteria.of_goods import UNITS_MAX, unmet
from backend.routing.goods_needs import Need

CRITERION = Criterion(
    name="temperature",
    unit="units",
    range="0 to 1,023",
    source="the attribute `temperature` of the SKU; capabilities of the node",
    limit=UNITS_MAX,
    term=unmet("temperature", Need.CHILLED | Need.FROZEN),
)
