"""C view of memory that lives as long as a batch."""

from libc.stdint cimport int64_t

cdef class Memory:
    cdef list blocks

    cdef void *block(self, int64_t count, int64_t size) except NULL
