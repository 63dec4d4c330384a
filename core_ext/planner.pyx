"""The planner: a batch of orders in, a plan for each out; one order after another on the same book.

| array       | shape, dtype        | meaning |
| ----------- | ------------------- | --- |
| shelf       | demand row, int64   | index of the SKU's shelf in the book, -1 unknown |
| row         | demand, int32       | row within the order of each demand that can get anything |
| placed      | row, int64          | units of the order in hand that got a node |
| total, most | demand, int64       | units at all allowed nodes; most units at one of them |
| allowed     | node, byte          | passes the order's filter and has capacity for a parcel |
| sources     | source, byte        | the order may take from it; NULL: from all |
| excluded    | node, byte          | in the plan, hence no runner-up; all 0 between orders |
| allocations | Allocation, growing | what was taken, with the address of the book's cell, to undo |
| parcels     | int32, growing      | nodes of which a unit of capacity was taken, to undo |

Order, Costs, Lines, Splits and Large are described in the modules of the same names.
"""

from cpython.array cimport array, clone
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memmove, memset

import array as _array

from core_ext import limits
from core_ext.demand_check cimport (
    MAY_SPLIT,
    TAKE_WHAT_IS_THERE,
    check_rows,
    check_scopes,
    check_way,
    most_demands_of,
    order_count_of,
    row_count_of,
)
from core_ext.large_orders cimport Parcel, plan_large_order
from core_ext.parcel_cost cimport Piece, best_single, fits, u128
from core_ext.results import Plans, Reason, Status
from core_ext.split_lines cimport MAX_SPLIT_NODES, SPLIT_DEMANDS, plan_split_lines
from core_ext.stock_book cimport Shelf, find_shelf
from core_ext.whole_lines cimport WHOLE_LINES, plan_whole_lines

if tuple(Status) != (PLANNED, SHORT, UNPLACED) or tuple(Reason) != (
    NO_REASON, NOT_ENOUGH, NOT_WHOLE, TOO_MANY_NODES
):
    raise ImportError("core_ext/results.py and planner.pxd differ")

cdef array INTS = _array.array("i")
cdef array LONGS = _array.array("q")
cdef array WORDS = _array.array("Q")
cdef int64_t UNLIMITED = limits.UNLIMITED
NO_FILTERS = b"\x00"


def plan(StockBook book not None, Policy policy not None, demand):
    """Plan a batch of orders against a stock book; a pure function.

    Orders are planned one after another, each seeing the units and the node capacity (one a parcel)
    that those before it took. The book is as before when the function returns; it must not be used
    by another thread meanwhile. The same book, policy and batch always give the same plans.

    Per order:
    - A demand may come from nodes that pass the filter and can take one more parcel, and there from
      the sources in the order's scope. One with MAY_SPLIT can get what they have together,
      otherwise the most that one of them has. If that is less than asked for, an order with
      TAKE_WHAT_IS_THERE goes on with that quantity; others are UNPLACED.
    - Up to 10 demands that all fit some node wholly: exact (see `whole_lines`), also when they
      could be split. Up to 10 of which some fit no node: quantities over at most
      `policy.max_nodes` nodes (see `split_lines`), exact for additive costs. More demands:
      construction and local search (see `large_orders`).
    - Ties: total cost, then the smaller node for the first demand, then for the second, and so on;
      for split quantities total cost, fewer nodes, then the smaller nodes.

    ValueError if the batch lacks the shapes and ranges of `Demand`; MemoryError; the book is as
    before.
    """
    cdef int64_t position = book.position
    cdef Batch batch = Batch(book, policy, demand)
    cdef int status
    try:
        with nogil:
            status = batch.plan_all()
    finally:
        batch.undo()
    if status < 0:
        raise MemoryError
    return batch.plans(position)


cdef class Batch:
    """A batch while it is planned; nothing of it is seen outside."""

    def __cinit__(self, StockBook book, Policy policy, demand):
        self.book = book
        self.policy = policy
        self.order_offsets = demand.order_offsets
        self.sku = demand.sku
        self.quantity = demand.quantity
        self.unit_weight_g = demand.unit_weight_g
        self.place = demand.place
        self.filter = demand.filter
        self.flags = demand.flags
        self.filters = policy.filters or NO_FILTERS
        self.scope = demand.scope
        self.scopes = demand.scopes
        self.blocks = []
        self.check()
        self.costs = policy.costs
        self.make_answer()

    def __dealloc__(self):
        free(self.allocations)
        free(self.parcels)
        for block in self.blocks or ():
            free(<void *><size_t>block)

    cdef int check(self) except -1:
        """ValueError unless the batch is as `Demand` says; learns its size and its places."""
        cdef const int32_t[::1] offsets = self.order_offsets
        cdef int32_t i
        if self.book.node_count != self.policy.node_count:
            raise ValueError(
                f"{self.book.node_count} nodes in the book, {self.policy.node_count} in the policy"
            )
        self.order_count = order_count_of(offsets, self.place, self.filter, self.flags)
        self.row_count = row_count_of(offsets, self.sku, self.quantity, self.unit_weight_g)
        self.most_demands = most_demands_of(offsets)
        check_scopes(self.scope, self.scopes, self.order_count, self.book.source_count)
        for i in range(self.order_count):
            check_way(i, self.place[i], self.filter[i], self.flags[i], self.policy)
            check_rows(i, offsets, self.sku, self.quantity, self.unit_weight_g)
            self.policy._need_place(self.place[i])
        self.allocate()
        return 0

    cdef void *block(self, int64_t count, int64_t size) except NULL:
        """Zeroed memory that lives as long as the batch."""
        cdef void *memory = calloc(max(count, 1), size)
        if not memory:
            raise MemoryError
        self.blocks.append(<size_t>memory)
        return memory

    cdef int allocate(self) except -1:
        cdef int64_t nodes = self.policy.node_count
        cdef int64_t demands = self.most_demands
        cdef int64_t pieces = demands * MAX_SPLIT_NODES
        self.order.node_count = self.policy.node_count
        self.order.max_nodes = self.policy.max_nodes
        self.order.max_parcels = self.policy.max_parcels
        self.order.quantity = <int64_t *>self.block(demands, sizeof(int64_t))
        self.order.unit_weight_g = <int64_t *>self.block(demands, sizeof(int64_t))
        self.order.available = <int64_t *>self.block(demands * nodes, sizeof(int64_t))
        self.order.pieces = <Piece *>self.block(pieces, sizeof(Piece))
        self.lines = <Lines *>self.block(1, sizeof(Lines))
        self.lines.node = <int32_t *>self.block(nodes, sizeof(int32_t))
        self.lines.able = <int32_t *>self.block(nodes, sizeof(int32_t))
        self.lines.is_kept = <unsigned char *>self.block(nodes, 1)
        self.lines.lowest = <u128 *>self.block(nodes, sizeof(u128))
        self.splits.node = <int32_t *>self.block(nodes, sizeof(int32_t))
        self.splits.rank = <int32_t *>self.block(nodes, sizeof(int32_t))
        self.splits.by_rank = <int32_t *>self.block(nodes, sizeof(int32_t))
        self.splits.opening = <u128 *>self.block(nodes, sizeof(u128))
        self.splits.unit_cost = <u128 *>self.block(nodes, sizeof(u128))
        self.splits.most = <int64_t *>self.block(nodes * SPLIT_DEMANDS, sizeof(int64_t))
        self.large.home = <int32_t *>self.block(demands, sizeof(int32_t))
        self.large.spread = <Piece *>self.block(pieces, sizeof(Piece))
        self.large.parcels = <Parcel *>self.block(nodes, sizeof(Parcel))
        self.large.before = <Parcel *>self.block(nodes, sizeof(Parcel))
        self.large.members = <int32_t *>self.block(demands, sizeof(int32_t))
        self.large.nodes = <int32_t *>self.block(nodes, sizeof(int32_t))
        self.large.floors = <u128 *>self.block(nodes, sizeof(u128))
        self.large.nothing_excluded = <unsigned char *>self.block(nodes, 1)
        self.shelf = <int64_t *>self.block(demands, sizeof(int64_t))
        self.total = <int64_t *>self.block(demands, sizeof(int64_t))
        self.most = <int64_t *>self.block(demands, sizeof(int64_t))
        self.placed = <int64_t *>self.block(demands, sizeof(int64_t))
        self.row = <int32_t *>self.block(demands, sizeof(int32_t))
        self.allowed = <unsigned char *>self.block(nodes, 1)
        self.excluded = <unsigned char *>self.block(nodes, 1)
        return 0

    cdef int make_answer(self) except -1:
        cdef int32_t n = self.order_count
        cdef int32_t r = self.row_count
        cdef array failed_row = clone(INTS, n, True)
        cdef array costs = clone(WORDS, 2 * n, True)
        cdef array lower_bounds = clone(WORDS, 2 * n, True)
        cdef array runner_up_nodes = clone(INTS, n, True)
        cdef array runner_up_costs = clone(WORDS, 2 * n, True)
        cdef array allocation_offsets = clone(INTS, n + 1, True)
        cdef array short = clone(LONGS, r, True)
        cdef array available = clone(LONGS, r, True)
        cdef bytearray status = bytearray(n)
        cdef bytearray proved = bytearray(n)
        cdef bytearray reason = bytearray(n)
        self.answer.status = <unsigned char *><char *>status
        self.answer.proved = <unsigned char *><char *>proved
        self.answer.reason = <unsigned char *><char *>reason
        self.answer.failed_row = failed_row.data.as_ints
        self.answer.costs = costs.data.as_ulonglongs
        self.answer.lower_bounds = lower_bounds.data.as_ulonglongs
        self.answer.runner_up_nodes = runner_up_nodes.data.as_ints
        self.answer.runner_up_costs = runner_up_costs.data.as_ulonglongs
        self.answer.allocation_offsets = allocation_offsets.data.as_ints
        self.answer.short = short.data.as_longlongs
        self.answer.available = available.data.as_longlongs
        self.arrays = dict(
            status=status, proved=proved, reason=reason, failed_row=failed_row, costs=costs,
            lower_bounds=lower_bounds, runner_up_nodes=runner_up_nodes,
            runner_up_costs=runner_up_costs, allocation_offsets=allocation_offsets, short=short,
            available=available,
        )
        return 0

    cdef object plans(self, int64_t position):
        cdef int64_t i
        cdef array demand = clone(INTS, self.allocation_count, False)
        cdef array node = clone(INTS, self.allocation_count, False)
        cdef array source = clone(INTS, self.allocation_count, False)
        cdef array quantity = clone(LONGS, self.allocation_count, False)
        for i in range(self.allocation_count):
            demand.data.as_ints[i] = self.allocations[i].demand
            node.data.as_ints[i] = self.allocations[i].node
            source.data.as_ints[i] = self.allocations[i].source
            quantity.data.as_longlongs[i] = self.allocations[i].quantity
        return Plans(
            allocation_demand=demand,
            allocation_node=node,
            allocation_source=source,
            allocation_quantity=quantity,
            book_position=position,
            **self.arrays,
        )

    cdef int plan_all(self) noexcept nogil:
        """Plan order after order; -1 if memory ran out."""
        cdef int32_t index
        for index in range(self.order_count):
            if self.plan_order(index) < 0:
                return -1
        return 0

    cdef int plan_order(self, int32_t index) noexcept nogil:
        cdef int32_t failed
        cdef bint assigned = False
        self.policy._aim(&self.costs, self.place[index])
        self.gather(index)
        failed = self.cap(index)
        self.order.piece_count = 0
        self.order.uncovered = -1
        self.order.proved = False
        self.order.may_be_short = self.flags[index] & TAKE_WHAT_IS_THERE != 0
        if (failed < 0 or self.order.may_be_short) and self.order.demand_count > 0:
            self.assign()
            assigned = True
        return self.finish(index, failed, assigned)

    cdef void gather(self, int32_t index) noexcept nogil:
        """Look up what each allowed node has of each demand."""
        cdef int32_t first = self.order_offsets[index]
        cdef int32_t nodes = self.order.node_count
        cdef int32_t n, d
        cdef const unsigned char *filter = NULL
        if self.filter[index] >= 0:
            filter = &self.filters[<int64_t>self.filter[index] * nodes]
        for n in range(nodes):
            self.allowed[n] = self.book.capacities[n] >= 1 and (filter == NULL or filter[n] == 1)
        self.sources = NULL
        if self.scope.shape[0] and self.scope[index] >= 0:
            self.sources = &self.scopes[<int64_t>self.scope[index] * self.book.source_count]
        self.order.demand_count = self.order_offsets[index + 1] - first
        for d in range(self.order.demand_count):
            self.shelf[d] = find_shelf(self.book.slots, self.book.slot_mask, self.sku[first + d])
            self.gather_row(d, self.shelf[d])
            self.answer.available[first + d] = self.total[d]

    cdef void gather_row(self, int32_t demand, int64_t shelf) noexcept nogil:
        cdef int32_t nodes = self.order.node_count
        cdef int64_t *cells = self.order.available + <int64_t>demand * nodes
        cdef const Shelf *entries
        cdef int32_t i, n
        memset(cells, 0, nodes * sizeof(int64_t))
        self.total[demand] = 0
        self.most[demand] = 0
        if shelf < 0:
            return
        entries = &self.book.shelves[shelf]
        for i in range(entries.count):
            if self.sources and not self.sources[entries.source[i]]:
                continue
            n = self.book.source_node[entries.source[i]]
            if entries.free[i] > 0 and self.allowed[n]:
                cells[n] += entries.free[i]
                self.total[demand] += entries.free[i]
                if cells[n] > self.most[demand]:
                    self.most[demand] = cells[n]

    cdef int32_t cap(self, int32_t index) noexcept nogil:
        """Cut each demand to what it can get; returns the first that is short of it, or -1."""
        cdef int32_t first = self.order_offsets[index]
        cdef int32_t failed = -1
        cdef int32_t d
        cdef int64_t most
        for d in range(self.order.demand_count):
            most = self.total[d] if self.flags[index] & MAY_SPLIT else self.most[d]
            self.placed[d] = self.quantity[first + d]
            if most < self.placed[d]:
                self.placed[d] = most
                if failed < 0:
                    failed = d
            self.row[d] = d
            self.order.unit_weight_g[d] = self.unit_weight_g[first + d]
        self.keep_demands(self.placed)
        return failed

    cdef void keep_demands(self, const int64_t *quantities) noexcept nogil:
        """Give the demands other quantities (by row of the order); drop those that have none."""
        cdef int32_t nodes = self.order.node_count
        cdef int32_t kept = 0
        cdef int32_t d
        self.order.units = 0
        self.order.weight_g = 0
        for d in range(self.order.demand_count):
            if quantities[self.row[d]] == 0:
                continue
            if kept != d:
                memmove(
                    self.order.available + <int64_t>kept * nodes,
                    self.order.available + <int64_t>d * nodes,
                    nodes * sizeof(int64_t),
                )
                self.row[kept] = self.row[d]
                self.order.unit_weight_g[kept] = self.order.unit_weight_g[d]
            self.order.quantity[kept] = quantities[self.row[kept]]
            self.order.units += self.order.quantity[kept]
            self.order.weight_g += self.order.quantity[kept] * self.order.unit_weight_g[kept]
            kept += 1
        self.order.demand_count = kept

    cdef void assign(self) noexcept nogil:
        """The method that fits the order."""
        cdef int32_t d, n
        cdef bint all_fit = True
        if self.order.demand_count > WHOLE_LINES:
            plan_large_order(&self.costs, &self.order, &self.large)
            return
        for d in range(self.order.demand_count):
            for n in range(self.order.node_count):
                if fits(&self.order, d, n):
                    break
            else:
                all_fit = False
        if all_fit:
            plan_whole_lines(&self.costs, &self.order, self.lines)
        else:
            plan_split_lines(&self.costs, &self.order, &self.splits)

    cdef int finish(self, int32_t index, int32_t failed, bint assigned) noexcept nogil:
        """Write the order's part of the answer and take its pieces; -1 if memory ran out."""
        cdef int32_t first = self.order_offsets[index]
        cdef int32_t count = self.order_offsets[index + 1] - first
        cdef bint is_placed = assigned and self.order.piece_count > 0
        cdef int32_t d
        if assigned and not is_placed and failed < 0 and self.order.uncovered >= 0:
            failed = self.row[self.order.uncovered]
        memset(self.placed, 0, count * sizeof(int64_t))
        if is_placed:
            for d in range(self.order.piece_count):
                self.placed[self.row[self.order.pieces[d].demand]] += self.order.pieces[d].quantity
            failed = -1
        for d in range(count):
            self.answer.short[first + d] = self.quantity[first + d] - self.placed[d]
            if is_placed and failed < 0 and self.answer.short[first + d] > 0:
                failed = d
        self.answer.failed_row[index] = first + failed if failed >= 0 else -1
        self.answer.reason[index] = self.reason_of(index, failed)
        self.answer.runner_up_nodes[index] = -1
        self.answer.allocation_offsets[index + 1] = <int>self.allocation_count
        if not is_placed:
            self.answer.status[index] = UNPLACED
            return 0
        self.answer.status[index] = PLANNED if failed < 0 else SHORT
        self.answer.proved[index] = self.order.proved
        write_wide(self.answer.costs, index, self.order.cost)
        write_wide(self.answer.lower_bounds, index, self.order.lower_bound)
        if self.take(index) < 0:
            return -1
        self.answer.allocation_offsets[index + 1] = <int>self.allocation_count
        self.find_runner_up(index)
        return 0

    cdef int reason_of(self, int32_t index, int32_t row) noexcept nogil:
        cdef int64_t wanted
        if row < 0:
            return NO_REASON
        wanted = self.quantity[self.order_offsets[index] + row]
        if self.total[row] < wanted:
            return NOT_ENOUGH
        if not self.flags[index] & MAY_SPLIT and self.most[row] < wanted:
            return NOT_WHOLE
        return TOO_MANY_NODES

    cdef int take(self, int32_t index) noexcept nogil:
        """Take the pieces from the book, and a parcel of each node's capacity; marks the nodes."""
        cdef int32_t first = self.order_offsets[index]
        cdef const Piece *piece
        cdef int32_t row
        cdef int32_t i
        for i in range(self.order.piece_count):
            piece = &self.order.pieces[i]
            row = self.row[piece.demand]
            if self.take_piece(
                first + row, piece.node, piece.quantity, &self.book.shelves[self.shelf[row]]
            ) < 0:
                return -1
            if not self.excluded[piece.node]:
                self.excluded[piece.node] = 1
                if self.take_parcel(piece.node) < 0:
                    return -1
        return 0

    cdef int take_piece(
        self, int32_t row, int32_t node, int64_t quantity, const Shelf *shelf
    ) noexcept nogil:
        """Take units from the sources of a node, the first ones first."""
        cdef Allocation *allocation
        cdef void *moved
        cdef int64_t units
        cdef int32_t i
        for i in range(shelf.count):
            if quantity == 0:
                break
            if shelf.free[i] <= 0 or self.book.source_node[shelf.source[i]] != node:
                continue
            if self.sources and not self.sources[shelf.source[i]]:
                continue
            if self.allocation_count == self.allocation_room:
                self.allocation_room = 2 * self.allocation_room + 64
                moved = realloc(self.allocations, self.allocation_room * sizeof(Allocation))
                if not moved:
                    return -1
                self.allocations = <Allocation *>moved
            units = shelf.free[i] if shelf.free[i] < quantity else quantity
            allocation = &self.allocations[self.allocation_count]
            allocation.cell = &shelf.free[i]
            allocation.quantity = units
            allocation.demand = row
            allocation.node = node
            allocation.source = shelf.source[i]
            self.allocation_count += 1
            shelf.free[i] -= units
            quantity -= units
        return 0

    cdef int take_parcel(self, int32_t node) noexcept nogil:
        cdef void *moved
        if self.book.capacities[node] == UNLIMITED:
            return 0
        if self.parcel_count == self.parcel_room:
            self.parcel_room = 2 * self.parcel_room + 64
            moved = realloc(self.parcels, self.parcel_room * sizeof(int32_t))
            if not moved:
                return -1
            self.parcels = <int32_t *>moved
        self.parcels[self.parcel_count] = node
        self.parcel_count += 1
        self.book.capacities[node] = self.book.capacities[node] - 1
        return 0

    cdef void find_runner_up(self, int32_t index) noexcept nogil:
        """The best single node outside the plan for what was placed; unmarks the plan's nodes.

        The order still holds what the nodes had before the plan was taken.
        """
        cdef u128 cost
        cdef int32_t i
        cdef int32_t node
        self.keep_demands(self.placed)
        node = best_single(&self.costs, &self.order, self.excluded, &cost)
        self.answer.runner_up_nodes[index] = node
        if node >= 0:
            write_wide(self.answer.runner_up_costs, index, cost)
        for i in range(self.order.piece_count):
            self.excluded[self.order.pieces[i].node] = 0

    cdef void undo(self) noexcept nogil:
        """Give everything back, so that the book is as it was."""
        cdef int32_t node
        cdef int64_t i
        for i in range(self.allocation_count):
            self.allocations[i].cell[0] += self.allocations[i].quantity
        for i in range(self.parcel_count):
            node = self.parcels[i]
            self.book.capacities[node] = self.book.capacities[node] + 1


cdef void write_wide(unsigned long long *halves, int32_t index, u128 value) noexcept nogil:
    halves[2 * index] = <unsigned long long>value
    halves[2 * index + 1] = <unsigned long long>(value >> <int>64)
