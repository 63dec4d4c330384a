"""Arrays of rows in PostgreSQL's binary format: what a batch stores, encoded in one go.

The format is that of `array_recv` and `record_recv` (PostgreSQL, src/backend/utils/adt):
big-endian; an array is its dimensions and its elements, a row the type and the value of each field,
each value preceded by its length, or by -1 where it is null.
"""

from cpython.bytes cimport (
    PyBytes_AsString,
    PyBytes_Check,
    PyBytes_FromStringAndSize,
    PyBytes_GET_SIZE,
)
from cpython.long cimport PyLong_Check
from cpython.tuple cimport PyTuple_Check, PyTuple_GET_ITEM, PyTuple_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int16_t, int32_t, int64_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from datetime import date, datetime, timezone

cdef enum:
    BOOL = 16
    BYTEA = 17
    INT8 = 20
    INT2 = 21
    INT4 = 23
    TEXT = 25
    INT8_ARRAY = 1016
    TEXT_ARRAY = 1009
    DATE = 1082
    TIMESTAMPTZ = 1184

TYPES = frozenset((BOOL, BYTEA, INT8, INT2, INT4, TEXT, INT8_ARRAY, TEXT_ARRAY, DATE, TIMESTAMPTZ))
"""The types that a field may have, by their numbers in `pg_type`."""

cdef object FIRST_DAY = date(2000, 1, 1)
cdef object FIRST_MOMENT = datetime(2000, 1, 1, tzinfo=timezone.utc)


cdef class _Buffer:
    """Bytes that grow."""

    cdef char *data
    cdef Py_ssize_t size
    cdef Py_ssize_t room

    def __dealloc__(self):
        free(self.data)

    cdef int ensure(self, Py_ssize_t more) except -1:
        cdef Py_ssize_t room = self.size + more
        if room <= self.room:
            return 0
        room += room // 2 + 4096
        cdef char *data = <char *>realloc(self.data, room)
        if data == NULL:
            raise MemoryError
        self.data = data
        self.room = room
        return 0

    cdef int write(self, const char *data, Py_ssize_t size) except -1:
        self.ensure(size)
        memcpy(self.data + self.size, data, size)
        self.size += size
        return 0

    cdef int write_int16(self, int64_t value) except -1:
        cdef char raw[2]
        raw[0] = <char>(value >> 8)
        raw[1] = <char>value
        return self.write(raw, 2)

    cdef int write_int32(self, int64_t value) except -1:
        self.ensure(4)
        self.put_int32(self.size, value)
        self.size += 4
        return 0

    cdef void put_int32(self, Py_ssize_t at, int64_t value) noexcept:
        cdef char *to = self.data + at
        to[0] = <char>(value >> 24)
        to[1] = <char>(value >> 16)
        to[2] = <char>(value >> 8)
        to[3] = <char>value

    cdef int write_int64(self, int64_t value) except -1:
        self.write_int32(value >> 32)
        return self.write_int32(value)


cdef class RowArray:
    """Encodes lists of tuples as arrays of one row type."""

    def __init__(self, row_type, field_types):
        if len(field_types) > FIELDS_MOST:
            raise ValueError(f"a row has at most {FIELDS_MOST} fields")
        if unknown := set(field_types) - TYPES:
            raise ValueError(f"fields of the types {sorted(unknown)} are not encoded here")
        self._row_type = row_type
        self._count = len(field_types)
        for index, field_type in enumerate(field_types):
            self._types[index] = field_type

    def encode(self, rows):
        cdef _Buffer to = _Buffer()
        cdef Py_ssize_t start
        cdef int index
        _begin_array(to, self._row_type, len(rows))
        for row in rows:
            if not PyTuple_Check(row) or PyTuple_GET_SIZE(row) != self._count:
                raise TypeError(f"a tuple of {self._count} fields is expected, not {row!r}")
            start = to.size
            to.write_int32(0)
            to.write_int32(self._count)
            for index in range(self._count):
                to.write_int32(self._types[index])
                _write_value(to, self._types[index], <object>PyTuple_GET_ITEM(row, index))
            _end_value(to, start)
        return PyBytes_FromStringAndSize(to.data, to.size)


cdef int _begin_array(_Buffer to, uint32_t element_type, Py_ssize_t length) except -1:
    """Begin an array of one dimension; an empty one has none."""
    to.write_int32(1 if length else 0)
    to.write_int32(0)  # a flag that nothing reads: whether there are nulls
    to.write_int32(element_type)
    if length:
        to.write_int32(length)
        to.write_int32(1)
    return 0


cdef int _end_value(_Buffer to, Py_ssize_t start) except -1:
    """Say how long the value is whose length stands at `start`."""
    if to.size > 0x7FFFFFFF:
        raise ValueError("an array holds at most 2 GiB")
    to.put_int32(start, to.size - start - 4)
    return 0


cdef inline object _whole(object value):
    """Return a whole number; conversions to C would cut off what a fraction has."""
    if not PyLong_Check(value):
        raise TypeError(f"an int is expected, not {type(value).__name__}")
    return value


cdef int _write_value(_Buffer to, uint32_t kind, object value) except -1:
    """Write a value with its length; raises TypeError, OverflowError or UnicodeEncodeError."""
    cdef Py_ssize_t size, start
    cdef const char *text
    if value is None:
        return to.write_int32(-1)
    if kind == INT8:
        to.write_int32(8)
        return to.write_int64(<int64_t>_whole(value))
    if kind == TEXT:
        text = PyUnicode_AsUTF8AndSize(value, &size)
        to.write_int32(size)
        return to.write(text, size)
    if kind == INT4:
        to.write_int32(4)
        return to.write_int32(<int32_t>_whole(value))
    if kind == INT2:
        to.write_int32(2)
        return to.write_int16(<int16_t>_whole(value))
    if kind == BOOL:
        if not isinstance(value, bool):
            raise TypeError(f"a bool is expected, not {type(value).__name__}")
        to.write_int32(1)
        return to.write(b"\x01" if value else b"\x00", 1)
    if kind == BYTEA:
        if not PyBytes_Check(value):
            raise TypeError(f"bytes are expected, not {type(value).__name__}")
        to.write_int32(PyBytes_GET_SIZE(value))
        return to.write(PyBytes_AsString(value), PyBytes_GET_SIZE(value))
    if kind == DATE:
        to.write_int32(4)
        return to.write_int32((value - FIRST_DAY).days)
    if kind == TIMESTAMPTZ:
        since = value - FIRST_MOMENT
        to.write_int32(8)
        return to.write_int64(
            (<int64_t>since.days * 86_400 + <int64_t>since.seconds) * 1_000_000
            + <int64_t>since.microseconds
        )
    start = to.size
    to.write_int32(0)
    element = INT8 if kind == INT8_ARRAY else TEXT
    _begin_array(to, element, len(value))
    for one in value:
        _write_value(to, element, one)
    return _end_value(to, start)
