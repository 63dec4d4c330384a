"""What a parcel costs.

| structure | one per | fields |
| --------- | ------------------- | --- |
| constants | place, lazily | uint128[node]: all NODE and PLACE terms of a parcel, already summed |
| CostTerm | UNIT, TARIFF, DEPTH | numbers of the term, int32 rows of its tables at the place |
| Costs | batch | the constants and terms of the place in hand |
| Load | parcel | units, grams, units missing per DEPTH term: all int64 |
| Order | order | quantity, unit_weight_g int64[demand]; available int64[demand, node] |

A value fits int64: tables are below 2**31, units and grams of an order too.
"""

from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int32_t, int64_t, uint64_t

from core_ext import limits
from core_ext.policy import Kind, check_policy
from core_ext.tables import extremes

if (MAX_TERMS, MAX_DEPTH_TERMS) != (limits.MAX_TERMS, limits.MAX_DEPTH_TERMS):
    raise ImportError("core_ext/limits.py and parcel_cost.pxd differ")
if tuple(Kind) != (KIND_NODE, KIND_PLACE, KIND_UNIT, KIND_TARIFF, KIND_DEPTH):
    raise ImportError("core_ext/policy.py and parcel_cost.pxd differ")


cdef class Policy:
    """A compiled policy; immutable.

    `terms` are `core_ext.policy.Term`s with multipliers already packed. `filters` has rows of
    `node_count` bytes, 1 for a node an order may use. `max_nodes` (1 to 10) bounds the nodes over
    which quantities are split, `max_parcels` (10 to 64) the parcels of a large order. ValueError
    if a
    part is out of range or the worst total cost of `max_parcels` parcels needs more than 127 bits.
    """

    def __cinit__(
        self,
        node_count,
        place_count,
        terms,
        filters=b"",
        max_nodes=3,
        max_parcels=limits.MAX_PARCELS,
    ):
        check_policy(node_count, place_count, terms, filters, max_nodes, max_parcels, extremes)
        cdef int32_t place
        self.node_count = node_count
        self.place_count = place_count
        self.max_nodes = max_nodes
        self.max_parcels = max_parcels
        self.terms = tuple(terms)
        self.filters = bytes(filters)
        self.filter_count = len(filters) // node_count
        self._tables = []
        self.constants = <u128 **>PyMem_Malloc(place_count * sizeof(void *))
        if not self.constants:
            raise MemoryError
        for place in range(self.place_count):
            self.constants[place] = NULL
        for kind in Kind:
            for term in self.terms:
                if term.kind == kind:
                    self._add_term(term)

    def __dealloc__(self):
        cdef int32_t place
        if self.constants:
            for place in range(self.place_count):
                PyMem_Free(self.constants[place])
            PyMem_Free(self.constants)

    cdef int _add_term(self, object term) except -1:
        """Constant terms are kept apart: they are summed once per place."""
        cdef CostTerm *target
        cdef bint is_depth = term.kind == KIND_DEPTH
        cdef bint is_constant = term.kind < KIND_UNIT or (
            term.kind == KIND_TARIFF and extremes(term.rates) == (0, 0)
        )
        if is_constant:
            target = &self.fixed[self.fixed_count]
            self.fixed_count += 1
        else:
            target = &self.costs.terms[self.costs.term_count]
            self.costs.term_count += 1
        target.kind = term.kind
        target.step = term.step
        target.band = term.band
        target.limit = term.limit
        target.multiplier = wide(term.multiplier)
        target.values = self._table(term.values)
        target.rates = self._table(term.rates)
        target.most_value = extremes(term.values)[1]
        target.most_rate = extremes(term.rates)[1]
        if is_depth:
            target.depth = self.costs.depth_count
            self.costs.target[self.costs.depth_count] = term.step
            self.costs.depth_count += 1
        return 0

    cdef const int32_t *_table(self, object numbers) except NULL:
        # A copy of its own: an array('i') could still be resized by its owner.
        cdef bytes copy = bytes(memoryview(numbers))
        self._tables.append(copy)
        return <const int32_t *><const char *>copy

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

    cdef void _aim(self, Costs *costs, int32_t place) noexcept nogil:
        """Point a copy of the costs at the tables' rows of a place that was needed before."""
        cdef int64_t first = <int64_t>place * self.node_count
        cdef int t
        costs.constant = self.constants[place]
        for t in range(costs.term_count):
            if costs.terms[t].kind != KIND_DEPTH:
                costs.terms[t].values = self.costs.terms[t].values + first
            if costs.terms[t].kind == KIND_TARIFF:
                costs.terms[t].rates = self.costs.terms[t].rates + first


cdef u128 wide(object number):
    return (<u128><uint64_t>(number >> 64) << 64) | <u128><uint64_t>(number & 0xFFFFFFFFFFFFFFFF)


cdef u128 whole_cost(const Costs *costs, const Order *order, int32_t node) noexcept nogil:
    """Cost of the parcel with everything the order asks for."""
    cdef Load load
    cdef int32_t d
    if not costs.depth_count:
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
    elif term.kind == KIND_UNIT:
        most = term.most_value * order.units
    else:
        most = term.most_value + term.most_rate * steps_up(order.weight_g, term.step)
    return most <= term.limit
