"""C view of the planning of orders with more than 10 demands."""

from libc.stdint cimport int32_t, int64_t

from core_ext.memory cimport Memory
from core_ext.parcel_cost cimport Costs, Load, Order, Piece, u128

cdef enum:
    SEARCH_PASSES = 6
    NOWHERE = -1
    SPREAD = -2

ctypedef struct Parcel:
    Load load
    u128 cost
    int32_t lines
    bint fixed

ctypedef struct Large:
    const Costs *costs
    Order *order
    int32_t open_count
    int32_t spread_count
    int32_t *home
    Piece *spread
    Parcel *parcels
    Parcel *before
    int32_t *members
    int32_t *nodes
    u128 *floors
    const unsigned char *nothing_excluded

cdef int make_large(Memory memory, Large *large, int64_t nodes, int64_t demands) except -1
cdef void plan_large_order(const Costs *costs, Order *order, Large *large) noexcept nogil
