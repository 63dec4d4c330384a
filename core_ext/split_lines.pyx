"""Quantities split over a few nodes: branch and bound over sets of open nodes.

For a fixed set, with costs that are a constant per parcel plus an amount per unit, taking each
demand from the cheapest open node first is optimal, as in the uncapacitated facility location
problem; the sets are searched depth first in the order of their constants.

| array     | shape, dtype             | meaning                                                   |
| --------- | ------------------------ | --------------------------------------------------------- |
| node      | candidate, int32         | node index, by (opening, node)                            |
| opening   | node, uint128            | least cost of any parcel from the node                    |
| unit_cost | row, node, uint128       | what a unit adds; all units together, if not additive     |
| by_rank   | row, candidate, int32    | node index, by (unit_cost, node): the order of filling    |
| rank      | row, node, int32         | position in by_rank                                       |
| most      | demand, candidate, int64 | most units any candidate from this one on has             |
| taken     | demand, chosen, int64    | units of the set in hand                                  |
| loads     | chosen, Load             | its parcels                                               |

There is a row for every demand where a unit's cost depends on its class of goods, else one for all.
"""

from libc.stdint cimport int32_t, int64_t

cimport cython

from core_ext import limits
from core_ext.memory cimport Memory
from core_ext.parcel_cost cimport (
    KIND_GOODS,
    KIND_UNIT,
    NO_COST,
    CostTerm,
    Costs,
    Order,
    added_to_sum,
    bare_cost,
    is_additive,
    sort_by_cost,
    u128,
    units_at,
)
from core_ext.split_parcels cimport (
    are_worth,
    cost_of_parcels,
    fill,
    least,
    lift_small_parcels,
    row_start,
)

if (SPLIT_DEMANDS, MAX_SPLIT_NODES, SPLIT_SETS) != (
    limits.WHOLE_LINES, limits.MAX_SPLIT_NODES, limits.SPLIT_SETS
):
    raise ImportError("core_ext/limits.py and split_lines.pxd differ")


cdef int make_splits(Memory memory, Splits *splits, int64_t nodes) except -1:
    splits.node = <int32_t *>memory.block(nodes, sizeof(int32_t))
    splits.rank = <int32_t *>memory.block(nodes * SPLIT_DEMANDS, sizeof(int32_t))
    splits.by_rank = <int32_t *>memory.block(nodes * SPLIT_DEMANDS, sizeof(int32_t))
    splits.opening = <u128 *>memory.block(nodes, sizeof(u128))
    splits.unit_cost = <u128 *>memory.block(nodes * SPLIT_DEMANDS, sizeof(u128))
    splits.most = <int64_t *>memory.block(nodes * SPLIT_DEMANDS, sizeof(int64_t))
    return 0


cdef void plan_split_lines(const Costs *costs, Order *order, Splits *splits) noexcept nogil:
    """Cheapest plan over at most `max_nodes` nodes; no pieces if they cannot hold the order, or
    no set was found whose parcels are worth enough (see `split_parcels`).

    If the order may be short it is cut to what greedily opened nodes cover; then nothing is proved.
    Proved if costs are additive, the search ended before SPLIT_SETS sets, and no set whose parcels
    had to be made worth more would cost less without.
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
    cdef int32_t n
    splits.costs = costs
    splits.order = order
    splits.additive = has_additive_costs(costs, order)
    splits.rows = order.demand_count if splits.additive and costs.sum_count else 1
    splits.is_found = False
    splits.sets = 0
    splits.best_cost = NO_COST
    splits.rejected = NO_COST
    splits.count = 0
    for n in range(order.node_count):
        if not has_any(order, n):
            continue
        splits.opening[n] = bare_cost(costs, n, 0 if splits.additive else 1, 0)
        splits.node[splits.count] = n
        splits.count += 1
    rank_nodes(splits)
    sort_by_cost(splits.opening, splits.node, splits.count)
    find_most(splits)
    splits.least_units = least_cost_of_units(splits) if splits.additive else <u128>0


cdef bint has_additive_costs(const Costs *costs, const Order *order) noexcept nogil:
    cdef const CostTerm *term
    cdef int t
    for t in range(costs.term_count):
        term = &costs.terms[t]
        if term.kind != KIND_UNIT and term.kind != KIND_GOODS:
            return False
        if not is_additive(term, order):
            return False
    return True


cdef void rank_nodes(Splits *splits) noexcept nogil:
    """Put the candidates into the order of filling, row by row."""
    cdef int64_t first
    cdef int32_t row
    cdef int32_t i
    cdef int32_t n
    for row in range(splits.rows):
        first = <int64_t>row * splits.order.node_count
        for i in range(splits.count):
            n = splits.node[i]
            splits.by_rank[first + i] = n
            splits.unit_cost[first + n] = cost_of_unit(splits, row, n)
        sort_by_cost(&splits.unit_cost[first], &splits.by_rank[first], splits.count)
        for i in range(splits.count):
            splits.rank[first + splits.by_rank[first + i]] = i


cdef u128 cost_of_unit(const Splits *splits, int32_t row, int32_t node) noexcept nogil:
    cdef const Order *order = splits.order
    cdef const CostTerm *term
    cdef u128 total = <u128>0
    cdef int64_t value
    cdef int t
    if not splits.additive:
        total = bare_cost(splits.costs, node, order.units, order.weight_g)
        return total - bare_cost(splits.costs, node, 0, 0)
    for t in range(splits.costs.term_count):
        term = &splits.costs.terms[t]
        if term.kind == KIND_UNIT:
            value = term.values[node]
        else:
            value = added_to_sum(splits.costs, order, term.sum, row, node, 1)
        total = total + term.multiplier * <u128>value
    return total


cdef bint has_any(const Order *order, int32_t node) noexcept nogil:
    cdef int32_t d
    for d in range(order.demand_count):
        if units_at(order, d, node):
            return True
    return False


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


cdef u128 least_cost_of_units(const Splits *splits) noexcept nogil:
    """Least cost of all units if every node were open."""
    cdef u128 total = <u128>0
    cdef int64_t first
    cdef int64_t rest
    cdef int64_t taken
    cdef int32_t d
    cdef int32_t n
    cdef int32_t i
    for d in range(splits.order.demand_count):
        first = row_start(splits, d)
        rest = splits.order.quantity[d]
        for i in range(splits.count):
            if not rest:
                break
            n = splits.by_rank[first + i]
            taken = least(rest, units_at(splits.order, d, n))
            rest -= taken
            total = total + splits.unit_cost[first + n] * <u128>taken
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
    cdef int32_t used = 0
    cdef int32_t i
    cdef u128 total
    fill(splits, opened)
    for i in range(opened):
        if splits.loads[i].units:
            nodes[used] = splits.chosen[i]
            used += 1
    total = cost_of_parcels(splits, opened)
    if not are_worth(splits, opened, used):
        splits.rejected = total if total < splits.rejected else splits.rejected
        if is_too_dear(splits, total, used) or not lift_small_parcels(splits, opened):
            return
        total = cost_of_parcels(splits, opened)
    sort_ascending(nodes, used)
    if splits.is_found and not is_better(splits, total, nodes, used):
        return
    splits.is_found = True
    splits.best_cost = total
    splits.best_count = used
    for i in range(used):
        splits.best_nodes[i] = nodes[i]


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
        if completes(splits, deficits, splits.node[at]):
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


cdef inline bint completes(
    const Splits *splits, const int64_t *deficits, int32_t node
) noexcept nogil:
    """The node has all that is missing."""
    cdef int32_t d
    for d in range(splits.order.demand_count):
        if deficits[d] > units_at(splits.order, d, node):
            return False
    return True


cdef void finish(Splits *splits) noexcept nogil:
    """Write the best plan's pieces by demand and node, its cost and its bound."""
    cdef Order *order = splits.order
    cdef int32_t d
    cdef int32_t i
    for i in range(splits.best_count):
        splits.chosen[i] = splits.best_nodes[i]
    fill(splits, splits.best_count)
    if not are_worth(splits, splits.best_count, splits.best_count):
        lift_small_parcels(splits, splits.best_count)
    order.piece_count = 0
    for d in range(order.demand_count):
        for i in range(splits.best_count):
            if splits.taken[d][i]:
                order.pieces[order.piece_count].demand = d
                order.pieces[order.piece_count].node = splits.chosen[i]
                order.pieces[order.piece_count].quantity = splits.taken[d][i]
                order.piece_count += 1
    order.cost = splits.best_cost
    order.lower_bound = splits.best_cost
    if not order.proved:
        order.lower_bound = lower_bound(splits)
        if order.lower_bound > order.cost:
            order.lower_bound = order.cost


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
