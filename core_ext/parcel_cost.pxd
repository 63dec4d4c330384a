"""C view of a policy, the cost of one parcel, and the order as the planning methods see it."""

from libc.stdint cimport int32_t, int64_t

cimport cython


cdef extern from *:
    """
    typedef unsigned __int128 yipan_u128;
    #define YIPAN_NO_COST (~(yipan_u128)0)
    """
    # Cython has no 128-bit integer; it only has to know that this is an unsigned number. Operands
    # are
    # cast before they meet, because Cython takes both sides for 64 bits when it chooses a type.
    ctypedef unsigned long long u128 "yipan_u128"
    const u128 NO_COST "YIPAN_NO_COST"


cdef enum:
    KIND_NODE = 0
    KIND_PLACE = 1
    KIND_UNIT = 2
    KIND_TARIFF = 3
    KIND_DEPTH = 4
    KIND_GOODS = 5
    MAX_TERMS = 64
    MAX_SUM_TERMS = 8
    MAX_TABLES = 128


ctypedef struct CostTerm:
    int kind
    int sum
    int64_t step
    int64_t band
    int64_t limit
    int64_t most_value
    int64_t most_rate
    u128 multiplier
    const int32_t *values
    const int32_t *rates


ctypedef struct Costs:
    const u128 *constant
    int term_count
    int sum_count
    int64_t target[MAX_SUM_TERMS]
    const int32_t *goods[MAX_SUM_TERMS]
    CostTerm terms[MAX_TERMS]


ctypedef struct Load:
    int64_t units
    int64_t weight_g
    int64_t value
    int64_t sums[MAX_SUM_TERMS]


ctypedef struct Piece:
    int32_t demand
    int32_t node
    int64_t quantity


ctypedef struct Order:
    int32_t demand_count
    int32_t node_count
    int32_t max_nodes
    int32_t max_parcels
    int64_t least_value
    bint may_be_short
    bint is_whole
    bint is_too_small
    int64_t *quantity
    int64_t *unit_weight_g
    int64_t *unit_value
    int32_t *goods
    int64_t *available
    int64_t units
    int64_t weight_g
    Piece *pieces
    int32_t piece_count
    int32_t uncovered
    bint proved
    u128 cost
    u128 lower_bound


cdef class Policy:
    cdef readonly int32_t node_count
    cdef readonly int32_t place_count
    cdef readonly int32_t goods_count
    cdef readonly int32_t filter_count
    cdef readonly object limits
    cdef readonly tuple terms
    cdef readonly bytes filters
    cdef int64_t least_value
    cdef int32_t max_nodes
    cdef int32_t max_parcels
    cdef bint takes_part
    cdef Costs costs
    cdef CostTerm fixed[MAX_TERMS]
    cdef int fixed_count
    cdef int32_t place_of_term[MAX_TERMS]
    cdef int32_t *tables[MAX_TABLES]
    cdef int64_t lengths[MAX_TABLES]
    cdef int64_t rooms[MAX_TABLES]
    cdef u128 **constants
    cdef int32_t constant_room

    cdef int _add_term(self, int index, object term) except -1
    cdef CostTerm *_term(self, int index) noexcept
    cdef int _take_over(self, object size, tuple terms, bytes filters) except -1
    cdef int _append(self, int table, object numbers) except -1
    cdef int _make_room(self, int32_t place_count) except -1
    cdef void _forget_constants(self) noexcept
    cdef int _need_place(self, int32_t place) except -1


@cython.cdivision(True)
cdef inline u128 weighed(const CostTerm *term, int64_t value) noexcept nogil:
    if term.band != 1:
        value = value // term.band
    if value > term.limit:
        value = term.limit
    return term.multiplier * <u128>value


@cython.cdivision(True)
cdef inline int64_t steps_up(int64_t weight_g, int64_t step) noexcept nogil:
    return (weight_g + step - 1) // step


cdef inline int64_t missing(int64_t target, int64_t available, int64_t quantity) noexcept nogil:
    """Units the node lacks of its target depth after the quantity is taken."""
    cdef int64_t left = available - quantity
    return target - left if target > left else 0


cdef inline u128 parcel_cost(const Costs *costs, int32_t node, const Load *load) noexcept nogil:
    """Cost of one parcel from the node."""
    cdef u128 total = costs.constant[node]
    cdef const CostTerm *term
    cdef int64_t value
    cdef int t
    for t in range(costs.term_count):
        term = &costs.terms[t]
        if term.kind == KIND_UNIT:
            value = term.values[node] * load.units
        elif term.kind == KIND_TARIFF:
            value = term.values[node] + term.rates[node] * steps_up(load.weight_g, term.step)
        else:
            value = load.sums[term.sum]
        total = total + weighed(term, value)
    return total


cdef inline int64_t units_at(const Order *order, int32_t demand, int32_t node) noexcept nogil:
    return order.available[<int64_t>demand * order.node_count + node]


cdef inline int64_t added_to_sum(
    const Costs *costs, const Order *order, int sum, int32_t demand, int32_t node, int64_t quantity
) noexcept nogil:
    """What units of a demand from the node add to a DEPTH or GOODS term."""
    if costs.goods[sum] == NULL:
        return missing(costs.target[sum], units_at(order, demand, node), quantity)
    if order.goods[demand] < 0:
        return 0
    return costs.goods[sum][<int64_t>order.goods[demand] * order.node_count + node] * quantity


cdef inline void add_to_load(
    Load *load, const Costs *costs, const Order *order, int32_t demand, int32_t node,
    int64_t quantity
) noexcept nogil:
    """Put units of a demand into the parcel from the node; a demand goes in once."""
    cdef int t
    load.units += quantity
    load.weight_g += quantity * order.unit_weight_g[demand]
    load.value += quantity * order.unit_value[demand]
    for t in range(costs.sum_count):
        load.sums[t] += added_to_sum(costs, order, t, demand, node, quantity)


cdef inline void take_from_load(
    Load *load, const Costs *costs, const Order *order, int32_t demand, int32_t node,
    int64_t quantity
) noexcept nogil:
    """The opposite of `add_to_load`."""
    cdef int t
    load.units -= quantity
    load.weight_g -= quantity * order.unit_weight_g[demand]
    load.value -= quantity * order.unit_value[demand]
    for t in range(costs.sum_count):
        load.sums[t] -= added_to_sum(costs, order, t, demand, node, quantity)


cdef inline void clear_load(Load *load) noexcept nogil:
    cdef int t
    load.units = 0
    load.weight_g = 0
    load.value = 0
    for t in range(MAX_SUM_TERMS):
        load.sums[t] = 0


cdef inline bint fits(const Order *order, int32_t demand, int32_t node) noexcept nogil:
    """The whole quantity of the demand is at the node."""
    return units_at(order, demand, node) >= order.quantity[demand]


cdef void aim(
    Costs *costs, const Costs *of_policy, const u128 *constant, int32_t node_count, int32_t place
) noexcept nogil
cdef u128 whole_cost(const Costs *costs, const Order *order, int32_t node) noexcept nogil
cdef u128 alone_cost(
    const Costs *costs, const Order *order, int32_t demand, int32_t node
) noexcept nogil
cdef u128 bare_cost(
    const Costs *costs, int32_t node, int64_t units, int64_t weight_g
) noexcept nogil
cdef void sort_by_cost(const u128 *cost, int32_t *items, int32_t count) noexcept nogil
cdef int32_t best_single(
    const Costs *costs, const Order *order, const unsigned char *excluded, u128 *cost
) noexcept nogil
cdef bint is_additive(const CostTerm *term, const Order *order) noexcept nogil
