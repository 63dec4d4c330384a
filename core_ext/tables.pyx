"""Looking through the tables of a policy: a hundred thousand numbers for a country's districts."""

from libc.stdint cimport int32_t


cpdef tuple extremes(const int32_t[::1] table):
    """The least and the greatest number of an array('i'), (0, 0) of an empty one."""
    cdef Py_ssize_t i
    cdef int32_t least = table[0] if table.shape[0] else 0
    cdef int32_t most = least
    with nogil:
        for i in range(table.shape[0]):
            if table[i] < least:
                least = table[i]
            if table[i] > most:
                most = table[i]
    return least, most
