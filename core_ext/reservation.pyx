"""Which orders of a batch get their counters, one order after another, all counters or none.

| array         | shape, dtype | meaning                                                 |
| ------------- | ------------ | ------------------------------------------------------- |
| free          | c, int64     | what each locked counter has left; may be negative      |
| order_offsets | n + 1, int32 | rows of order k: order_offsets[k] .. order_offsets[k+1] |
| counter       | r, int32     | index into free; may occur several times in an order    |
| quantity      | r, int64     | units, 1 or more                                        |
"""

from cpython.array cimport array, clone
from libc.stdint cimport int32_t, int64_t

import array as _array

from core_ext.results import Reservations

cdef array INTS = _array.array("i")
cdef array LONGS = _array.array("q")


cdef int64_t reserve_orders(
    const int64_t *free,
    const int32_t *order_offsets,
    int64_t order_count,
    const int32_t *counter,
    const int64_t *quantity,
    unsigned char *accepted,
    int32_t *failed_row,
    int64_t *left,
    int64_t *taken,
) noexcept nogil:
    """Fill accepted, failed_row and left of every order and add to taken; how many were
    accepted.
    """
    cdef int64_t order
    cdef int64_t accepted_count = 0
    cdef int32_t row
    cdef int32_t undo
    for order in range(order_count):
        accepted[order] = 1
        failed_row[order] = -1
        left[order] = 0
        for row in range(order_offsets[order], order_offsets[order + 1]):
            # The difference cannot overflow: taken is 0 or no more than free.
            if free[counter[row]] - taken[counter[row]] >= quantity[row]:
                taken[counter[row]] += quantity[row]
                continue
            for undo in range(order_offsets[order], row):
                taken[counter[undo]] -= quantity[undo]
            accepted[order] = 0
            failed_row[order] = row
            left[order] = free[counter[row]] - taken[counter[row]]
            break
        accepted_count += accepted[order]
    return accepted_count


def reserve(
    const int64_t[::1] free not None,
    const int32_t[::1] order_offsets not None,
    const int32_t[::1] counter not None,
    const int64_t[::1] quantity not None,
):
    """Accept or refuse each order in turn against the counters; `free` is not changed.

    An order is accepted if, after all accepted orders before it, every one of its counters has what
    its rows ask for together. ValueError for shapes, counters or quantities out of range.
    """
    check_rows(free.shape[0], order_offsets, counter, quantity)
    cdef Py_ssize_t orders = order_offsets.shape[0] - 1
    cdef bytearray accepted = bytearray(orders)
    cdef array failed_row = clone(INTS, orders, False)
    cdef array left = clone(LONGS, orders, False)
    cdef array taken = clone(LONGS, free.shape[0], True)
    cdef const int64_t *first_free = &free[0] if free.shape[0] else NULL
    cdef const int32_t *first_counter = &counter[0] if counter.shape[0] else NULL
    cdef const int64_t *first_quantity = &quantity[0] if counter.shape[0] else NULL
    if orders:
        reserve_orders(
            first_free, &order_offsets[0], orders, first_counter, first_quantity,
            <unsigned char *>accepted, <int32_t *>failed_row.data.as_ints,
            <int64_t *>left.data.as_longlongs, <int64_t *>taken.data.as_longlongs,
        )
    return Reservations(accepted, failed_row, left, taken)


def give_back(
    const int64_t[::1] taken not None,
    const int32_t[::1] order_offsets not None,
    const int32_t[::1] counter not None,
    const int64_t[::1] quantity not None,
    const unsigned char[::1] chosen not None,
):
    """`taken` without the orders whose byte in `chosen` is not 0; the arguments are not changed.

    ValueError for shapes, counters or quantities out of range, and if a counter would fall below
    zero, which means that more is given back than was taken.
    """
    check_rows(taken.shape[0], order_offsets, counter, quantity)
    cdef Py_ssize_t orders = order_offsets.shape[0] - 1
    cdef Py_ssize_t order
    cdef int32_t row
    if chosen.shape[0] != orders:
        raise ValueError(f"{chosen.shape[0]} choices for {orders} orders")
    cdef array rest = clone(LONGS, taken.shape[0], False)
    cdef int64_t[::1] left = rest
    left[:] = taken
    for order in range(orders):
        if not chosen[order]:
            continue
        for row in range(order_offsets[order], order_offsets[order + 1]):
            if left[counter[row]] < quantity[row]:
                raise ValueError(f"row {row} gives back more than was taken of its counter")
            left[counter[row]] -= quantity[row]
    return rest


cdef int check_rows(
    Py_ssize_t counters,
    const int32_t[::1] order_offsets,
    const int32_t[::1] counter,
    const int64_t[::1] quantity,
) except -1:
    cdef Py_ssize_t rows = counter.shape[0]
    cdef Py_ssize_t i
    if order_offsets.shape[0] < 1 or quantity.shape[0] != rows:
        raise ValueError("order_offsets is empty or counter and quantity differ in length")
    if order_offsets[0] != 0 or order_offsets[order_offsets.shape[0] - 1] != rows:
        raise ValueError(f"order_offsets must run from 0 to {rows}")
    for i in range(order_offsets.shape[0] - 1):
        if order_offsets[i] > order_offsets[i + 1]:
            raise ValueError(f"order_offsets falls after order {i}")
    for i in range(rows):
        if not 0 <= counter[i] < counters:
            raise ValueError(f"there is no counter {counter[i]}")
        if quantity[i] < 1:
            raise ValueError(f"a quantity of {quantity[i]} is out of range")
    return 0
