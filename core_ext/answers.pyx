"""The plans of a batch: Python's arrays, written through pointers. Fields as in `Plans`."""

from cpython.array cimport array, clone
from libc.stdint cimport int32_t, int64_t

import array as _array

from core_ext.parcel_cost cimport u128
from core_ext.results import Plans
from core_ext.takings cimport Allocation, Takings

cdef array INTS = _array.array("i")
cdef array LONGS = _array.array("q")
cdef array WORDS = _array.array("Q")


cdef class Answers:
    """Room for the plans of so many orders and rows; zeroed."""

    def __cinit__(self, int32_t orders, int32_t rows):
        cdef array failed_row = clone(INTS, orders, True)
        cdef array policy = clone(INTS, orders, True)
        cdef array costs = clone(WORDS, 2 * orders, True)
        cdef array lower_bounds = clone(WORDS, 2 * orders, True)
        cdef array runner_up_nodes = clone(INTS, orders, True)
        cdef array runner_up_costs = clone(WORDS, 2 * orders, True)
        cdef array allocation_offsets = clone(INTS, orders + 1, True)
        cdef array short = clone(LONGS, rows, True)
        cdef array available = clone(LONGS, rows, True)
        cdef bytearray status = bytearray(orders)
        cdef bytearray proved = bytearray(orders)
        cdef bytearray reason = bytearray(orders)
        self.raw.status = <unsigned char *><char *>status
        self.raw.proved = <unsigned char *><char *>proved
        self.raw.reason = <unsigned char *><char *>reason
        self.raw.failed_row = failed_row.data.as_ints
        self.raw.policy = policy.data.as_ints
        self.raw.costs = costs.data.as_ulonglongs
        self.raw.lower_bounds = lower_bounds.data.as_ulonglongs
        self.raw.runner_up_nodes = runner_up_nodes.data.as_ints
        self.raw.runner_up_costs = runner_up_costs.data.as_ulonglongs
        self.raw.allocation_offsets = allocation_offsets.data.as_ints
        self.raw.short = short.data.as_longlongs
        self.raw.available = available.data.as_longlongs
        self.arrays = dict(
            status=status, proved=proved, reason=reason, failed_row=failed_row, policy=policy,
            costs=costs, lower_bounds=lower_bounds, runner_up_nodes=runner_up_nodes,
            runner_up_costs=runner_up_costs, allocation_offsets=allocation_offsets, short=short,
            available=available,
        )

    cdef object plans(self, const Takings *takings, int64_t position):
        """Return the plans with what the batch took."""
        cdef int64_t count = takings.allocation_count
        cdef const Allocation *allocation
        cdef int64_t i
        cdef array demand = clone(INTS, count, False)
        cdef array policy = clone(INTS, count, False)
        cdef array node = clone(INTS, count, False)
        cdef array source = clone(INTS, count, False)
        cdef array quantity = clone(LONGS, count, False)
        for i in range(count):
            allocation = &takings.allocations[i]
            demand.data.as_ints[i] = allocation.demand
            policy.data.as_ints[i] = allocation.policy
            node.data.as_ints[i] = allocation.node
            source.data.as_ints[i] = allocation.source
            quantity.data.as_longlongs[i] = allocation.quantity
        return Plans(
            allocation_demand=demand,
            allocation_policy=policy,
            allocation_node=node,
            allocation_source=source,
            allocation_quantity=quantity,
            book_position=position,
            **self.arrays,
        )


cdef void write_wide(unsigned long long *halves, int32_t index, u128 value) noexcept nogil:
    halves[2 * index] = <unsigned long long>value
    halves[2 * index + 1] = <unsigned long long>(value >> <int>64)
