"""The parcels of a set of open nodes: each demand from the cheapest first, and none too small.

Where that leaves a parcel that is worth less than the policy wants, units move to it from parcels
that are worth more, those first for which the move costs least. Looking for the cheapest such plan
would be a program of its own; a set for which this fails is given up.
"""

from libc.stdint cimport int32_t, int64_t

from core_ext.parcel_cost cimport add_to_load, clear_load, parcel_cost, u128, units_at
from core_ext.split_lines cimport MAX_SPLIT_NODES, Splits

ctypedef struct Move:
    int32_t demand
    int32_t giver
    int64_t quantity
    u128 here
    u128 there


cdef void fill(Splits *splits, int32_t opened) noexcept nogil:
    """Take each demand from the chosen nodes in their order, as far as they go."""
    cdef int32_t slots[MAX_SPLIT_NODES]
    cdef int64_t rest
    cdef int64_t taken
    cdef int32_t d
    cdef int32_t i
    for d in range(splits.order.demand_count):
        if d < splits.rows:
            sort_for_filling(splits, row_start(splits, d), slots, opened)
        rest = splits.order.quantity[d]
        for i in range(opened):
            taken = least(rest, units_at(splits.order, d, splits.chosen[slots[i]]))
            splits.taken[d][slots[i]] = taken
            rest -= taken
    load(splits, opened)


cdef void load(Splits *splits, int32_t opened) noexcept nogil:
    """Make parcels of what is taken."""
    cdef int64_t taken
    cdef int32_t d
    cdef int32_t i
    for i in range(opened):
        clear_load(&splits.loads[i])
    for d in range(splits.order.demand_count):
        for i in range(opened):
            taken = splits.taken[d][i]
            if taken:
                add_to_load(
                    &splits.loads[i], splits.costs, splits.order, d, splits.chosen[i], taken
                )


cdef void sort_for_filling(
    const Splits *splits, int64_t first, int32_t *slots, int32_t opened
) noexcept nogil:
    """Put the chosen nodes, by their positions, into the order of filling."""
    cdef int32_t i
    cdef int32_t at
    cdef int32_t rank
    for i in range(opened):
        at = i
        rank = splits.rank[first + splits.chosen[i]]
        while at > 0 and splits.rank[first + splits.chosen[slots[at - 1]]] > rank:
            slots[at] = slots[at - 1]
            at -= 1
        slots[at] = i


cdef u128 cost_of_parcels(const Splits *splits, int32_t opened) noexcept nogil:
    cdef u128 total = <u128>0
    cdef int32_t i
    for i in range(opened):
        if splits.loads[i].units:
            total = total + parcel_cost(splits.costs, splits.chosen[i], &splits.loads[i])
    return total


cdef bint are_worth(const Splits *splits, int32_t opened, int32_t used) noexcept nogil:
    """Whether the parcels are worth enough, or one is all of the order."""
    cdef int32_t i
    if used == 1 and splits.order.is_whole:
        return True
    for i in range(opened):
        if splits.loads[i].units and splits.loads[i].value < splits.order.least_value:
            return False
    return True


cdef bint lift_small_parcels(Splits *splits, int32_t opened) noexcept nogil:
    """Move units to the parcels that are worth too little, by node; False if that is not enough."""
    cdef int32_t slots[MAX_SPLIT_NODES]
    cdef int32_t count = 0
    cdef int32_t i
    cdef int32_t at
    for i in range(opened):
        if not splits.loads[i].units:
            continue
        at = count
        while at > 0 and splits.chosen[slots[at - 1]] > splits.chosen[i]:
            slots[at] = slots[at - 1]
            at -= 1
        slots[at] = i
        count += 1
    for i in range(count):
        if not lift(splits, slots, count, slots[i]):
            return False
    load(splits, opened)
    return True


cdef bint lift(Splits *splits, const int32_t *slots, int32_t count, int32_t slot) noexcept nogil:
    cdef Move move
    while splits.loads[slot].value < splits.order.least_value:
        move = best_move(splits, slots, count, slot)
        if move.demand < 0:
            return False
        splits.taken[move.demand][slot] += move.quantity
        splits.taken[move.demand][move.giver] -= move.quantity
        splits.loads[slot].value += move.quantity * splits.order.unit_value[move.demand]
        splits.loads[move.giver].value -= move.quantity * splits.order.unit_value[move.demand]
    return True


cdef Move best_move(
    const Splits *splits, const int32_t *slots, int32_t count, int32_t slot
) noexcept nogil:
    """The cheapest move a unit, ties to the first demand and then to the smaller node."""
    cdef Move best
    cdef Move move
    cdef int64_t first
    cdef int32_t k
    best.demand = -1
    for move.demand in range(splits.order.demand_count):
        first = row_start(splits, move.demand)
        move.here = splits.unit_cost[first + splits.chosen[slot]]
        for k in range(count):
            move.giver = slots[k]
            move.quantity = units_to_move(splits, &move, slot)
            if not move.quantity:
                continue
            move.there = splits.unit_cost[first + splits.chosen[move.giver]]
            # The one that adds less: here - there, without a difference below 0.
            if best.demand < 0 or move.here + best.there < best.here + move.there:
                best = move
    return best


cdef int64_t units_to_move(const Splits *splits, const Move *move, int32_t slot) noexcept nogil:
    """As many as are missing, as are at the node, and as the giver can do without."""
    cdef int64_t worth = splits.order.unit_value[move.demand]
    cdef int64_t least_value = splits.order.least_value
    cdef int64_t units = splits.taken[move.demand][move.giver]
    cdef int64_t spare = splits.loads[move.giver].value - least_value
    if move.giver == slot or not units or spare <= 0 or not worth:
        return 0
    units = least(units, spare // worth)
    units = least(units, (least_value - splits.loads[slot].value + worth - 1) // worth)
    return least(
        units,
        units_at(splits.order, move.demand, splits.chosen[slot])
        - splits.taken[move.demand][slot],
    )
