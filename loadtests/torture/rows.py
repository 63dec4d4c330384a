"""Rows as a driver hands them out: by position and by name."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

Fields: TypeAlias = dict[str, Any]


class Row(tuple[Any, ...]):
    """One row of an answer; quacks like the driver's record."""

    names: tuple[str, ...]

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return tuple.__getitem__(self, self.names.index(key))
        return tuple.__getitem__(self, key)

    def keys(self) -> tuple[str, ...]:
        return self.names


def row(**fields: Any) -> Row:
    """Return a row with these columns, in this order."""
    made = Row(fields.values())
    made.names = tuple(fields)
    return made


def columns(fields: Fields, names: Sequence[str]) -> Row:
    """Return some columns of a stored row."""
    return row(**{name: fields[name] for name in names})


def chosen(rows: Iterable[Fields], names: str) -> list[Row]:
    """Return the columns, named in one text, of stored rows."""
    listed = names.split()
    return [columns(fields, listed) for fields in rows]
