"""Orders of more than 10 demands: construction, local search and a lower bound.

Construction is the greedy of weighted set cover (Chvatal 1979): open the node with the least cost
per
demand covered. Local search then moves demands, closes nodes and replaces nodes while that helps.

| array         | shape, dtype          | meaning |
| ------------- | --------------------- | --- |
| home          | demand, int32         | node of a whole demand, NOWHERE, or SPREAD over pieces |
| spread        | piece, Piece          | pieces of demands that fit no node; they stay |
| parcels       | node, Parcel          | load, cost (0 if closed), demands in it, holds a piece |
| before        | node, Parcel          | the parcels as they were before a trial |
| members       | demand, int32         | demands of the node in hand, ascending |
| nodes, floors | node, int32 / uint128 | the nodes by their floor, for the lower bound |
"""

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy

cimport cython

from core_ext import limits
from core_ext.large_bound cimport lower_bound
from core_ext.memory cimport Memory
from core_ext.parcel_cost cimport (
    NO_COST,
    Costs,
    Load,
    Order,
    Piece,
    add_to_load,
    best_single,
    clear_load,
    fits,
    parcel_cost,
    take_from_load,
    u128,
    units_at,
)
from core_ext.split_lines cimport MAX_SPLIT_NODES

if SEARCH_PASSES != limits.SEARCH_PASSES:
    raise ImportError("core_ext/limits.py and large_orders.pxd differ")


cdef int make_large(Memory memory, Large *large, int64_t nodes, int64_t demands) except -1:
    large.home = <int32_t *>memory.block(demands, sizeof(int32_t))
    large.spread = <Piece *>memory.block(demands * MAX_SPLIT_NODES, sizeof(Piece))
    large.parcels = <Parcel *>memory.block(nodes, sizeof(Parcel))
    large.before = <Parcel *>memory.block(nodes, sizeof(Parcel))
    large.members = <int32_t *>memory.block(demands, sizeof(int32_t))
    large.nodes = <int32_t *>memory.block(nodes, sizeof(int32_t))
    large.floors = <u128 *>memory.block(nodes, sizeof(u128))
    large.nothing_excluded = <unsigned char *>memory.block(nodes, 1)
    return 0


cdef void plan_large_order(const Costs *costs, Order *order, Large *large) noexcept nogil:
    """A good plan with a lower bound; proved where both are equal.

    A demand that fits no node is spread over at most `max_nodes` nodes, the fullest first, and
    stays
    there. At most `max_parcels` nodes are used. If that does not suffice, the rest is left out if
    the
    order may be short; otherwise there are no pieces.
    """
    cdef int passes
    cdef bint improved
    large.costs = costs
    large.order = order
    order.uncovered = -1
    order.piece_count = 0
    reset(large)
    spread_demands(large)
    if order.uncovered < 0 or order.may_be_short:
        cover(large)
    if order.uncovered >= 0 and not order.may_be_short:
        return
    try_single(large)
    for passes in range(SEARCH_PASSES):
        improved = move_demands(large)
        improved |= close_nodes(large)
        improved |= replace_nodes(large)
        if not improved:
            break
    close_small_parcels(large)
    if not order.is_too_small:
        finish(large)


cdef void reset(Large *large) noexcept nogil:
    cdef int32_t d
    cdef int32_t n
    large.open_count = 0
    large.spread_count = 0
    for d in range(large.order.demand_count):
        large.home[d] = NOWHERE
    for n in range(large.order.node_count):
        empty(&large.parcels[n])


cdef inline void empty(Parcel *parcel) noexcept nogil:
    clear_load(&parcel.load)
    parcel.cost = <u128>0
    parcel.lines = 0
    parcel.fixed = False


cdef inline bint may_use(const Large *large, int32_t node, int32_t closing) noexcept nogil:
    """The node is open, or one more may be opened when `closing` others are closed."""
    return (
        large.parcels[node].lines > 0
        or large.open_count - closing < large.order.max_parcels
    )


cdef inline u128 cost_with(
    const Large *large, int32_t demand, int32_t node, int64_t quantity
) noexcept nogil:
    """Cost of the node's parcel with a demand on top."""
    cdef Load load = large.parcels[node].load
    add_to_load(&load, large.costs, large.order, demand, node, quantity)
    return parcel_cost(large.costs, node, &load)


cdef inline void put_in(
    Large *large, int32_t demand, int32_t node, int64_t quantity
) noexcept nogil:
    cdef Parcel *parcel = &large.parcels[node]
    large.open_count += parcel.lines == 0
    add_to_load(&parcel.load, large.costs, large.order, demand, node, quantity)
    parcel.lines += 1
    parcel.cost = parcel_cost(large.costs, node, &parcel.load)


cdef inline void take_out(Large *large, int32_t demand, int32_t node) noexcept nogil:
    cdef Parcel *parcel = &large.parcels[node]
    take_from_load(
        &parcel.load, large.costs, large.order, demand, node, large.order.quantity[demand]
    )
    parcel.lines -= 1
    large.open_count -= parcel.lines == 0
    parcel.cost = cost_of_parcel(large, node, parcel)


cdef inline u128 cost_of_parcel(
    const Large *large, int32_t node, const Parcel *parcel
) noexcept nogil:
    return parcel_cost(large.costs, node, &parcel.load) if parcel.lines else <u128>0


cdef void spread_demands(Large *large) noexcept nogil:
    """Give demands that fit no node to several, those with most units first."""
    cdef Order *order = large.order
    cdef int32_t d
    cdef int32_t n
    for d in range(order.demand_count):
        for n in range(order.node_count):
            if fits(order, d, n):
                break
        else:
            large.home[d] = SPREAD
            if spread(large, d) and order.uncovered < 0:
                order.uncovered = d


cdef int64_t spread(Large *large, int32_t demand) noexcept nogil:
    """Units of the demand for which no node is left."""
    cdef int64_t rest = large.order.quantity[demand]
    cdef int64_t units
    cdef int32_t first = large.spread_count
    cdef int32_t node
    cdef int i
    for i in range(large.order.max_nodes):
        node = fullest_node(large, demand, rest, first)
        if node < 0:
            break
        units = min(rest, units_at(large.order, demand, node))
        put_in(large, demand, node, units)
        large.parcels[node].fixed = True
        large.spread[large.spread_count].demand = demand
        large.spread[large.spread_count].node = node
        large.spread[large.spread_count].quantity = units
        large.spread_count += 1
        rest -= units
    sort_pieces(&large.spread[first], large.spread_count - first)
    return rest


cdef int32_t fullest_node(
    const Large *large, int32_t demand, int64_t rest, int32_t first
) noexcept nogil:
    """The node that has most of the rest, then the one where it adds least; -1 if none has any."""
    cdef int64_t most = 0
    cdef int64_t units
    cdef int32_t best = -1
    cdef int32_t n
    cdef u128 added
    cdef u128 least = NO_COST
    for n in range(large.order.node_count):
        units = min(rest, units_at(large.order, demand, n))
        if not units or units < most or has_piece(large, first, n) or not may_use(large, n, 0):
            continue
        added = cost_with(large, demand, n, units) - large.parcels[n].cost
        if units > most or added < least:
            most = units
            least = added
            best = n
    return best


cdef bint has_piece(const Large *large, int32_t first, int32_t node) noexcept nogil:
    cdef int32_t i
    for i in range(first, large.spread_count):
        if large.spread[i].node == node:
            return True
    return False


cdef void sort_pieces(Piece *pieces, int32_t count) noexcept nogil:
    """By node, ascending; there are at most `max_nodes`."""
    cdef Piece piece
    cdef int32_t i
    cdef int32_t at
    for i in range(count):
        piece = pieces[i]
        at = i
        while at > 0 and pieces[at - 1].node > piece.node:
            pieces[at] = pieces[at - 1]
            at -= 1
        pieces[at] = piece


cdef void cover(Large *large) noexcept nogil:
    """Give every other demand to a node, by least cost per demand covered."""
    cdef Order *order = large.order
    cdef int32_t pending = 0
    cdef int32_t node
    cdef int32_t d
    for d in range(order.demand_count):
        pending += large.home[d] == NOWHERE
    while pending:
        node = best_covering_node(large)
        if node < 0:
            break
        for d in range(order.demand_count):
            if large.home[d] == NOWHERE and fits(order, d, node):
                large.home[d] = node
                put_in(large, d, node, order.quantity[d])
                pending -= 1
    for d in range(order.demand_count):
        if large.home[d] == NOWHERE and (order.uncovered < 0 or d < order.uncovered):
            order.uncovered = d


@cython.cdivision(True)
cdef int32_t best_covering_node(Large *large) noexcept nogil:
    cdef Order *order = large.order
    cdef Load load
    cdef int32_t best = -1
    cdef int32_t best_covered = 0
    cdef int32_t covered
    cdef int32_t d
    cdef int32_t n
    cdef u128 least = NO_COST
    cdef u128 share
    for n in range(order.node_count):
        if not may_use(large, n, 0):
            continue
        load = large.parcels[n].load
        covered = 0
        for d in range(order.demand_count):
            if large.home[d] == NOWHERE and fits(order, d, n):
                add_to_load(&load, large.costs, order, d, n, order.quantity[d])
                covered += 1
        if not covered:
            continue
        share = parcel_cost(large.costs, n, &load) - large.parcels[n].cost
        share = share // <u128>covered
        if share < least or (share == least and covered > best_covered):
            least = share
            best_covered = covered
            best = n
    return best


cdef u128 total_cost(const Large *large) noexcept nogil:
    cdef u128 total = <u128>0
    cdef int32_t n
    for n in range(large.order.node_count):
        total = total + large.parcels[n].cost
    return total


cdef void try_single(Large *large) noexcept nogil:
    """Use one node for everything if that is not dearer."""
    cdef u128 cost
    cdef int32_t node
    cdef int32_t d
    if large.spread_count or large.order.uncovered >= 0:
        return
    node = best_single(large.costs, large.order, large.nothing_excluded, &cost)
    if node < 0 or cost > total_cost(large):
        return
    reset(large)
    for d in range(large.order.demand_count):
        large.home[d] = node
        put_in(large, d, node, large.order.quantity[d])


cdef int32_t best_other(
    const Large *large, int32_t demand, int32_t node, bint only_open, u128 *added
) noexcept nogil:
    """The other node where the demand adds least, -1 if none has it; `added` is what it adds."""
    cdef int32_t closing = large.parcels[node].lines == 1
    cdef int32_t best = -1
    cdef int32_t n
    cdef u128 cost
    added[0] = NO_COST
    for n in range(large.order.node_count):
        if n == node or not fits(large.order, demand, n):
            continue
        if large.parcels[n].lines == 0 and (only_open or not may_use(large, n, closing)):
            continue
        cost = cost_with(large, demand, n, large.order.quantity[demand]) - large.parcels[n].cost
        if cost < added[0]:
            added[0] = cost
            best = n
    return best


cdef bint move_demands(Large *large) noexcept nogil:
    """Move single demands to where they cost less."""
    cdef Parcel without
    cdef bint improved = False
    cdef int32_t d
    cdef int32_t node
    cdef int32_t best
    cdef int64_t quantity
    cdef u128 saved
    cdef u128 added
    for d in range(large.order.demand_count):
        node = large.home[d]
        if node < 0:
            continue
        quantity = large.order.quantity[d]
        without = large.parcels[node]
        without.lines -= 1
        take_from_load(&without.load, large.costs, large.order, d, node, quantity)
        saved = large.parcels[node].cost - cost_of_parcel(large, node, &without)
        best = best_other(large, d, node, False, &added)
        if best >= 0 and added < saved:
            take_out(large, d, node)
            put_in(large, d, best, quantity)
            large.home[d] = best
            improved = True
    return improved


cdef int32_t find_members(Large *large, int32_t node) noexcept nogil:
    cdef int32_t count = 0
    cdef int32_t d
    for d in range(large.order.demand_count):
        if large.home[d] == node:
            large.members[count] = d
            count += 1
    return count


cdef bint close_nodes(Large *large) noexcept nogil:
    """Close nodes whose demands cost less at the other open nodes."""
    cdef bint improved = False
    cdef int32_t node
    for node in range(large.order.node_count):
        if large.parcels[node].lines and not large.parcels[node].fixed:
            improved |= close_node(large, node, False)
    return improved


cdef void close_small_parcels(Large *large) noexcept nogil:
    """Give the demands of parcels that are worth too little to other open nodes, at any cost."""
    cdef bint is_all = large.order.is_whole and large.order.uncovered < 0
    cdef int32_t node
    for node in range(large.order.node_count):
        if is_small(large, node, is_all) and not large.parcels[node].fixed:
            close_node(large, node, True)
    for node in range(large.order.node_count):
        large.order.is_too_small |= is_small(large, node, is_all)


cdef bint is_small(const Large *large, int32_t node, bint is_all) noexcept nogil:
    cdef const Parcel *parcel = &large.parcels[node]
    if not parcel.lines or parcel.load.value >= large.order.least_value:
        return False
    return not (is_all and large.open_count == 1)


cdef bint close_node(Large *large, int32_t node, bint at_any_cost) noexcept nogil:
    cdef size_t size = large.order.node_count * sizeof(Parcel)
    cdef int32_t open_count = large.open_count
    cdef int32_t count = find_members(large, node)
    cdef int32_t best
    cdef int32_t moved = 0
    cdef u128 saved = large.parcels[node].cost
    cdef u128 added
    memcpy(large.before, large.parcels, size)
    while moved < count:
        best = best_other(large, large.members[moved], node, True, &added)
        if best < 0 or (added >= saved and not at_any_cost):
            break
        saved = saved - added
        take_out(large, large.members[moved], node)
        put_in(large, large.members[moved], best, large.order.quantity[large.members[moved]])
        large.home[large.members[moved]] = best
        moved += 1
    if moved == count:
        return True
    memcpy(large.parcels, large.before, size)
    large.open_count = open_count
    for moved in range(count):
        large.home[large.members[moved]] = node
    return False


cdef bint replace_nodes(Large *large) noexcept nogil:
    """Replace an open node by a closed one that takes its whole parcel for less."""
    cdef bint improved = False
    cdef int32_t node
    for node in range(large.order.node_count):
        if large.parcels[node].lines and not large.parcels[node].fixed:
            improved |= replace_node(large, node)
    return improved


cdef bint replace_node(Large *large, int32_t node) noexcept nogil:
    cdef Parcel parcel
    cdef Parcel best_parcel
    cdef int32_t count = find_members(large, node)
    cdef int32_t best = -1
    cdef int32_t n
    cdef int32_t i
    best_parcel.cost = large.parcels[node].cost
    for n in range(large.order.node_count):
        if large.parcels[n].lines or large.costs.constant[n] >= best_parcel.cost:
            continue
        empty(&parcel)
        for i in range(count):
            if not fits(large.order, large.members[i], n):
                break
            add_to_load(
                &parcel.load, large.costs, large.order, large.members[i], n,
                large.order.quantity[large.members[i]],
            )
        else:
            parcel.cost = parcel_cost(large.costs, n, &parcel.load)
            parcel.lines = count
            if parcel.cost < best_parcel.cost:
                best_parcel = parcel
                best = n
    if best < 0:
        return False
    large.parcels[best] = best_parcel
    empty(&large.parcels[node])
    for i in range(count):
        large.home[large.members[i]] = best
    return True


cdef void finish(Large *large) noexcept nogil:
    """Write the pieces by demand and node, the cost and the bound."""
    cdef Order *order = large.order
    cdef int32_t next_spread = 0
    cdef int32_t d
    for d in range(order.demand_count):
        if large.home[d] >= 0:
            order.pieces[order.piece_count].demand = d
            order.pieces[order.piece_count].node = large.home[d]
            order.pieces[order.piece_count].quantity = order.quantity[d]
            order.piece_count += 1
        elif large.home[d] == NOWHERE:
            order.quantity[d] = 0
        else:
            order.quantity[d] = 0
            while next_spread < large.spread_count and large.spread[next_spread].demand == d:
                order.pieces[order.piece_count] = large.spread[next_spread]
                order.quantity[d] += large.spread[next_spread].quantity
                order.piece_count += 1
                next_spread += 1
    order.cost = total_cost(large)
    order.lower_bound = lower_bound(large)
    order.proved = order.cost == order.lower_bound and order.uncovered < 0
