"""C view of a batch while it is planned."""

from libc.stdint cimport int32_t, int64_t

from core_ext.large_orders cimport Large
from core_ext.parcel_cost cimport Costs, Order, Policy
from core_ext.split_lines cimport Splits
from core_ext.stock_book cimport Shelf, StockBook
from core_ext.whole_lines cimport Lines

cdef enum:
    PLANNED = 0
    SHORT = 1
    UNPLACED = 2

cdef enum:
    NO_REASON = 0
    NOT_ENOUGH = 1
    NOT_WHOLE = 2
    TOO_MANY_NODES = 3

ctypedef struct Allocation:
    int64_t *cell
    int64_t quantity
    int32_t demand
    int32_t node
    int32_t source

ctypedef struct Answer:
    unsigned char *status
    unsigned char *proved
    unsigned char *reason
    int *failed_row
    unsigned long long *costs
    unsigned long long *lower_bounds
    int *runner_up_nodes
    unsigned long long *runner_up_costs
    int *allocation_offsets
    long long *short
    long long *available

cdef class Batch:
    cdef StockBook book
    cdef Policy policy
    cdef const int32_t[::1] order_offsets
    cdef const int64_t[::1] sku
    cdef const int64_t[::1] quantity
    cdef const int64_t[::1] unit_weight_g
    cdef const int32_t[::1] place
    cdef const int32_t[::1] filter
    cdef const unsigned char[::1] flags
    cdef const unsigned char[::1] filters
    cdef const int32_t[::1] scope
    cdef const unsigned char[::1] scopes
    cdef const unsigned char *sources
    cdef int32_t order_count
    cdef int32_t row_count
    cdef int32_t most_demands
    cdef Costs costs
    cdef Order order
    cdef Lines *lines
    cdef Splits splits
    cdef Large large
    cdef Answer answer
    cdef dict arrays
    cdef int64_t *shelf
    cdef int64_t *total
    cdef int64_t *most
    cdef int64_t *placed
    cdef int32_t *row
    cdef unsigned char *allowed
    cdef unsigned char *excluded
    cdef list blocks
    cdef Allocation *allocations
    cdef int64_t allocation_count
    cdef int64_t allocation_room
    cdef int32_t *parcels
    cdef int64_t parcel_count
    cdef int64_t parcel_room

    cdef int check(self) except -1
    cdef void *block(self, int64_t count, int64_t size) except NULL
    cdef int allocate(self) except -1
    cdef int make_answer(self) except -1
    cdef object plans(self, int64_t position)
    cdef int plan_all(self) noexcept nogil
    cdef int plan_order(self, int32_t index) noexcept nogil
    cdef void gather(self, int32_t index) noexcept nogil
    cdef void gather_row(self, int32_t demand, int64_t shelf) noexcept nogil
    cdef int32_t cap(self, int32_t index) noexcept nogil
    cdef void keep_demands(self, const int64_t *quantities) noexcept nogil
    cdef void assign(self) noexcept nogil
    cdef int finish(self, int32_t index, int32_t failed, bint assigned) noexcept nogil
    cdef int reason_of(self, int32_t index, int32_t row) noexcept nogil
    cdef int take(self, int32_t index) noexcept nogil
    cdef int take_piece(
        self, int32_t row, int32_t node, int64_t quantity, const Shelf *shelf
    ) noexcept nogil
    cdef int take_parcel(self, int32_t node) noexcept nogil
    cdef void find_runner_up(self, int32_t index) noexcept nogil
    cdef void undo(self) noexcept nogil
