"""When an order would arrive, from the planner that would route it; nothing is taken.

A day is promised where the policy, with the nodes alone whose parcels arrive by then, sends
everything: so what is promised is what would be sent.
"""

from collections.abc import Sequence
from datetime import date

import msgspec

from backend.network.model import NodeKind
from backend.routing.model import OrderPlan, PlanRequest
from backend.routing.plan_orders import OrderPlanner
from backend.routing.trace import available_at_nodes
from core_ext import StockBook

DAYS_TRIED_MAX = 12
"""Different days of arrival that are tried, the earliest first."""
STORES_MAX = 10


class DayOption(msgspec.Struct, frozen=True):
    """A day by which everything can arrive."""

    day: date
    node_ids: tuple[int, ...]
    freight_minor: int


class LinePromise(msgspec.Struct, frozen=True):
    """The earliest day for a SKU by itself; None where there is not enough of it."""

    sku_id: int
    day: date | None


class PickupStore(msgspec.Struct, frozen=True):
    """A store that has everything, and the day on which it can be ready there."""

    node_id: int
    distance_m: int
    ready_on: date


class DeliveryPromise(msgspec.Struct, frozen=True):
    """What can be promised of a cart."""

    lines: tuple[LinePromise, ...]
    days: tuple[DayOption, ...]
    """For everything together, the earliest first; later ones only where they send otherwise."""
    stores: tuple[PickupStore, ...]
    """The nearest first."""


def delivery_promise(
    planner: OrderPlanner, request: PlanRequest, book: StockBook
) -> DeliveryPromise:
    """Return what can be promised of an order on a book, which is left as it was."""
    view = planner.view
    if view.today is None or not view.nodes:
        return DeliveryPromise(tuple(LinePromise(r.sku_id, None) for r in request.rows), (), ())
    region_code = request.place.region_code
    distances = view.distances_m(region_code)
    arrivals = view.delivery.arrivals(region_code, distances)
    days = sorted(set(arrivals))[:DAYS_TRIED_MAX]
    late = {
        day: frozenset(
            node.id for node, arrival in zip(view.nodes, arrivals, strict=True) if arrival > day
        )
        for day in days
    }
    whole = msgspec.structs.replace(request, take_what_is_there=False)
    return DeliveryPromise(
        tuple(_lines(planner, whole, book, late)),
        tuple(_days(planner, whole, book, late)),
        tuple(_stores(planner, whole, book, distances)),
    )


def _lines(
    planner: OrderPlanner, request: PlanRequest, book: StockBook, late: dict[date, frozenset[int]]
) -> list[LinePromise]:
    """Find each SKU's earliest day; SKUs differ, so all of a day are planned in one go."""
    found: dict[int, date] = {}
    for day, nodes in late.items():
        open_rows = [row for row in request.rows if row.sku_id not in found]
        if not open_rows:
            break
        alone = [
            msgspec.structs.replace(request, rows=(row,), not_from=request.not_from | nodes)
            for row in open_rows
        ]
        for row, plan in zip(open_rows, planner.plan(alone, book), strict=True):
            if plan.is_whole:
                found[row.sku_id] = day
    return [LinePromise(row.sku_id, found.get(row.sku_id)) for row in request.rows]


def _days(
    planner: OrderPlanner, request: PlanRequest, book: StockBook, late: dict[date, frozenset[int]]
) -> list[DayOption]:
    found: list[DayOption] = []
    for day, nodes in late.items():
        by_then = msgspec.structs.replace(request, not_from=request.not_from | nodes)
        (plan,) = planner.plan([by_then], book)
        if not plan.is_whole:
            continue
        option = DayOption(day, plan.decision.winner_nodes, _freight(planner, request, plan))
        if not found or option.node_ids != found[-1].node_ids:
            found.append(option)
    return found


def _freight(planner: OrderPlanner, request: PlanRequest, plan: OrderPlan) -> int:
    """Return what carriers charge for the parcels of a plan."""
    grams: dict[int, int] = {}
    for part in plan.allocations:
        weight = part.quantity * request.rows[part.row].unit_weight_g
        grams[part.node_id] = grams.get(part.node_id, 0) + weight
    tariffs = planner.view.tariffs(request.place.region_code)
    return sum(
        tariffs[planner.view.node_index[node_id]].charge_minor(weight)
        for node_id, weight in grams.items()
    )


def _stores(
    planner: OrderPlanner, request: PlanRequest, book: StockBook, distances: Sequence[int]
) -> list[PickupStore]:
    view = planner.view
    region_code = request.place.region_code
    has = [available_at_nodes(view, book, request, row.sku_id) for row in request.rows]
    ready = view.delivery.ready_days()
    province = view.delivery.province_of(region_code)
    found = [
        PickupStore(node.id, distances[index], ready[index])
        for index, node in enumerate(view.nodes)
        if node.kind is NodeKind.STORE
        and view.delivery.province_of(node.region_code) == province
        and all(row[index] >= one.quantity for row, one in zip(has, request.rows, strict=True))
    ]
    return sorted(found, key=lambda store: (store.distance_m, store.node_id))[:STORES_MAX]
