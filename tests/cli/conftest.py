"""Databases for all tests of a module."""

from collections.abc import Iterator

import pytest

from tests.cli.databases import clone
from tests.conftest import WORLD_TEMPLATE, Servers
from tests.world import World


@pytest.fixture(scope="module")
def world_url(servers: Servers, ready_world: World) -> Iterator[str]:
    """A database with the brands of `tests.world`."""
    yield from clone(servers, WORLD_TEMPLATE)


@pytest.fixture(scope="module")
def unmigrated_url(servers: Servers) -> Iterator[str]:
    """A database without a table."""
    yield from clone(servers, "template0")


@pytest.fixture(scope="module")
def seeded_url(servers: Servers) -> Iterator[str]:
    """Another one without a table, for the demo's brand."""
    yield from clone(servers, "template0")
