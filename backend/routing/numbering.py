"""Places that orders go to and classes of goods, numbered as they come, with their tables."""

from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

from backend.routing.model import Goods, Place

Key = TypeVar("Key")


class Numbering(Generic[Key]):
    """Key i is row i of every table; a row is computed once, when its key is first needed."""

    def __init__(self) -> None:
        self._numbers: dict[Key, int] = {}
        self._tables: dict[str, tuple[int, array[int]]] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, key: Key) -> int:
        """Return the number of a key that was added."""
        return self._numbers[key]

    def add(self, keys: Iterable[Key]) -> bool:
        """Number what is new; returns whether anything was."""
        before = len(self._numbers)
        for key in keys:
            self._numbers.setdefault(key, len(self._numbers))
        return len(self._numbers) > before

    def keys_from(self, number: int) -> list[Key]:
        """Return the keys from a number on, in the order of their numbers."""
        return list(islice(self._numbers, number, None))

    def table(self, name: str, row: Callable[[Key], Sequence[int]]) -> "array[int]":
        """Return `row(key)` for each key, one after the other; `name` tells tables apart."""
        count, table = self._tables.get(name, (0, array("i")))
        if count < len(self._numbers):
            for key in self.keys_from(count):
                table.extend(row(key))
            self._tables[name] = len(self._numbers), table
        return table


class Tables(NamedTuple):
    """What the tables of a policy are numbered by."""

    places: Numbering[Place]
    goods: Numbering[Goods]


def new_tables() -> Tables:
    return Tables(Numbering(), Numbering())
