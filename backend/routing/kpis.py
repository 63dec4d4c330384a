"""What plans come to, in figures that two policies can be compared by."""

from collections.abc import Callable
from enum import StrEnum

import msgspec

from backend.routing.dealers import terms_of
from backend.routing.model import OrderPlan, PlanRequest
from backend.routing.network_view import NetworkView


class Figures(msgspec.Struct, frozen=True):
    """Sums over plans; of several orders they add up."""

    orders: int = 0
    whole: int = 0
    """Orders of which nothing is short."""
    split: int = 0
    """Orders that more than one node sends."""
    parcels: int = 0
    freight_minor: int = 0
    fees_minor: int = 0
    """Handling, and what dealers are paid."""
    distance_m: int = 0
    days: int = 0
    """Until the last parcel arrives."""
    promised: int = 0
    """Orders with a promised day that are sent whole."""
    late: int = 0
    """Of those, orders that arrive after it."""
    cross_region: int = 0
    """Parcels from another province."""
    units_unplaced: int = 0

    def plus(self, other: "Figures") -> "Figures":
        """Return the sums over both."""
        pairs = zip(msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True)
        return Figures(*[one + another for one, another in pairs])


class Kpi(StrEnum):
    """A figure for each order, or parcel; lower is better."""

    COST = "cost"
    """Freight and fees an order, in minor units."""
    PARCELS = "parcels"
    """Parcels an order."""
    SPLIT_RATE = "split_rate"
    DISTANCE = "distance"
    """Metres a parcel."""
    DAYS = "days"
    """Days to arrival an order."""
    LATE_RATE = "late_rate"
    """Of the orders with a promised day."""
    CROSS_REGION = "cross_region"
    """Share of the parcels from another province."""
    UNPLACED = "unplaced"
    """Units that no node sends, an order."""


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


_VALUE: dict[Kpi, Callable[[Figures], float]] = {
    Kpi.COST: lambda sums: _ratio(sums.freight_minor + sums.fees_minor, sums.orders),
    Kpi.PARCELS: lambda sums: _ratio(sums.parcels, sums.orders),
    Kpi.SPLIT_RATE: lambda sums: _ratio(sums.split, sums.orders),
    Kpi.DISTANCE: lambda sums: _ratio(sums.distance_m, sums.parcels),
    Kpi.DAYS: lambda sums: _ratio(sums.days, sums.orders),
    Kpi.LATE_RATE: lambda sums: _ratio(sums.late, sums.promised),
    Kpi.CROSS_REGION: lambda sums: _ratio(sums.cross_region, sums.parcels),
    Kpi.UNPLACED: lambda sums: _ratio(sums.units_unplaced, sums.orders),
}


def value_of(kpi: Kpi, sums: Figures) -> float:
    """Return a figure; 0 where there is nothing to divide by."""
    return _VALUE[kpi](sums)


def figures_of(view: NetworkView, request: PlanRequest, plan: OrderPlan) -> Figures:
    """Return what one plan comes to."""
    grams: dict[int, int] = {}
    for part in plan.allocations:
        index = view.node_index[part.node_id]
        weight = part.quantity * request.rows[part.row].unit_weight_g
        grams[index] = grams.get(index, 0) + weight
    region_code = request.place.region_code
    tariffs, distances = view.tariffs(region_code), view.distances_m(region_code)
    province = view.delivery.province_of(region_code)
    days = _days(view, region_code, list(grams))
    promised_on, today = request.place.promised_on, view.today
    is_promised = bool(promised_on and today and plan.is_whole and grams)
    left = (promised_on - today).days if promised_on and today else 0
    return Figures(
        orders=1,
        whole=int(plan.is_whole),
        split=int(len(grams) > 1),
        parcels=len(grams),
        freight_minor=sum(tariffs[index].charge_minor(weight) for index, weight in grams.items()),
        fees_minor=sum(fees_of(view, index) for index in grams),
        distance_m=sum(distances[index] for index in grams),
        days=days,
        promised=int(is_promised),
        late=int(is_promised and days > left),
        cross_region=sum(
            view.delivery.province_of(view.nodes[index].region_code) != province for index in grams
        ),
        units_unplaced=sum(plan.short),
    )


def fees_of(view: NetworkView, index: int) -> int:
    """Return what a parcel of a node costs beside freight: handling, and its dealer's fee."""
    node = view.nodes[index]
    terms = terms_of(view, node)
    return node.handling_minor + (terms.service_fee_minor if terms else 0)


def _days(view: NetworkView, region_code: int, nodes: list[int]) -> int:
    """Return the days until the last of the parcels arrives."""
    if view.today is None or not nodes:
        return 0
    arrivals = view.delivery.arrivals(region_code, view.distances_m(region_code))
    return max((arrivals[index] - view.today).days for index in nodes)
