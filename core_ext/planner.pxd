"""C view of a batch while it is planned."""

from libc.stdint cimport int32_t, int64_t

from core_ext.answers cimport Answer, Answers
from core_ext.large_orders cimport Large
from core_ext.memory cimport Memory
from core_ext.parcel_cost cimport Costs, Order, u128
from core_ext.split_lines cimport Splits
from core_ext.stock_book cimport StockBook
from core_ext.takings cimport Takings
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
    TOO_SMALL = 4

ctypedef struct Turn:
    const Costs *costs
    u128 **constants
    const unsigned char *filters
    int32_t max_nodes
    int32_t max_parcels
    int64_t least_value
    bint takes_part

cdef class Batch:
    cdef StockBook book
    cdef tuple kept
    cdef Turn *turns
    cdef const int32_t[::1] order_offsets
    cdef const int64_t[::1] sku
    cdef const int64_t[::1] quantity
    cdef const int64_t[::1] unit_weight_g
    cdef const int64_t[::1] unit_value
    cdef const int32_t[::1] goods
    cdef const int32_t[::1] place
    cdef const int32_t[::1] filter
    cdef const unsigned char[::1] flags
    cdef const int32_t[::1] chain_offsets
    cdef const int32_t[::1] chain
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
    cdef Answers answers
    cdef Answer answer
    cdef Takings takings
    cdef int64_t *shelf
    cdef int64_t *total
    cdef int64_t *most
    cdef int64_t *placed
    cdef int64_t *left
    cdef int64_t *wanted
    cdef int32_t *row
    cdef unsigned char *allowed
    cdef unsigned char *excluded
    cdef unsigned char *sending
    cdef int32_t failed
    cdef bint is_too_small
    cdef Memory memory

    cdef int check(self) except -1
    cdef int learn_policies(self) except -1
    cdef int32_t chain_start(self, int32_t index) noexcept nogil
    cdef int32_t chain_end(self, int32_t index) noexcept nogil
    cdef int32_t policy_at(self, int32_t at) noexcept nogil
    cdef int allocate(self) except -1
    cdef int plan_all(self) noexcept nogil
    cdef int plan_order(self, int32_t index) noexcept nogil
    cdef int32_t first_left(self, int32_t index) noexcept nogil
    cdef int take_turn(self, int32_t index, int32_t number, bint is_last) noexcept nogil
    cdef bint leaves_enough(self, int32_t index) noexcept nogil
    cdef void gather(self, int32_t index, const unsigned char *filters) noexcept nogil
    cdef void gather_row(self, int32_t demand, int64_t shelf) noexcept nogil
    cdef int32_t cap(self, int32_t index) noexcept nogil
    cdef void keep_demands(self, const int64_t *quantities) noexcept nogil
    cdef int assign(self) noexcept nogil
    cdef void finish(self, int32_t index, bint is_placed) noexcept nogil
    cdef int reason_of(self, int32_t index, int32_t row) noexcept nogil
    cdef int take(self, int32_t index, int32_t number) noexcept nogil
    cdef void find_runner_up(self, int32_t index) noexcept nogil
