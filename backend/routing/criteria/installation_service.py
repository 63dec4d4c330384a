"""送装一体: units of a parcel that are to be installed, at a node that sends nobody who does it."""

from backend.routing.criteria.criterion import Criterion
from backend.routing.criteria.of_goods import UNITS_MAX, unmet
from backend.routing.goods_needs import Need

CRITERION = Criterion(
    name="installation_service",
    unit="units",
    range="0 to 1,023",
    source="whether the SKU needs installation; capabilities of the node",
    limit=UNITS_MAX,
    term=unmet("installation_service", Need.INSTALLS),
)
