"""Databases that are made once, for tests that leave them as they are."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from backend.db.pool import APPLICATION_ROLE, Database
from tests.catalogue import Connection
from tests.conftest import TEMPLATE, Servers
from tests.refusals import still, still_admin, still_url
from tests.tenants.sample import fill

__all__ = ["still", "still_admin", "still_url"]

SAMPLE = "yipan_sample"


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
