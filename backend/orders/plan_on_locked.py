"""Planning on counters that are locked: the last attempt, whose answer is final."""

from collections.abc import Sequence
from typing import NamedTuple

from backend.inventory.allotments.book import AllotmentBook
from backend.inventory.pools.live import LivePools
from backend.orders.accept import Locked, usable
from backend.orders.shape import Circumstances
from backend.orders.stock_holds.ending import EndingHolds
from backend.orders.stock_holds.model import HoldPart
from backend.orders.supplies.presale import ToCome
from backend.orders.work import Work
from backend.routing.model import OrderPlan, PlanRequest
from backend.routing.plan_in_turn import Bounds, Offered, plan_in_turn
from backend.routing.plan_orders import OrderPlanner
from backend.routing.slot_book import Bookings, SlotBook
from core_ext import StockBook


class Ground(NamedTuple):
    """What a batch is planned and committed on."""

    planner: OrderPlanner
    around: Circumstances
    allotments: AllotmentBook
    pools: LivePools | None


def plan_on_locked(
    works: Sequence[Work],
    locked: Locked,
    ground: Ground,
    holds: EndingHolds,
    to_come: ToCome | None,
) -> dict[int, Work]:
    """Plan works on what is locked; returns the holds that are taken over, each with who does.

    An allotment that was learnt of since counts from the next batch on.
    """
    allotted = ground.allotments.only(locked.allotments)
    planner, view = ground.planner, ground.planner.view
    book = StockBook(view.source_node, max(1, len(view.nodes)))
    for key, level in locked.levels.items():
        source = view.source_index.get((key.functional_warehouse_id, key.earmark_id))
        if source is not None:
            book.put(key.sku_id, source, level.free, level.version)
    for capacity in locked.capacities.values():
        book.set_capacity(view.node_index[capacity.node_id], capacity.free, capacity.version)
    planned = [work for work in works if work.rows]
    appointments = Appointments(
        planned, SlotBook(locked.providers, locked.slots, view, planner.local)
    )
    requests = [work.request for work in planned]
    in_turn = holds.by_id or locked.allotments or to_come is not None
    in_turn = in_turn or any(work.has_appointment for work in planned)
    if in_turn or any(_is_in_turn(request, ground) for request in requests):
        left = {one: at.free for one, at in locked.allotments.items()}
        bounds = Bounds(allotted, left, _offered(ground, book))
        own = [_own_of(work, locked, holds) for work in planned]
        plans, took_over = plan_in_turn(
            ground.planner,
            requests,
            book,
            bounds,
            own,
            appointments,
            lambda index, short: to_come is None or to_come.covers(planned[index], short),
        )
    else:
        plans, took_over = ground.planner.plan(requests, book), {}
    for index, (work, plan) in enumerate(zip(planned, plans, strict=True)):
        work.set_plan(plan, allotted)
        work.bookings = appointments.bookings.get(index)
    return {one: planned[index] for one, index in took_over.items()}


class Appointments:
    """The times that are agreed with works, and the visits that they take, by index."""

    def __init__(self, works: Sequence[Work], slots: SlotBook) -> None:
        self._visits = [work.visit for work in works]
        self._slots = slots
        self.bookings: dict[int, Bookings] = {}

    def without(self, index: int) -> frozenset[int] | None:
        """Return the nodes that do not come to a work at its time; None where it has none."""
        visit = self._visits[index]
        return None if visit is None else self._slots.without(visit)

    def book(self, index: int, plan: OrderPlan) -> None:
        """Take the visits of a whole plan that none of those nodes is in."""
        visit = self._visits[index]
        assert visit is not None, "a time is agreed"
        bookings = self._slots.book(visit, plan.decision.winner_nodes)
        assert bookings is not None, "every node that is left comes before somebody installs"
        self._slots.take(bookings)
        self.bookings[index] = bookings


def _own_of(work: Work, locked: Locked, holds: EndingHolds) -> dict[int, list[HoldPart]]:
    """Return what the holds that an order names keep for it, as far as it is there."""
    named = holds.named(work.converts)
    return {
        hold.id: usable(holds.freed(hold.id), locked)
        for hold in named
        if hold.is_for(work.shop_id, work.order_id)
    }


def _is_in_turn(request: PlanRequest, ground: Ground) -> bool:
    """Whether an order is bound by its share, or must leave the parcels of the day to others."""
    skus = (row.sku_id for row in request.rows)
    is_bound = ground.pools is not None and ground.pools.binds(
        request.shop_id, skus, is_sold=request.is_sold
    )
    return is_bound or (not request.sends_parcels and bool(ground.around.limited_nodes))


def _offered(ground: Ground, book: StockBook) -> Offered:
    """Return what bound shops are offered on a book."""
    if ground.pools is None:
        return lambda _sku, _shop, _is_sold: None
    return ground.pools.offered_on(book)
