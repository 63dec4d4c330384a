"""Quantities split over a few nodes: branch and bound over sets of open nodes.

For a fixed set, with costs that are a constant per parcel plus an amount per unit, taking each
demand
from the cheapest open node first is optimal, as in the uncapacitated facility location problem; the
sets are searched depth first in the order of their constants.

| array     | shape, dtype             | meaning                                                 |
| --------- | ------------------------ | ------------------------------------------------------- |
| node      | candidate, int32         | node index, by (opening, node)                          |
| opening   | node, uint128            | least cost of any parcel from the node                  |
| unit_cost | node, uint128            | what all units of the order would add to an empty parcel |
| by_rank   | candidate, int32         | node index, by (unit_cost, node): the order of filling  |
| rank      | node, int32              | position in by_rank                                     |
| most      | demand, candidate, int64 | most units any candidate from this one on has           |
"""

from libc.stdint cimport INT64_MAX, int32_t, int64_t

cimport cython

from core_ext import limits
from core_ext.memory cimport Memory
from core_ext.parcel_cost cimport (
    KIND_UNIT,
    NO_COST,
    Costs,
    Load,
    Order,
    add_to_load,
    bare_cost,
    clear_load,
    is_additive,
    parcel_cost,
    sort_by_cost,
    u128,
    units_at,
)

if (SPLIT_DEMANDS, MAX_SPLIT_NODES, SPLIT_SETS) != (
    limits.WHOLE_LINES, limits.MAX_SPLIT_NODES, limits.SPLIT_SETS
):
    raise ImportError("core_ext/limits.py and split_lines.pxd differ")


cdef int make_splits(Memory memory, Splits *splits, int64_t nodes) except -1:
    splits.node = <int32_t *>memory.block(nodes, sizeof(int32_t))
    splits.rank = <int32_t *>memory.block(nodes, sizeof(int32_t))
    splits.by_rank = <int32_t *>memory.block(nodes, sizeof(int32_t))
    splits.opening = <u128 *>memory.block(nodes, sizeof(u128))
    splits.unit_cost = <u128 *>memory.block(nodes, sizeof(u128))
    splits.most = <int64_t *>memory.block(nodes * SPLIT_DEMANDS, sizeof(int64_t))
    return 0


cdef void plan_split_lines(const Costs *costs, Order *order, Splits *splits) noexcept nogil:
    """Cheapest plan over at most `max_nodes` nodes; no pieces if they cannot hold the order, or
    only in parcels that are worth too little.

    If the order may be short it is cut to what greedily opened nodes cover; then nothing is proved.
    Proved if costs are additive, the search ended before SPLIT_SETS sets, and no set that was given
    up for the worth of its parcels would cost less.
    """
    cdef int32_t opened
    prepare(costs, order, splits)
    opened = cover(splits)
    order.uncovered = first_uncovered(splits, opened)
    if order.uncovered < 0:
        look_at(splits, opened)
    descend(splits, 0, 0, <u128>0)
    order.proved = splits.additive and splits.sets <= SPLIT_SETS
    order.proved = order.proved and splits.rejected >= splits.best_cost
    if splits.is_found:
        order.uncovered = -1
    elif order.may_be_short and order.uncovered >= 0:
        opened = cover(splits)
        cut(splits, opened)
        order.is_whole = False
        prepare(costs, order, splits)
        look_at(splits, opened)
        descend(splits, 0, 0, <u128>0)
        order.proved = False
    if not splits.is_found:
        order.piece_count = 0
        order.is_too_small = splits.rejected < NO_COST
        return
    finish(splits)


cdef void prepare(const Costs *costs, Order *order, Splits *splits) noexcept nogil:
    cdef int32_t i
    cdef int32_t n
    splits.costs = costs
    splits.order = order
    splits.additive = has_additive_costs(costs, order)
    splits.is_found = False
    splits.sets = 0
    splits.best_cost = NO_COST
    splits.rejected = NO_COST
    splits.count = 0
    for n in range(order.node_count):
        if not has_any(order, n):
            continue
        splits.opening[n] = bare_cost(costs, n, 0 if splits.additive else 1, 0)
        splits.unit_cost[n] = bare_cost(costs, n, order.units, order.weight_g)
        splits.unit_cost[n] = splits.unit_cost[n] - bare_cost(costs, n, 0, 0)
        splits.node[splits.count] = n
        splits.by_rank[splits.count] = n
        splits.count += 1
    sort_by_cost(splits.opening, splits.node, splits.count)
    sort_by_cost(splits.unit_cost, splits.by_rank, splits.count)
    for i in range(splits.count):
        splits.rank[splits.by_rank[i]] = i
    find_most(splits)
    splits.least_units = least_cost_of_units(splits) if splits.additive else <u128>0


cdef bint has_additive_costs(const Costs *costs, const Order *order) noexcept nogil:
    cdef int t
    for t in range(costs.term_count):
        if costs.terms[t].kind != KIND_UNIT or not is_additive(&costs.terms[t], order):
            return False
    return True


cdef bint has_any(const Order *order, int32_t node) noexcept nogil:
    cdef int32_t d
    for d in range(order.demand_count):
        if units_at(order, d, node):
            return True
    return False


cdef inline int64_t least(int64_t a, int64_t b) noexcept nogil:
    return a if a < b else b


cdef void find_most(Splits *splits) noexcept nogil:
    cdef int64_t most
    cdef int64_t units
    cdef int32_t d
    cdef int32_t i
    for d in range(splits.order.demand_count):
        most = 0
        for i in range(splits.count - 1, -1, -1):
            units = units_at(splits.order, d, splits.node[i])
            most = units if units > most else most
            splits.most[<int64_t>d * splits.count + i] = most


@cython.cdivision(True)
cdef u128 least_cost_of_units(const Splits *splits) noexcept nogil:
    """Least cost of all units if every node were open."""
    cdef u128 total = <u128>0
    cdef int64_t rest
    cdef int64_t taken
    cdef int32_t d
    cdef int32_t n
    cdef int32_t i
    for d in range(splits.order.demand_count):
        rest = splits.order.quantity[d]
        for i in range(splits.count):
            if not rest:
                break
            n = splits.by_rank[i]
            taken = least(rest, units_at(splits.order, d, n))
            rest -= taken
            if taken:
                total = total + splits.unit_cost[n] // <u128>splits.order.units * <u128>taken
    return total


cdef int64_t deficit(const Splits *splits, int32_t demand, int32_t opened) noexcept nogil:
    """Units of the demand that the first `opened` of the chosen nodes lack."""
    cdef int64_t rest = splits.order.quantity[demand]
    cdef int32_t i
    for i in range(opened):
        rest -= least(rest, units_at(splits.order, demand, splits.chosen[i]))
    return rest


cdef int32_t first_uncovered(const Splits *splits, int32_t opened) noexcept nogil:
    cdef int32_t d
    for d in range(splits.order.demand_count):
        if deficit(splits, d, opened):
            return d
    return -1


cdef int32_t cover(Splits *splits) noexcept nogil:
    """Choose the node with most units still missing, until all is covered or the limit is met."""
    cdef int32_t opened = 0
    cdef int32_t best
    cdef int32_t d
    cdef int32_t i
    cdef int64_t most
    cdef int64_t gain
    cdef int64_t deficits[SPLIT_DEMANDS]
    while opened < splits.order.max_nodes:
        for d in range(splits.order.demand_count):
            deficits[d] = deficit(splits, d, opened)
        best = -1
        most = 0
        for i in range(splits.count):
            if is_open(splits, splits.node[i], opened):
                continue
            gain = 0
            for d in range(splits.order.demand_count):
                gain += least(deficits[d], units_at(splits.order, d, splits.node[i]))
            if gain > most:
                most = gain
                best = splits.node[i]
        if best < 0:
            break
        splits.chosen[opened] = best
        opened += 1
    return opened


cdef bint is_open(const Splits *splits, int32_t node, int32_t opened) noexcept nogil:
    cdef int32_t i
    for i in range(opened):
        if splits.chosen[i] == node:
            return True
    return False


cdef void cut(Splits *splits, int32_t opened) noexcept nogil:
    """Lower the quantities to what the chosen nodes have."""
    cdef Order *order = splits.order
    cdef int32_t d
    order.units = 0
    order.weight_g = 0
    for d in range(order.demand_count):
        order.quantity[d] -= deficit(splits, d, opened)
        order.units += order.quantity[d]
        order.weight_g += order.quantity[d] * order.unit_weight_g[d]


cdef void look_at(Splits *splits, int32_t opened) noexcept nogil:
    """Keep the plan of the chosen nodes if it is better; nodes it leaves unused are closed."""
    cdef int32_t nodes[MAX_SPLIT_NODES]
    cdef Load loads[MAX_SPLIT_NODES]
    cdef u128 total = <u128>0
    cdef int64_t least_value = INT64_MAX
    cdef int32_t used = 0
    cdef int32_t i
    sort_for_filling(splits, nodes, opened)
    fill(splits, nodes, loads, opened)
    for i in range(opened):
        if loads[i].units:
            total = total + parcel_cost(splits.costs, nodes[i], &loads[i])
            least_value = least(least_value, loads[i].value)
            nodes[used] = nodes[i]
            used += 1
    if least_value < splits.order.least_value and not (used == 1 and splits.order.is_whole):
        splits.rejected = total if total < splits.rejected else splits.rejected
        return
    sort_ascending(nodes, used)
    if splits.is_found and not is_better(splits, total, nodes, used):
        return
    splits.is_found = True
    splits.best_cost = total
    splits.best_count = used
    for i in range(used):
        splits.best_nodes[i] = nodes[i]


cdef void sort_for_filling(const Splits *splits, int32_t *nodes, int32_t opened) noexcept nogil:
    cdef int32_t i
    cdef int32_t at
    for i in range(opened):
        at = i
        while at > 0 and splits.rank[nodes[at - 1]] > splits.rank[splits.chosen[i]]:
            nodes[at] = nodes[at - 1]
            at -= 1
        nodes[at] = splits.chosen[i]


cdef void sort_ascending(int32_t *nodes, int32_t count) noexcept nogil:
    cdef int32_t i
    cdef int32_t at
    cdef int32_t node
    for i in range(count):
        node = nodes[i]
        at = i
        while at > 0 and nodes[at - 1] > node:
            nodes[at] = nodes[at - 1]
            at -= 1
        nodes[at] = node


cdef void fill(
    const Splits *splits, const int32_t *nodes, Load *loads, int32_t opened
) noexcept nogil:
    """Take each demand from the nodes in their order, as far as they go."""
    cdef int64_t rest
    cdef int64_t taken
    cdef int32_t d
    cdef int32_t i
    for i in range(opened):
        clear_load(&loads[i])
    for d in range(splits.order.demand_count):
        rest = splits.order.quantity[d]
        for i in range(opened):
            taken = least(rest, units_at(splits.order, d, nodes[i]))
            if taken:
                rest -= taken
                add_to_load(&loads[i], splits.costs, splits.order, d, nodes[i], taken)


cdef bint is_better(
    const Splits *splits, u128 cost, const int32_t *nodes, int32_t count
) noexcept nogil:
    cdef int32_t i
    if cost != splits.best_cost:
        return cost < splits.best_cost
    if count != splits.best_count:
        return count < splits.best_count
    for i in range(count):
        if nodes[i] != splits.best_nodes[i]:
            return nodes[i] < splits.best_nodes[i]
    return False


cdef void descend(Splits *splits, int32_t start, int32_t opened, u128 opening) noexcept nogil:
    """Look at every set that adds candidates from `start` on, unless bounds exclude it."""
    cdef int64_t deficits[SPLIT_DEMANDS]
    cdef int32_t slots = splits.order.max_nodes - opened
    cdef int32_t at
    cdef int32_t d
    cdef u128 lower
    for d in range(splits.order.demand_count):
        deficits[d] = deficit(splits, d, opened)
    for at in range(start, splits.count):
        lower = opening + splits.opening[splits.node[at]]
        # Candidates come by rising constants and falling stock: what fails now fails from here on.
        if is_too_dear(splits, lower + splits.least_units, opened + 1):
            return
        if not can_cover(splits, deficits, slots, at):
            return
        splits.sets += 1
        if splits.sets > SPLIT_SETS:
            return
        splits.chosen[opened] = splits.node[at]
        if first_uncovered(splits, opened + 1) < 0:
            look_at(splits, opened + 1)
        if slots > 1:
            descend(splits, at + 1, opened + 1, lower)


cdef inline bint is_too_dear(const Splits *splits, u128 lower, int32_t count) noexcept nogil:
    if not splits.is_found or lower < splits.best_cost:
        return False
    return lower > splits.best_cost or count > splits.best_count


@cython.cdivision(True)
cdef inline bint can_cover(
    const Splits *splits, const int64_t *deficits, int32_t slots, int32_t start
) noexcept nogil:
    """So many nodes from `start` on might have what is missing."""
    cdef int32_t d
    for d in range(splits.order.demand_count):
        if (deficits[d] + slots - 1) // slots > splits.most[<int64_t>d * splits.count + start]:
            return False
    return True


cdef void finish(Splits *splits) noexcept nogil:
    """Write the best plan's pieces by demand and node, its cost and its bound."""
    cdef Order *order = splits.order
    cdef int32_t d
    cdef int32_t i
    for i in range(splits.best_count):
        splits.chosen[i] = splits.best_nodes[i]
    order.piece_count = 0
    for d in range(order.demand_count):
        write_pieces(splits, d)
    order.cost = splits.best_cost
    order.lower_bound = splits.best_cost
    if not order.proved:
        order.lower_bound = lower_bound(splits)
        if order.lower_bound > order.cost:
            order.lower_bound = order.cost


cdef void write_pieces(Splits *splits, int32_t demand) noexcept nogil:
    """Pieces of one demand: filled in the order of filling, written in the order of nodes."""
    cdef Order *order = splits.order
    cdef int32_t nodes[MAX_SPLIT_NODES]
    cdef int64_t rest = order.quantity[demand]
    cdef int64_t taken[MAX_SPLIT_NODES]
    cdef int32_t i
    cdef int32_t k
    sort_for_filling(splits, nodes, splits.best_count)
    for i in range(splits.best_count):
        taken[i] = least(rest, units_at(order, demand, nodes[i]))
        rest -= taken[i]
    for k in range(splits.best_count):
        for i in range(splits.best_count):
            if nodes[i] == splits.best_nodes[k] and taken[i]:
                order.pieces[order.piece_count].demand = demand
                order.pieces[order.piece_count].node = nodes[i]
                order.pieces[order.piece_count].quantity = taken[i]
                order.piece_count += 1


cdef u128 lower_bound(const Splits *splits) noexcept nogil:
    """The fewest parcels any demand needs, each at the cheapest openings, plus cheapest units."""
    cdef u128 total = splits.least_units
    cdef int32_t parcels = 1
    cdef int32_t needed
    cdef int32_t d
    cdef int32_t i
    for d in range(splits.order.demand_count):
        needed = fewest_parcels(splits.order, d)
        parcels = needed if needed > parcels else parcels
    for i in range(parcels):
        total = total + splits.opening[splits.node[i]]
    return total


cdef int32_t fewest_parcels(const Order *order, int32_t demand) noexcept nogil:
    """How many of its fullest nodes a demand needs."""
    cdef int64_t rest = order.quantity[demand]
    cdef int64_t bound = 0
    cdef int64_t units
    cdef int64_t most
    cdef int32_t equal
    cdef int32_t n
    cdef int32_t needed = 0
    while rest > 0:
        most = 0
        equal = 0
        for n in range(order.node_count):
            units = units_at(order, demand, n)
            if units >= bound and bound:
                continue
            if units > most:
                most = units
                equal = 0
            equal += units == most
        if not most:
            break
        # All nodes with the same amount at once; the last of them may not be needed.
        while equal and rest > 0:
            equal -= 1
            needed += 1
            rest -= least(rest, most)
        bound = most
    return needed
