"""The planner in plain Python: what the compiled one must do, and its oracle in the tests."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from core_ext.demand import MAY_SPLIT, TAKE_WHAT_IS_THERE, Demand
from core_ext.demand_check_twin import check_demand
from core_ext.large_orders_twin import plan_large_order
from core_ext.limits import WHOLE_LINES
from core_ext.parcel_cost_twin import Assignment, Order, Piece, Policy, total_cost
from core_ext.results import Plans, Reason, Status
from core_ext.split_lines_twin import plan_split_lines
from core_ext.stock_book_twin import StockBook
from core_ext.whole_lines_twin import best_single, plan_whole_lines

LOW_HALF = 2**64 - 1


def plan(book: StockBook, policy: Policy, demand: Demand) -> Plans:
    """Same guarantees as `core_ext.planner.plan`."""
    check_demand(book, policy, demand)
    position = book.position
    batch = _Batch(book, policy, demand)
    try:
        for order in range(len(demand.place)):
            batch.plan_order(order)
    finally:
        batch.undo()
    return batch.plans(position)


def cost_of(
    policy: Policy, book: StockBook, demand: Demand, order: int, assignment: Sequence[Piece]
) -> int:
    """Cost of pieces (demand row within the order, node, quantity) against the book as it is."""
    seen = order_as_seen(book, policy, demand, order)
    return total_cost(policy, seen, assignment)


def order_as_seen(book: StockBook, policy: Policy, demand: Demand, order: int) -> Order:
    """The order with what the book has for it now at every node it may use."""
    rows = range(demand.order_offsets[order], demand.order_offsets[order + 1])
    allowed = [book.capacity(n) >= 1 for n in range(policy.node_count)]
    row = demand.filter[order]
    if row >= 0:
        first = row * policy.node_count
        allowed = [a and policy.filters[first + n] == 1 for n, a in enumerate(allowed)]
    return Order(
        place=demand.place[order],
        quantities=[demand.quantity[r] for r in rows],
        unit_weights=[demand.unit_weight_g[r] for r in rows],
        available=[
            [_free(book, demand, order, r, n) if ok else 0 for n, ok in enumerate(allowed)]
            for r in rows
        ],
    )


def _free(book: StockBook, demand: Demand, order: int, row: int, node: int) -> int:
    """Units that the sources of a node have for the order."""
    return sum(
        max(0, free)
        for source, free, _ in book.entries(demand.sku[row])
        if book.source_node[source] == node and may_take(book, demand, order, source)
    )


def may_take(book: StockBook, demand: Demand, order: int, source: int) -> bool:
    """Whether a source is in the order's scope."""
    if not demand.scope or demand.scope[order] < 0:
        return True
    return demand.scopes[demand.scope[order] * book.source_count + source] == 1


@dataclass
class _Batch:
    book: StockBook
    policy: Policy
    demand: Demand
    status: bytearray = field(default_factory=bytearray)
    proved: bytearray = field(default_factory=bytearray)
    reason: bytearray = field(default_factory=bytearray)
    failed_row: list[int] = field(default_factory=list)
    costs: list[int] = field(default_factory=list)
    bounds: list[int] = field(default_factory=list)
    runners: list[tuple[int, int]] = field(default_factory=list)
    offsets: list[int] = field(default_factory=lambda: [0])
    allocations: list[tuple[int, int, int, int]] = field(default_factory=list)
    parcels: list[int] = field(default_factory=list)
    short: list[int] = field(default_factory=list)
    available: list[int] = field(default_factory=list)

    def plan_order(self, order: int) -> None:
        """Plan one order, take what it gets, and write its part of the answer."""
        seen = order_as_seen(self.book, self.policy, self.demand, order)
        flags = self.demand.flags[order]
        self.available += [sum(row) for row in seen.available]
        capped, failed = _capped(seen, bool(flags & MAY_SPLIT))
        found = None
        if failed < 0 or flags & TAKE_WHAT_IS_THERE:
            found = _assign(self.policy, seen, capped, flags)
        self.finish(order, seen, found, failed, flags)

    def finish(
        self, order: int, seen: Order, found: Assignment | None, failed: int, flags: int
    ) -> None:
        """Write status, costs and runner-up, and take the pieces from the book."""
        first = self.demand.order_offsets[order]
        pieces = found.pieces if found else []
        placed = [sum(q for d, _, q in pieces if d == demand) for demand in seen.demands]
        self.short += [q - p for q, p in zip(seen.quantities, placed, strict=True)]
        short = [d for d in seen.demands if placed[d] < seen.quantities[d]]
        if pieces:
            failed = short[0] if short else -1
        elif found and found.uncovered >= 0 and failed < 0:
            failed = found.uncovered
        status = Status.UNPLACED if not pieces else Status.SHORT if short else Status.PLANNED
        self.status.append(status)
        self.proved.append(int(bool(pieces and found and found.proved)))
        self.reason.append(_reason(seen, failed, bool(flags & MAY_SPLIT)))
        self.failed_row.append(first + failed if failed >= 0 else -1)
        self.costs.append(found.cost if pieces and found else 0)
        self.bounds.append(found.lower_bound if pieces and found else 0)
        self.runners.append(self.runner_up(seen, placed, pieces))
        self.take(order, pieces)

    def runner_up(self, seen: Order, placed: list[int], pieces: list[Piece]) -> tuple[int, int]:
        """(node, cost) of the best single node outside the plan."""
        if not pieces:
            return -1, 0
        active = _active(seen, placed)[0]
        single = best_single(self.policy, active, frozenset(n for _, n, _ in pieces))
        return (single[1], single[0]) if single else (-1, 0)

    def take(self, order: int, pieces: list[Piece]) -> None:
        """Take each piece from the sources of its node, the first ones first, and one parcel a
        node.
        """
        first = self.demand.order_offsets[order]
        for d, node, quantity in pieces:
            sku, rest = self.demand.sku[first + d], quantity
            for source, free, _ in self.book.entries(sku):
                units = min(rest, free)
                if units <= 0 or self.book.source_node[source] != node:
                    continue
                if not may_take(self.book, self.demand, order, source):
                    continue
                self.book.take(sku, source, units)
                self.allocations.append((first + d, node, source, units))
                rest -= units
            assert rest == 0
        for node in sorted({node for _, node, _ in pieces}):
            self.book.take_capacity(node, 1)
            self.parcels.append(node)
        self.offsets.append(len(self.allocations))

    def undo(self) -> None:
        """Give everything back, so that the book is as it was."""
        for row, _, source, quantity in self.allocations:
            self.book.give(self.demand.sku[row], source, quantity)
        for node in self.parcels:
            self.book.give_capacity(node, 1)

    def plans(self, position: int) -> Plans:
        """The answer, in arrays."""
        self.book.position = position
        columns = list(zip(*self.allocations, strict=True)) or [(), (), (), ()]
        return Plans(
            status=self.status,
            proved=self.proved,
            reason=self.reason,
            failed_row=array("i", self.failed_row),
            costs=_halves(self.costs),
            lower_bounds=_halves(self.bounds),
            runner_up_nodes=array("i", [node for node, _ in self.runners]),
            runner_up_costs=_halves([cost for _, cost in self.runners]),
            allocation_offsets=array("i", self.offsets),
            allocation_demand=array("i", columns[0]),
            allocation_node=array("i", columns[1]),
            allocation_source=array("i", columns[2]),
            allocation_quantity=array("q", columns[3]),
            short=array("q", self.short),
            available=array("q", self.available),
            book_position=position,
        )


def _capped(seen: Order, may_split: bool) -> tuple[list[int], int]:
    """What each demand can get at most, and the first demand that is short of that, or -1."""
    most = [sum(row) if may_split else max(row) for row in seen.available]
    capped = [min(q, m) for q, m in zip(seen.quantities, most, strict=True)]
    return capped, next((d for d in seen.demands if capped[d] < seen.quantities[d]), -1)


def _assign(policy: Policy, seen: Order, capped: list[int], flags: int) -> Assignment | None:
    """The method that fits the order, on those of its demands that can get anything."""
    order, rows = _active(seen, capped)
    if not rows:
        return None
    may_be_short = bool(flags & TAKE_WHAT_IS_THERE)
    if len(rows) > WHOLE_LINES:
        found = plan_large_order(policy, order, may_be_short)
    elif all(max(row) >= q for row, q in zip(order.available, order.quantities, strict=True)):
        found = plan_whole_lines(policy, order)
    else:
        found = plan_split_lines(policy, order, may_be_short)
    pieces = [(rows[d], n, q) for d, n, q in found.pieces]
    uncovered = rows[found.uncovered] if found.uncovered >= 0 else -1
    return Assignment(pieces, found.cost, found.lower_bound, found.proved, uncovered)


def _active(seen: Order, quantities: list[int]) -> tuple[Order, list[int]]:
    """The order with other quantities, without the demands that have none, and their rows."""
    rows = [d for d in seen.demands if quantities[d] > 0]
    weights = [seen.unit_weights[d] for d in rows]
    available = [seen.available[d] for d in rows]
    return Order(seen.place, [quantities[d] for d in rows], weights, available), rows


def _reason(seen: Order, failed: int, may_split: bool) -> Reason:
    if failed < 0:
        return Reason.NONE
    if sum(seen.available[failed]) < seen.quantities[failed]:
        return Reason.NOT_ENOUGH
    if not may_split and max(seen.available[failed]) < seen.quantities[failed]:
        return Reason.NOT_WHOLE
    return Reason.TOO_MANY_NODES


def _halves(costs: list[int]) -> array[int]:
    """Low and high 64 bits of each cost."""
    return array("Q", [half for cost in costs for half in (cost & LOW_HALF, cost >> 64)])
