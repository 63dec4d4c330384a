"""What a batch takes from the book while it is planned: units of sources, parcels of nodes.

| array | shape, dtype | meaning |
| ----------- | ------------------- | --- |
| allocations | Allocation, growing | what was taken, with the address of the book's cell |
| parcels | int32, growing | nodes of which a unit of capacity was taken |
"""

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport realloc

from core_ext import limits
from core_ext.stock_book cimport Shelf

cdef int64_t UNLIMITED = limits.UNLIMITED


cdef int take_units(
    Takings *takings, Allocation what, const Shelf *shelf, const unsigned char *sources
) noexcept nogil:
    """Take units from the sources of a node, the first ones first; -1 if memory ran out."""
    cdef int64_t rest = what.quantity
    cdef void *moved
    cdef int32_t i
    for i in range(shelf.count):
        if rest == 0:
            break
        if shelf.free[i] <= 0 or takings.source_node[shelf.source[i]] != what.node:
            continue
        if sources and not sources[shelf.source[i]]:
            continue
        if takings.allocation_count == takings.allocation_room:
            takings.allocation_room = 2 * takings.allocation_room + 64
            moved = realloc(takings.allocations, takings.allocation_room * sizeof(Allocation))
            if not moved:
                return -1
            takings.allocations = <Allocation *>moved
        what.cell = &shelf.free[i]
        what.source = shelf.source[i]
        what.quantity = shelf.free[i] if shelf.free[i] < rest else rest
        takings.allocations[takings.allocation_count] = what
        takings.allocation_count += 1
        shelf.free[i] -= what.quantity
        rest -= what.quantity
    return 0


cdef int take_parcel(Takings *takings, int32_t node) noexcept nogil:
    """Take one parcel of what a node sends, where that is limited; -1 if memory ran out."""
    cdef void *moved
    if takings.capacities[node] == UNLIMITED:
        return 0
    if takings.parcel_count == takings.parcel_room:
        takings.parcel_room = 2 * takings.parcel_room + 64
        moved = realloc(takings.parcels, takings.parcel_room * sizeof(int32_t))
        if not moved:
            return -1
        takings.parcels = <int32_t *>moved
    takings.parcels[takings.parcel_count] = node
    takings.parcel_count += 1
    takings.capacities[node] = takings.capacities[node] - 1
    return 0


cdef void give_back(Takings *takings, int64_t allocations, int64_t parcels) noexcept nogil:
    """Give back all that was taken after so many allocations and parcels."""
    cdef int32_t node
    while takings.allocation_count > allocations:
        takings.allocation_count -= 1
        takings.allocations[takings.allocation_count].cell[0] += (
            takings.allocations[takings.allocation_count].quantity
        )
    while takings.parcel_count > parcels:
        takings.parcel_count -= 1
        node = takings.parcels[takings.parcel_count]
        takings.capacities[node] = takings.capacities[node] + 1
