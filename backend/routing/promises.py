"""When an order would arrive, from the planner that would route it; nothing is taken.

A day is promised where the policy, with the nodes alone whose parcels arrive by then, sends
everything: so what is promised is what would be sent.
"""

from collections.abc import Sequence
from datetime import date, datetime
from functools import cached_property
from itertools import islice

import msgspec

from backend.network.slots import Window
from backend.routing.model import OrderPlan, PlanRequest, PlanRow
from backend.routing.plan_orders import OrderPlanner
from backend.routing.slot_book import SlotBook, Visit
from backend.routing.trace import available_at_nodes
from core_ext import StockBook

DAYS_TRIED_MAX = 12
"""Different days of arrival that are tried, the earliest first."""
STORES_MAX = 10
TIMES_MAX, TIMES_TRIED_MAX, PLANS_MAX = 20, 60, 2
"""Times that are offered, the earliest first, those that are tried (four a day for two weeks), and
plans that are made where the nodes of none before come."""


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
    """A location that hands orders over and has everything, and when it can be ready there."""

    node_id: int
    distance_m: int
    ready_at: datetime


class TimeOption(msgspec.Struct, frozen=True):
    """A time at which everything can be delivered, and what needs it installed."""

    window: Window
    node_ids: tuple[int, ...]


class DeliveryPromise(msgspec.Struct, frozen=True):
    """What can be promised of a cart."""

    lines: tuple[LinePromise, ...]
    days: tuple[DayOption, ...]
    """For everything together, the earliest first; later ones only where they send otherwise."""
    stores: tuple[PickupStore, ...]
    """The nearest first."""
    times: tuple[TimeOption, ...] = ()
    """That can be agreed (预约), the earliest first; a longer one only where no shorter one in it
    can."""


def delivery_promise(
    planner: OrderPlanner,
    request: PlanRequest,
    book: StockBook,
    slots: SlotBook | None = None,
    installs: frozenset[str] = frozenset(),
) -> DeliveryPromise:
    """Return what can be promised of an order on a book, which is left as it was.

    `slots` has the visits of the days to come, where the brand has any; `installs` the categories
    of the goods that are installed.
    """
    view = planner.view
    if view.today is None or not view.nodes:
        return DeliveryPromise(tuple(LinePromise(r.sku_id, None) for r in request.rows), (), ())
    region_code = request.place.region_code
    distances = view.distances_m(region_code)
    arrivals = view.delivery.arrivals(region_code, distances)
    whole = msgspec.structs.replace(request, take_what_is_there=False)
    days = _Days(planner, whole, book, arrivals)
    of_everything = days.of_everything()
    times: list[TimeOption] = []
    if slots is not None and of_everything:
        earliest = of_everything[0].day
        windows = (one for one in slots.windows(region_code, installs) if one.day >= earliest)
        tried = [
            Visit(window, region_code, installs) for window in islice(windows, TIMES_TRIED_MAX)
        ]
        times = _times(planner, whole, book, slots, tried, days.usual)
    return DeliveryPromise(
        tuple(days.of_lines()),
        tuple(of_everything),
        tuple(_stores(planner, whole, book, distances)),
        tuple(times),
    )


class _Days:
    """The days on which an order, or a part of it, can arrive.

    Without a day in mind the policy sends as it always does, and everything arrives by some day;
    only the days before that one are then tried.
    """

    def __init__(
        self,
        planner: OrderPlanner,
        request: PlanRequest,
        book: StockBook,
        arrivals: Sequence[date],
    ) -> None:
        self._planner = planner
        self._request = request
        self._book = book
        ids = [node.id for node in planner.view.nodes]
        self._arrival = dict(zip(ids, arrivals, strict=True))
        self._days = sorted(set(arrivals))[:DAYS_TRIED_MAX]

    def _late(self, day: date) -> frozenset[int]:
        """Return the nodes whose parcels come after a day."""
        return frozenset(one for one, arrival in self._arrival.items() if arrival > day)

    def _last(self, plan: OrderPlan) -> date:
        return max(self._arrival[node_id] for node_id in plan.decision.winner_nodes)

    @cached_property
    def usual(self) -> OrderPlan:
        """The plan without a day in mind."""
        (plan,) = self._planner.plan([self._request], self._book)
        return plan

    def of_lines(self) -> list[LinePromise]:
        """Find each SKU's earliest day; SKUs differ, so all of a day are planned in one go."""
        rows = self._request.rows
        plans = self._alone(rows, frozenset())
        found = {
            row.sku_id: self._last(plan)
            for row, plan in zip(rows, plans, strict=True)
            if plan.is_whole
        }
        settled: set[int] = set()
        for day in self._days:
            earlier = [
                row
                for row in rows
                if row.sku_id not in settled and day < found.get(row.sku_id, date.min)
            ]
            if not earlier:
                break
            for row, plan in zip(earlier, self._alone(earlier, self._late(day)), strict=True):
                if plan.is_whole:
                    found[row.sku_id] = day
                    settled.add(row.sku_id)
        return [LinePromise(row.sku_id, found.get(row.sku_id)) for row in rows]

    def _alone(self, rows: Sequence[PlanRow], without: frozenset[int]) -> list[OrderPlan]:
        not_from = self._request.not_from | without
        alone = [
            msgspec.structs.replace(self._request, rows=(row,), not_from=not_from) for row in rows
        ]
        return self._planner.plan(alone, self._book)

    def of_everything(self) -> list[DayOption]:
        """Return the days by which everything can arrive, the earliest first."""
        usual = self.usual
        if not usual.is_whole:
            return []
        found: list[DayOption] = []
        last = self._last(usual)
        for day in self._days:
            if day >= last:
                break
            not_from = self._request.not_from | self._late(day)
            by_then = msgspec.structs.replace(self._request, not_from=not_from)
            (plan,) = self._planner.plan([by_then], self._book)
            if plan.is_whole:
                self._add(found, day, plan)
        self._add(found, last, usual)
        return found

    def _add(self, found: list[DayOption], day: date, plan: OrderPlan) -> None:
        nodes = plan.decision.winner_nodes
        if not found or nodes != found[-1].node_ids:
            found.append(DayOption(day, nodes, _freight(self._planner, self._request, plan)))


def _times(
    planner: OrderPlanner,
    request: PlanRequest,
    book: StockBook,
    slots: SlotBook,
    visits: Sequence[Visit],
    usual: OrderPlan,
) -> list[TimeOption]:
    """Return the times at which everything comes.

    A plan that is best with more nodes, and does without those that do not come, is best without
    them too: so few plans are made for many times.
    """
    found: list[TimeOption] = []
    plans: dict[frozenset[int], OrderPlan] = {frozenset(): usual}
    for visit in visits:
        if any(option.window.lies_in(visit.window) for option in found):
            continue
        away = slots.without(visit)
        plan = next(
            (plan for known, plan in plans.items() if known <= away and _does_without(plan, away)),
            plans.get(away),
        )
        if plan is None:
            if len(plans) > PLANS_MAX:
                continue
            timely = msgspec.structs.replace(request, not_from=request.not_from | away)
            (plan,) = planner.plan([timely], book)
            plans[away] = plan
        if plan.is_whole:
            found.append(TimeOption(visit.window, plan.decision.winner_nodes))
            if len(found) == TIMES_MAX:
                break
    return found


def _does_without(plan: OrderPlan, nodes: frozenset[int]) -> bool:
    return plan.is_whole and nodes.isdisjoint(plan.decision.winner_nodes)


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
    assert planner.local is not None, "who asks when has said what time it is"
    province = view.delivery.province_of(region_code)
    found = [
        PickupStore(node.id, distances[index], view.delivery.ready_at(index, planner.local))
        for index, node in enumerate(view.nodes)
        if node.hands_over_for(request.dealer_id)
        and view.delivery.province_of(node.region_code) == province
        and all(row[index] >= one.quantity for row, one in zip(has, request.rows, strict=True))
    ]
    return sorted(found, key=lambda store: (store.distance_m, store.node_id))[:STORES_MAX]
