"""成本: freight of a parcel by zone and weight, in minor units of the brand's currency.

What the node's carrier charges on its lane to the region: a base fee for the first weight (首重),
and a fee for each further step (续重), as by the kilogram; without lanes a default tariff by
distance. Weight is what carriers charge by: a piece's own, or that of its volume.
"""

from backend.routing.criteria.criterion import Criterion
from backend.routing.model import Place
from backend.routing.network_view import NetworkView
from backend.routing.numbering import Tables
from backend.routing.tariffs import LIMIT_MINOR, STEP_G
from core_ext.policy import Kind, Term


def _term(view: NetworkView, tables: Tables) -> Term:
    def bases(place: Place) -> list[int]:
        return [tariff.base_minor for tariff in view.tariffs(place.region_code)]

    def rates(place: Place) -> list[int]:
        return [tariff.per_kilogram_minor for tariff in view.tariffs(place.region_code)]

    return Term(
        kind=Kind.TARIFF,
        values=tables.places.table("freight", bases),
        rates=tables.places.table("freight.rate", rates),
        step=STEP_G,
    )


CRITERION = Criterion(
    name="freight",
    unit="minor units",
    range="0 to 1,048,575",
    source="the carriers' lanes of the node, else a default tariff by distance; weights, volumes",
    limit=LIMIT_MINOR,
    term=_term,
    looks_at=frozenset({"region_code"}),
)
