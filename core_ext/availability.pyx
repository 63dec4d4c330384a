"""What every pool and shop may offer of every SKU, kept for all SKUs.

| structure    | one per       | fields | bytes |
| ------------ | ------------- | --- | --- |
| slot         | hash position | sku int64, row int64 (-1 empty); open addressing, half full | 16 |
| row          | SKU           | sku, shelf (-1 unknown) int64; settings; whether it changed | 48 |
| setting      | what was set  | amount int64, vertex int32, kind int32 | 16 |
| stored       | row, vertex   | number int64 | 8 |
| changed      | row           | row int64, by first change since the last call | 8 |
| row_of_shelf | shelf         | row int64 of the book's shelves that were met | 8 |

Settings of a row are sorted by kind and vertex. A SKU that the book has not heard of has a row once
something was set for it; its shelf is looked up until there is one, and then stays.
"""

from cpython.array cimport array, clone
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport free as release, malloc, realloc
from libc.string cimport memcmp, memcpy, memmove, memset

import array as _array

from core_ext import limits
from core_ext.pool_flow cimport CAP, DEPTH, FLOOR, KEPT, WHOLE, PoolFlow, Setting, Settings
from core_ext.results import Derivation
from core_ext.stock_book cimport Shelf, Slot, StockBook, find_shelf, insert_slot

cdef enum:
    FIRST_ROWS = 64
    FIRST_SLOTS = 128
    FIRST_SETTINGS = 2

cdef int64_t COUNTED_MOST = limits.COUNTED_MOST
cdef int64_t UNITS_MOST = limits.UNITS_MOST
cdef array LONGS = _array.array("q")


cdef class Availability:
    """What every pool and shop may offer of every SKU, computed from a stock book over a graph.

    The book is only read; several may stand on one book, and several may share a graph: give one
    that has it instead. Settings of a SKU (profile, floors, caps, depths) count from its next
    `update` or `recompute` on, also for a SKU that the book has not heard of. SKUs are any int64.
    Every method raises ValueError for a vertex, profile or amount out of range, and then changes
    nothing; so does the constructor for a bad graph, or one of other sources than the book's.
    `recompute` releases the GIL: until it returns, nobody may touch the book or this object.
    """

    def __cinit__(self, StockBook book not None, graph not None):
        cdef int64_t i
        if isinstance(graph, Availability):
            self.flow = (<Availability>graph).flow
        else:
            self.flow = PoolFlow(graph)
        if self.flow.source_count != book.source_count:
            raise ValueError(
                f"the graph has {self.flow.source_count} sources, the book {book.source_count}"
            )
        self.book = book
        self.slots = <Slot *>malloc(FIRST_SLOTS * sizeof(Slot))
        if not self.slots:
            raise MemoryError
        self.slot_mask = FIRST_SLOTS - 1
        for i in range(FIRST_SLOTS):
            self.slots[i].shelf = -1

    def __dealloc__(self):
        cdef int64_t i
        for i in range(self.row_count):
            release(self.rows[i].settings.items)
        release(self.rows)
        release(self.stored)
        release(self.changed)
        release(self.row_of_shelf)
        release(self.slots)

    @property
    def vertex_count(self) -> int:
        """Pools and shops of the graph."""
        return self.flow.vertex_count

    @property
    def profile_count(self) -> int:
        """Profiles of the graph."""
        return self.flow.profile_count

    def set_profile(self, int64_t sku, int64_t profile) -> None:
        """Let the SKU flow by the ratios of a profile, 0 by default."""
        cdef int64_t row
        if not 0 <= profile < self.flow.profile_count:
            raise ValueError(f"there is no profile {profile}")
        row = self._open_row(sku)
        self.rows[row].settings.profile = <int32_t>profile

    def set_cap(self, int64_t sku, int64_t vertex, int64_t units) -> None:
        """Let the terminal show so many units at most; -1 for no cap."""
        self._need_vertex(vertex)
        need_amount(units, -1)
        if not self.flow.is_terminal[vertex]:
            raise ValueError(f"vertex {vertex} is no terminal, so it has no cap")
        self._set(sku, Setting(units, <int32_t>vertex, CAP), units >= 0)

    def set_floor(self, int64_t sku, int64_t vertex, int64_t units) -> None:
        """Let the terminal keep so many units back of its pool part; 0 for none."""
        self._need_vertex(vertex)
        need_amount(units, 0)
        if not self.flow.is_terminal[vertex]:
            raise ValueError(f"vertex {vertex} is no terminal, so it has no floor")
        self._set(sku, Setting(units, <int32_t>vertex, FLOOR), units > 0)

    def set_depth(self, int64_t sku, int64_t vertex, int64_t depth) -> None:
        """Say how deep the SKU stands at the vertex, 0 by default; DEEPEST gives by it."""
        self._need_vertex(vertex)
        need_amount(depth, -UNITS_MOST)
        self._set(sku, Setting(depth, <int32_t>vertex, DEPTH), depth != 0)

    def update(self, int64_t sku) -> bool:
        """Compute the SKU anew from the book; True if any number changed."""
        return self._update(sku) == 1

    def update_many(self, const int64_t[::1] skus not None) -> int:
        """`update` one after another (array('q')); how many changed."""
        cdef int64_t changed = 0
        cdef Py_ssize_t i
        for i in range(skus.shape[0]):
            changed += self._update(skus[i])
        return changed

    def recompute(self) -> int:
        """`update` every SKU that the book has heard of, in its order; how many changed."""
        cdef int64_t changed = 0
        cdef int64_t shelf
        self._meet_all()
        with nogil:
            for shelf in range(self.met_count):
                changed += self._compute(self.row_of_shelf[shelf])
        return changed

    def take_changed(self) -> array:
        """SKUs that changed since the last call, each once, by first change (array('q'))."""
        cdef array skus = clone(LONGS, self.changed_count, False)
        cdef int64_t i
        for i in range(self.changed_count):
            skus.data.as_longlongs[i] = self.rows[self.changed[i]].sku
            self.rows[self.changed[i]].is_changed = 0
        self.changed_count = 0
        return skus

    def number(self, int64_t sku, int64_t vertex) -> int:
        """Units that the vertex may offer; 0 for a SKU that was never computed."""
        self._need_vertex(vertex)
        cdef int64_t row = find_shelf(self.slots, self.slot_mask, sku)
        return self.stored[row * self.flow.vertex_count + vertex] if row >= 0 else 0

    def numbers(self, int64_t sku) -> array:
        """Units that each vertex may offer: array('q') of V."""
        cdef int64_t row = find_shelf(self.slots, self.slot_mask, sku)
        if row < 0:
            return clone(LONGS, self.flow.vertex_count, True)
        return longs(self.stored + row * self.flow.vertex_count, self.flow.vertex_count)

    def derive(self, int64_t sku) -> object:
        """Compute the SKU from the book as it is now, and show every step; nothing is stored."""
        cdef int64_t index = find_shelf(self.slots, self.slot_mask, sku)
        cdef Row row = Row(sku, -1, Settings(NULL, 0, 0, 0), 0)
        cdef PoolFlow flow = self.flow
        cdef const Shelf *shelf
        cdef int32_t i
        if index >= 0:
            row = self.rows[index]
        shelf = self._shelf_of(&row)
        flow.compute(shelf, &row.settings)
        units, offered = class_sums(flow, shelf)
        cdef array bound = clone(LONGS, flow.vertex_count, False)
        cdef array earmarks = clone(LONGS, flow.vertex_count, True)
        cdef array cap = clone(LONGS, flow.vertex_count, False)
        cdef array floor = clone(LONGS, flow.vertex_count, True)
        flow.add_earmarks(<int64_t *>earmarks.data.as_longlongs)
        for i in range(flow.vertex_count):
            bound.data.as_longlongs[i] = flow.units[flow.set_of_vertex[i]]
            cap.data.as_longlongs[i] = -1
        for i in range(row.settings.count):
            if row.settings.items[i].kind == CAP:
                cap.data.as_longlongs[row.settings.items[i].vertex] = row.settings.items[i].amount
            elif row.settings.items[i].kind == FLOOR:
                floor.data.as_longlongs[row.settings.items[i].vertex] = row.settings.items[i].amount
        return Derivation(
            class_units=units,
            class_offered=offered,
            quantity=longs(flow.quantity, flow.link_count),
            flow=longs(flow.flow, flow.link_count),
            bound=bound,
            flows_in=longs(flow.flows_in, flow.vertex_count),
            pool_part=longs(flow.pool_part, flow.vertex_count),
            floor=floor,
            earmarks=earmarks,
            cap=cap,
            number=longs(flow.number, flow.vertex_count),
        )

    cdef int _need_vertex(self, int64_t vertex) except -1:
        if not 0 <= vertex < self.flow.vertex_count:
            raise ValueError(f"there is no vertex {vertex}")
        return 0

    cdef int _set(self, int64_t sku, Setting setting, bint is_kept) except -1:
        """Keep a setting in place of the last of its kind and vertex, or remove that one."""
        cdef int64_t row = self._open_row(sku)
        cdef Settings *settings = &self.rows[row].settings
        cdef int32_t at = setting_place(settings, &setting)
        cdef bint is_there = at < settings.count and not comes_before(&setting, &settings.items[at])
        if is_kept and is_there:
            settings.items[at] = setting
        elif is_kept:
            if settings.count == settings.room and widen_settings(settings) < 0:
                raise MemoryError
            memmove(
                &settings.items[at + 1],
                &settings.items[at],
                (settings.count - at) * sizeof(Setting),
            )
            settings.items[at] = setting
            settings.count += 1
        elif is_there:
            settings.count -= 1
            memmove(
                &settings.items[at],
                &settings.items[at + 1],
                (settings.count - at) * sizeof(Setting),
            )
        return 0

    cdef int64_t _open_row(self, int64_t sku) except -1:
        cdef int64_t row = find_shelf(self.slots, self.slot_mask, sku)
        if row >= 0:
            return row
        if 2 * (self.row_count + 1) > <int64_t>self.slot_mask:
            self._grow_slots()
        if self.row_count == self.row_room:
            self._widen_rows()
        row = self.row_count
        self.rows[row] = Row(sku, -1, Settings(NULL, 0, 0, 0), 0)
        self.row_count += 1
        insert_slot(self.slots, self.slot_mask, sku, row)
        return row

    cdef int _widen_rows(self) except -1:
        cdef int64_t room = 2 * self.row_room + FIRST_ROWS
        cdef size_t width = self.flow.vertex_count * sizeof(int64_t)
        cdef Row *rows = <Row *>realloc(self.rows, room * sizeof(Row))
        if not rows:
            raise MemoryError
        self.rows = rows
        # Each block is kept as soon as it is there: a later one may fail.
        cdef int64_t *changed = <int64_t *>realloc(self.changed, room * sizeof(int64_t))
        if not changed:
            raise MemoryError
        self.changed = changed
        cdef int64_t *stored = <int64_t *>realloc(self.stored, room * width)
        if not stored:
            raise MemoryError
        self.stored = stored
        memset(<char *>stored + self.row_room * width, 0, (room - self.row_room) * width)
        self.row_room = room
        return 0

    cdef int _grow_slots(self) except -1:
        cdef uint64_t count = 2 * (self.slot_mask + 1)
        cdef Slot *slots = <Slot *>malloc(count * sizeof(Slot))
        cdef uint64_t at
        cdef int64_t row
        if not slots:
            raise MemoryError
        for at in range(count):
            slots[at].shelf = -1
        for row in range(self.row_count):
            insert_slot(slots, count - 1, self.rows[row].sku, row)
        release(self.slots)
        self.slots = slots
        self.slot_mask = count - 1
        return 0

    cdef int _meet_all(self) except -1:
        """Open a row for every SKU of the book: a recomputation then needs no Python object."""
        cdef int64_t *row_of_shelf
        cdef array skus
        cdef int64_t row
        if self.met_count == self.book.shelf_count:
            return 0
        skus = self.book.skus()
        row_of_shelf = <int64_t *>realloc(self.row_of_shelf, len(skus) * sizeof(int64_t))
        if not row_of_shelf:
            raise MemoryError
        self.row_of_shelf = row_of_shelf
        while self.met_count < self.book.shelf_count:
            row = self._open_row(skus.data.as_longlongs[self.met_count])
            self.rows[row].shelf = self.met_count
            row_of_shelf[self.met_count] = row
            self.met_count += 1
        return 0

    cdef int _update(self, int64_t sku) except -1:
        cdef int64_t row = find_shelf(self.slots, self.slot_mask, sku)
        if row < 0:
            # A SKU without stock and without a setting has nothing but zeros: it needs no row.
            if find_shelf(self.book.slots, self.book.slot_mask, sku) < 0:
                return 0
            row = self._open_row(sku)
        return self._compute(row)

    cdef const Shelf *_shelf_of(self, Row *row) noexcept nogil:
        if row.shelf < 0:
            row.shelf = find_shelf(self.book.slots, self.book.slot_mask, row.sku)
        return &self.book.shelves[row.shelf] if row.shelf >= 0 else NULL

    cdef bint _compute(self, int64_t index) noexcept nogil:
        """Compute a row; 1 if any number changed."""
        cdef Row *row = &self.rows[index]
        cdef size_t width = self.flow.vertex_count * sizeof(int64_t)
        cdef int64_t *stored = self.stored + index * self.flow.vertex_count
        self.flow.compute(self._shelf_of(row), &row.settings)
        if memcmp(stored, self.flow.number, width) == 0:
            return 0
        memcpy(stored, self.flow.number, width)
        if not row.is_changed:
            row.is_changed = 1
            self.changed[self.changed_count] = index
            self.changed_count += 1
        return 1


cdef tuple class_sums(PoolFlow flow, const Shelf *shelf):
    """Per class: units that its sources have free, and units that they offer."""
    cdef array units = clone(LONGS, flow.class_count, True)
    cdef array offered = clone(LONGS, flow.class_count, True)
    cdef int64_t counted
    cdef int32_t feeds
    cdef int32_t i
    for i in range(shelf.count if shelf else 0):
        feeds = flow.sources[shelf.source[i]].feeds
        if feeds >= 0 and flow.sources[shelf.source[i]].weight != KEPT:
            counted = min(max(<int64_t>0, shelf.free[i]), COUNTED_MOST)
            units.data.as_longlongs[feeds] += counted
            offered.data.as_longlongs[feeds] += counted * flow.sources[shelf.source[i]].weight
    for i in range(flow.class_count):
        offered.data.as_longlongs[i] = offered.data.as_longlongs[i] // WHOLE
    return units, offered


cdef array longs(const int64_t *numbers, int64_t count):
    cdef array copy = clone(LONGS, count, False)
    memcpy(copy.data.as_longlongs, numbers, count * sizeof(int64_t))
    return copy


cdef inline bint comes_before(const Setting *a, const Setting *b) noexcept nogil:
    return a.kind < b.kind or (a.kind == b.kind and a.vertex < b.vertex)


cdef int32_t setting_place(const Settings *settings, const Setting *setting) noexcept nogil:
    """Position of the setting of that kind and vertex, or where it belongs."""
    cdef int32_t low = 0
    cdef int32_t high = settings.count
    cdef int32_t middle
    while low < high:
        middle = (low + high) >> 1
        if comes_before(&settings.items[middle], setting):
            low = middle + 1
        else:
            high = middle
    return low


cdef int widen_settings(Settings *settings) noexcept nogil:
    cdef int32_t room = 2 * settings.room + FIRST_SETTINGS
    cdef Setting *items = <Setting *>realloc(settings.items, room * sizeof(Setting))
    if not items:
        return -1
    settings.items = items
    settings.room = room
    return 0


cdef int need_amount(int64_t amount, int64_t least) except -1:
    if not least <= amount <= UNITS_MOST:
        raise ValueError(f"{amount} is out of range, must be within {least} and {UNITS_MOST}")
    return 0
