"""Planning orders one after another, where more than stock bounds what they may have.

An allotment bounds what a shop or dealer may sell of a SKU; a binding share what a shop is offered.
Both are used up by the orders before, so each order is planned when it is known what those got.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from backend.inventory.allotments.book import AllotmentBook
from backend.routing.model import OrderPlan, PlanRequest, PlanRow
from backend.routing.plan_orders import OrderPlanner
from core_ext import StockBook

Offered = Callable[[int, int], int | None]
"""What a shop is offered of a SKU (SKU, shop) on the stock as it is; None where it may have all."""


class OwnUnits(Protocol):
    """Units that are kept for an order."""

    @property
    def functional_warehouse_id(self) -> int: ...
    @property
    def sku_id(self) -> int: ...
    @property
    def quantity(self) -> int: ...
    @property
    def earmark_id(self) -> int | None: ...
    @property
    def allotment_ids(self) -> Sequence[int]: ...


class Bounds:
    """What bounds orders beside the stock, and how much of it is left."""

    def __init__(self, allotments: AllotmentBook, left: dict[int, int], offered: Offered) -> None:
        """`left` has what is left of the allotments that the orders may take from."""
        self._allotments = allotments
        self._left = left
        self._offered = offered

    def most(self, request: PlanRequest, sku_id: int) -> int | None:
        """Return how many units of a SKU an order may have; None where nothing bounds it."""
        ids = self._allotments.of(sku_id, request.shop_id, request.dealer_id)
        bounds = [max(0, self._left.get(one, 0)) for one in ids]
        offered = self._offered(sku_id, request.shop_id)
        if offered is not None:
            bounds.append(offered)
        return min(bounds, default=None)

    def move(self, allotment_ids: Sequence[int], units: int) -> None:
        """Give units back to allotments, or (below 0) take them."""
        for one in allotment_ids:
            self._left[one] = self._left.get(one, 0) + units

    def use(self, request: PlanRequest, plan: OrderPlan) -> None:
        """Count what an order got."""
        for part in plan.allocations:
            sku_id = request.rows[part.row].sku_id
            for one in self._allotments.of(sku_id, request.shop_id, request.dealer_id):
                self._left[one] = self._left.get(one, 0) - part.quantity


def plan_in_turn(
    planner: OrderPlanner,
    requests: Sequence[PlanRequest],
    book: StockBook,
    bounds: Bounds,
    own: Sequence[Sequence[OwnUnits]],
) -> tuple[list[OrderPlan], set[int]]:
    """Return a plan for each request, in order, within its bounds; what they take leaves the book.

    What an order wants beyond a bound is short, and what is available is no more than the bound.
    `own` has what is kept for each: it may take over those too, and those that it then does not
    take are there for all who come later. One that would get less than is kept for it takes over
    nothing. Also returns the indexes of those that take over theirs.
    """
    plans, took_over = [], set()
    for index, request in enumerate(requests):
        mine = own[index]
        _move(planner, mine, book, bounds, 1)
        plan = _plan_next(planner, request, book, bounds)
        if mine and not _is_worth(request, plan, mine):
            _move(planner, mine, book, bounds, -1)
            plan = _plan_next(planner, request, book, bounds)
        elif mine:
            took_over.add(index)
        if plan.is_whole or request.take_what_is_there:
            _take(planner, request, plan, book)
            bounds.use(request, plan)
        decision = msgspec.structs.replace(plan.decision, batch_index=index)
        plans.append(msgspec.structs.replace(plan, decision=decision))
    return plans, took_over


def _plan_next(
    planner: OrderPlanner, request: PlanRequest, book: StockBook, bounds: Bounds
) -> OrderPlan:
    most = [bounds.most(request, row.sku_id) for row in request.rows]
    return _plan_bounded(planner, request, most, book)


def _is_worth(request: PlanRequest, plan: OrderPlan, own: Sequence[OwnUnits]) -> bool:
    """Whether an order gets what it wants, or at least what is kept for it."""
    if plan.is_whole or not request.take_what_is_there:
        return plan.is_whole
    kept: dict[int, int] = {}
    for part in own:
        kept[part.sku_id] = kept.get(part.sku_id, 0) + part.quantity
    got: dict[int, int] = {}
    for allocation in plan.allocations:
        sku_id = request.rows[allocation.row].sku_id
        got[sku_id] = got.get(sku_id, 0) + allocation.quantity
    return all(
        got.get(row.sku_id, 0) >= min(row.quantity, kept.get(row.sku_id, 0)) for row in request.rows
    )


def _move(
    planner: OrderPlanner, units: Sequence[OwnUnits], book: StockBook, bounds: Bounds, sign: int
) -> None:
    """Put units that are kept into the book, or (sign -1) take them out again."""
    move = book.give if sign > 0 else book.take
    for part in units:
        source = planner.view.source_index.get((part.functional_warehouse_id, part.earmark_id or 0))
        if source is not None:
            move(part.sku_id, source, part.quantity)
        bounds.move(part.allotment_ids, sign * part.quantity)


def _plan_bounded(
    planner: OrderPlanner, request: PlanRequest, most: Sequence[int | None], book: StockBook
) -> OrderPlan:
    """Plan what the bounds leave of a request, and say of all of it what is short."""
    cut = [
        row if bound is None or row.quantity <= bound else _cut(row, bound)
        for row, bound in zip(request.rows, most, strict=True)
    ]
    kept = [at for at, row in enumerate(cut) if row.quantity]
    if not kept:
        return planner.nothing(request)
    rows = tuple([cut[at] for at in kept])
    plan = planner.plan([msgspec.structs.replace(request, rows=rows)], book)[0]
    short = [row.quantity for row in request.rows]
    available = [0] * len(short)
    for place, at in enumerate(kept):
        short[at] += plan.short[place] - cut[at].quantity
        bound = most[at]
        found = plan.available[place]
        available[at] = found if bound is None else min(found, bound)
    allocations = tuple(
        [msgspec.structs.replace(part, row=kept[part.row]) for part in plan.allocations]
    )
    return OrderPlan(allocations, tuple(short), tuple(available), plan.decision)


def _cut(row: PlanRow, quantity: int) -> PlanRow:
    return PlanRow(row.sku_id, quantity, row.unit_weight_g)


def _take(planner: OrderPlanner, request: PlanRequest, plan: OrderPlan, book: StockBook) -> None:
    """Take what a plan gives out of the book, and a parcel from each node."""
    view = planner.view
    for part in plan.allocations:
        source = view.source_index[part.functional_warehouse_id, part.earmark_id]
        book.take(request.rows[part.row].sku_id, source, part.quantity)
    for node_id in plan.decision.winner_nodes:
        book.take_capacity(view.node_index[node_id], 1)
