"""A lower bound for orders of more than 10 demands.

No plan that places the same units costs less: the fewest parcels at their lowest floors, plus every
demand's additive part at its cheapest node; or the dearest demand alone, if that is more.
"""

from libc.stdint cimport int32_t, int64_t

cimport cython

from core_ext.large_orders cimport Large, SPREAD
from core_ext.parcel_cost cimport (
    KIND_GOODS,
    KIND_TARIFF,
    KIND_UNIT,
    NO_COST,
    CostTerm,
    Order,
    added_to_sum,
    alone_cost,
    fits,
    is_additive,
    sort_by_cost,
    steps_up,
    u128,
    units_at,
    weighed,
)


cdef inline bint may_come_from(const Large *large, int32_t demand, int32_t node) noexcept nogil:
    if large.home[demand] == SPREAD:
        return units_at(large.order, demand, node) > 0
    return fits(large.order, demand, node)


cdef u128 lower_bound(Large *large) noexcept nogil:
    """No plan that places the same units costs less.

    The larger of the dearest demand alone, and: the fewest parcels at the lowest floors, plus every
    demand's additive part at its cheapest node.
    """
    cdef Order *order = large.order
    cdef u128 bound = <u128>0
    cdef u128 alone = <u128>0
    cdef u128 cost
    cdef int32_t parcels
    cdef int32_t d
    cdef int32_t i
    cdef int t
    update_sums(order)
    for d in range(order.demand_count):
        if not order.quantity[d]:
            continue
        bound = bound + cheapest_demand(large, d)
        if large.home[d] != SPREAD:
            cost = least_alone(large, d)
            alone = cost if cost > alone else alone
    for t in range(large.costs.term_count):
        bound = bound + tariff_bound(large, &large.costs.terms[t])
    parcels = fewest_parcels(large)
    for i in range(min(parcels, sort_floors(large))):
        bound = bound + large.floors[large.nodes[i]]
    return bound if bound > alone else alone


cdef void update_sums(Order *order) noexcept nogil:
    cdef int32_t d
    order.units = 0
    order.weight_g = 0
    for d in range(order.demand_count):
        order.units += order.quantity[d]
        order.weight_g += order.quantity[d] * order.unit_weight_g[d]


cdef u128 least_alone(const Large *large, int32_t demand) noexcept nogil:
    cdef u128 least = NO_COST
    cdef u128 cost
    cdef int32_t n
    for n in range(large.order.node_count):
        if fits(large.order, demand, n) and large.costs.constant[n] < least:
            cost = alone_cost(large.costs, large.order, demand, n)
            least = cost if cost < least else least
    return least


cdef u128 cheapest_demand(const Large *large, int32_t demand) noexcept nogil:
    """Least sum of the additive UNIT, GOODS and DEPTH terms of the demand over its nodes."""
    cdef Order *order = large.order
    cdef const CostTerm *term
    cdef u128 least = NO_COST
    cdef u128 cost
    cdef int64_t value
    cdef int32_t n
    cdef int t
    for n in range(order.node_count):
        if not may_come_from(large, demand, n):
            continue
        cost = <u128>0
        for t in range(large.costs.term_count):
            term = &large.costs.terms[t]
            if term.kind == KIND_TARIFF or not is_additive(term, order):
                continue
            if term.kind == KIND_UNIT:
                value = term.values[n] * order.quantity[demand]
            elif large.home[demand] == SPREAD and term.kind != KIND_GOODS:
                continue
            else:
                value = added_to_sum(
                    large.costs, order, term.sum, demand, n, order.quantity[demand]
                )
            cost = cost + term.multiplier * <u128>value
        least = cost if cost < least else least
    return least


cdef u128 tariff_bound(const Large *large, const CostTerm *term) noexcept nogil:
    """All grams at the lowest rates: rounding up per parcel never makes it less."""
    cdef Order *order = large.order
    cdef int64_t rated = 0
    cdef int64_t least
    cdef int32_t d
    cdef int32_t n
    if term.kind != KIND_TARIFF or not is_additive(term, order):
        return <u128>0
    for d in range(order.demand_count):
        if not order.quantity[d]:
            continue
        least = term.most_rate
        for n in range(order.node_count):
            if may_come_from(large, d, n) and term.rates[n] < least:
                least = term.rates[n]
        rated += least * order.quantity[d] * order.unit_weight_g[d]
    return term.multiplier * <u128>steps_up(rated, term.step)


@cython.cdivision(True)
cdef int32_t fewest_parcels(const Large *large) noexcept nogil:
    """No plan has fewer: the node that has most demands cannot take more than those."""
    cdef Order *order = large.order
    cdef int32_t whole = 0
    cdef int32_t most = 1
    cdef int32_t parcels = 1
    cdef int32_t count
    cdef int32_t d
    cdef int32_t n
    for n in range(order.node_count):
        count = 0
        for d in range(order.demand_count):
            count += large.home[d] >= 0 and fits(order, d, n)
        most = count if count > most else most
    for d in range(order.demand_count):
        whole += large.home[d] >= 0
        if large.home[d] == SPREAD and order.quantity[d] and fits_nowhere(order, d):
            parcels = 2
    return max(parcels, (whole + most - 1) // most)


cdef bint fits_nowhere(const Order *order, int32_t demand) noexcept nogil:
    cdef int32_t n
    for n in range(order.node_count):
        if fits(order, demand, n):
            return False
    return True


cdef int32_t sort_floors(Large *large) noexcept nogil:
    """Nodes that some demand may come from, by the least cost of a parcel; how many there are."""
    cdef Order *order = large.order
    cdef int32_t count = 0
    cdef int32_t d
    cdef int32_t n
    for n in range(order.node_count):
        for d in range(order.demand_count):
            if order.quantity[d] and may_come_from(large, d, n):
                large.floors[n] = floor_of(large, n)
                large.nodes[count] = n
                count += 1
                break
    sort_by_cost(large.floors, large.nodes, count)
    return count


cdef u128 floor_of(const Large *large, int32_t node) noexcept nogil:
    """Least cost of a parcel at the node but for the parts counted per demand."""
    cdef const CostTerm *term
    cdef u128 floor = large.costs.constant[node]
    cdef int t
    for t in range(large.costs.term_count):
        term = &large.costs.terms[t]
        if term.kind == KIND_TARIFF or (
            term.kind == KIND_UNIT and not is_additive(term, large.order)
        ):
            floor = floor + weighed(term, term.values[node])
    return floor
