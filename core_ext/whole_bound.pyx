"""Bounds for the program over sets of whole lines: what is left costs at least, a plan at most."""

from libc.stdint cimport int32_t

from core_ext.parcel_cost cimport (
    NO_COST,
    Costs,
    Load,
    Order,
    add_to_load,
    alone_cost,
    clear_load,
    parcel_cost,
    u128,
)
from core_ext.whole_lines cimport Lines


cdef void bound_rest(
    const Costs *costs, const Order *order, Lines *lines, u128 cheapest
) noexcept nogil:
    """To cover a set costs at least what its dearest demand costs alone at its cheapest node, and
    one more parcel where no node has all of the set.
    """
    cdef int32_t d
    cdef int32_t s
    cdef int32_t i
    cdef u128 least
    find_whole_sets(order, lines)
    lines.rest[0] = <u128>0
    for d in range(order.demand_count):
        least = NO_COST
        for i in range(lines.count):
            if lines.able[i] >> d & 1:
                least = min_cost(least, alone_cost(costs, order, d, lines.node[i]))
        for s in range(1 << d):
            lines.rest[1 << d | s] = lines.rest[s] if lines.rest[s] > least else least
    for s in range(1 << order.demand_count):
        if not lines.is_whole[s]:
            lines.rest[s] = lines.rest[s] + cheapest


cdef void find_whole_sets(const Order *order, Lines *lines) noexcept nogil:
    """Mark what each candidate has, and every part of a set that is marked."""
    cdef int32_t count = 1 << order.demand_count
    cdef int32_t i
    cdef int32_t d
    cdef int32_t s
    for s in range(count):
        lines.is_whole[s] = 0
    for i in range(lines.count):
        lines.is_whole[lines.able[i]] = 1
    for d in range(order.demand_count):
        for s in range(count):
            if not s >> d & 1:
                lines.is_whole[s] |= lines.is_whole[s | 1 << d]


cdef u128 least_cover(
    const Costs *costs, const Order *order, const Lines *lines, int32_t full
) noexcept nogil:
    """Cost of a fair plan to begin with: from each first node on, the node that has most."""
    cdef u128 least = NO_COST
    cdef u128 cost
    cdef int32_t first
    cdef int32_t position
    cdef int32_t pending
    for first in range(lines.count):
        position = first
        pending = full
        cost = <u128>0
        while True:
            cost = cost + part_cost(costs, order, lines, position, pending & lines.able[position])
            pending &= ~lines.able[position]
            if not pending or cost >= least:
                break
            position = fullest(lines, pending)
        # What was given up costs no less.
        least = min_cost(least, cost)
    return least


cdef int32_t fullest(const Lines *lines, int32_t pending) noexcept nogil:
    """Position of the node with most of these demands, ties to the one with the cheapest parcel."""
    cdef int32_t best = -1
    cdef int most = 0
    cdef int count
    cdef int32_t i
    for i in range(lines.count):
        count = bit_count(lines.able[i] & pending)
        if count > most or (
            count and count == most and lines.lowest[i] < lines.lowest[best]
        ):
            most = count
            best = i
    return best


cdef inline int bit_count(int32_t bits) noexcept nogil:
    cdef int count = 0
    while bits:
        bits &= bits - 1
        count += 1
    return count


cdef u128 part_cost(
    const Costs *costs, const Order *order, const Lines *lines, int32_t position, int32_t part
) noexcept nogil:
    """Cost of the parcel with the whole quantities of some demands."""
    cdef Load load
    cdef int32_t d
    clear_load(&load)
    for d in range(order.demand_count):
        if part >> d & 1:
            add_to_load(&load, costs, order, d, lines.node[position], order.quantity[d])
    return parcel_cost(costs, lines.node[position], &load)
