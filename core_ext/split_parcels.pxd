"""C view of the parcels of a set of open nodes."""

from libc.stdint cimport int32_t, int64_t

from core_ext.parcel_cost cimport u128
from core_ext.split_lines cimport Splits


cdef inline int64_t least(int64_t a, int64_t b) noexcept nogil:
    return a if a < b else b


cdef inline int64_t row_start(const Splits *splits, int32_t demand) noexcept nogil:
    """Where the demand's row of `unit_cost`, `rank` and `by_rank` begins."""
    return <int64_t>demand * splits.order.node_count if splits.rows > 1 else 0


cdef void fill(Splits *splits, int32_t opened) noexcept nogil
cdef u128 cost_of_parcels(const Splits *splits, int32_t opened) noexcept nogil
cdef bint are_worth(const Splits *splits, int32_t opened, int32_t used) noexcept nogil
cdef bint lift_small_parcels(Splits *splits, int32_t opened) noexcept nogil
