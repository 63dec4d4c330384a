"""大件: units of a parcel that are too long or heavy for a node that handles no such goods."""

from backend.routing.criteria.criterion import Criterion
from backend.routing.criteria.of_goods import UNITS_MAX, unmet
from backend.routing.goods_needs import Need

CRITERION = Criterion(
    name="oversize",
    unit="units",
    range="0 to 1,023",
    source="edges above 1.2 m or weight above 30 kg of the SKU; capabilities of the node",
    limit=UNITS_MAX,
    term=unmet("oversize", Need.OVERSIZE),
)
