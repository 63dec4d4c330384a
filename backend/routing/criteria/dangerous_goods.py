"""危险品: units of a parcel that are dangerous, at a node that may not handle such goods."""

from backend.routing.criteria.criterion import Criterion
from backend.routing.criteria.of_goods import UNITS_MAX, unmet
from backend.routing.goods_needs import Need

CRITERION = Criterion(
    name="dangerous_goods",
    unit="units",
    range="0 to 1,023",
    source="the attribute `dangerous` of the SKU; capabilities of the node",
    limit=UNITS_MAX,
    term=unmet("dangerous_goods", Need.DANGEROUS),
)
