"""What the presets of routing make of the same orders on the same opening stock.

On the planner alone and a book of its own: nothing is taken in the database. Batch after batch, as
the pipeline plans them, each taking what its plans give before the next one is planned.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from backend.inventory.model import LevelKey
from backend.routing.model import (
    OrderPlan,
    Otherwise,
    PlanRequest,
    PolicyDocument,
    Preset,
    Strategy,
)
from backend.routing.network_view import NO_FIGURES, NOWHERE, NetworkView
from backend.routing.plan_orders import OrderPlanner
from backend.routing.tariffs import Tariff
from core_ext import StockBook

ORDERS_AT_ONCE = 200
MINUTES_A_DAY = 1_440


class PresetFigures(msgspec.Struct, kw_only=True):
    """How orders are sent; a parcel is what one node sends of one order."""

    orders: int = 0
    """Those of which something is sent."""
    parcels: int = 0
    split_orders: int = 0
    """Sent in several parcels."""
    split_share: float = 0.0
    freight_minor: int = 0
    freight_minor_per_order: float = 0.0
    mean_distance_m: int = 0
    """Of a parcel, as the crow flies."""
    cross_region_parcels: int = 0
    """From another state than they go to (跨省发货)."""
    cross_region_share: float = 0.0
    cross_region_orders: int = 0
    """With such a parcel."""
    cross_region_orders_share: float = 0.0
    mean_days: float = 0.0
    """Until an order's last parcel arrives: lead time of the node, and time on the road."""
    unplaced_units: int = 0


class _Ways(NamedTuple):
    """How parcels get from each node to a region."""

    distances_m: list[int]
    tariffs: list[Tariff]
    minutes: list[int]
    """Lead time of the node, and time on the road."""
    crosses: list[bool]
    """Whether the node is in another state."""


class Sent:
    """Counts parcels in a network, at the time that its view looks at."""

    def __init__(self, view: NetworkView) -> None:
        self._view = view
        self._ways: dict[int, _Ways] = {}
        self._figures = PresetFigures()
        self._metres = 0
        self._minutes = 0

    def add(self, region_code: int, grams: Mapping[int, int]) -> int:
        """Count an order's parcels, by node's index with their weight; returns the minutes until
        the last one is there.
        """
        figures, ways = self._figures, self._ways_to(region_code)
        crossing = sum(ways.crosses[node] for node in grams)
        minutes = max(ways.minutes[node] for node in grams)
        figures.orders += 1
        figures.parcels += len(grams)
        figures.split_orders += len(grams) > 1
        figures.freight_minor += sum(
            ways.tariffs[node].charge_minor(weight_g) for node, weight_g in grams.items()
        )
        figures.cross_region_parcels += crossing
        figures.cross_region_orders += crossing > 0
        self._metres += sum(ways.distances_m[node] for node in grams)
        self._minutes += minutes
        return minutes

    def _ways_to(self, region_code: int) -> _Ways:
        known = self._ways.get(region_code)
        if known is None:
            view, delivery = self._view, self._view.delivery
            distances, state = view.distances_m(region_code), delivery.province_of(region_code)
            roads = delivery.road_minutes(region_code, distances)
            known = self._ways[region_code] = _Ways(
                distances,
                view.tariffs(region_code),
                [n.lead_time_minutes + road for n, road in zip(view.nodes, roads, strict=True)],
                [delivery.province_of(node.region_code) != state for node in view.nodes],
            )
        return known

    def leave(self, units: int) -> None:
        """Count units that no node sends."""
        self._figures.unplaced_units += units

    def figures(self) -> PresetFigures:
        """Return what was counted, with what follows from it."""
        found = self._figures
        orders, parcels = max(1, found.orders), max(1, found.parcels)
        return msgspec.structs.replace(
            found,
            split_share=round(found.split_orders / orders, 4),
            freight_minor_per_order=round(found.freight_minor / orders, 1),
            mean_distance_m=round(self._metres / parcels),
            cross_region_share=round(found.cross_region_parcels / parcels, 4),
            cross_region_orders_share=round(found.cross_region_orders / orders, 4),
            mean_days=round(self._minutes / orders / MINUTES_A_DAY, 2),
        )


def policy_of(preset: Preset) -> PolicyDocument:
    """Return a policy of one preset for all orders; what it leaves waits for stock."""
    strategy = Strategy(name=preset.value, preset=preset, otherwise=Otherwise.BACKORDER)
    return PolicyDocument((strategy,))


def figures_under(
    preset: Preset,
    view: NetworkView,
    stock: Mapping[LevelKey, int],
    requests: Sequence[PlanRequest],
    local: datetime,
) -> PresetFigures:
    """Return what becomes of orders, in turn, on a stock of units that nobody else takes from.

    All are planned as at one time, `local`. Who has not said where to gets nothing.
    """
    planner = OrderPlanner(view, policy_of(preset), 1)
    planner.look_at(local, NO_FIGURES)
    book, sent = _book_of(view, stock), Sent(view)
    known = [request for request in requests if request.place.region_code != NOWHERE]
    for first in range(0, len(known), ORDERS_AT_ONCE):
        batch = known[first : first + ORDERS_AT_ONCE]
        for request, plan in zip(batch, planner.plan(batch, book), strict=True):
            _take(view, request, plan, book)
            if plan.allocations:
                sent.add(request.place.region_code, _grams_of(view, request, plan))
            sent.leave(sum(plan.short))
    nowhere = [request for request in requests if request.place.region_code == NOWHERE]
    sent.leave(sum(row.quantity for request in nowhere for row in request.rows))
    return sent.figures()


def _book_of(view: NetworkView, stock: Mapping[LevelKey, int]) -> StockBook:
    book = StockBook(view.source_node, max(1, len(view.nodes)))
    for key, units in stock.items():
        source = view.source_index[key.functional_warehouse_id, 0]
        book.put(key.sku_id, source, units, 1)
    return book


def _take(view: NetworkView, request: PlanRequest, plan: OrderPlan, book: StockBook) -> None:
    for part in plan.allocations:
        source = view.source_index[part.functional_warehouse_id, part.earmark_id]
        book.take(request.rows[part.row].sku_id, source, part.quantity)


def _grams_of(view: NetworkView, request: PlanRequest, plan: OrderPlan) -> dict[int, int]:
    """Return the weight of each parcel, by the index of its node."""
    grams: dict[int, int] = {}
    for part in plan.allocations:
        node = view.node_index[part.node_id]
        grams[node] = grams.get(node, 0) + part.quantity * request.rows[part.row].unit_weight_g
    return grams
