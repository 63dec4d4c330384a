"""碳排放: grams of CO2 equivalent on the road, at 100 g for a tonne and kilometre.

The order of magnitude for a loaded heavy goods vehicle in the conversion factors that the United
Kingdom publishes for company reporting each year; a figure to compare by, not to report.
"""

from backend.routing.criteria.criterion import Criterion
from backend.routing.model import Place
from backend.routing.network_view import NetworkView
from backend.routing.numbering import Tables
from core_ext.policy import Kind, Term

METRES_PER_GRAM_AND_KILOGRAM = 10_000
"""0.1 g for a kilogram and kilometre."""
STEP_G = 1_000
LIMIT_G = 2**20 - 1


def _term(view: NetworkView, tables: Tables) -> Term:
    def row(place: Place) -> list[int]:
        distances = view.distances_m(place.region_code)
        return [metres // METRES_PER_GRAM_AND_KILOGRAM for metres in distances]

    return Term(
        kind=Kind.TARIFF,
        values=tables.places.table("carbon", lambda _: [0] * len(view.nodes)),
        rates=tables.places.table("carbon.rate", row),
        step=STEP_G,
    )


CRITERION = Criterion(
    name="carbon",
    unit="g of CO2 equivalent",
    range="0 to 1,048,575",
    source="distance, and the weights of the SKUs, by the begun kilogram",
    limit=LIMIT_G,
    term=_term,
    looks_at=frozenset({"region_code"}),
)
