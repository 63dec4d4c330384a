"""What the benchmarks stand on: servers of their own, a database per run, and serving processes."""

import asyncio
import itertools
import os
import secrets
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import NamedTuple

import asyncpg
import redis

from backend.db.migrate import migrate
from backend.embedded.errors import EmbeddedServiceError
from backend.embedded.services import EmbeddedServices
from backend.environment import Servers, ServersDidNotStart
from backend.network.nodes import load_regions
from backend.settings import Settings, environment_of, read_settings
from loadtests.processes import free_port, start_role, wait_until_ready

_names = itertools.count(1)

FillTemplate = Callable[[str], Awaitable[None]]
"""Puts a benchmark's brands into the database behind a URL."""


class Ground(NamedTuple):
    """Servers, with a database of this run's own."""

    where: Servers
    settings: Settings
    services: EmbeddedServices

    def environment(self, **changes: str) -> dict[str, str]:
        """Return the environment of a process that works on this database as in production."""
        here = {
            "environment": "production",
            "database_url": self.where.database_url,
            "valkey_url": self.where.valkey_url,
            "jwt_secret": self.where.secret,
            "log_level": "warning",
        }
        return environment_of(self.settings, **here | changes)


def bench_settings() -> Settings:
    """Return the settings with servers of our own, in a folder beside the demo's data."""
    settings = read_settings()
    own = {"data": settings.data / "bench", "database_url": "", "valkey_url": ""}
    return settings.model_copy(update={**own, "log_level": "warning"})


@contextmanager
def bench_servers() -> Iterator[Ground]:
    """Start PostgreSQL and Valkey for a benchmark, whatever the environment names."""
    settings = bench_settings()
    try:
        services = EmbeddedServices(settings.data)
        services.start()
    except EmbeddedServiceError as error:
        raise ServersDidNotStart(f"Cannot start: {error}") from error
    url = services.database_url
    try:
        secret = secrets.token_urlsafe(48)
        yield Ground(Servers(url, url, services.valkey_url, secret), settings, services)
    finally:
        services.stop()


@asynccontextmanager
async def fresh_database(
    ground: Ground, name: str, fill: FillTemplate | None = None
) -> AsyncIterator[Ground]:
    """Clone the template `bench_<name>`, made once and kept, into a database for this run.

    Without `fill` there is nothing in it.

    Valkey is emptied: tenants of different databases have the same ids.
    """
    template, clone = f"bench_{name}", f"bench_{name}_{os.getpid()}_{next(_names)}"
    admin = await asyncpg.connect(ground.where.migration_database_url)  # door-ok: makes databases
    try:
        await _make_template(admin, ground, template, fill)
        await admin.execute(f"create database {clone} template {template}")  # sql-ok: ours
        await admin.execute("checkpoint")
        with redis.Redis.from_url(ground.where.valkey_url) as valkey:
            valkey.flushall()
        try:
            url = _url_of(ground.where.database_url, clone)
            yield ground._replace(
                where=ground.where._replace(database_url=url, migration_database_url=url)
            )
        finally:
            await admin.execute(f"drop database {clone} with (force)")  # sql-ok: ours
    finally:
        await admin.close()


@asynccontextmanager
async def kept_database(ground: Ground, name: str, fill: FillTemplate) -> AsyncIterator[Ground]:
    """Use the database `bench_<name>` itself, made once and kept: large, and only read."""
    database = f"bench_{name}"
    admin = await asyncpg.connect(ground.where.migration_database_url)  # door-ok: makes databases
    try:
        await _make_template(admin, ground, database, fill)
    finally:
        await admin.close()
    url = _url_of(ground.where.database_url, database)
    yield ground._replace(where=ground.where._replace(database_url=url, migration_database_url=url))


async def _make_template(
    admin: asyncpg.Connection, ground: Ground, name: str, fill: FillTemplate | None
) -> None:
    url = _url_of(ground.where.database_url, name)
    known = "select true from pg_database where datname = $1"  # sql-ok: the server's own catalogue
    if await admin.fetchval(known, name):
        if not await migrate(url, load_regions):
            return
        await admin.execute(f"drop database {name} with (force)")  # sql-ok: ours
    await admin.execute(f"create database {name}")  # sql-ok: ours
    try:
        await migrate(url, load_regions)
        if fill is not None:
            await fill(url)
    except BaseException:
        await admin.execute(f"drop database {name} with (force)")  # sql-ok: ours
        raise


def _url_of(url: str, database: str) -> str:
    """Return the URL with another database in it."""
    base, mark, options = url.partition("?")
    return base.rpartition("/")[0] + "/" + database + mark + options


class Serving(NamedTuple):
    """Serving processes behind one address."""

    address: tuple[str, int]
    process: subprocess.Popen[bytes]


@asynccontextmanager
async def serving(
    ground: Ground, *, workers: int, with_worker: bool = True
) -> AsyncIterator[Serving]:
    """Run `yipan serve` and `yipan worker` as in production, and stop them at the end."""
    address = ("127.0.0.1", free_port())
    environment = ground.environment(port=str(address[1]))
    roles = [f"serve --workers={workers}", *(["worker"] if with_worker else [])]
    processes = [start_role(role, environment) for role in roles]
    try:
        await wait_until_ready(address, processes[0])
        yield Serving(address, processes[0])
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            await asyncio.to_thread(process.wait)
