"""Named statements, each as what it does to the rows."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from loadtests.torture.rows import Row

Value = Any
"""An array of a statement's arguments, of whatever type."""
Statement = Callable[..., Awaitable[list[Row] | int]]
"""Takes the session and the query's arguments; answers rows, or how many were touched."""
StatementT = TypeVar("StatementT", bound=Statement)


class Statements(dict[str, Statement]):
    """Statements by the name of their query."""

    def add(self, act: StatementT) -> StatementT:
        """Register a function as the statement of its name."""
        assert act.__name__ not in self, f"{act.__name__} is given twice"
        self[act.__name__] = act
        return act
