"""C view of the rows of one type, for PostgreSQL."""

from libc.stdint cimport uint32_t

cdef enum:
    FIELDS_MOST = 64


cdef class RowArray:
    cdef uint32_t _row_type
    cdef int _count
    cdef uint32_t _types[FIELDS_MOST]
