"""The units of one SKU on their way through a graph of pools.

| array             | shape, dtype     | meaning |
| ----------------- | ---------------- | --- |
| sources           | source, Source   | class it feeds, basis points it offers; 0 where none, and |
|                   |                  | KEPT for one that is kept for the vertex `feeds` alone |
| links             | link, Link       | where it draws from, its set of classes, its members |
| rules             | profile x link   | ratio, reserve, most: int64 |
| class_sets, below | offsets, int32   | sets that a class is in; a vertex and all it feeds |
| weighted          | class, int64     | units times basis points; all 0 between SKUs |
| touched           | class, int32     | classes of which the SKU has anything |
| units             | set, int64       | units that a set of classes offers, rounded down once |
| quantity, flow    | link, int64      | units it draws from; units that flow |
| flows_in          | vertex, int64    | sum of the flows into the vertex |
| pool_part         | vertex, int64    | that, or what its classes offer, whichever is less |
| number            | vertex, int64    | pool_part with earmarks, at most the cap |
| depth             | vertex, int64    | depth of the SKU; all 0 between SKUs |
| kept              | vertex, int64    | units of the sources that are kept for it |
| keepers           | vertex, int32    | vertices that something is kept for |
| order             | turn, int32      | turns of a DEEPEST vertex, sorted |

Per SKU the work is its entries, the sets that its classes are in, and the links.

Nothing overflows: a source counts 2**32 units at most, so 2**16 sources offer less than 2**62 basis
points and 2**48 units; a quantity is no more than its set of classes offers, so times a ratio it is
below 2**62; at most 2**14 flows of 2**48 meet in one vertex; all that is kept adds 2**48 at most.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free as release, malloc
from libc.string cimport memcpy, memset

cimport cython

from core_ext import limits
from core_ext.graph_tables import tables_of
from core_ext.pool_graph import WHOLE as _WHOLE, LinkKind, Mode, check_graph

if WHOLE != _WHOLE or tuple(Mode) != (SHARED, PARTITIONED, RANKED, DEEPEST):
    raise ImportError("core_ext/pool_graph.py and pool_flow.pxd differ")

cdef int64_t COUNTED_MOST = limits.COUNTED_MOST
cdef int64_t UNITS_MOST = limits.UNITS_MOST


cdef class PoolFlow:
    """A compiled graph and the numbers of the SKU in hand. ValueError for a bad graph."""

    def __cinit__(self, graph):
        check_graph(graph)
        tables = tables_of(graph)
        self.vertex_count = graph.vertex_count
        self.link_count = graph.link_count
        self.class_count = graph.class_count
        self.profile_count = graph.profile_count
        self.set_count = tables.set_count
        self._tables = [graph.mode, graph.is_terminal()]
        self.mode = self._tables[0]
        self.is_terminal = self._tables[1]
        self.link_offsets = self._table(graph.link_offsets)
        self.members = self._table(graph.members)
        self.turn_offsets = self._table(graph.turn_offsets)
        self.turns = self._table(graph.turns)
        self.class_offsets = self._table(tables.class_offsets)
        self.class_sets = self._table(tables.class_sets)
        self.set_of_vertex = self._table(tables.set_of_vertex)
        self.below_offsets = self._table(tables.below_offsets)
        self.below = self._table(tables.below)
        self.keeper_count = 0
        self.source_count = len(graph.source_class)
        self._make_room(len(graph.source_class))
        self._set_sources(graph)
        self._set_links(graph, tables)
        self._set_rules(graph)

    def __dealloc__(self):
        release(self.sources)
        release(self.links)
        release(self.rules)
        release(self.target)
        release(self.weighted)

    cdef const int32_t *_table(self, object numbers) except NULL:
        # A copy of its own: an array('i') could still be resized by its owner.
        cdef bytes copy = bytes(memoryview(numbers))
        self._tables.append(copy)
        return <const int32_t *><const char *>copy

    cdef int _make_room(self, int64_t source_count) except -1:
        """Two blocks: one of int32 behind `target`, one of int64 behind `weighted`."""
        cdef size_t vertices = self.vertex_count
        cdef size_t links = self.link_count
        cdef size_t classes = self.class_count
        cdef size_t rules = links * <size_t>self.profile_count
        self.sources = <Source *>malloc((source_count + 1) * sizeof(Source))
        self.links = <Link *>malloc((links + 1) * sizeof(Link))
        self.rules = <Rule *>malloc((rules + 1) * sizeof(Rule))
        self.target = <int32_t *>malloc((2 * links + classes + vertices) * sizeof(int32_t))
        self.weighted = <int64_t *>calloc(
            classes + self.set_count + 2 * links + 5 * vertices, sizeof(int64_t)
        )
        if not (self.sources and self.links and self.rules and self.target and self.weighted):
            raise MemoryError
        self.order = self.target + links
        self.touched = self.order + links
        self.keepers = self.touched + classes
        self.units = self.weighted + classes
        self.quantity = self.units + self.set_count
        self.flow = self.quantity + links
        self.flows_in = self.flow + links
        self.pool_part = self.flows_in + vertices
        self.depth = self.pool_part + vertices
        self.number = self.depth + vertices
        self.kept = self.number + vertices
        return 0

    cdef int _set_sources(self, object graph) except -1:
        cdef const int32_t[::1] feeds = graph.source_class
        cdef const int32_t[::1] weight = graph.source_weight
        cdef const int32_t[::1] keeper = graph.source_keeper
        cdef int64_t i
        for i in range(feeds.shape[0]):
            # What feeds nothing offers nothing, and one comparison finds both.
            self.sources[i] = Source(feeds[i], weight[i] if feeds[i] >= 0 else 0)
            if keeper[i] >= 0:
                self.sources[i] = Source(keeper[i], KEPT)
        return 0

    cdef int _set_links(self, object graph, object tables) except -1:
        cdef const int32_t[::1] ends = graph.member_offsets
        cdef const int32_t[::1] sets = tables.set_of_link
        cdef const unsigned char[::1] kinds = graph.link_kind
        cdef int32_t vertex
        cdef int32_t l
        for vertex in range(self.vertex_count):
            for l in range(self.link_offsets[vertex], self.link_offsets[vertex + 1]):
                self.target[l] = vertex
        for l in range(self.link_count):
            self.links[l] = Link(FROM_MANY, sets[l], ends[l], ends[l + 1])
            if kinds[l] == <int>LinkKind.OF_CLASSES:
                self.links[l].way = FROM_SET
            elif ends[l + 1] - ends[l] == 1:
                self.links[l].way = FROM_ONE
        for l in range(self.turn_offsets[self.vertex_count]):
            self.links[self.turns[l]].way = FROM_TURN
        return 0

    cdef int _set_rules(self, object graph) except -1:
        cdef const int32_t[::1] ratio = graph.ratio
        cdef const int64_t[::1] reserve = graph.reserve
        cdef const int64_t[::1] most = graph.most
        cdef int64_t i
        for i in range(ratio.shape[0]):
            self.rules[i] = Rule(ratio[i], reserve[i], most[i] if most[i] >= 0 else UNITS_MOST)
        return 0

    cdef void compute(self, const Shelf *shelf, const Settings *settings) noexcept nogil:
        """Fill every array for one SKU; `shelf` is NULL for a SKU without stock."""
        cdef const Rule *rules = self.rules + <int64_t>settings.profile * self.link_count
        cdef const Setting *setting
        cdef bint has_depths = False
        cdef int32_t i
        for i in range(settings.count):
            setting = &settings.items[i]
            if setting.kind == DEPTH:
                self.depth[setting.vertex] = setting.amount
                has_depths = True
        self.gather(shelf)
        self.pour(rules, has_depths)
        memcpy(self.number, self.pool_part, self.vertex_count * sizeof(int64_t))
        for i in range(settings.count):
            setting = &settings.items[i]
            if setting.kind == FLOOR:
                self.number[setting.vertex] = max(
                    <int64_t>0, self.number[setting.vertex] - setting.amount
                )
        self.add_earmarks(self.number)
        for i in range(settings.count):
            setting = &settings.items[i]
            if setting.kind == CAP:
                self.number[setting.vertex] = min(self.number[setting.vertex], setting.amount)
            elif setting.kind == DEPTH:
                self.depth[setting.vertex] = 0

    @cython.cdivision(True)
    cdef void gather(self, const Shelf *shelf) noexcept nogil:
        """Sum what sources offer, per class, then per set of classes; and what they keep."""
        cdef int32_t count = 0
        cdef int32_t feeds
        cdef int32_t i
        cdef int32_t at
        cdef const Source *source
        memset(self.units, 0, self.set_count * sizeof(int64_t))
        while self.keeper_count:
            self.keeper_count -= 1
            self.kept[self.keepers[self.keeper_count]] = 0
        if not shelf:
            return
        for i in range(shelf.count):
            source = &self.sources[shelf.source[i]]
            if shelf.free[i] <= 0 or not source.weight:
                continue
            if source.weight == KEPT:
                self.keep(source.feeds, shelf.free[i])
                continue
            if not self.weighted[source.feeds]:
                self.touched[count] = source.feeds
                count += 1
            self.weighted[source.feeds] += min(shelf.free[i], COUNTED_MOST) * source.weight
        for i in range(count):
            feeds = self.touched[i]
            for at in range(self.class_offsets[feeds], self.class_offsets[feeds + 1]):
                self.units[self.class_sets[at]] += self.weighted[feeds]
            self.weighted[feeds] = 0
        for i in range(self.set_count):
            self.units[i] = <int64_t>(<uint64_t>self.units[i] // <uint64_t>WHOLE)

    cdef void keep(self, int32_t vertex, int64_t units) noexcept nogil:
        if not self.kept[vertex]:
            self.keepers[self.keeper_count] = vertex
            self.keeper_count += 1
        self.kept[vertex] += min(units, COUNTED_MOST)

    cdef void pour(self, const Rule *rules, bint has_depths) noexcept nogil:
        """Fill flows and pool parts, vertex by vertex: links run from lower to higher numbers."""
        cdef int32_t vertex
        cdef int32_t l
        cdef int64_t total
        for vertex in range(self.vertex_count):
            total = 0
            for l in range(self.link_offsets[vertex], self.link_offsets[vertex + 1]):
                # The flow out of a vertex that gives in turns stands since that vertex was done.
                if self.links[l].way != FROM_TURN:
                    self.quantity[l] = self.draw(&self.links[l])
                    self.flow[l] = share(&rules[l], self.quantity[l])
                total += self.flow[l]
            self.flows_in[vertex] = total
            self.pool_part[vertex] = min(total, self.units[self.set_of_vertex[vertex]])
            if self.mode[vertex] != SHARED:
                self.give(vertex, rules, has_depths)

    cdef int64_t draw(self, const Link *link) noexcept nogil:
        """Units that a link out of classes or SHARED vertices draws from."""
        cdef int64_t total = 0
        cdef int32_t i
        if link.way == FROM_SET:
            return self.units[link.set]
        if link.way == FROM_ONE:
            return self.pool_part[self.members[link.first]]
        for i in range(link.first, link.end):
            total += self.pool_part[self.members[i]]
        return min(total, self.units[link.set])

    cdef void give(self, int32_t vertex, const Rule *rules, bint has_depths) noexcept nogil:
        """Fill the flows of the links that leave a vertex in turns."""
        cdef int64_t whole = self.pool_part[vertex]
        cdef int64_t left = whole
        cdef int64_t reached = 0
        cdef int64_t flow
        cdef const int32_t *turns = self.turns + self.turn_offsets[vertex]
        cdef int32_t count = self.turn_offsets[vertex + 1] - self.turn_offsets[vertex]
        cdef int32_t i
        if self.mode[vertex] == DEEPEST and has_depths:
            turns = self.deepest_first(turns, count)
        for i in range(count):
            if self.mode[vertex] == PARTITIONED:
                flow = min(part(&rules[turns[i]], whole, reached), left)
                reached += rules[turns[i]].ratio
            else:
                flow = share(&rules[turns[i]], left)
            self.quantity[turns[i]] = whole
            self.flow[turns[i]] = flow
            left -= flow

    cdef const int32_t *deepest_first(self, const int32_t *turns, int32_t count) noexcept nogil:
        """The turns by falling depth of their targets; equal ones stay as they are."""
        cdef int32_t i
        cdef int32_t at
        for i in range(count):
            at = i
            while at and self.depth[self.target[self.order[at - 1]]] < self.depth[
                self.target[turns[i]]
            ]:
                self.order[at] = self.order[at - 1]
                at -= 1
            self.order[at] = turns[i]
        return self.order

    cdef void add_earmarks(self, int64_t *numbers) noexcept nogil:
        """Add what is kept for a vertex to its number and to those of all below, each once."""
        cdef int32_t vertex
        cdef int32_t i
        cdef int32_t at
        for i in range(self.keeper_count):
            vertex = self.keepers[i]
            for at in range(self.below_offsets[vertex], self.below_offsets[vertex + 1]):
                numbers[self.below[at]] += self.kept[vertex]


@cython.cdivision(True)
cdef inline int64_t share(const Rule *rule, int64_t quantity) noexcept nogil:
    cdef int64_t base = quantity - rule.reserve
    if base <= 0:
        return 0
    return min(<int64_t>(<uint64_t>(rule.ratio * base) // <uint64_t>WHOLE), rule.most)


@cython.cdivision(True)
cdef inline int64_t part(const Rule *rule, int64_t whole, int64_t reached) noexcept nogil:
    """The part between two marks of the whole: parts that meet leave nothing between them."""
    cdef int64_t base = whole - rule.reserve
    if base <= 0:
        return 0
    return min(base * (reached + rule.ratio) // WHOLE - base * reached // WHOLE, rule.most)
