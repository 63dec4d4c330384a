"""Planning orders one after another, where more than stock bounds what they may have.

An allotment bounds what a shop or dealer may sell of a SKU; a binding share, and what a shop keeps
back, what it is offered; supplies what is sold ahead. All are used up by the orders before, so each
order is planned when it is known what those got.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from backend.inventory.allotments.book import AllotmentBook
from backend.routing.model import OrderPlan, PlanRequest, PlanRow
from backend.routing.plan_orders import OrderPlanner
from core_ext import StockBook
from core_ext.limits import MAX_DEMANDS

NO_SKU = -1
"""Of which there is nothing anywhere."""

Offered = Callable[[int, int, bool], int | None]
"""What a shop is offered of a SKU on the stock as it is; None where it may have all.

By SKU, shop, and whether it is for what is sold already.
"""


Covers = Callable[[int, Sequence[int]], bool]
"""Whether the order of an index may wait for units, row by row, that its plan is short of."""


class Appointments(Protocol):
    """The times that are agreed with orders."""

    def without(self, index: int) -> frozenset[int] | None:
        """Return the nodes that do not come to an order at its time; None where it has none."""

    def book(self, index: int, plan: OrderPlan) -> None:
        """Take the visits of a whole plan that none of those nodes is in."""


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

    def offered(self, request: PlanRequest, sku_id: int) -> int | None:
        """Return what an order's shop is offered of a SKU; None where it may have all."""
        return self._offered(sku_id, request.shop_id, request.is_sold)

    def most(
        self,
        request: PlanRequest,
        offered: Sequence[int | None],
        own: Sequence[OwnUnits] = (),
    ) -> list[int | None]:
        """Return how many units an order may have, row by row; None where nothing bounds it.

        `offered` has what its shop is offered beside what is kept for it, its `own`.
        """
        kept = _by_sku(own)
        most: list[int | None] = []
        for row, units in zip(request.rows, offered, strict=True):
            ids = self._allotments.of(row.sku_id, request.shop_id, request.dealer_id)
            bounds = [max(0, self._left.get(one, 0)) for one in ids]
            if units is not None:
                bounds.append(units + kept.get(row.sku_id, 0))
            most.append(min(bounds, default=None))
        return most

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
    own: Sequence[Mapping[int, Sequence[OwnUnits]]],
    appointments: Appointments,
    covers: Covers = lambda _index, _short: True,
) -> tuple[list[OrderPlan], dict[int, int]]:
    """Return a plan for each request, in order, within its bounds; what they take leaves the book.

    What an order wants beyond a bound is short, and what is available is no more than the bound.
    `own` has what is kept for each, by hold: it may take over those too, once, and those that it
    then does not take are there for all who come later. One that would get less than is kept for it
    takes over nothing. One that may not wait for what is short takes nothing. Also returns the
    holds that are taken over, with the index of who does.

    One with an appointment is sent by nodes that come at its time, whole. Where that is not
    possible it is planned as if it had none, and takes nothing if it may be refused.
    """
    plans: list[OrderPlan] = []
    took_over: dict[int, int] = {}
    for index, request in enumerate(requests):
        holds = [one for one in own[index] if one not in took_over]
        mine = [part for one in holds for part in own[index][one]]
        away = appointments.without(index)
        plan, takes_over, is_taken = None, False, False
        if away is not None:
            timely = msgspec.structs.replace(
                request, not_from=request.not_from | away, take_what_is_there=False
            )
            plan, takes_over = _plan_within(planner, timely, book, bounds, mine)
            if is_taken := plan.is_whole:
                appointments.book(index, plan)
        if plan is None or not is_taken:
            plan, takes_over = _plan_within(planner, request, book, bounds, mine)
            is_taken = (plan.is_whole and away is None) or (
                request.take_what_is_there and (plan.is_whole or covers(index, plan.short))
            )
            if takes_over and not is_taken:
                _move(planner, mine, book, bounds, -1)
                takes_over = False
        if takes_over:
            took_over |= dict.fromkeys(holds, index)
        if is_taken:
            _take(planner, request, plan, book)
            bounds.use(request, plan)
        decision = msgspec.structs.replace(plan.decision, batch_index=index)
        plans.append(msgspec.structs.replace(plan, decision=decision))
    return plans, took_over


def _plan_within(
    planner: OrderPlanner,
    request: PlanRequest,
    book: StockBook,
    bounds: Bounds,
    mine: Sequence[OwnUnits],
) -> tuple[OrderPlan, bool]:
    """Plan an order within its bounds, and say whether it takes over what is kept for it.

    If it does, that is put into the book.
    """
    offered = [bounds.offered(request, row.sku_id) for row in request.rows]
    _move(planner, mine, book, bounds, 1)
    plan = _plan_next(planner, request, book, bounds.most(request, offered, mine))
    if not mine or _is_worth(request, plan, mine):
        return plan, True
    _move(planner, mine, book, bounds, -1)
    if request.take_what_is_there:  # others are refused, and told what they might have had
        plan = _plan_next(planner, request, book, bounds.most(request, offered))
    return plan, False


def _plan_next(
    planner: OrderPlanner, request: PlanRequest, book: StockBook, most: Sequence[int | None]
) -> OrderPlan:
    """Plan within bounds; who sends no parcel may have units of nodes that take no more."""
    full: list[tuple[int, int]] = []
    if not request.sends_parcels:
        for node in range(len(planner.view.nodes)):
            if (left := book.capacity(node)) < 1:
                full.append((node, 1 - left))
    for node, parcels in full:
        book.give_capacity(node, parcels)
    plan = _plan_bounded(planner, request, most, book)
    for node, parcels in full:
        book.take_capacity(node, parcels)
    return plan


def _is_worth(request: PlanRequest, plan: OrderPlan, own: Sequence[OwnUnits]) -> bool:
    """Whether an order gets what it wants, or something, and at least what is kept for it."""
    if plan.is_whole or not request.take_what_is_there or not plan.allocations:
        return plan.is_whole
    kept = _by_sku(own)
    got: dict[int, int] = {}
    for allocation in plan.allocations:
        sku_id = request.rows[allocation.row].sku_id
        got[sku_id] = got.get(sku_id, 0) + allocation.quantity
    return all(
        got.get(row.sku_id, 0) >= min(row.quantity, kept.get(row.sku_id, 0)) for row in request.rows
    )


def _by_sku(units: Sequence[OwnUnits]) -> dict[int, int]:
    sums: dict[int, int] = {}
    for part in units:
        sums[part.sku_id] = sums.get(part.sku_id, 0) + part.quantity
    return sums


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
    rows = [cut[at] for at in kept]
    if planner.has_limits and len(rows) < MAX_DEMANDS:
        rows += _out_of_reach(request.rows, cut)
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
    return msgspec.structs.replace(
        plan, allocations=allocations, short=tuple(short), available=tuple(available)
    )


def _out_of_reach(rows: Sequence[PlanRow], cut: Sequence[PlanRow]) -> list[PlanRow]:
    """Return a row that stands for what bounds keep from an order, if anything: nobody has it.

    So a strategy knows that the order is not whole, and what is left of it is worth.
    """
    gone = [(row, row.quantity - part.quantity) for row, part in zip(rows, cut, strict=True)]
    gone = [(row, units) for row, units in gone if units]
    if not gone:
        return []
    needs = 0
    for row, _ in gone:
        needs |= row.needs
    return [PlanRow(NO_SKU, 1, 0, sum(row.unit_value_minor * n for row, n in gone), needs)]


def _cut(row: PlanRow, quantity: int) -> PlanRow:
    return msgspec.structs.replace(row, quantity=quantity)


def _take(planner: OrderPlanner, request: PlanRequest, plan: OrderPlan, book: StockBook) -> None:
    """Take what a plan gives out of the book, and a parcel from each node that is to send one."""
    view = planner.view
    for part in plan.allocations:
        source = view.source_index[part.functional_warehouse_id, part.earmark_id]
        book.take(request.rows[part.row].sku_id, source, part.quantity)
    for node_id in plan.decision.winner_nodes if request.sends_parcels else ():
        book.take_capacity(view.node_index[node_id], 1)
