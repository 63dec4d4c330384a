"""C view of the checks of a batch of orders."""

from libc.stdint cimport int32_t, int64_t

from core_ext.parcel_cost cimport Policy

cdef enum:
    TAKE_WHAT_IS_THERE = 1
    MAY_SPLIT = 2
    MAX_DEMANDS = 2000
    FEW_DEMANDS = 16

cdef int32_t order_count_of(
    const int32_t[::1] order_offsets,
    const int32_t[::1] place,
    const int32_t[::1] filter,
    const unsigned char[::1] flags,
) except -1
cdef int32_t row_count_of(
    const int32_t[::1] order_offsets,
    const int64_t[::1] sku,
    const int64_t[::1] quantity,
    const int64_t[::1] unit_weight_g,
) except -1
cdef int32_t most_demands_of(const int32_t[::1] order_offsets) except -1
cdef int check_way(
    int32_t order, int32_t place, int32_t filter, unsigned char flags, Policy policy
) except -1
cdef int check_scopes(
    const int32_t[::1] scope, const unsigned char[::1] scopes, int32_t orders, int32_t sources
) except -1
cdef int check_values(
    const int64_t[::1] unit_value, const int32_t[::1] goods, int32_t rows
) except -1
cdef int check_chains(
    const int32_t[::1] chain_offsets, const int32_t[::1] chain, int32_t orders, int32_t policies
) except -1
cdef int check_goods(
    int32_t order, const int32_t[::1] order_offsets, const int32_t[::1] goods, Policy policy
) except -1
cdef int check_rows(
    int32_t order,
    const int32_t[::1] order_offsets,
    const int64_t[::1] sku,
    const int64_t[::1] quantity,
    const int64_t[::1] unit_weight_g,
    const int64_t[::1] unit_value,
) except -1
