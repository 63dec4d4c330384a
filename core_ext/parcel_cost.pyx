"""What a parcel costs.

| structure | one per | fields |
| --------- | ------------------- | --- |
| constants | place, lazily | uint128[node]: all NODE and PLACE terms of a parcel, already summed |
| tables | term | int32 copies of its values and of its rates, which grow |
| CostTerm | UNIT, TARIFF, DEPTH, GOODS | numbers of the term, rows of its tables at the place |
| Costs | batch | the constants and terms of the place in hand; tables of GOODS by their sums |
| Load | parcel | units, grams, value, sum per DEPTH and GOODS term: all int64 |
| Order | order | quantity, unit_weight_g, unit_value int64[demand]; goods int32[demand] |
| | | available int64[demand, node] |

A value fits int64: tables are below 2**31, units and grams of an order too.
"""

from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy

from dataclasses import replace

from core_ext import limits as _limits
from core_ext.policy import NO_LIMITS, NOTHING_KNOWN, Kind, Size, check_policy, check_tables
from core_ext.tables import extremes

if (MAX_TERMS, MAX_SUM_TERMS) != (_limits.MAX_TERMS, _limits.MAX_SUM_TERMS):
    raise ImportError("core_ext/limits.py and parcel_cost.pxd differ")
if tuple(Kind) != (KIND_NODE, KIND_PLACE, KIND_UNIT, KIND_TARIFF, KIND_DEPTH, KIND_GOODS):
    raise ImportError("core_ext/policy.py and parcel_cost.pxd differ")


cdef class Policy:
    """A compiled policy, which may get more places and classes of goods.

    `terms` are `core_ext.policy.Term`s with multipliers already packed. `filters` has rows of
    `node_count` bytes, 1 for a node an order may use. ValueError if a part is out of range or the
    worst total cost of `limits.max_parcels` parcels needs more than 127 bits.
    """

    def __cinit__(
        self, node_count, place_count, terms, filters=b"", limits=NO_LIMITS, goods_count=0
    ):
        cdef int index
        terms, filters = tuple(terms), bytes(filters)
        size = Size(node_count, place_count, goods_count)
        if place_count < 1:
            raise ValueError(f"place_count is {place_count}, must be 1 or more")
        check_policy(node_count, terms, limits)
        check_tables(size, terms, filters, extremes, NOTHING_KNOWN)
        self.node_count = node_count
        self.limits = limits
        self.max_nodes = limits.max_nodes
        self.max_parcels = limits.max_parcels
        self.least_value = limits.least_value
        self.takes_part = limits.takes_part
        for index, term in enumerate(terms):
            self._add_term(index, term)
        self._take_over(size, terms, filters)

    def __dealloc__(self):
        cdef int table
        self._forget_constants()
        PyMem_Free(self.constants)
        for table in range(MAX_TABLES):
            PyMem_Free(self.tables[table])

    def grow(self, place_count, goods_count, terms, filters):
        """Take over longer tables: the places and classes of goods that there were stay as they
        are, and so do the kinds and numbers of the terms. No plan may be under way.

        ValueError where the tables do not fit; then nothing has changed.
        """
        terms, filters = tuple(terms), bytes(filters)
        size = Size(self.node_count, place_count, goods_count)
        known = Size(self.node_count, self.place_count, self.goods_count)
        if len(terms) != len(self.terms) or len(filters) < len(self.filters):
            raise ValueError("a policy grows by places and goods alone")
        check_tables(size, terms, filters, extremes, known)
        self._take_over(size, terms, filters)

    def set_node_values(self, index, values):
        """Give the NODE term of an index other values, one a node. No plan may be under way.

        ValueError where it is no NODE term or the values do not fit; then nothing has changed.
        """
        if index < 0 or self.terms[index].kind != Kind.NODE:
            raise ValueError(f"term {index} is not a property of nodes")
        changed = replace(self.terms[index], values=values)
        size = Size(self.node_count, self.place_count, self.goods_count)
        check_tables(size, [changed], b"", extremes, NOTHING_KNOWN)
        self.terms = (*self.terms[:index], changed, *self.terms[index + 1:])
        self.lengths[2 * index] = 0
        self._append(2 * index, values)
        self._forget_constants()

    cdef int _add_term(self, int index, object term) except -1:
        """Constant terms are kept apart: they are summed once per place."""
        cdef CostTerm *target
        if term.kind < KIND_UNIT:
            target = &self.fixed[self.fixed_count]
            self.place_of_term[index] = -1 - self.fixed_count
            self.fixed_count += 1
        else:
            target = &self.costs.terms[self.costs.term_count]
            self.place_of_term[index] = self.costs.term_count
            self.costs.term_count += 1
        target.kind = term.kind
        target.step = term.step
        target.band = term.band
        target.limit = term.limit
        target.multiplier = wide(term.multiplier)
        if term.kind >= KIND_DEPTH:
            target.sum = self.costs.sum_count
            self.costs.target[target.sum] = term.step
            self.costs.sum_count += 1
        return 0

    cdef CostTerm *_term(self, int index) noexcept:
        cdef int32_t at = self.place_of_term[index]
        return &self.costs.terms[at] if at >= 0 else &self.fixed[-1 - at]

    cdef int _take_over(self, object size, tuple terms, bytes filters) except -1:
        """Copy what the tables have beyond what is known of them, and point the terms at them."""
        cdef CostTerm *target
        cdef int index
        self._make_room(size.places)
        for index, term in enumerate(terms):
            target = self._term(index)
            values = memoryview(term.values)[self.lengths[2 * index]:]
            rates = memoryview(term.rates)[self.lengths[2 * index + 1]:]
            target.most_value = max(target.most_value, extremes(values)[1])
            target.most_rate = max(target.most_rate, extremes(rates)[1])
            self._append(2 * index, term.values)
            self._append(2 * index + 1, term.rates)
            target.values = self.tables[2 * index]
            target.rates = self.tables[2 * index + 1]
            if target.kind == KIND_GOODS:
                self.costs.goods[target.sum] = target.values
        self.terms = terms
        self.filters = filters
        self.filter_count = len(filters) // self.node_count
        self.place_count = size.places
        self.goods_count = size.goods
        return 0

    cdef int _append(self, int table, object numbers) except -1:
        """Copy the numbers behind those that are known: an array could still be changed."""
        cdef const int32_t[::1] source = numbers
        cdef int64_t length = source.shape[0]
        cdef int64_t known = self.lengths[table]
        cdef int32_t *moved
        if length + 1 > self.rooms[table]:
            moved = <int32_t *>PyMem_Realloc(
                self.tables[table], (length + length // 2 + 1) * sizeof(int32_t)
            )
            if not moved:
                raise MemoryError
            self.tables[table] = moved
            self.rooms[table] = length + length // 2 + 1
        if length > known:
            memcpy(self.tables[table] + known, &source[known], (length - known) * sizeof(int32_t))
        self.lengths[table] = length
        return 0

    cdef int _make_room(self, int32_t place_count) except -1:
        cdef u128 **moved
        cdef int32_t place
        if place_count > self.constant_room:
            moved = <u128 **>PyMem_Realloc(
                self.constants, (2 * <int64_t>place_count) * sizeof(void *)
            )
            if not moved:
                raise MemoryError
            for place in range(self.constant_room, 2 * place_count):
                moved[place] = NULL
            self.constants = moved
            self.constant_room = 2 * place_count
        return 0

    cdef void _forget_constants(self) noexcept:
        cdef int32_t place
        for place in range(self.constant_room):
            PyMem_Free(self.constants[place])
            self.constants[place] = NULL

    cdef int _need_place(self, int32_t place) except -1:
        """Sum the constant terms of a place when it is first needed."""
        cdef int32_t node
        cdef int t
        cdef int64_t cell
        cdef u128 *row
        if self.constants[place]:
            return 0
        row = <u128 *>PyMem_Malloc(self.node_count * sizeof(u128))
        if not row:
            raise MemoryError
        for node in range(self.node_count):
            row[node] = <u128>0
            for t in range(self.fixed_count):
                cell = node
                if self.fixed[t].kind != KIND_NODE:
                    cell += <int64_t>place * self.node_count
                row[node] = row[node] + weighed(&self.fixed[t], self.fixed[t].values[cell])
        self.constants[place] = row
        return 0


cdef void aim(
    Costs *costs, const Costs *of_policy, const u128 *constant, int32_t node_count, int32_t place
) noexcept nogil:
    """Make costs of a policy's, with its tables' rows of a place that was needed before."""
    cdef int64_t first = <int64_t>place * node_count
    cdef int t
    costs.constant = constant
    costs.term_count = of_policy.term_count
    costs.sum_count = of_policy.sum_count
    for t in range(of_policy.sum_count):
        costs.target[t] = of_policy.target[t]
        costs.goods[t] = of_policy.goods[t]
    for t in range(of_policy.term_count):
        costs.terms[t] = of_policy.terms[t]
        if costs.terms[t].kind < KIND_DEPTH:
            costs.terms[t].values += first
        if costs.terms[t].kind == KIND_TARIFF:
            costs.terms[t].rates += first


cdef u128 wide(object number):
    return (<u128><uint64_t>(number >> 64) << 64) | <u128><uint64_t>(number & 0xFFFFFFFFFFFFFFFF)


cdef u128 whole_cost(const Costs *costs, const Order *order, int32_t node) noexcept nogil:
    """Cost of the parcel with everything the order asks for."""
    cdef Load load
    cdef int32_t d
    if not costs.sum_count:
        load.units = order.units
        load.weight_g = order.weight_g
        return parcel_cost(costs, node, &load)
    clear_load(&load)
    for d in range(order.demand_count):
        # A demand that was cut to nothing is no part of the parcel.
        if order.quantity[d]:
            add_to_load(&load, costs, order, d, node, order.quantity[d])
    return parcel_cost(costs, node, &load)


cdef u128 bare_cost(
    const Costs *costs, int32_t node, int64_t units, int64_t weight_g
) noexcept nogil:
    """Cost of a parcel of so many units and grams that leaves nothing missing at the node."""
    cdef Load load
    clear_load(&load)
    load.units = units
    load.weight_g = weight_g
    return parcel_cost(costs, node, &load)


cdef void sort_by_cost(const u128 *cost, int32_t *items, int32_t count) noexcept nogil:
    """Sort items by (cost[item], item) ascending, in place (heapsort)."""
    cdef int32_t start = count // 2
    cdef int32_t end = count
    cdef int32_t last
    while end > 1:
        if start > 0:
            start -= 1
        else:
            end -= 1
            last = items[end]
            items[end] = items[0]
            items[0] = last
        sift_down(cost, items, start, end)


cdef void sift_down(
    const u128 *cost, int32_t *items, int32_t root, int32_t end
) noexcept nogil:
    cdef int32_t item = items[root]
    cdef int32_t child = 2 * root + 1
    while child < end:
        if child + 1 < end and comes_before(cost, items[child], items[child + 1]):
            child += 1
        if not comes_before(cost, item, items[child]):
            break
        items[root] = items[child]
        root = child
        child = 2 * root + 1
    items[root] = item


cdef inline bint comes_before(const u128 *cost, int32_t a, int32_t b) noexcept nogil:
    return cost[a] < cost[b] or (cost[a] == cost[b] and a < b)


cdef u128 alone_cost(
    const Costs *costs, const Order *order, int32_t demand, int32_t node
) noexcept nogil:
    """Cost of the parcel with the whole quantity of one demand."""
    cdef Load load
    clear_load(&load)
    add_to_load(&load, costs, order, demand, node, order.quantity[demand])
    return parcel_cost(costs, node, &load)


cdef int32_t best_single(
    const Costs *costs, const Order *order, const unsigned char *excluded, u128 *cost
) noexcept nogil:
    """Cheapest node, of those not excluded, that can take the whole order; -1 if none can."""
    cdef int32_t best = -1
    cdef int32_t n
    cdef int32_t d
    cdef u128 candidate
    cost[0] = NO_COST
    for n in range(order.node_count):
        # The constant part alone is a bound; a tie goes to the smaller node, which came first.
        if excluded[n] or costs.constant[n] >= cost[0]:
            continue
        for d in range(order.demand_count):
            if not fits(order, d, n):
                break
        else:
            candidate = whole_cost(costs, order, n)
            if candidate < cost[0]:
                cost[0] = candidate
                best = n
    return best


cdef bint is_additive(const CostTerm *term, const Order *order) noexcept nogil:
    """The term of a whole parcel is the sum over its demands (for TARIFF: but for base and
    rounding).
    """
    cdef int64_t most
    if term.band != 1:
        return False
    if term.kind == KIND_DEPTH:
        most = term.step * order.demand_count
    elif term.kind == KIND_UNIT or term.kind == KIND_GOODS:
        most = term.most_value * order.units
    else:
        most = term.most_value + term.most_rate * steps_up(order.weight_g, term.step)
    return most <= term.limit
