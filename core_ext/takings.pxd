"""C view of what a batch has taken from the book, to be given back when it is planned."""

from libc.stdint cimport int32_t, int64_t

from core_ext.stock_book cimport Shelf

ctypedef struct Allocation:
    int64_t *cell
    int64_t quantity
    int32_t demand
    int32_t policy
    int32_t node
    int32_t source

ctypedef struct Takings:
    const int32_t *source_node
    int64_t *capacities
    Allocation *allocations
    int64_t allocation_count
    int64_t allocation_room
    int32_t *parcels
    int64_t parcel_count
    int64_t parcel_room

cdef int take_units(
    Takings *takings, Allocation what, const Shelf *shelf, const unsigned char *sources
) noexcept nogil
cdef int take_parcel(Takings *takings, int32_t node) noexcept nogil
cdef void give_back(Takings *takings, int64_t allocations, int64_t parcels) noexcept nogil
