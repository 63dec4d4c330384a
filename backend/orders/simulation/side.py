"""One policy over the orders of a period, on a stock book of its own."""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from backend.conditions.attributes import Type
from backend.conditions.compile import attributes_of
from backend.inventory.history import Moved
from backend.orders.simulation.history import PastOrder
from backend.orders.simulation.model import NodeLoad, Routed, SideResult, StrategyOrders
from backend.orders.simulation.scoring import Calendar, PlaceFigures, Scoring
from backend.routing.attributes import ORDER_ATTRIBUTES
from backend.routing.model import OrderPlan, PlanRequest, PolicyDocument
from backend.routing.network_view import Figures, NetworkView
from backend.routing.plan_orders import OrderPlanner
from backend.routing.presets import objectives_of
from core_ext import StockBook

LOOK_AGAIN = timedelta(hours=6)
"""Tables that depend on the time are made anew no more often, unless another day begins."""
TIMED_CRITERIA = frozenset({"cut_off", "promised_date"})
TIMED_NODE_ATTRIBUTES = frozenset({"node.wait_days"})
"""What depends on when nodes dispatch next."""


class Taken(NamedTuple):
    """Units of an order that its policy took, where it may have to give some back."""

    source: int
    node: int
    units: int


class Kept:
    """What an order took of which units were cancelled later, by SKU."""

    def __init__(self, day: date, left: dict[int, int], waiting: dict[int, int]) -> None:
        self.day = day
        self.left = left
        """Units of it that are still to be cancelled."""
        self.waiting = waiting
        """Units of it that have no node: those go first."""
        self.taken: dict[int, list[Taken]] = {}


class Side:
    """A policy, its stock and what came of it so far."""

    def __init__(
        self, document: PolicyDocument, version: int, view: NetworkView, figures: Figures
    ) -> None:
        self.planner = OrderPlanner(view, document, version)
        self._view = view
        self._figures = figures
        self._book = StockBook(view.source_node or array("i"), max(1, len(view.nodes)))
        self._scoring = Scoring(view)
        self._calendar = Calendar(view)
        self._looked_at: datetime | None = None
        self._mark: object = None
        self._is_timed = is_timed(document)
        self.asks_minutes = any(
            ORDER_ATTRIBUTES[name].type is Type.TIME for name in self.planner.compiled.asked
        )
        """Whether some strategy is for orders of certain times of the day."""
        self._kept: dict[int, Kept] = {}
        self._sums: Counter[str] = Counter()
        self._parcels = [0] * len(view.nodes)
        self._units = [0] * len(view.nodes)
        self._strategies: Counter[str] = Counter()
        self._limited = {view.node_index[node_id] for node_id in view.limited_nodes}

    # --------------------------------------------------------------------------------- stock

    def fill(self, levels: Mapping[tuple[int, int], int]) -> None:
        """Begin with what was free, by functional warehouse and SKU."""
        skus, sources, free = array("q"), array("i"), array("q")
        for (warehouse_id, sku_id), units in levels.items():
            source = self._view.source_index.get((warehouse_id, 0))
            if source is not None:
                skus.append(sku_id)
                sources.append(source)
                free.append(units)
        self._book.put_many(skus, sources, free, array("q", [1]) * len(skus))

    def begin_day(self, day: date, used: Mapping[int, int]) -> None:
        """Let nodes take their parcels of a day, less those that they have been given, by node."""
        for node in self._limited:
            found = self._view.nodes[node]
            assert found.daily_capacity is not None, "limited nodes have a capacity"
            free = found.daily_capacity - used.get(found.id, 0)
            self._book.set_capacity(node, free, day.toordinal())

    def move(self, moved: Iterable[Moved]) -> None:
        """Let levels move."""
        for one in moved:
            source = self._view.source_index.get((one.functional_warehouse_id, 0))
            if source is not None and one.units > 0:
                self._book.give(one.sku_id, source, one.units)
            elif source is not None:
                self._book.take(one.sku_id, source, -one.units)

    # -------------------------------------------------------------------------------- orders

    def look_at(self, local: datetime) -> None:
        """Take over what time it is where the brand is."""
        self._calendar.look_at(local)
        mark, last = self._calendar.mark, self._looked_at
        if last is None or (self._is_timed and self._is_due(local, last)):
            self.planner.look_at(local, self._figures)
            self._looked_at, self._mark = local, mark
        self.planner.local = local

    def _is_due(self, local: datetime, last: datetime) -> bool:
        is_other_day = local.date() != last.date()
        return is_other_day or (self._calendar.mark != self._mark and local - last >= LOOK_AGAIN)

    def plan(self, requests: Sequence[PlanRequest]) -> list[OrderPlan]:
        """Return what the policy makes of orders one after another; takes nothing yet."""
        return self.planner.plan(requests, self._book)

    def take(self, order: PastOrder, plan: OrderPlan, local: datetime) -> Routed:
        """Take what a plan gives an order, and count it."""
        self._calendar.look_at(local)
        rows, sources, nodes = order.request.rows, self._view.source_index, self._view.node_index
        grams: dict[int, int] = {}
        for part in plan.allocations:
            row, node = rows[part.row], nodes[part.node_id]
            source = sources[part.functional_warehouse_id, part.earmark_id]
            self._book.take(row.sku_id, source, part.quantity)
            self._units[node] += part.quantity
            grams[node] = grams.get(node, 0) + part.quantity * row.unit_weight_g
        for node in grams:
            self._parcels[node] += 1
            if node in self._limited:
                self._book.take_capacity(node, 1)
        if order.cancelled:
            self._keep(order, plan, local.date())
        self._strategies.update(plan.decision.strategies)
        routed = self._routed(order.request, plan, grams, local)
        self._count(order.request, plan, routed, local)
        return routed

    def _routed(
        self, request: PlanRequest, plan: OrderPlan, grams: Mapping[int, int], local: datetime
    ) -> Routed:
        unplaced = sum(plan.short)
        if not grams:
            return Routed((), unplaced, 0, 0, 0, None)
        place, scoring = self._scoring.place(request.place.region_code), self._scoring
        freight = cost = distance = days = 0
        for node, weight in grams.items():
            freight += place.tariffs[node].charge_minor(weight)
            cost += scoring.handling_minor[node] + scoring.fees_minor[node]
            distance += place.distances_m[node]
            days = max(days, self._calendar.days_until(node, place.minutes[node]))
        self._count_parcels(place, grams, days)
        return Routed(
            tuple(sorted([self._view.nodes[node].id for node in grams])),
            unplaced,
            freight,
            freight + cost,
            distance,
            local.date() + timedelta(days=days),
        )

    # ------------------------------------------------------------------------------- counting

    def _count_parcels(self, place: PlaceFigures, grams: Mapping[int, int], days: int) -> None:
        sums, scoring = self._sums, self._scoring
        for node in grams:
            sums["handling_minor"] += scoring.handling_minor[node]
            sums["dealer_fees_minor"] += scoring.fees_minor[node]
            sums["cross_province"] += place.is_other_province[node]
        sums["parcels"] += len(grams)
        sums["split"] += len(grams) > 1
        sums["arrival_days_sum"] += days

    def _count(
        self, request: PlanRequest, plan: OrderPlan, routed: Routed, local: datetime
    ) -> None:
        sums, promised = self._sums, request.place.promised_on
        sums["orders"] += 1
        sums["whole"] += not routed.unplaced
        sums["unplaced"] += not routed.nodes
        sums["units_unplaced"] += routed.unplaced
        sums["freight_minor"] += routed.freight_minor
        sums["distance_sum_m"] += routed.distance_m
        if promised is not None:
            arrives = routed.arrives_on
            is_on_time = arrives is not None and not routed.unplaced and arrives <= promised
            sums["promised"] += 1
            sums["on_time"] += is_on_time

    def result(self) -> SideResult:
        """Return what came of it so far."""
        nodes = [
            NodeLoad(node.id, parcels, units)
            for node, parcels, units in zip(
                self._view.nodes, self._parcels, self._units, strict=True
            )
        ]
        return SideResult(
            **self._sums,
            units=sum(self._units),
            nodes=tuple(nodes),
            strategies=tuple(StrategyOrders(*one) for one in self._strategies.most_common()),
        )

    # ---------------------------------------------------------------------------- cancellation

    def _keep(self, order: PastOrder, plan: OrderPlan, day: date) -> None:
        """Remember what an order took, for when units of it are cancelled."""
        rows, sources = order.request.rows, self._view.source_index
        waiting = {row.sku_id: short for row, short in zip(rows, plan.short, strict=True)}
        kept = self._kept[order.order_id] = Kept(day, dict(order.cancelled), waiting)
        for part in plan.allocations:
            source = sources[part.functional_warehouse_id, part.earmark_id]
            node = self._view.node_index[part.node_id]
            taken = Taken(source, node, part.quantity)
            kept.taken.setdefault(rows[part.row].sku_id, []).append(taken)

    def cancel(self, order_id: int, units: int, today: date) -> None:
        """Give units of an order back to where this policy took them, those that wait first."""
        kept = self._kept.get(order_id)
        if kept is None:
            return
        for sku_id in kept.left:
            part = min(units, kept.left[sku_id])
            kept.left[sku_id] -= part
            units -= part
            waited = min(part, kept.waiting[sku_id])
            kept.waiting[sku_id] -= waited
            self._give_back(kept, sku_id, part - waited, today)
        if not any(kept.left.values()):
            del self._kept[order_id]

    def _give_back(self, kept: Kept, sku_id: int, units: int, today: date) -> None:
        taken = kept.taken.get(sku_id, [])
        while units and taken:
            last = taken.pop()
            part = min(units, last.units)
            units -= part
            self._book.give(sku_id, last.source, part)
            if part < last.units:
                taken.append(last._replace(units=last.units - part))
            elif last.node in self._limited and kept.day == today:
                self._give_place_back(kept, last.node)

    def _give_place_back(self, kept: Kept, node: int) -> None:
        """Give a parcel's place back to its node, where nothing is left in it."""
        if not any(one.node == node for parts in kept.taken.values() for one in parts):
            self._book.give_capacity(node, 1)


def is_timed(document: PolicyDocument) -> bool:
    """Whether how nodes compare depends on when they dispatch next."""
    for strategy in document.strategies:
        named = {one.criterion for one in objectives_of(strategy)}
        named |= {part.criterion for one in objectives_of(strategy) for part in one.sum}
        asked = attributes_of(strategy.nodes) if strategy.nodes else ()
        if named & TIMED_CRITERIA or TIMED_NODE_ATTRIBUTES.intersection(asked):
            return True
    return False
