"""C view of the reservation kernel."""

from libc.stdint cimport int32_t, int64_t

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
) noexcept nogil
