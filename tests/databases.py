"""Databases for the tests, cloned from templates."""

import asyncio
import itertools
from typing import Self

import asyncpg

CLONE = "create database {name} template {template} strategy file_copy"
"""Copying files takes half of what copying pages through the log takes, which is the default."""


class Cloner:
    """Clones databases and drops them, over one connection for all tests.

    In a loop of its own, for each test has another; and never while a test runs: until a statement
    that makes a database ends, no relay on the whole server publishes what came after its begin.
    """

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url
        self._loop = asyncio.new_event_loop()
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        self._admin = self._loop.run_until_complete(asyncpg.connect(self._admin_url))
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run_until_complete(self._admin.close())
        self._loop.close()

    def clone(self, template: str) -> str:
        """Make a database like the template, and return its name."""
        name = f"test_{next(self._numbers)}"
        self._execute(CLONE.format(name=name, template=template))
        return name

    def drop(self, name: str) -> None:
        self._execute(f"drop database {name} with (force)")

    def _execute(self, statement: str) -> None:
        self._loop.run_until_complete(self._admin.execute(statement))
