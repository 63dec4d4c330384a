"""Refusals: each has its code and leaves everything as it was.

So one database is enough for all refusals of a folder: its conftest imports the fixtures.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from backend.db.errors import YipanError
from backend.db.pool import Database
from tenants.principal import PermissionMissing
from tests.catalogue import Connection, contents
from tests.conftest import WORLD_TEMPLATE, Servers
from tests.world import World

_numbers = itertools.count(1)


class Refused:
    """What was refused, once it was."""

    error: Exception


@asynccontextmanager
async def refused(admin: Connection, code: str) -> AsyncIterator[Refused]:
    """What is inside is refused with this code, and changes nothing."""
    before, seen = await contents(admin), Refused()
    with pytest.raises((YipanError, PermissionMissing)) as raised:
        yield seen
    seen.error = raised.value
    assert isinstance(seen.error, YipanError | PermissionMissing)
    assert seen.error.code == code
    assert await contents(admin) == before


@pytest.fixture(scope="session")
def still_url(servers: Servers, ready_world: World) -> str:
    """A database with the world of `tests.world`; whoever uses it leaves it as it is."""
    return asyncio.run(clone_world(servers))


async def clone_world(servers: Servers) -> str:
    """Return the address of a database of its own, with the world in it."""
    name = f"still_{next(_numbers)}"
    admin = await asyncpg.connect(servers.admin_url)
    await admin.execute(f"create database {name} template {WORLD_TEMPLATE}")
    await admin.close()
    return servers.url_of(name)


@pytest.fixture
async def still(still_url: str) -> AsyncIterator[Database]:
    """The application's pool on the database that stays as it is."""
    opened = await Database.connect(still_url)
    yield opened
    await opened.close()


@pytest.fixture
async def still_admin(still_url: str) -> AsyncIterator[Connection]:
    """The superuser on the database that stays as it is."""
    connection = await asyncpg.connect(still_url)
    yield connection
    await connection.close()
