"""Whole lines where the cheapest plan has too many parcels, or one that is worth too little.

The dynamic program of `whole_lines` with one layer more for every parcel: best[k][set] is the least
to cover the set with k parcels, none of them worth less than the policy wants. It is run only
where the plan without limits breaks one, on what that left in `Lines`.

| array | one per | meaning |
| ------ | ---------- | --- |
| best | layer, set | uint128 least cost, NO_COST where there is no plan |
| vector | layer, set | uint64: digit of demand d, first demand highest, is its node |
"""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport free, malloc

from core_ext import limits
from core_ext.parcel_cost cimport NO_COST, Costs, Order, u128
from core_ext.whole_lines cimport VECTOR_BITS, Lines, price_sets

if (MAX_LAYERS, LAYER_SETS) != (limits.WHOLE_LINES + 1, 1 << limits.WHOLE_LINES):
    raise ImportError("core_ext/limits.py and bounded_lines.pxd differ")


cdef bint keeps_limits(const Order *order) noexcept nogil:
    """Whether the pieces of whole demands are few parcels, each worth enough."""
    cdef int64_t value
    cdef int32_t parcels = 0
    cdef int32_t d
    cdef int32_t other
    if order.max_parcels >= order.demand_count and not order.least_value:
        return True
    for d in range(order.piece_count):
        value = 0
        for other in range(order.piece_count):
            if order.pieces[other].node == order.pieces[d].node:
                if other < d:
                    break
                value += order.pieces[other].quantity * order.unit_value[order.pieces[other].demand]
        else:
            parcels += 1
            if value < order.least_value and not is_all(order, d):
                return False
    return parcels <= order.max_parcels


cdef bint is_all(const Order *order, int32_t piece) noexcept nogil:
    """The parcel of a piece has everything, and nothing is short."""
    cdef int32_t other
    for other in range(order.piece_count):
        if order.pieces[other].node != order.pieces[piece].node:
            return False
    return order.is_whole


cdef int plan_bounded_lines(
    const Costs *costs, Order *order, Lines *lines, u128 dropped
) noexcept nogil:
    """Cheapest plan within the limits; no pieces where there is none. -1 if memory ran out.

    An order that may be short is cut to what few nodes have, chosen greedily; then nothing is
    proved. `dropped` is the least cost of any plan with a node that `lines` lacks.
    """
    cdef int32_t full = (1 << order.demand_count) - 1
    cdef int32_t target
    cdef Layers *layers = <Layers *>malloc(sizeof(Layers))
    if layers == NULL:
        return -1
    order.piece_count = 0
    order.proved = False
    run_layers(costs, order, lines, layers, full)
    if best_layer(order, layers, full) >= 0:
        finish_layers(order, lines, layers, full)
        order.proved = dropped > order.cost
        order.lower_bound = order.cost if order.proved else dropped
    else:
        target = most_covered(order, lines)
        order.is_too_small = target == full
        if target != full:
            order.uncovered = first_outside(target)
            if order.may_be_short and target:
                plan_part(costs, order, lines, layers, target)
    free(layers)
    return 0


cdef void plan_part(
    const Costs *costs, Order *order, Lines *lines, Layers *layers, int32_t target
) noexcept nogil:
    """Plan some of the demands, and leave the others short."""
    order.is_whole = False
    run_layers(costs, order, lines, layers, target)
    if best_layer(order, layers, target) < 0:
        order.is_too_small = True
        return
    finish_layers(order, lines, layers, target)
    order.lower_bound = lines.rest[target]
    if order.lower_bound > order.cost:
        order.lower_bound = order.cost


cdef inline int32_t first_outside(int32_t target) noexcept nogil:
    cdef int32_t d = 0
    while target >> d & 1:
        d += 1
    return d


cdef int32_t most_covered(const Order *order, const Lines *lines) noexcept nogil:
    """Demands that a few nodes have, each chosen because it has most of those still missing."""
    cdef int32_t full = (1 << order.demand_count) - 1
    cdef int32_t covered = 0
    cdef int32_t parcels
    cdef int32_t best
    cdef int32_t i
    cdef int most
    cdef int count
    for parcels in range(order.max_parcels):
        best = 0
        most = 0
        for i in range(lines.count):
            count = bit_count(lines.able[i] & ~covered)
            if count > most:
                most = count
                best = lines.able[i]
        covered |= best
        if covered == full or not most:
            break
    return covered


cdef inline int bit_count(int32_t bits) noexcept nogil:
    cdef int count = 0
    while bits:
        bits &= bits - 1
        count += 1
    return count


cdef int32_t layer_count(const Order *order) noexcept nogil:
    """No plan of whole demands has more parcels than demands."""
    return min(order.max_parcels, order.demand_count)


cdef void run_layers(
    const Costs *costs, const Order *order, Lines *lines, Layers *layers, int32_t target
) noexcept nogil:
    """Let node after node take a part of what each set leaves, as one more parcel."""
    cdef int32_t count = layer_count(order)
    cdef int32_t position
    cdef int32_t k
    cdef int32_t s
    for k in range(count + 1):
        for s in range(LAYER_SETS):
            layers.best[k][s] = NO_COST
    layers.best[0][0] = <u128>0
    layers.vector[0][0] = 0
    for position in range(lines.count):
        price_sets(costs, order, lines, position)
        # From the last layer down: what the node adds to has not got a parcel from it yet.
        for k in range(count - 1, -1, -1):
            add_parcels(order, lines, layers, position, k, target)


cdef void add_parcels(
    const Order *order, Lines *lines, Layers *layers, int32_t position, int32_t k, int32_t target
) noexcept nogil:
    cdef int32_t able = lines.able[position] & target
    cdef int32_t s
    cdef int32_t usable
    cdef int32_t part
    for s in range(target):
        usable = able & ~s
        if s & ~target or not usable or layers.best[k][s] == NO_COST:
            continue
        part = usable
        while part:
            if is_worth(order, lines, part):
                add_part(lines, layers, position, k, s, part)
            part = (part - 1) & usable


cdef inline bint is_worth(const Order *order, const Lines *lines, int32_t part) noexcept nogil:
    if lines.value[part] >= order.least_value:
        return True
    return order.is_whole and part == (1 << order.demand_count) - 1


cdef inline void add_part(
    const Lines *lines, Layers *layers, int32_t position, int32_t k, int32_t s, int32_t part
) noexcept nogil:
    cdef u128 cost = layers.best[k][s] + lines.cost[part]
    cdef uint64_t vector = layers.vector[k][s] + lines.ones[part] * <uint64_t>position
    cdef int32_t to = s | part
    if cost > layers.best[k + 1][to]:
        return
    if cost < layers.best[k + 1][to] or vector < layers.vector[k + 1][to]:
        layers.best[k + 1][to] = cost
        layers.vector[k + 1][to] = vector


cdef int32_t best_layer(
    const Order *order, const Layers *layers, int32_t target
) noexcept nogil:
    """Number of parcels of the cheapest plan, ties to the smaller vector; -1 if there is none."""
    cdef int32_t best = -1
    cdef int32_t k
    for k in range(1, layer_count(order) + 1):
        if layers.best[k][target] == NO_COST:
            continue
        if best < 0 or layers.best[k][target] < layers.best[best][target] or (
            layers.best[k][target] == layers.best[best][target]
            and layers.vector[k][target] < layers.vector[best][target]
        ):
            best = k
    return best


cdef void finish_layers(
    Order *order, const Lines *lines, const Layers *layers, int32_t target
) noexcept nogil:
    cdef int32_t k = best_layer(order, layers, target)
    cdef int32_t d
    cdef int shift
    for d in range(order.demand_count):
        if not target >> d & 1:
            order.quantity[d] = 0
            continue
        shift = VECTOR_BITS * (order.demand_count - 1 - d)
        order.pieces[order.piece_count].demand = d
        order.pieces[order.piece_count].node = lines.node[layers.vector[k][target] >> shift & 63]
        order.pieces[order.piece_count].quantity = order.quantity[d]
        order.piece_count += 1
    order.cost = layers.best[k][target]
