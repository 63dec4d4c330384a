"""C view of the stock book, for the planner: shelves, and how to find one."""

from libc.stdint cimport int32_t, int64_t, uint64_t


ctypedef struct Shelf:
    int64_t *free
    int64_t *version
    int32_t *source
    int32_t count
    int32_t room


ctypedef struct Slot:
    int64_t sku
    int64_t shelf


cdef class StockBook:
    cdef readonly int32_t node_count
    cdef readonly int32_t source_count
    cdef readonly int64_t position
    cdef readonly int64_t entry_count
    cdef int32_t *source_node
    cdef int64_t *capacities
    cdef int64_t *capacity_versions
    cdef Shelf *shelves
    cdef int64_t shelf_count
    cdef int64_t shelf_room
    cdef Slot *slots
    cdef uint64_t slot_mask

    cdef int _need_source(self, int64_t source) except -1
    cdef int _need_node(self, int64_t node) except -1
    cdef int64_t _write(
        self, int64_t sku, int32_t source, int64_t free, int64_t version
    ) except -1
    cdef int _change(self, int64_t sku, int32_t source, int64_t change) except -1
    cdef int _change_capacity(self, int32_t node, int64_t change) except -1
    cdef int64_t _open_shelf(self, int64_t sku) except -1
    cdef int32_t _open_entry(self, int64_t shelf, int32_t source) except -1
    cdef int _grow_slots(self) except -1


cdef void insert_slot(
    Slot *slots, uint64_t slot_mask, int64_t sku, int64_t shelf
) noexcept nogil


cdef inline uint64_t hash_of(int64_t sku) noexcept nogil:
    # The finaliser of splitmix64: external ids are often consecutive.
    cdef uint64_t mixed = <uint64_t>sku
    mixed = (mixed ^ (mixed >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    mixed = (mixed ^ (mixed >> 27)) * <uint64_t>0x94D049BB133111EB
    return mixed ^ (mixed >> 31)


cdef inline int64_t find_shelf(
    const Slot *slots, uint64_t slot_mask, int64_t sku
) noexcept nogil:
    """Index of the SKU's shelf, or -1."""
    cdef uint64_t at = hash_of(sku) & slot_mask
    while slots[at].shelf >= 0:
        if slots[at].sku == sku:
            return slots[at].shelf
        at = (at + 1) & slot_mask
    return -1


cdef inline int32_t entry_place(const Shelf *shelf, int32_t source) noexcept nogil:
    """Position of the source among the entries, or the position where it belongs."""
    cdef int32_t low = 0
    cdef int32_t high = shelf.count
    cdef int32_t middle
    # Books are mostly filled in source order, so the end is tried first.
    if high == 0 or shelf.source[high - 1] < source:
        return high
    while low < high:
        middle = (low + high) >> 1
        if shelf.source[middle] < source:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline int32_t find_entry(const Shelf *shelf, int32_t source) noexcept nogil:
    """Position of the source among the entries, or -1."""
    cdef int32_t at = entry_place(shelf, source)
    if at < shelf.count and shelf.source[at] == source:
        return at
    return -1
