"""Memory that lives as long as a batch."""

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free


cdef class Memory:
    """Zeroed blocks, freed together."""

    def __cinit__(self):
        self.blocks = []

    def __dealloc__(self):
        for block in self.blocks or ():
            free(<void *><size_t>block)

    cdef void *block(self, int64_t count, int64_t size) except NULL:
        """Return room for so many things; MemoryError."""
        cdef void *memory = calloc(max(count, 1), size)
        if not memory:
            raise MemoryError
        self.blocks.append(<size_t>memory)
        return memory
