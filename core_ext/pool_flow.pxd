"""C view of a graph of pools, ready for one SKU after another."""

from libc.stdint cimport int32_t, int64_t

from core_ext.stock_book cimport Shelf


cdef enum:
    WHOLE = 10000
    SHARED = 0
    PARTITIONED = 1
    RANKED = 2
    DEEPEST = 3
    FROM_SET = 0
    FROM_ONE = 1
    FROM_MANY = 2
    FROM_TURN = 3
    CAP = 0
    DEPTH = 1
    FLOOR = 2
    KEPT = -1


ctypedef struct Source:
    int32_t feeds
    int32_t weight


ctypedef struct Link:
    int32_t way
    int32_t set
    int32_t first
    int32_t end


ctypedef struct Rule:
    int64_t ratio
    int64_t reserve
    int64_t most


ctypedef struct Setting:
    int64_t amount
    int32_t vertex
    int32_t kind


ctypedef struct Settings:
    Setting *items
    int32_t count
    int32_t room
    int32_t profile


cdef class PoolFlow:
    cdef int32_t vertex_count
    cdef int32_t link_count
    cdef int32_t class_count
    cdef int32_t profile_count
    cdef int32_t set_count
    cdef int32_t keeper_count
    cdef int64_t source_count
    cdef list _tables
    cdef const unsigned char *mode
    cdef const unsigned char *is_terminal
    cdef const int32_t *link_offsets
    cdef const int32_t *members
    cdef const int32_t *turn_offsets
    cdef const int32_t *turns
    cdef const int32_t *class_offsets
    cdef const int32_t *class_sets
    cdef const int32_t *set_of_vertex
    cdef const int32_t *below_offsets
    cdef const int32_t *below
    cdef Source *sources
    cdef Link *links
    cdef Rule *rules
    cdef int32_t *target
    cdef int32_t *order
    cdef int32_t *touched
    cdef int32_t *keepers
    cdef int64_t *weighted
    cdef int64_t *units
    cdef int64_t *quantity
    cdef int64_t *flow
    cdef int64_t *flows_in
    cdef int64_t *pool_part
    cdef int64_t *depth
    cdef int64_t *number
    cdef int64_t *kept

    cdef const int32_t *_table(self, object numbers) except NULL
    cdef int _make_room(self, int64_t source_count) except -1
    cdef int _set_sources(self, object graph) except -1
    cdef int _set_links(self, object graph, object tables) except -1
    cdef int _set_rules(self, object graph) except -1
    cdef void compute(self, const Shelf *shelf, const Settings *settings) noexcept nogil
    cdef void gather(self, const Shelf *shelf) noexcept nogil
    cdef void keep(self, int32_t vertex, int64_t units) noexcept nogil
    cdef void pour(self, const Rule *rules, bint has_depths) noexcept nogil
    cdef int64_t draw(self, const Link *link) noexcept nogil
    cdef void give(self, int32_t vertex, const Rule *rules, bint has_depths) noexcept nogil
    cdef const int32_t *deepest_first(self, const int32_t *turns, int32_t count) noexcept nogil
    cdef void add_earmarks(self, int64_t *numbers) noexcept nogil
