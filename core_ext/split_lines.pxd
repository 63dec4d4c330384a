"""C view of the planning of quantities over several nodes."""

from libc.stdint cimport int32_t, int64_t

from core_ext.memory cimport Memory
from core_ext.parcel_cost cimport Costs, Load, Order, u128

cdef enum:
    SPLIT_DEMANDS = 10
    MAX_SPLIT_NODES = 10
    SPLIT_SETS = 25000

ctypedef struct Splits:
    const Costs *costs
    Order *order
    bint additive
    bint is_found
    int32_t count
    int64_t sets
    u128 least_units
    u128 best_cost
    u128 rejected
    int32_t best_count
    int32_t best_nodes[MAX_SPLIT_NODES]
    int32_t chosen[MAX_SPLIT_NODES]
    int32_t *node
    int32_t *rank
    int32_t *by_rank
    u128 *opening
    u128 *unit_cost
    int64_t *most
    int32_t rows
    int64_t taken[SPLIT_DEMANDS][MAX_SPLIT_NODES]
    Load loads[MAX_SPLIT_NODES]

cdef int make_splits(Memory memory, Splits *splits, int64_t nodes) except -1
cdef void plan_split_lines(const Costs *costs, Order *order, Splits *splits) noexcept nogil
