"""C view of the plans of a batch while they are written."""

from libc.stdint cimport int32_t, int64_t

from core_ext.parcel_cost cimport u128
from core_ext.takings cimport Takings

ctypedef struct Answer:
    unsigned char *status
    unsigned char *proved
    unsigned char *reason
    int *failed_row
    int *policy
    unsigned long long *costs
    unsigned long long *lower_bounds
    int *runner_up_nodes
    unsigned long long *runner_up_costs
    int *allocation_offsets
    long long *short
    long long *available

cdef class Answers:
    cdef Answer raw
    cdef dict arrays

    cdef object plans(self, const Takings *takings, int64_t position)

cdef void write_wide(unsigned long long *halves, int32_t index, u128 value) noexcept nogil
