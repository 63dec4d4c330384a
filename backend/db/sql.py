"""Loads the named queries of a centre from its `queries.sql`.

A file is a sequence of `-- name --`, a one-line description as a comment, and the statement.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

NAME_LINE = re.compile(r"^-- (\w+) --$", re.MULTILINE)


class Query(NamedTuple):
    """A named statement; the transaction takes these and never a string."""

    name: str
    description: str
    text: str


class Queries:
    """The queries of one file, as attributes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queries = {query.name: query for query in parse_queries(path.read_text("utf-8"))}

    def __getattr__(self, name: str) -> Query:
        try:
            return self._queries[name]
        except KeyError:
            raise AttributeError(f"{self._path} has no query {name!r}") from None

    def __iter__(self) -> Iterator[Query]:
        return iter(self._queries.values())


def load_queries(module_file: str) -> Queries:
    """Return the queries of the `queries.sql` beside `module_file` (pass `__file__`)."""
    return Queries(Path(module_file).with_name("queries.sql"))


def parse_queries(text: str) -> list[Query]:
    """Split the text of a `queries.sql`; raises ValueError for a name given twice."""
    parts = NAME_LINE.split(text)[1:]
    queries: dict[str, Query] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        description, _, statement = body.strip().partition("\n")
        if name in queries or not description.startswith("-- "):
            raise ValueError(f"query {name!r} is given twice or has no description")
        queries[name] = Query(name, description[3:], statement.strip().rstrip(";"))
    return list(queries.values())
