"""Databases that are made once, for tests that leave them as they are."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from backend.db.pool import APPLICATION_ROLE, Database
from tests.catalogue import Connection
from tests.conftest import TEMPLATE, WORLD_TEMPLATE, Servers
from tests.tenants.sample import fill
from tests.world import World

SAMPLE = "yipan_sample"
STILL = "yipan_still"


@pytest.fixture(scope="session")
def sample_url(servers: Servers) -> str:
    """Rows of everybody; whoever uses it leaves it as it is."""
    asyncio.run(_make_sample(servers))
    return servers.url_of(SAMPLE)


async def _make_sample(servers: Servers) -> None:
    admin = await asyncpg.connect(servers.admin_url)
    await admin.execute(f"create database {SAMPLE} template {TEMPLATE}")
    await admin.close()
    await fill(servers.url_of(SAMPLE))


@pytest.fixture
async def sample(sample_url: str) -> AsyncIterator[Database]:
    """The application's pool on the sample."""
    opened = await Database.connect(sample_url)
    yield opened
    await opened.close()


@pytest.fixture
async def sample_admin(sample_url: str) -> AsyncIterator[Connection]:
    """The superuser, for whom no policy holds, on the sample."""
    connection = await asyncpg.connect(sample_url)
    yield connection
    await connection.close()


@pytest.fixture
async def sample_application(sample_url: str) -> AsyncIterator[Connection]:
    """The application's role without the door, on the sample."""
    settings = {"role": APPLICATION_ROLE}
    connection = await asyncpg.connect(sample_url, server_settings=settings)
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
def still_url(servers: Servers, ready_world: World) -> str:
    """The brands of `tests.world`; whoever uses it leaves it as it is."""
    asyncio.run(_make_still(servers))
    return servers.url_of(STILL)


async def _make_still(servers: Servers) -> None:
    admin = await asyncpg.connect(servers.admin_url)
    await admin.execute(f"create database {STILL} template {WORLD_TEMPLATE}")
    await admin.close()


@pytest.fixture
async def still(still_url: str) -> AsyncIterator[Database]:
    """The application's pool on the still world."""
    opened = await Database.connect(still_url)
    yield opened
    await opened.close()


@pytest.fixture
async def still_admin(still_url: str) -> AsyncIterator[Connection]:
    """The superuser, for whom no policy holds, on the still world."""
    connection = await asyncpg.connect(still_url)
    yield connection
    await connection.close()
