"""Whole lines: up to 10 demands, each wholly from one node, exactly.

Dynamic program over sets of demands: best[set] after the nodes up to j is the least, over the part
of
the set that node j takes, of the part's parcel cost plus best[rest] after the nodes before j. It
is the
winner determination of a combinatorial auction (Rothkopf, Pekec, Harstad 1998) with one bid per
node.

| array | one per | meaning |
| ---------------------- | --------- | --- |
| node, able | candidate | int32 node index, ascending; int32 set of the demands it has |
| lowest | candidate | uint128 least cost of any parcel from it |
| units, weight_g, value, sum | set | int64 sums over the demands of the set |
| ones | set | uint64 with a 1 in the digit of each demand of the set |
| cost, rest, best | set | uint128: at the node in hand; least to cover it; best so far |
| is_whole | set | byte: some candidate has all of its demands |
| vector | set | uint64: digit of demand d, first demand highest, is its node |

Costs never fall when a demand is added, so the cheapest parcel of a node has one demand. Vectors of
disjoint sets add up, and comparing (cost, vector) picks the smallest vector among equal costs.

A set is given up where best[set] and the rest it leaves cost more than a plan that is known: no
cheapest plan, and none that ties with it, goes through it (see `whole_bound`).
"""

from libc.stdint cimport int32_t, int64_t, uint64_t

from core_ext import limits
from core_ext.bounded_lines cimport keeps_limits, plan_bounded_lines
from core_ext.memory cimport Memory
from core_ext.parcel_cost cimport (
    KIND_TARIFF,
    KIND_UNIT,
    NO_COST,
    CostTerm,
    Costs,
    Order,
    added_to_sum,
    alone_cost,
    fits,
    steps_up,
    u128,
    weighed,
    whole_cost,
)
from core_ext.whole_bound cimport bound_rest, least_cover, min_cost

if (WHOLE_LINES, WHOLE_NODES) != (limits.WHOLE_LINES, limits.WHOLE_NODES):
    raise ImportError("core_ext/limits.py and whole_lines.pxd differ")

ctypedef struct Single:
    int32_t node
    u128 cost


cdef Lines *make_lines(Memory memory, int64_t nodes) except NULL:
    cdef Lines *lines = <Lines *>memory.block(1, sizeof(Lines))
    lines.node = <int32_t *>memory.block(nodes, sizeof(int32_t))
    lines.able = <int32_t *>memory.block(nodes, sizeof(int32_t))
    lines.is_kept = <unsigned char *>memory.block(nodes, 1)
    lines.lowest = <u128 *>memory.block(nodes, sizeof(u128))
    return lines


cdef int plan_whole_lines(const Costs *costs, Order *order, Lines *lines) noexcept nogil:
    """Cheapest assignment within the policy's limits; among equal ones the lexicographically
    smallest vector of nodes. -1 if memory ran out.

    Every demand must fit some node. Proved unless more than 64 nodes remain after those are dropped
    that even with the cheapest second parcel cost more than the best single node. Where the limits
    leave no plan, see `bounded_lines`.
    """
    cdef Single single
    cdef u128 least
    cdef u128 two_least
    find_candidates(order, lines)
    single = find_single(costs, order, lines)
    two_least = least_two_constants(costs, lines, &least)
    if order.demand_count == 1 or lines.count == 1 or single.cost < two_least:
        finish_single(order, single)
        return 0
    drop_dear_nodes(costs, order, lines, single, least)
    if lines.count == 1:
        finish_single(order, single)
        return 0
    cdef u128 dropped = choose_kept(costs, order, lines, single)
    run_program(costs, order, lines, single)
    order.proved = dropped > order.cost
    order.lower_bound = order.cost if order.proved else dropped
    if not keeps_limits(order):
        return plan_bounded_lines(costs, order, lines, dropped)
    return 0


cdef void find_candidates(const Order *order, Lines *lines) noexcept nogil:
    cdef int32_t n
    cdef int32_t d
    cdef int32_t able
    lines.count = 0
    for n in range(order.node_count):
        able = 0
        for d in range(order.demand_count):
            able |= <int32_t>fits(order, d, n) << d
        if able:
            lines.node[lines.count] = n
            lines.able[lines.count] = able
            lines.count += 1


cdef Single find_single(const Costs *costs, const Order *order, const Lines *lines) noexcept nogil:
    """Cheapest node that can take everything, ties to the smaller node; cost NO_COST if none
    can.
    """
    cdef Single best
    cdef int32_t full = (1 << order.demand_count) - 1
    cdef int32_t i
    cdef u128 cost
    best.node = -1
    best.cost = NO_COST
    for i in range(lines.count):
        if lines.able[i] == full and costs.constant[lines.node[i]] < best.cost:
            cost = whole_cost(costs, order, lines.node[i])
            if cost < best.cost:
                best.cost = cost
                best.node = lines.node[i]
    return best


cdef u128 least_two_constants(const Costs *costs, const Lines *lines, u128 *least) noexcept nogil:
    """Less than this no plan of two parcels can cost."""
    cdef u128 first = NO_COST
    cdef u128 second = NO_COST
    cdef u128 constant
    cdef int32_t i
    for i in range(lines.count):
        constant = costs.constant[lines.node[i]]
        if constant < first:
            second = first
            first = constant
        elif constant < second:
            second = constant
    least[0] = first
    return first + second


cdef void finish_single(Order *order, Single single) noexcept nogil:
    cdef int32_t d
    for d in range(order.demand_count):
        order.pieces[d].demand = d
        order.pieces[d].node = single.node
        order.pieces[d].quantity = order.quantity[d]
    order.piece_count = order.demand_count
    order.cost = single.cost
    order.lower_bound = single.cost
    order.proved = True
    order.is_too_small = not keeps_limits(order)
    if order.is_too_small:
        order.piece_count = 0


cdef void drop_dear_nodes(
    const Costs *costs, const Order *order, Lines *lines, Single single, u128 least
) noexcept nogil:
    """Keep the single node, and those that can be in a plan of several parcels as cheap as it."""
    cdef u128 cheapest = NO_COST
    cdef u128 cost
    cdef int32_t count = 0
    cdef int32_t i
    cdef int32_t d
    for i in range(lines.count):
        if is_dear(lines.node[i], costs.constant[lines.node[i]] + least, single):
            continue
        lines.lowest[count] = NO_COST
        for d in range(order.demand_count):
            if lines.able[i] >> d & 1:
                cost = alone_cost(costs, order, d, lines.node[i])
                if cost < lines.lowest[count]:
                    lines.lowest[count] = cost
        cheapest = min_cost(cheapest, lines.lowest[count])
        lines.node[count] = lines.node[i]
        lines.able[count] = lines.able[i]
        count += 1
    lines.count = 0
    for i in range(count):
        if not is_dear(lines.node[i], lines.lowest[i] + cheapest, single):
            lines.node[lines.count] = lines.node[i]
            lines.able[lines.count] = lines.able[i]
            lines.lowest[lines.count] = lines.lowest[i]
            lines.count += 1


cdef inline bint is_dear(int32_t node, u128 bound, Single single) noexcept nogil:
    return single.node >= 0 and node != single.node and bound > single.cost


cdef u128 choose_kept(
    const Costs *costs, const Order *order, Lines *lines, Single single
) noexcept nogil:
    """Reduce the candidates to at most 64; least cost of any plan that uses one that had to go."""
    cdef u128 cheapest = NO_COST
    cdef u128 dropped = NO_COST
    cdef int32_t count = 0
    cdef int32_t kept = 0
    cdef int32_t i
    if lines.count <= WHOLE_NODES:
        return NO_COST
    for i in range(lines.count):
        cheapest = min_cost(cheapest, lines.lowest[i])
        lines.is_kept[i] = lines.node[i] == single.node
        kept += lines.is_kept[i]
    kept += keep_cheapest_of_each_demand(costs, order, lines)
    for kept in range(kept, WHOLE_NODES):
        i = lowest_unkept(lines)
        lines.is_kept[i] = 1
    i = lowest_unkept(lines)
    dropped = lines.lowest[i] + cheapest
    for i in range(lines.count):
        if lines.is_kept[i]:
            lines.node[count] = lines.node[i]
            lines.able[count] = lines.able[i]
            lines.lowest[count] = lines.lowest[i]
            count += 1
    lines.count = count
    return dropped


cdef int32_t keep_cheapest_of_each_demand(
    const Costs *costs, const Order *order, Lines *lines
) noexcept nogil:
    """Without them a demand could lose all its nodes; how many were not kept before."""
    cdef int32_t added = 0
    cdef int32_t best
    cdef int32_t i
    cdef int32_t d
    cdef u128 least
    cdef u128 cost
    for d in range(order.demand_count):
        best = -1
        least = NO_COST
        for i in range(lines.count):
            if lines.able[i] >> d & 1:
                cost = alone_cost(costs, order, d, lines.node[i])
                if cost < least:
                    least = cost
                    best = i
        if best >= 0 and not lines.is_kept[best]:
            lines.is_kept[best] = 1
            added += 1
    return added


cdef int32_t lowest_unkept(const Lines *lines) noexcept nogil:
    cdef int32_t best = -1
    cdef int32_t i
    for i in range(lines.count):
        if not lines.is_kept[i] and (best < 0 or lines.lowest[i] < lines.lowest[best]):
            best = i
    return best


cdef void run_program(
    const Costs *costs, Order *order, Lines *lines, Single single
) noexcept nogil:
    cdef int32_t full = (1 << order.demand_count) - 1
    cdef u128 cheapest = NO_COST
    cdef u128 known
    cdef int32_t position
    cdef int32_t s
    for position in range(lines.count):
        cheapest = min_cost(cheapest, lines.lowest[position])
    sum_sets(order, lines)
    bound_rest(costs, order, lines, cheapest)
    for s in range(full + 1):
        lines.best[s] = NO_COST
    lines.best[0] = <u128>0
    lines.vector[0] = 0
    known = single.cost
    if single.node < 0:
        known = least_cover(costs, order, lines, full)
    for position in range(lines.count):
        if lines.node[position] == single.node:
            lines.best[full] = single.cost
            lines.vector[full] = lines.ones[full] * <uint64_t>position
    for position in range(lines.count):
        # The best single node stands already; others are in plans of several parcels, or in none.
        if lines.lowest[position] + cheapest <= known:
            price_sets(costs, order, lines, position)
            known = add_node(lines, full, position, cheapest, known)
    finish_program(order, lines, full)


cdef void sum_sets(const Order *order, Lines *lines) noexcept nogil:
    """Sums of each set from the set without its lowest demand."""
    cdef int32_t d
    cdef int32_t s
    cdef int32_t bit
    lines.units[0] = 0
    lines.weight_g[0] = 0
    lines.value[0] = 0
    lines.ones[0] = 0
    for d in range(order.demand_count):
        bit = 1 << d
        for s in range(bit):
            lines.units[bit | s] = lines.units[s] + order.quantity[d]
            lines.weight_g[bit | s] = (
                lines.weight_g[s] + order.quantity[d] * order.unit_weight_g[d]
            )
            lines.value[bit | s] = lines.value[s] + order.quantity[d] * order.unit_value[d]
            lines.ones[bit | s] = lines.ones[s] | (
                <uint64_t>1 << (VECTOR_BITS * (order.demand_count - 1 - d))
            )


cdef inline int32_t next_part(int32_t part, int32_t able) noexcept nogil:
    """The parts of a set one after another, ascending; 0 comes before the first, behind the last.
    """
    return (part - able) & able


cdef void price_sets(
    const Costs *costs, const Order *order, Lines *lines, int32_t position
) noexcept nogil:
    """Cost of each set of the demands that the node has; the others keep old numbers."""
    cdef int32_t node = lines.node[position]
    cdef int32_t able = lines.able[position]
    cdef const CostTerm *term
    cdef int64_t value
    cdef int32_t s = next_part(0, able)
    cdef int t
    while s:
        lines.cost[s] = costs.constant[node]
        s = next_part(s, able)
    for t in range(costs.term_count):
        term = &costs.terms[t]
        if term.kind != KIND_UNIT and term.kind != KIND_TARIFF:
            sum_shares(costs, order, lines, term.sum, node, able)
        s = next_part(0, able)
        while s:
            if term.kind == KIND_UNIT:
                value = term.values[node] * lines.units[s]
            elif term.kind == KIND_TARIFF:
                value = term.rates[node] * steps_up(lines.weight_g[s], term.step)
                value = value + term.values[node]
            else:
                value = lines.sum[s]
            lines.cost[s] = lines.cost[s] + weighed(term, value)
            s = next_part(s, able)


cdef void sum_shares(
    const Costs *costs, const Order *order, Lines *lines, int sum, int32_t node, int32_t able
) noexcept nogil:
    """A DEPTH or GOODS term for each set that the node has: its lowest demand's, and the others'.
    """
    cdef int32_t d
    cdef int32_t s = next_part(0, able)
    lines.sum[0] = 0
    for d in range(order.demand_count):
        if able >> d & 1:
            lines.sum[1 << d] = added_to_sum(costs, order, sum, d, node, order.quantity[d])
    while s:
        if s & (s - 1):
            lines.sum[s] = lines.sum[s & (s - 1)] + lines.sum[s & -s]
        s = next_part(s, able)


cdef u128 add_node(
    Lines *lines, int32_t full, int32_t position, u128 cheapest, u128 known
) noexcept nogil:
    """Let one more node take a part of what each set leaves; returns the least cost of a plan.

    Larger sets first: what the node adds to is behind by then, so that it takes only one part.
    """
    cdef int32_t able = lines.able[position]
    cdef u128 two_more = lines.lowest[position] + cheapest
    cdef int32_t s
    cdef int32_t usable
    cdef int32_t part
    for s in range(full - 1, -1, -1):
        usable = able & ~s
        if not usable or lines.best[s] == NO_COST or lines.best[s] + lines.rest[full ^ s] > known:
            continue
        if lines.best[s] + two_more > known:
            # Too dear unless this parcel is the last one.
            if usable == full ^ s:
                known = add_part(lines, full, s, usable, <uint64_t>position, known)
            continue
        part = usable
        while part:
            known = add_part(lines, full, s, part, <uint64_t>position, known)
            part = (part - 1) & usable
    return known


cdef inline u128 add_part(
    Lines *lines, int32_t full, int32_t s, int32_t part, uint64_t position, u128 known
) noexcept nogil:
    cdef int32_t target = s | part
    cdef u128 cost = lines.best[s] + lines.cost[part]
    cdef uint64_t vector
    if cost > lines.best[target] or cost + lines.rest[full ^ target] > known:
        return known
    vector = lines.vector[s] + lines.ones[part] * position
    if cost < lines.best[target] or vector < lines.vector[target]:
        lines.best[target] = cost
        lines.vector[target] = vector
    return min_cost(known, cost) if target == full else known


cdef void finish_program(Order *order, const Lines *lines, int32_t full) noexcept nogil:
    cdef int32_t d
    cdef int shift
    for d in range(order.demand_count):
        shift = VECTOR_BITS * (order.demand_count - 1 - d)
        order.pieces[d].demand = d
        order.pieces[d].node = lines.node[lines.vector[full] >> shift & 63]
        order.pieces[d].quantity = order.quantity[d]
    order.piece_count = order.demand_count
    order.cost = lines.best[full]
