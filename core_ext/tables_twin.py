"""Looking through the tables of a policy, in pure Python."""

from __future__ import annotations

from array import array


def extremes(table: array[int] | memoryview[int], /) -> tuple[int, int]:
    """The least and the greatest number of an array('i'), (0, 0) of an empty one."""
    return min(table, default=0), max(table, default=0)
