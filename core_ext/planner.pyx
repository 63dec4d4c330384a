"""The planner: a batch of orders in, a plan for each out; one order after another on the same book.

| array       | shape, dtype        | meaning |
| ----------- | ------------------- | --- |
| shelf       | demand row, int64   | index of the SKU's shelf in the book, -1 unknown |
| row         | demand, int32       | row within the order of each demand that can get anything |
| placed      | row, int64          | units of the order in hand that got a node |
| total, most | demand, int64       | units at all allowed nodes; most units at one of them |
| allowed     | node, byte          | passes the order's filter and has capacity for a parcel |
| sources     | source, byte        | the order may take from it; NULL: from all |
| left        | row, int64          | units of the order in hand that no policy has placed yet |
| wanted      | row, int64          | what was left when the last policy had its turn |
| sending     | node, byte          | sends a parcel of the order in hand; all 0 between orders |
| excluded    | node, byte          | in the plan, hence no runner-up; all 0 between orders |

Order, Costs, Lines, Splits, Large and Takings are described in the modules of the same names.
"""

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memmove, memset

from core_ext.answers cimport Answers, write_wide
from core_ext.demand_check cimport (
    MAY_SPLIT,
    TAKE_WHAT_IS_THERE,
    check_chains,
    check_goods,
    check_rows,
    check_scopes,
    check_values,
    check_way,
    most_demands_of,
    order_count_of,
    row_count_of,
)
from core_ext.large_orders cimport make_large, plan_large_order
from core_ext.memory cimport Memory
from core_ext.parcel_cost cimport Piece, Policy, aim, best_single, fits, u128
from core_ext.limits import MAX_POLICIES
from core_ext.results import Reason, Status
from core_ext.split_lines cimport MAX_SPLIT_NODES, make_splits, plan_split_lines
from core_ext.stock_book cimport Shelf, find_shelf
from core_ext.takings cimport Allocation, give_back, take_parcel, take_units
from core_ext.whole_lines cimport WHOLE_LINES, make_lines, plan_whole_lines

if tuple(Status) != (PLANNED, SHORT, UNPLACED) or tuple(Reason) != (
    NO_REASON, NOT_ENOUGH, NOT_WHOLE, TOO_MANY_NODES, TOO_SMALL
):
    raise ImportError("core_ext/results.py and planner.pxd differ")


def plan(StockBook book not None, policies, demand):
    """Plan a batch of orders against a stock book; a pure function.

    Orders are planned one after another, each seeing the units and the node capacity (one a parcel)
    that those before it took. The book is as before when the function returns; it must not be used
    by another thread meanwhile. The same book, policies and batch always give the same plans.

    Each order goes through the policies of its chain, in turn: each places what it can of what is
    left, within its limits (`core_ext.policy.Limits`). Per order and policy:
    - A demand may come from nodes that pass the filter and can take one more parcel, and there from
      the sources in the order's scope. One with MAY_SPLIT can get what they have together,
      otherwise the most that one of them has. If that is less than is left, a policy that takes a
      part goes on with that quantity; others place nothing, and so does the last one of an order
      without TAKE_WHAT_IS_THERE. Such an order is UNPLACED unless everything has a node in the end.
    - Up to 10 demands that all fit some node wholly: exact (see `whole_lines`), also when they
      could be split. Up to 10 of which some fit no node: quantities over at most `max_nodes` nodes
      (see `split_lines`), exact for additive costs unless parcels would be worth too little. More
      demands: construction and local search (see `large_orders`).
    - Ties: total cost, then the smaller node for the first demand, then for the second, and so on;
      for split quantities total cost, fewer nodes, then the smaller nodes.

    ValueError if the batch lacks the shapes and ranges of `Demand`; MemoryError; the book is as
    before.
    """
    cdef int64_t position = book.position
    cdef Batch batch = Batch(book, policies, demand)
    cdef int status
    try:
        with nogil:
            status = batch.plan_all()
        if status < 0:
            raise MemoryError
        return batch.answers.plans(&batch.takings, position)
    finally:
        give_back(&batch.takings, 0, 0)


cdef class Batch:
    """A batch while it is planned; nothing of it is seen outside."""

    def __cinit__(self, StockBook book, policies, demand):
        self.book = book
        self.order_offsets = demand.order_offsets
        self.sku = demand.sku
        self.quantity = demand.quantity
        self.unit_weight_g = demand.unit_weight_g
        self.unit_value = demand.unit_value
        self.goods = demand.goods
        self.place = demand.place
        self.filter = demand.filter
        self.flags = demand.flags
        self.chain_offsets = demand.chain_offsets
        self.chain = demand.chain
        self.scope = demand.scope
        self.scopes = demand.scopes
        self.takings.source_node = book.source_node
        self.takings.capacities = book.capacities
        self.memory = Memory()
        self.kept = tuple(policies)
        self.check()
        self.answers = Answers(self.order_count, self.row_count)
        self.answer = self.answers.raw

    def __dealloc__(self):
        free(self.takings.allocations)
        free(self.takings.parcels)

    cdef int check(self) except -1:
        """ValueError unless the batch is as `Demand` says; learns its size and its places."""
        cdef const int32_t[::1] offsets = self.order_offsets
        cdef Policy policy
        cdef int32_t i
        cdef int32_t at
        self.order_count = order_count_of(offsets, self.place, self.filter, self.flags)
        self.row_count = row_count_of(offsets, self.sku, self.quantity, self.unit_weight_g)
        self.most_demands = most_demands_of(offsets)
        check_scopes(self.scope, self.scopes, self.order_count, self.book.source_count)
        check_values(self.unit_value, self.goods, self.row_count)
        check_chains(self.chain_offsets, self.chain, self.order_count, len(self.kept))
        if not 1 <= len(self.kept) <= MAX_POLICIES:
            raise ValueError(f"a batch has 1 to {MAX_POLICIES} policies")
        for policy in self.kept:
            if self.book.node_count != policy.node_count:
                raise ValueError(
                    f"{self.book.node_count} nodes in the book, {policy.node_count} in the policy"
                )
        self.learn_policies()
        for i in range(self.order_count):
            check_rows(
                i, offsets, self.sku, self.quantity, self.unit_weight_g, self.unit_value
            )
            for at in range(self.chain_start(i), self.chain_end(i)):
                policy = self.kept[self.policy_at(at)]
                check_way(i, self.place[i], self.filter[i], self.flags[i], policy)
                check_goods(i, offsets, self.goods, policy)
                policy._need_place(self.place[i])
        self.allocate()
        return 0

    cdef int learn_policies(self) except -1:
        """Keep of each policy what is read without Python."""
        cdef Turn *turn
        cdef Policy policy
        cdef int32_t i
        self.turns = <Turn *>self.memory.block(len(self.kept), sizeof(Turn))
        for i in range(<int32_t>len(self.kept)):
            policy = self.kept[i]
            turn = &self.turns[i]
            turn.costs = &policy.costs
            turn.constants = policy.constants
            turn.filters = <const unsigned char *><const char *>policy.filters
            turn.max_nodes = min(policy.max_nodes, policy.max_parcels)
            turn.max_parcels = policy.max_parcels
            turn.least_value = policy.least_value
            turn.takes_part = policy.takes_part
        return 0

    cdef int32_t chain_start(self, int32_t index) noexcept nogil:
        return self.chain_offsets[index] if self.chain_offsets.shape[0] else 0

    cdef int32_t chain_end(self, int32_t index) noexcept nogil:
        return self.chain_offsets[index + 1] if self.chain_offsets.shape[0] else 1

    cdef int32_t policy_at(self, int32_t at) noexcept nogil:
        return self.chain[at] if self.chain.shape[0] else 0

    cdef int allocate(self) except -1:
        cdef Memory memory = self.memory
        cdef int64_t nodes = self.book.node_count
        cdef int64_t demands = self.most_demands
        self.order.node_count = self.book.node_count
        self.order.quantity = <int64_t *>memory.block(demands, sizeof(int64_t))
        self.order.unit_weight_g = <int64_t *>memory.block(demands, sizeof(int64_t))
        self.order.unit_value = <int64_t *>memory.block(demands, sizeof(int64_t))
        self.order.goods = <int32_t *>memory.block(demands, sizeof(int32_t))
        self.order.available = <int64_t *>memory.block(demands * nodes, sizeof(int64_t))
        self.order.pieces = <Piece *>memory.block(demands * MAX_SPLIT_NODES, sizeof(Piece))
        self.lines = make_lines(memory, nodes)
        make_splits(memory, &self.splits, nodes)
        make_large(memory, &self.large, nodes, demands)
        self.shelf = <int64_t *>memory.block(demands, sizeof(int64_t))
        self.total = <int64_t *>memory.block(demands, sizeof(int64_t))
        self.most = <int64_t *>memory.block(demands, sizeof(int64_t))
        self.placed = <int64_t *>memory.block(demands, sizeof(int64_t))
        self.left = <int64_t *>memory.block(demands, sizeof(int64_t))
        self.wanted = <int64_t *>memory.block(demands, sizeof(int64_t))
        self.row = <int32_t *>memory.block(demands, sizeof(int32_t))
        self.allowed = <unsigned char *>memory.block(nodes, 1)
        self.excluded = <unsigned char *>memory.block(nodes, 1)
        self.sending = <unsigned char *>memory.block(nodes, 1)
        return 0

    cdef int plan_all(self) noexcept nogil:
        """Plan order after order; -1 if memory ran out."""
        cdef int32_t index
        for index in range(self.order_count):
            if self.plan_order(index) < 0:
                return -1
        return 0

    cdef int plan_order(self, int32_t index) noexcept nogil:
        """Let the policies of the order's chain place it, in turn; -1 if memory ran out."""
        cdef int64_t allocations = self.takings.allocation_count
        cdef int64_t parcels = self.takings.parcel_count
        cdef int32_t first = self.order_offsets[index]
        cdef int32_t end = self.chain_end(index)
        cdef int32_t at
        cdef int32_t d
        cdef int64_t i
        self.answer.policy[index] = -1
        self.answer.runner_up_nodes[index] = -1
        self.answer.proved[index] = 1
        for d in range(self.order_offsets[index + 1] - first):
            self.left[d] = self.quantity[first + d]
        for at in range(self.chain_start(index), end):
            if self.take_turn(index, self.policy_at(at), at == end - 1) < 0:
                return -1
            if self.first_left(index) < 0:
                break
        for i in range(allocations, self.takings.allocation_count):
            self.sending[self.takings.allocations[i].node] = 0
        if self.first_left(index) >= 0 and not self.flags[index] & TAKE_WHAT_IS_THERE:
            give_back(&self.takings, allocations, parcels)
        self.finish(index, self.takings.allocation_count > allocations)
        return 0

    cdef int32_t first_left(self, int32_t index) noexcept nogil:
        """First row of the order that has units left, or -1."""
        cdef int32_t d
        for d in range(self.order_offsets[index + 1] - self.order_offsets[index]):
            if self.left[d]:
                return d
        return -1

    cdef int take_turn(self, int32_t index, int32_t number, bint is_last) noexcept nogil:
        """Let one policy place what it can of what is left; -1 if memory ran out."""
        cdef const Turn *turn = &self.turns[number]
        cdef int32_t failed
        aim(&self.costs, turn.costs, turn.constants[self.place[index]], self.order.node_count,
            self.place[index])
        self.order.max_parcels = turn.max_parcels
        self.order.max_nodes = turn.max_nodes
        self.order.least_value = turn.least_value
        self.gather(index, turn.filters)
        failed = self.cap(index)
        self.order.piece_count = 0
        self.order.uncovered = -1
        self.order.proved = False
        self.order.is_too_small = False
        self.order.is_whole = failed < 0 and self.answer.policy[index] < 0
        self.order.may_be_short = turn.takes_part and (
            self.flags[index] & TAKE_WHAT_IS_THERE or not is_last
        )
        if (failed < 0 or self.order.may_be_short) and self.order.demand_count > 0:
            if self.assign() < 0:
                return -1
        if self.order.piece_count == 0 and failed < 0 and self.order.uncovered >= 0:
            failed = self.row[self.order.uncovered]
        self.failed = failed
        self.is_too_small = self.order.is_too_small
        if self.order.piece_count and self.leaves_enough(index):
            return self.take(index, number)
        return 0

    cdef bint leaves_enough(self, int32_t index) noexcept nogil:
        """Whether what the pieces leave short, if anything, is worth a parcel of its own."""
        cdef int32_t first = self.order_offsets[index]
        cdef int64_t value = 0
        cdef bint is_short = False
        cdef int32_t d
        cdef int32_t row
        memcpy(self.placed, self.left, (self.order_offsets[index + 1] - first) * sizeof(int64_t))
        for d in range(self.order.piece_count):
            row = self.row[self.order.pieces[d].demand]
            self.placed[row] -= self.order.pieces[d].quantity
        for row in range(self.order_offsets[index + 1] - first):
            is_short |= self.placed[row] > 0
            value += self.placed[row] * (
                self.unit_value[first + row] if self.unit_value.shape[0] else 0
            )
        if is_short and value < self.order.least_value:
            self.is_too_small = True
            return False
        return True

    cdef void gather(self, int32_t index, const unsigned char *filters) noexcept nogil:
        """Look up what each allowed node has of each demand."""
        cdef int32_t first = self.order_offsets[index]
        cdef int32_t nodes = self.order.node_count
        cdef int32_t n, d
        cdef int64_t placed
        cdef const unsigned char *filter = NULL
        if self.filter[index] >= 0:
            filter = &filters[<int64_t>self.filter[index] * nodes]
        for n in range(nodes):
            self.allowed[n] = (self.book.capacities[n] >= 1 or self.sending[n]) and (
                filter == NULL or filter[n] == 1
            )
        self.sources = NULL
        if self.scope.shape[0] and self.scope[index] >= 0:
            self.sources = &self.scopes[<int64_t>self.scope[index] * self.book.source_count]
        self.order.demand_count = self.order_offsets[index + 1] - first
        for d in range(self.order.demand_count):
            self.shelf[d] = find_shelf(self.book.slots, self.book.slot_mask, self.sku[first + d])
            self.gather_row(d, self.shelf[d])
            placed = self.quantity[first + d] - self.left[d]
            if placed + self.total[d] > self.answer.available[first + d]:
                self.answer.available[first + d] = placed + self.total[d]

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
            self.placed[d] = self.left[d]
            self.wanted[d] = self.left[d]
            if most < self.placed[d]:
                self.placed[d] = most
                if failed < 0:
                    failed = d
            self.row[d] = d
            self.order.unit_weight_g[d] = self.unit_weight_g[first + d]
            self.order.unit_value[d] = (
                self.unit_value[first + d] if self.unit_value.shape[0] else 0
            )
            self.order.goods[d] = self.goods[first + d] if self.goods.shape[0] else -1
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
                self.order.unit_value[kept] = self.order.unit_value[d]
                self.order.goods[kept] = self.order.goods[d]
            self.order.quantity[kept] = quantities[self.row[kept]]
            self.order.units += self.order.quantity[kept]
            self.order.weight_g += self.order.quantity[kept] * self.order.unit_weight_g[kept]
            kept += 1
        self.order.demand_count = kept

    cdef int assign(self) noexcept nogil:
        """The method that fits the order; -1 if memory ran out."""
        cdef int32_t d, n
        cdef bint all_fit = True
        if self.order.demand_count > WHOLE_LINES:
            plan_large_order(&self.costs, &self.order, &self.large)
            return 0
        for d in range(self.order.demand_count):
            for n in range(self.order.node_count):
                if fits(&self.order, d, n):
                    break
            else:
                all_fit = False
        if all_fit:
            return plan_whole_lines(&self.costs, &self.order, self.lines)
        plan_split_lines(&self.costs, &self.order, &self.splits)
        return 0

    cdef void finish(self, int32_t index, bint is_placed) noexcept nogil:
        """Write the order's part of the answer."""
        cdef int32_t first = self.order_offsets[index]
        cdef int32_t count = self.order_offsets[index + 1] - first
        cdef int32_t failed
        cdef int32_t d
        for d in range(count):
            self.answer.short[first + d] = self.left[d] if is_placed else self.quantity[first + d]
        failed = self.first_left(index) if is_placed else self.failed
        if not is_placed and failed < 0:
            failed = max(0, self.first_left(index))
        self.answer.failed_row[index] = first + failed if failed >= 0 else -1
        self.answer.reason[index] = self.reason_of(index, failed)
        self.answer.allocation_offsets[index + 1] = <int>self.takings.allocation_count
        self.answer.status[index] = UNPLACED
        if is_placed:
            self.answer.status[index] = PLANNED if failed < 0 else SHORT
            return
        self.answer.proved[index] = 0
        self.answer.policy[index] = -1
        self.answer.runner_up_nodes[index] = -1
        write_wide(self.answer.costs, index, <u128>0)
        write_wide(self.answer.lower_bounds, index, <u128>0)
        write_wide(self.answer.runner_up_costs, index, <u128>0)

    cdef int reason_of(self, int32_t index, int32_t row) noexcept nogil:
        """Why the row is short, as the last policy saw it."""
        if row < 0:
            return NO_REASON
        if self.is_too_small:
            return TOO_SMALL
        if self.total[row] < self.wanted[row]:
            return NOT_ENOUGH
        if not self.flags[index] & MAY_SPLIT and self.most[row] < self.wanted[row]:
            return NOT_WHOLE
        return TOO_MANY_NODES

    cdef int take(self, int32_t index, int32_t number) noexcept nogil:
        """Take the pieces from the book, and a parcel of each node's capacity; -1 if memory ran
        out. The first policy that places anything gives the order its costs and runner-up.
        """
        cdef int32_t first = self.order_offsets[index]
        cdef bint is_first = self.answer.policy[index] < 0
        cdef const Piece *piece
        cdef Allocation what
        cdef int32_t row
        cdef int32_t i
        memset(self.placed, 0, (self.order_offsets[index + 1] - first) * sizeof(int64_t))
        for i in range(self.order.piece_count):
            piece = &self.order.pieces[i]
            row = self.row[piece.demand]
            what.demand = first + row
            what.policy = number
            what.node = piece.node
            what.quantity = piece.quantity
            if take_units(
                &self.takings, what, &self.book.shelves[self.shelf[row]], self.sources
            ) < 0:
                return -1
            self.placed[row] += piece.quantity
            self.left[row] -= piece.quantity
            if not self.sending[piece.node]:
                self.sending[piece.node] = 1
                if take_parcel(&self.takings, piece.node) < 0:
                    return -1
        self.answer.proved[index] &= self.order.proved
        if is_first:
            self.answer.policy[index] = number
            write_wide(self.answer.costs, index, self.order.cost)
            write_wide(self.answer.lower_bounds, index, self.order.lower_bound)
            self.find_runner_up(index)
        return 0

    cdef void find_runner_up(self, int32_t index) noexcept nogil:
        """The best single node outside the plan for what was placed.

        The order still holds what the nodes had before the plan was taken.
        """
        cdef u128 cost
        cdef int32_t i
        cdef int32_t node
        for i in range(self.order.piece_count):
            self.excluded[self.order.pieces[i].node] = 1
        self.keep_demands(self.placed)
        node = best_single(&self.costs, &self.order, self.excluded, &cost)
        self.answer.runner_up_nodes[index] = node
        if node >= 0:
            write_wide(self.answer.runner_up_costs, index, cost)
        for i in range(self.order.piece_count):
            self.excluded[self.order.pieces[i].node] = 0
