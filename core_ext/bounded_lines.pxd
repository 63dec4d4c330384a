"""C view of the exact planning of whole lines under the limits of a policy."""

from libc.stdint cimport int32_t, uint64_t

from core_ext.parcel_cost cimport Costs, Order, u128
from core_ext.whole_lines cimport Lines

cdef enum:
    MAX_LAYERS = 11
    LAYER_SETS = 1024

ctypedef struct Layers:
    u128 best[MAX_LAYERS][LAYER_SETS]
    uint64_t vector[MAX_LAYERS][LAYER_SETS]

cdef bint keeps_limits(const Order *order) noexcept nogil
cdef int plan_bounded_lines(
    const Costs *costs, Order *order, Lines *lines, u128 dropped
) noexcept nogil
