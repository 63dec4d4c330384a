"""What is free where, for one tenant, compact enough to stay in memory.

| structure | one per | fields | bytes |
| --------- | ------------- | ------------------------------------------------------------- | --- |
| slot | hash position | sku int64, shelf int64 (-1 empty); open addressing, half full | 16 |
| shelf | SKU | three pointers into one block, count int32, room int32 | 32 |
| block | SKU | free int64[room], version int64[room], source int32[room] | 20 an entry |
| capacity | node | free parcels int64, version int64 | 16 |

Entries of a shelf are sorted by source. A source that was changed by `take` or `give` alone has
version -1, so that any `put` is newer.
"""

from cpython.array cimport array, clone
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport free as release, malloc, realloc
from libc.string cimport memcpy, memmove

import array as _array

from core_ext import limits

cdef array LONGS = _array.array("q")

cdef enum:
    FIRST_ROOM = 4
    FIRST_SLOTS = 64

cdef int64_t FREE_MOST = limits.FREE_MOST
cdef int64_t UNLIMITED = limits.UNLIMITED


cdef class StockBook:
    """Free units per SKU and source, and free parcels per node, of one tenant.

    `source_node` (array('i')) gives the dense node index of each source; a lower source index is
    used
    first within a node. SKUs are any int64. `position` counts the applied changes. Every method
    raises ValueError for a source, node, amount or version out of range, and then changes nothing.
    A book belongs to one thread at a time.
    """

    def __cinit__(self, const int32_t[::1] source_node not None, int64_t node_count):
        cdef int64_t i
        if not 1 <= node_count <= limits.MAX_NODES:
            raise ValueError(f"node_count is {node_count}, must be within 1 and {limits.MAX_NODES}")
        if source_node.shape[0] > limits.MAX_SOURCES:
            raise ValueError(f"{source_node.shape[0]} sources, at most {limits.MAX_SOURCES}")
        for i in range(source_node.shape[0]):
            if not 0 <= source_node[i] < node_count:
                raise ValueError(f"source {i} is at node {source_node[i]}, which does not exist")
        self.node_count = <int32_t>node_count
        self.source_count = <int32_t>source_node.shape[0]
        self.source_node = <int32_t *>malloc((self.source_count + 1) * sizeof(int32_t))
        self.capacities = <int64_t *>malloc(node_count * sizeof(int64_t))
        self.capacity_versions = <int64_t *>malloc(node_count * sizeof(int64_t))
        self.slots = <Slot *>malloc(FIRST_SLOTS * sizeof(Slot))
        if not (self.source_node and self.capacities and self.capacity_versions and self.slots):
            raise MemoryError
        self.slot_mask = FIRST_SLOTS - 1
        for i in range(FIRST_SLOTS):
            self.slots[i].shelf = -1
        for i in range(self.source_count):
            self.source_node[i] = source_node[i]
        for i in range(node_count):
            self.capacities[i] = UNLIMITED
            self.capacity_versions[i] = -1

    def __dealloc__(self):
        cdef int64_t i
        for i in range(self.shelf_count):
            release(self.shelves[i].free)
        release(self.shelves)
        release(self.slots)
        release(self.source_node)
        release(self.capacities)
        release(self.capacity_versions)

    @property
    def sku_count(self) -> int:
        """SKUs the book has heard of."""
        return self.shelf_count

    def skus(self) -> array:
        """SKUs in the order in which the book heard of them (array('q'))."""
        cdef array found = clone(LONGS, self.shelf_count, False)
        cdef int64_t *skus = <int64_t *>found.data.as_longlongs
        cdef uint64_t at
        for at in range(self.slot_mask + 1):
            if self.slots[at].shelf >= 0:
                skus[self.slots[at].shelf] = self.slots[at].sku
        return found

    def put(self, int64_t sku, int64_t source, int64_t free, int64_t version) -> bool:
        """Set the free units of a source if `version` (>= 0) is newer; True if it was."""
        self._need_source(source)
        need_put(free, version)
        return self._write(sku, <int32_t>source, free, version) == 1

    def put_many(
        self,
        const int64_t[::1] skus not None,
        const int32_t[::1] sources not None,
        const int64_t[::1] free not None,
        const int64_t[::1] versions not None,
    ) -> int:
        """`put` row by row ('q', 'i', 'q', 'q'); how many were newer. All rows are checked
        first.
        """
        cdef Py_ssize_t rows = skus.shape[0]
        cdef Py_ssize_t i
        cdef int64_t applied = 0
        if not rows == sources.shape[0] == free.shape[0] == versions.shape[0]:
            raise ValueError("skus, sources, free and versions differ in length")
        for i in range(rows):
            self._need_source(sources[i])
            need_put(free[i], versions[i])
        for i in range(rows):
            applied += self._write(skus[i], sources[i], free[i], versions[i])
        return applied

    def free(self, int64_t sku, int64_t source) -> int:
        """Free units; may be negative; 0 for a SKU or source never heard of."""
        self._need_source(source)
        cdef int64_t shelf = find_shelf(self.slots, self.slot_mask, sku)
        if shelf < 0:
            return 0
        cdef int32_t at = find_entry(&self.shelves[shelf], <int32_t>source)
        return self.shelves[shelf].free[at] if at >= 0 else 0

    def version(self, int64_t sku, int64_t source) -> int:
        """Version of the last applied `put`, -1 if there was none."""
        self._need_source(source)
        cdef int64_t shelf = find_shelf(self.slots, self.slot_mask, sku)
        if shelf < 0:
            return -1
        cdef int32_t at = find_entry(&self.shelves[shelf], <int32_t>source)
        return self.shelves[shelf].version[at] if at >= 0 else -1

    def node_free(self, int64_t sku, int64_t node) -> int:
        """Sum of max(0, free) over the sources of the node."""
        self._need_node(node)
        cdef int64_t shelf = find_shelf(self.slots, self.slot_mask, sku)
        cdef int64_t total = 0
        cdef int32_t i
        if shelf < 0:
            return 0
        for i in range(self.shelves[shelf].count):
            if self.source_node[self.shelves[shelf].source[i]] == node:
                total += max(<int64_t>0, self.shelves[shelf].free[i])
        return total

    def entries(self, int64_t sku) -> list:
        """(source, free, version) of every source heard of, in source order."""
        cdef int64_t shelf = find_shelf(self.slots, self.slot_mask, sku)
        cdef int32_t i
        if shelf < 0:
            return []
        return [
            (
                self.shelves[shelf].source[i],
                self.shelves[shelf].free[i],
                self.shelves[shelf].version[i],
            )
            for i in range(self.shelves[shelf].count)
        ]

    def take(self, int64_t sku, int64_t source, int64_t quantity) -> None:
        """Lower the free units by `quantity` (>= 1) until a newer `put` replaces them."""
        self._need_source(source)
        need_quantity(quantity)
        self._change(sku, <int32_t>source, -quantity)

    def give(self, int64_t sku, int64_t source, int64_t quantity) -> None:
        """Raise the free units by `quantity` (>= 1) until a newer `put` replaces them."""
        self._need_source(source)
        need_quantity(quantity)
        self._change(sku, <int32_t>source, quantity)

    def set_capacity(self, int64_t node, int64_t free_parcels, int64_t version) -> bool:
        """Set the parcels a node can still take (`UNLIMITED` for no limit) if `version` is
        newer.
        """
        self._need_node(node)
        if version < 0 or not (
            -FREE_MOST <= free_parcels <= FREE_MOST or free_parcels == UNLIMITED
        ):
            raise ValueError(f"capacity {free_parcels} of version {version} is out of range")
        if version <= self.capacity_versions[node]:
            return False
        self.capacities[node] = free_parcels
        self.capacity_versions[node] = version
        self.position += 1
        return True

    def capacity(self, int64_t node) -> int:
        """Parcels the node can still take; `UNLIMITED` unless it was set."""
        self._need_node(node)
        return self.capacities[node]

    def take_capacity(self, int64_t node, int64_t parcels) -> None:
        """Lower the node's capacity by `parcels` (>= 1)."""
        self._need_node(node)
        need_quantity(parcels)
        self._change_capacity(<int32_t>node, -parcels)

    def give_capacity(self, int64_t node, int64_t parcels) -> None:
        """Raise the node's capacity by `parcels` (>= 1)."""
        self._need_node(node)
        need_quantity(parcels)
        self._change_capacity(<int32_t>node, parcels)

    cdef int _need_source(self, int64_t source) except -1:
        if not 0 <= source < self.source_count:
            raise ValueError(f"there is no source {source}")
        return 0

    cdef int _need_node(self, int64_t node) except -1:
        if not 0 <= node < self.node_count:
            raise ValueError(f"there is no node {node}")
        return 0

    cdef int64_t _write(
        self, int64_t sku, int32_t source, int64_t free, int64_t version
    ) except -1:
        cdef int64_t shelf = self._open_shelf(sku)
        cdef int32_t at = self._open_entry(shelf, source)
        if version <= self.shelves[shelf].version[at]:
            return 0
        self.shelves[shelf].free[at] = free
        self.shelves[shelf].version[at] = version
        self.position += 1
        return 1

    cdef int _change(self, int64_t sku, int32_t source, int64_t change) except -1:
        cdef int64_t shelf = find_shelf(self.slots, self.slot_mask, sku)
        cdef int32_t at = find_entry(&self.shelves[shelf], source) if shelf >= 0 else -1
        cdef int64_t free = change + (self.shelves[shelf].free[at] if at >= 0 else 0)
        if not -FREE_MOST <= free <= FREE_MOST:
            raise ValueError(f"{free} free units are out of range")
        shelf = self._open_shelf(sku)
        at = self._open_entry(shelf, source)
        self.shelves[shelf].free[at] = free
        self.position += 1
        return 0

    cdef int _change_capacity(self, int32_t node, int64_t change) except -1:
        cdef int64_t parcels = self.capacities[node]
        if parcels != UNLIMITED:
            parcels += change
            if not -FREE_MOST <= parcels <= FREE_MOST:
                raise ValueError(f"a capacity of {parcels} parcels is out of range")
            self.capacities[node] = parcels
        self.position += 1
        return 0

    cdef int64_t _open_shelf(self, int64_t sku) except -1:
        cdef int64_t shelf = find_shelf(self.slots, self.slot_mask, sku)
        cdef int64_t room
        cdef Shelf *shelves
        if shelf >= 0:
            return shelf
        if 2 * (self.shelf_count + 1) > <int64_t>self.slot_mask:
            self._grow_slots()
        if self.shelf_count == self.shelf_room:
            room = 2 * self.shelf_room + FIRST_SLOTS
            shelves = <Shelf *>realloc(self.shelves, room * sizeof(Shelf))
            if not shelves:
                raise MemoryError
            self.shelves = shelves
            self.shelf_room = room
        shelf = self.shelf_count
        self.shelves[shelf] = Shelf(NULL, NULL, NULL, 0, 0)
        self.shelf_count += 1
        insert_slot(self.slots, self.slot_mask, sku, shelf)
        return shelf

    cdef int32_t _open_entry(self, int64_t index, int32_t source) except -1:
        cdef Shelf *shelf = &self.shelves[index]
        cdef int32_t at = entry_place(shelf, source)
        cdef int32_t behind
        if at < shelf.count and shelf.source[at] == source:
            return at
        if shelf.count == shelf.room and widen(shelf) < 0:
            raise MemoryError
        behind = shelf.count - at
        memmove(&shelf.free[at + 1], &shelf.free[at], behind * sizeof(int64_t))
        memmove(&shelf.version[at + 1], &shelf.version[at], behind * sizeof(int64_t))
        memmove(&shelf.source[at + 1], &shelf.source[at], behind * sizeof(int32_t))
        shelf.free[at] = 0
        shelf.version[at] = -1
        shelf.source[at] = source
        shelf.count += 1
        self.entry_count += 1
        return at

    cdef int _grow_slots(self) except -1:
        cdef uint64_t count = 2 * (self.slot_mask + 1)
        cdef Slot *slots = <Slot *>malloc(count * sizeof(Slot))
        cdef uint64_t i
        if not slots:
            raise MemoryError
        for i in range(count):
            slots[i].shelf = -1
        for i in range(self.slot_mask + 1):
            if self.slots[i].shelf >= 0:
                insert_slot(slots, count - 1, self.slots[i].sku, self.slots[i].shelf)
        release(self.slots)
        self.slots = slots
        self.slot_mask = count - 1
        return 0


cdef void insert_slot(
    Slot *slots, uint64_t slot_mask, int64_t sku, int64_t shelf
) noexcept nogil:
    cdef uint64_t at = hash_of(sku) & slot_mask
    while slots[at].shelf >= 0:
        at = (at + 1) & slot_mask
    slots[at].sku = sku
    slots[at].shelf = shelf


cdef int widen(Shelf *shelf) noexcept nogil:
    """Half as much room again: with 30 sources a SKU, a fifth of the block is unused on average."""
    cdef int32_t room = shelf.room + shelf.room // 2 + FIRST_ROOM
    cdef size_t wide = sizeof(int64_t)
    cdef char *block = <char *>malloc(room * (2 * wide + sizeof(int32_t)))
    if not block:
        return -1
    if shelf.count:
        memcpy(block, shelf.free, shelf.count * wide)
        memcpy(block + room * wide, shelf.version, shelf.count * wide)
        memcpy(block + 2 * room * wide, shelf.source, shelf.count * sizeof(int32_t))
    release(shelf.free)
    shelf.free = <int64_t *>block
    shelf.version = <int64_t *>(block + room * wide)
    shelf.source = <int32_t *>(block + 2 * room * wide)
    shelf.room = room
    return 0


cdef int need_put(int64_t free, int64_t version) except -1:
    if version < 0 or not -FREE_MOST <= free <= FREE_MOST:
        raise ValueError(f"{free} free units of version {version} are out of range")
    return 0


cdef int need_quantity(int64_t quantity) except -1:
    if not 1 <= quantity <= FREE_MOST:
        raise ValueError(f"a quantity of {quantity} is out of range")
    return 0
