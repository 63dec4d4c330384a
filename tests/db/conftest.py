"""Connections that are not the application's, and a database without a schema."""

import itertools
from collections.abc import AsyncIterator

import asyncpg
import pytest

from backend.db.pool import APPLICATION_ROLE
from tests.catalogue import Connection
from tests.conftest import Servers

_numbers = itertools.count(1)


@pytest.fixture
async def application(database_url: str) -> AsyncIterator[Connection]:
    """The application's role, outside of the pool."""
    settings = {"role": APPLICATION_ROLE}
    connection = await asyncpg.connect(database_url, server_settings=settings)
    yield connection
    await connection.close()


@pytest.fixture
async def empty_url(servers: Servers) -> AsyncIterator[str]:
    """A database without anything."""
    name = f"empty_{next(_numbers)}"
    admin = await asyncpg.connect(servers.admin_url)
    await admin.execute(f"create database {name}")
    yield servers.url_of(name)
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()
