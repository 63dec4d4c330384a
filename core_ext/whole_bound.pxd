"""C view of the bounds for whole lines."""

from libc.stdint cimport int32_t

from core_ext.parcel_cost cimport Costs, Order, u128
from core_ext.whole_lines cimport Lines

cdef inline u128 min_cost(u128 a, u128 b) noexcept nogil:
    return a if a < b else b


cdef void bound_rest(
    const Costs *costs, const Order *order, Lines *lines, u128 cheapest
) noexcept nogil
cdef u128 least_cover(
    const Costs *costs, const Order *order, const Lines *lines, int32_t full
) noexcept nogil
