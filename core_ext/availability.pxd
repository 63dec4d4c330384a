"""C view of the availability engine: one row per SKU that was computed or has a setting."""

from libc.stdint cimport int32_t, int64_t, uint64_t

from core_ext.pool_flow cimport PoolFlow, Setting, Settings
from core_ext.stock_book cimport Shelf, Slot, StockBook


ctypedef struct Row:
    int64_t sku
    int64_t shelf
    Settings settings
    int32_t is_changed


cdef class Availability:
    cdef StockBook book
    cdef PoolFlow flow
    cdef Row *rows
    cdef int64_t row_count
    cdef int64_t row_room
    cdef int64_t *stored
    cdef int64_t *changed
    cdef int64_t changed_count
    cdef int64_t *row_of_shelf
    cdef int64_t met_count
    cdef Slot *slots
    cdef uint64_t slot_mask

    cdef int _need_vertex(self, int64_t vertex) except -1
    cdef int _set(self, int64_t sku, Setting setting, bint is_kept) except -1
    cdef int64_t _open_row(self, int64_t sku) except -1
    cdef int _widen_rows(self) except -1
    cdef int _grow_slots(self) except -1
    cdef int _meet_all(self) except -1
    cdef int _update(self, int64_t sku) except -1
    cdef const Shelf *_shelf_of(self, Row *row) noexcept nogil
    cdef bint _compute(self, int64_t row) noexcept nogil
