"""The planner in plain Python: what the compiled one must do, and its oracle in the tests."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from core_ext.demand import MAY_SPLIT, TAKE_WHAT_IS_THERE, Demand
from core_ext.demand_check_twin import chain_of, check_demand
from core_ext.large_orders_twin import plan_large_order
from core_ext.limits import WHOLE_LINES
from core_ext.parcel_cost_twin import Assignment, Order, Piece, Policy, total_cost
from core_ext.results import Plans, Reason, Status
from core_ext.split_lines_twin import plan_split_lines
from core_ext.stock_book_twin import StockBook
from core_ext.whole_lines_twin import best_single, plan_whole_lines

LOW_HALF = 2**64 - 1


def plan(book: StockBook, policies: Sequence[Policy], demand: Demand) -> Plans:
    """Same guarantees as `core_ext.planner.plan`."""
    check_demand(book, policies, demand)
    position = book.position
    batch = _Batch(book, policies, demand)
    try:
        for order in range(len(demand.place)):
            batch.plan_order(order)
        return batch.plans(position)
    finally:
        batch.give_back(0, 0)
        book.position = position


def cost_of(
    policy: Policy, book: StockBook, demand: Demand, order: int, assignment: Sequence[Piece]
) -> int:
    """Cost of pieces (demand row within the order, node, quantity) against the book as it is."""
    seen = order_as_seen(book, policy, demand, order)
    return total_cost(policy, seen, assignment)


def order_as_seen(
    book: StockBook,
    policy: Policy,
    demand: Demand,
    order: int,
    sending: Collection[int] = (),
    left: Sequence[int] = (),
) -> Order:
    """The order with what the book has for it now at every node it may use.

    `sending` are nodes that send a parcel of it already, `left` the units that no policy has
    placed, where it is not all of them.
    """
    rows = range(demand.order_offsets[order], demand.order_offsets[order + 1])
    allowed = [book.capacity(n) >= 1 or n in sending for n in range(policy.node_count)]
    row = demand.filter[order]
    if row >= 0:
        first = row * policy.node_count
        allowed = [a and policy.filters[first + n] == 1 for n, a in enumerate(allowed)]
    return Order(
        place=demand.place[order],
        quantities=list(left) or [demand.quantity[r] for r in rows],
        unit_weights=[demand.unit_weight_g[r] for r in rows],
        unit_values=[demand.unit_value[r] if demand.unit_value else 0 for r in rows],
        goods=[demand.goods[r] if demand.goods else -1 for r in rows],
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


class _Turn(NamedTuple):
    """What a policy saw of an order, and what came of it."""

    seen: Order
    failed: int
    is_too_small: bool


@dataclass
class _Batch:
    book: StockBook
    policies: Sequence[Policy]
    demand: Demand
    status: bytearray = field(default_factory=bytearray)
    proved: bytearray = field(default_factory=bytearray)
    reason: bytearray = field(default_factory=bytearray)
    failed_row: list[int] = field(default_factory=list)
    policy: list[int] = field(default_factory=list)
    costs: list[int] = field(default_factory=list)
    bounds: list[int] = field(default_factory=list)
    runners: list[tuple[int, int]] = field(default_factory=list)
    offsets: list[int] = field(default_factory=lambda: [0])
    allocations: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    parcels: list[int] = field(default_factory=list)
    short: list[int] = field(default_factory=list)
    available: list[int] = field(default_factory=list)

    def plan_order(self, order: int) -> None:
        """Let the policies of the order's chain place it, in turn, and write its answer."""
        first, end = self.demand.order_offsets[order], self.demand.order_offsets[order + 1]
        flags, chain = self.demand.flags[order], chain_of(self.demand, order)
        left = list(self.demand.quantity[first:end])
        before = len(self.allocations), len(self.parcels)
        self.policy.append(-1)
        self.proved.append(1)
        self.costs.append(0)
        self.bounds.append(0)
        self.runners.append((-1, 0))
        self.available += [0] * (end - first)
        turn = None
        for at, number in enumerate(chain):
            turn = self.take_turn(order, number, left, is_last=at == len(chain) - 1)
            if not any(left):
                break
        assert turn is not None, "every order has a policy"
        if any(left) and not flags & TAKE_WHAT_IS_THERE:
            self.give_back(*before)
        self.finish(order, left, turn, is_placed=len(self.allocations) > before[0])

    def take_turn(self, order: int, number: int, left: list[int], *, is_last: bool) -> _Turn:
        """Let one policy place what it can of what is left; `left` is changed."""
        policy, flags = self.policies[number], self.demand.flags[order]
        first = self.demand.order_offsets[order]
        sending = {allocation[2] for allocation in self.allocations[self.offsets[-1] :]}
        seen = order_as_seen(self.book, policy, self.demand, order, sending, left)
        for d, row in enumerate(seen.available):
            had = self.demand.quantity[first + d] - left[d]
            self.available[first + d] = max(self.available[first + d], had + sum(row))
        capped, failed = _capped(seen, bool(flags & MAY_SPLIT))
        may_be_short = policy.limits.takes_part and bool(flags & TAKE_WHAT_IS_THERE or not is_last)
        seen = replace(seen, is_whole=failed < 0 and self.policy[order] < 0)
        found = None
        if failed < 0 or may_be_short:
            found = _assign(policy, seen, capped, may_be_short)
        if found is None:
            return _Turn(seen, failed, False)
        if not found.pieces:
            failed = found.uncovered if failed < 0 else failed
            return _Turn(seen, failed, found.is_too_small)
        placed = [sum(q for d, _, q in found.pieces if d == demand) for demand in seen.demands]
        rest = [q - p for q, p in zip(left, placed, strict=True)]
        worth = sum(q * v for q, v in zip(rest, seen.unit_values, strict=True))
        if any(rest) and worth < policy.limits.least_value:
            return _Turn(seen, failed, True)
        left[:] = rest
        if self.policy[order] < 0:
            self.policy[order] = number
            self.costs[order], self.bounds[order] = found.cost, found.lower_bound
            self.runners[order] = _runner_up(policy, seen, placed, found.pieces)
        self.proved[order] &= found.proved
        self.take(order, number, found.pieces, sending)
        return _Turn(seen, failed, found.is_too_small)

    def finish(self, order: int, left: list[int], turn: _Turn, *, is_placed: bool) -> None:
        """Write what became of the order."""
        first, end = self.demand.order_offsets[order], self.demand.order_offsets[order + 1]
        first_left = next((d for d, units in enumerate(left) if units), -1)
        failed = first_left if is_placed or turn.failed < 0 else turn.failed
        if not is_placed and failed < 0:
            failed = 0
        self.short += left if is_placed else self.demand.quantity[first:end]
        if is_placed:
            self.status.append(Status.PLANNED if failed < 0 else Status.SHORT)
        else:
            self.status.append(Status.UNPLACED)
            self.proved[order], self.policy[order] = 0, -1
            self.costs[order] = self.bounds[order] = 0
            self.runners[order] = (-1, 0)
        self.failed_row.append(first + failed if failed >= 0 else -1)
        self.reason.append(_reason(turn, failed, bool(self.demand.flags[order] & MAY_SPLIT)))
        self.offsets.append(len(self.allocations))

    def take(self, order: int, number: int, pieces: list[Piece], sending: set[int]) -> None:
        """Take each piece from the sources of its node, the first ones first, and one parcel a
        node that sends none yet.
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
                self.allocations.append((first + d, number, node, source, units))
                rest -= units
            assert rest == 0
        for node in sorted({node for _, node, _ in pieces} - sending):
            self.book.take_capacity(node, 1)
            self.parcels.append(node)

    def give_back(self, allocations: int, parcels: int) -> None:
        """Give back all that was taken after so many allocations and parcels."""
        for row, _, _, source, quantity in self.allocations[allocations:]:
            self.book.give(self.demand.sku[row], source, quantity)
        for node in self.parcels[parcels:]:
            self.book.give_capacity(node, 1)
        del self.allocations[allocations:], self.parcels[parcels:]

    def plans(self, position: int) -> Plans:
        """The answer, in arrays."""
        columns = list(zip(*self.allocations, strict=True)) or [(), (), (), (), ()]
        return Plans(
            status=self.status,
            proved=self.proved,
            reason=self.reason,
            failed_row=array("i", self.failed_row),
            policy=array("i", self.policy),
            costs=_halves(self.costs),
            lower_bounds=_halves(self.bounds),
            runner_up_nodes=array("i", [node for node, _ in self.runners]),
            runner_up_costs=_halves([cost for _, cost in self.runners]),
            allocation_offsets=array("i", self.offsets),
            allocation_demand=array("i", columns[0]),
            allocation_policy=array("i", columns[1]),
            allocation_node=array("i", columns[2]),
            allocation_source=array("i", columns[3]),
            allocation_quantity=array("q", columns[4]),
            short=array("q", self.short),
            available=array("q", self.available),
            book_position=position,
        )


def _runner_up(
    policy: Policy, seen: Order, placed: list[int], pieces: list[Piece]
) -> tuple[int, int]:
    """(node, cost) of the best single node outside the plan."""
    active = _active(seen, placed)[0]
    single = best_single(policy, active, frozenset(n for _, n, _ in pieces))
    return (single[1], single[0]) if single else (-1, 0)


def _capped(seen: Order, may_split: bool) -> tuple[list[int], int]:
    """What each demand can get at most, and the first demand that is short of that, or -1."""
    most = [sum(row) if may_split else max(row) for row in seen.available]
    capped = [min(q, m) for q, m in zip(seen.quantities, most, strict=True)]
    return capped, next((d for d in seen.demands if capped[d] < seen.quantities[d]), -1)


def _assign(
    policy: Policy, seen: Order, capped: list[int], may_be_short: bool
) -> Assignment | None:
    """The method that fits the order, on those of its demands that can get anything."""
    order, rows = _active(seen, capped)
    if not rows:
        return None
    if len(rows) > WHOLE_LINES:
        found = plan_large_order(policy, order, may_be_short)
    elif all(max(row) >= q for row, q in zip(order.available, order.quantities, strict=True)):
        found = plan_whole_lines(policy, order, may_be_short)
    else:
        found = plan_split_lines(policy, order, may_be_short)
    pieces = [(rows[d], n, q) for d, n, q in found.pieces]
    uncovered = rows[found.uncovered] if found.uncovered >= 0 else -1
    return replace(found, pieces=pieces, uncovered=uncovered)


def _active(seen: Order, quantities: list[int]) -> tuple[Order, list[int]]:
    """The order with other quantities, without the demands that have none, and their rows."""
    rows = [d for d in seen.demands if quantities[d] > 0]
    kept = replace(
        seen,
        quantities=[quantities[d] for d in rows],
        unit_weights=[seen.unit_weights[d] for d in rows],
        unit_values=[seen.unit_values[d] for d in rows],
        goods=[seen.goods[d] for d in rows],
        available=[seen.available[d] for d in rows],
    )
    return kept, rows


def _reason(turn: _Turn, failed: int, may_split: bool) -> Reason:
    """Why a row is short, as the last policy saw it."""
    seen = turn.seen
    if failed < 0:
        return Reason.NONE
    if turn.is_too_small:
        return Reason.TOO_SMALL
    if sum(seen.available[failed]) < seen.quantities[failed]:
        return Reason.NOT_ENOUGH
    if not may_split and max(seen.available[failed]) < seen.quantities[failed]:
        return Reason.NOT_WHOLE
    return Reason.TOO_MANY_NODES


def _halves(costs: list[int]) -> array[int]:
    """Low and high 64 bits of each cost."""
    return array("Q", [half for cost in costs for half in (cost & LOW_HALF, cost >> 64)])
