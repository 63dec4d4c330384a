"""The places that orders go to, numbered as they come, with their tables over the nodes."""

from array import array
from collections.abc import Callable, Iterable, Sequence

from backend.routing.model import Place


class Places:
    """Place i is row i of every table; a row is computed once, when its place is first needed."""

    def __init__(self) -> None:
        self._numbers: dict[Place, int] = {}
        self._tables: dict[str, tuple[int, array[int]]] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, place: Place) -> int:
        """Return the number of a place that was added."""
        return self._numbers[place]

    def add(self, places: Iterable[Place]) -> bool:
        """Number what is new; returns whether anything was."""
        before = len(self._numbers)
        for place in places:
            self._numbers.setdefault(place, len(self._numbers))
        return len(self._numbers) > before

    def table(self, name: str, row: Callable[[Place], Sequence[int]]) -> "array[int]":
        """Return `row(place)` for each place, one after the other; `name` tells tables apart."""
        count, table = self._tables.get(name, (0, array("i")))
        if count < len(self._numbers):
            for place in list(self._numbers)[count:]:
                table.extend(row(place))
            self._tables[name] = len(self._numbers), table
        return table
