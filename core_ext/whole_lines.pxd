"""C view of the exact planning of whole lines."""

from libc.stdint cimport int32_t, int64_t, uint64_t

from core_ext.memory cimport Memory
from core_ext.parcel_cost cimport Costs, Order, u128

cdef enum:
    WHOLE_LINES = 10
    WHOLE_SETS = 1024
    WHOLE_NODES = 64
    VECTOR_BITS = 6

ctypedef struct Lines:
    int64_t units[WHOLE_SETS]
    int64_t weight_g[WHOLE_SETS]
    int64_t value[WHOLE_SETS]
    int64_t sum[WHOLE_SETS]
    uint64_t ones[WHOLE_SETS]
    u128 cost[WHOLE_SETS]
    u128 rest[WHOLE_SETS]
    u128 best[WHOLE_SETS]
    uint64_t vector[WHOLE_SETS]
    unsigned char is_whole[WHOLE_SETS]
    int32_t *node
    int32_t *able
    unsigned char *is_kept
    u128 *lowest
    int32_t count

cdef Lines *make_lines(Memory memory, int64_t nodes) except NULL
cdef int plan_whole_lines(const Costs *costs, Order *order, Lines *lines) noexcept nogil
cdef void price_sets(
    const Costs *costs, const Order *order, Lines *lines, int32_t position
) noexcept nogil
