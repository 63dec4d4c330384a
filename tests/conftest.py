"""Real PostgreSQL and Valkey for every test that touches data; one database cloned for each."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest
import redis
from hypothesis import settings

from backend.db.migrate import migrate
from backend.db.pool import Database
from backend.embedded import postgres
from backend.embedded.services import EmbeddedServices
from backend.network.nodes import load_regions
from backend.runtime import Runtime, open_runtime
from tests.catalogue import Connection
from tests.databases import Cloner
from tests.world import World, create_world

TEMPLATE = "yipan_template"
WORLD_TEMPLATE = "yipan_world"
HASTY = ("fsync", "full_page_writes", "synchronous_commit")
"""What a database that nobody misses after a power cut does without: said on its command line,
which what `alter system` says does not change."""
IN_MEMORY, ROOM_BYTES = Path("/dev/shm"), 3 * 2**30
SECRET = "a secret for tests, of more than 32 characters"

settings.register_profile("unhurried", deadline=None)
"""How long an example takes is for benchmarks: a machine that is busy fails no test."""
settings.load_profile("unhurried")


class Servers(NamedTuple):
    """The servers of the test session."""

    admin_url: str
    valkey_url: str

    def url_of(self, database: str) -> str:
        return self.admin_url.replace("/postgres?", f"/{database}?")


@contextmanager
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for the servers: in memory where there is room, for cloning waits for the disk."""
    if IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free >= ROOM_BYTES:
        with tempfile.TemporaryDirectory(prefix="yipan-tests-", dir=IN_MEMORY) as folder:
            yield Path(folder)
    else:
        yield tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with _folder(tmp_path_factory) as folder, ExitStack() as running:
        with pytest.MonkeyPatch.context() as patch:
            for setting in HASTY:
                patch.setitem(postgres.SETTINGS, setting, "off")
            services = running.enter_context(EmbeddedServices(folder))
        started = Servers(services.database_url, services.valkey_url)
        asyncio.run(_make_template(started))
        yield started


async def _make_template(servers: Servers) -> None:
    admin = await asyncpg.connect(servers.admin_url)
    await admin.execute(f"create database {TEMPLATE}")
    await admin.close()
    await migrate(servers.url_of(TEMPLATE), load_regions)


@pytest.fixture(scope="session")
def ready_world(servers: Servers) -> World:
    """The brands of `tests.world`, created once, in a template of their own."""
    return asyncio.run(_make_world(servers))


async def _make_world(servers: Servers) -> World:
    admin = await asyncpg.connect(servers.admin_url)
    await admin.execute(f"create database {WORLD_TEMPLATE} template {TEMPLATE}")
    await admin.close()
    database = await Database.connect(servers.url_of(WORLD_TEMPLATE))
    try:
        return await create_world(database)
    finally:
        await database.close()


@pytest.fixture(scope="session")
def cloner(servers: Servers) -> Iterator[Cloner]:
    with Cloner(servers.admin_url) as started:
        yield started


@pytest.fixture
def template(request: pytest.FixtureRequest) -> str:
    """What the test's database is cloned from: with the world in it where the test asks for it."""
    if "world" not in request.fixturenames:
        return TEMPLATE
    request.getfixturevalue("ready_world")
    return WORLD_TEMPLATE


@pytest.fixture
def database_url(servers: Servers, cloner: Cloner, template: str) -> Iterator[str]:
    """A database of the test's own, with schema and regions."""
    name = cloner.clone(template)
    yield servers.url_of(name)
    cloner.drop(name)


@pytest.fixture
async def admin(database_url: str) -> AsyncIterator[Connection]:
    """The superuser, for whom no policy holds, in the test's database."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await Database.connect(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def valkey_url(servers: Servers) -> str:
    """An empty Valkey."""
    with redis.Redis.from_url(servers.valkey_url) as client:
        client.flushall()
    return servers.valkey_url


@pytest.fixture
async def runtime(database_url: str, valkey_url: str) -> AsyncIterator[Runtime]:
    """A process's parts, without its background work."""
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(
            open_runtime(database_url, valkey_url, SECRET, with_maintenance=False)
        )


@pytest.fixture
def world(ready_world: World, database_url: str) -> World:
    """A small brand in the test's database: see `tests.world`."""
    # What a test adds to it is its own.
    return ready_world._replace(
        nodes=dict(ready_world.nodes),
        skus=dict(ready_world.skus),
        dealers=dict(ready_world.dealers),
    )


SLOW = ("kafka", "torture", "replay", "failures", "cli", "publishing", "api")
"""Folders whose tests wait for other processes: they begin first, and the quick ones fill up."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let slow files come first, so that no worker is left alone with them in the end."""
    items.sort(key=lambda item: not any(part in SLOW for part in item.path.parent.parts))
