"""The checks of a batch of orders: shapes and ranges as `Demand` describes them.

Each function raises ValueError and says which order is wrong. Nothing is kept between calls.
"""

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free, malloc, qsort

from core_ext import demand as _demand
from core_ext import limits
from core_ext.parcel_cost cimport Policy

if (MAX_DEMANDS, TAKE_WHAT_IS_THERE, MAY_SPLIT) != (
    limits.MAX_DEMANDS, _demand.TAKE_WHAT_IS_THERE, _demand.MAY_SPLIT
):
    raise ImportError("core_ext/limits.py or demand.py and demand_check.pxd differ")

cdef int64_t INT32_MOST = limits.INT32_MOST
cdef int64_t VALUE_MOST = limits.VALUE_MOST


cdef int32_t order_count_of(
    const int32_t[::1] order_offsets,
    const int32_t[::1] place,
    const int32_t[::1] filter,
    const unsigned char[::1] flags,
) except -1:
    cdef Py_ssize_t count = order_offsets.shape[0] - 1
    if count < 0:
        raise ValueError("order_offsets has at least one number")
    for name, length in (
        ("place", place.shape[0]), ("filter", filter.shape[0]), ("flags", flags.shape[0])
    ):
        if length != count:
            raise ValueError(f"{name} has {length} numbers instead of {count}")
    return <int32_t>count


cdef int32_t row_count_of(
    const int32_t[::1] order_offsets,
    const int64_t[::1] sku,
    const int64_t[::1] quantity,
    const int64_t[::1] unit_weight_g,
) except -1:
    cdef Py_ssize_t count = sku.shape[0]
    for name, length in (
        ("quantity", quantity.shape[0]), ("unit_weight_g", unit_weight_g.shape[0])
    ):
        if length != count:
            raise ValueError(f"{name} has {length} numbers instead of {count}")
    if order_offsets[0] != 0 or order_offsets[order_offsets.shape[0] - 1] != count:
        raise ValueError(f"order_offsets must run from 0 to {count}")
    return <int32_t>count


cdef int32_t most_demands_of(const int32_t[::1] order_offsets) except -1:
    """Demands of the largest order; each has at least one, and at most MAX_DEMANDS."""
    cdef int32_t most = 0
    cdef int32_t demands
    cdef Py_ssize_t i
    for i in range(order_offsets.shape[0] - 1):
        demands = order_offsets[i + 1] - order_offsets[i]
        if not 1 <= demands <= MAX_DEMANDS:
            raise ValueError(f"order {i} has {demands} demands")
        if demands > most:
            most = demands
    return most


cdef int check_way(
    int32_t order, int32_t place, int32_t filter, unsigned char flags, Policy policy
) except -1:
    if not 0 <= place < policy.place_count:
        raise ValueError(f"order {order} goes to place {place}")
    if not -1 <= filter < policy.filter_count:
        raise ValueError(f"order {order} has filter {filter}")
    if flags & ~(TAKE_WHAT_IS_THERE | MAY_SPLIT):
        raise ValueError(f"order {order} has flags {flags}")
    return 0


cdef int check_scopes(
    const int32_t[::1] scope, const unsigned char[::1] scopes, int32_t orders, int32_t sources
) except -1:
    cdef int64_t rows
    cdef Py_ssize_t i
    if scope.shape[0] not in (0, orders):
        raise ValueError(f"scope has {scope.shape[0]} numbers instead of {orders}")
    if scopes.shape[0] and (sources == 0 or scopes.shape[0] % sources):
        raise ValueError(f"scopes must be rows of {sources} bytes")
    rows = scopes.shape[0] // sources if sources else 0
    for i in range(scopes.shape[0]):
        if scopes[i] > 1:
            raise ValueError("scopes must be bytes that are 0 or 1")
    for i in range(scope.shape[0]):
        if not -1 <= scope[i] < rows:
            raise ValueError(f"order {i} has scope {scope[i]}")
    return 0


cdef int check_values(
    const int64_t[::1] unit_value, const int32_t[::1] goods, int32_t rows
) except -1:
    if unit_value.shape[0] not in (0, rows):
        raise ValueError(f"unit_value has {unit_value.shape[0]} numbers instead of {rows}")
    if goods.shape[0] not in (0, rows):
        raise ValueError(f"goods has {goods.shape[0]} numbers instead of {rows}")
    return 0


cdef int check_chains(
    const int32_t[::1] chain_offsets, const int32_t[::1] chain, int32_t orders, int32_t policies
) except -1:
    """Every order has at least one policy, and all of them exist."""
    cdef Py_ssize_t i
    if not chain_offsets.shape[0] and not chain.shape[0]:
        return 0
    if chain_offsets.shape[0] != orders + 1:
        raise ValueError(f"chain_offsets has {chain_offsets.shape[0]} numbers, not {orders + 1}")
    if chain_offsets[0] != 0 or chain_offsets[orders] != chain.shape[0]:
        raise ValueError(f"chain_offsets must run from 0 to {chain.shape[0]}")
    for i in range(orders):
        if chain_offsets[i] >= chain_offsets[i + 1]:
            raise ValueError(f"order {i} goes through no policy")
    for i in range(chain.shape[0]):
        if not 0 <= chain[i] < policies:
            raise ValueError(f"there is no policy {chain[i]}")
    return 0


cdef int check_goods(
    int32_t order, const int32_t[::1] order_offsets, const int32_t[::1] goods, Policy policy
) except -1:
    cdef int32_t r
    if goods.shape[0]:
        for r in range(order_offsets[order], order_offsets[order + 1]):
            if not -1 <= goods[r] < policy.goods_count:
                raise ValueError(f"order {order} has goods of class {goods[r]}")
    return 0


cdef int check_rows(
    int32_t order,
    const int32_t[::1] order_offsets,
    const int64_t[::1] sku,
    const int64_t[::1] quantity,
    const int64_t[::1] unit_weight_g,
    const int64_t[::1] unit_value,
) except -1:
    """Quantities, weights and values in range, alone and summed up, and no SKU twice."""
    cdef int64_t units = 0
    cdef int64_t weight_g = 0
    cdef int64_t value = 0
    cdef int32_t first = order_offsets[order]
    cdef int32_t end = order_offsets[order + 1]
    cdef int32_t r
    for r in range(first, end):
        if quantity[r] < 1 or unit_weight_g[r] < 0:
            raise ValueError(f"order {order} has a quantity below 1 or a weight below 0")
        if quantity[r] > INT32_MOST or unit_weight_g[r] > INT32_MOST:
            raise ValueError(f"order {order} has too many units or too much weight")
        units += quantity[r]
        weight_g += quantity[r] * unit_weight_g[r]
        # Checked row by row: the sum of 2,000 products could leave 64 bits.
        if units > INT32_MOST or weight_g > INT32_MOST:
            raise ValueError(f"order {order} has too many units or too much weight")
        if unit_value.shape[0]:
            if not 0 <= unit_value[r] <= VALUE_MOST // quantity[r]:
                raise ValueError(f"order {order} is worth too much, or has a value below 0")
            value += quantity[r] * unit_value[r]
            if value > VALUE_MOST:
                raise ValueError(f"order {order} is worth too much, or has a value below 0")
    if has_twice(&sku[first], end - first):
        raise ValueError(f"order {order} has a SKU twice")
    return 0


cdef bint has_twice(const int64_t *sku, int32_t count) except -1:
    cdef int64_t *ordered
    cdef bint found = False
    cdef int32_t i
    cdef int32_t j
    if count <= FEW_DEMANDS:
        for i in range(count):
            for j in range(i):
                if sku[i] == sku[j]:
                    return True
        return False
    ordered = <int64_t *>malloc(count * sizeof(int64_t))
    if not ordered:
        raise MemoryError
    for i in range(count):
        ordered[i] = sku[i]
    qsort(ordered, count, sizeof(int64_t), &compare_skus)
    for i in range(1, count):
        found |= ordered[i] == ordered[i - 1]
    free(ordered)
    return found


cdef int compare_skus(const void *a, const void *b) noexcept nogil:
    cdef int64_t left = (<const int64_t *>a)[0]
    cdef int64_t right = (<const int64_t *>b)[0]
    return (left > right) - (left < right)
