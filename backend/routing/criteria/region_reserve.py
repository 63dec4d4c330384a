"""区域预留: units that leave the province that a node keeps its stock for.

0 at nodes that keep for nobody, and for orders of the node's own province.
"""

from backend.routing.criteria.criterion import Criterion
from backend.routing.model import Place
from backend.routing.network_view import NetworkView
from backend.routing.numbering import Tables
from core_ext.policy import Kind, Term

UNITS_MAX = 65_535


def _term(view: NetworkView, tables: Tables) -> Term:
    def row(place: Place) -> list[int]:
        province = view.delivery.province_of(place.region_code)
        return [
            int(node.keeps_for_region and view.delivery.province_of(node.region_code) != province)
            for node in view.nodes
        ]

    return Term(kind=Kind.UNIT, values=tables.places.table("region_reserve", row))


CRITERION = Criterion(
    name="region_reserve",
    unit="units",
    range="0 to 65,535",
    source="whether the node keeps its stock for its own region; the region table",
    limit=UNITS_MAX,
    term=_term,
    looks_at=frozenset({"region_code"}),
)
