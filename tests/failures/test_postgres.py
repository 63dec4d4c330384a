"""PostgreSQL breaks while a crowd buys: nobody loses an order, and nothing is half-written."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest

from backend.db.errors import DatabaseUnavailable
from backend.db.migrate import migrate
from backend.db.pool import Database
from backend.embedded.folders import remove_runtime_folders
from backend.embedded.postgres import PostgresServer
from backend.network.nodes import load_regions
from backend.runtime import Runtime
from loadtests.waiting import until
from loadtests.wire import Trap, Wire
from tests.failures.conftest import POSTGRES_PORT, host_of, url_through
from tests.failures.selling import assert_all_sold, assert_healed, insist, processes, sell
from tests.failures.test_killed import COMMIT
from tests.failures.test_valkey import BUYERS, UNITS, prepare
from tests.orders.checks import facts, placed
from tests.world import World, create_world, draft, receive

AWAY_SECONDS = 0.7
COMMITS_CUT = 8
DELAY_SECONDS = 0.02
DISK_MB = 320
FULL_SECONDS = 1.0
RECEIPTS_MAX = 1_000
"""A page of some table is full long before."""
WAIT_BOUND_SECONDS = 15.0


class Broken(NamedTuple):
    """A server that a test may break, and the wire that leads to it."""

    server: PostgresServer
    wire: Wire
    admin_url: str


Break = Callable[[Broken], Awaitable[object]]


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path | None]:
    """A small disk, where we may mount one."""
    folder = tmp_path_factory.mktemp("disk")
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        yield None
        return
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="module")
def own_postgres(
    disk: Path | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PostgresServer]:
    folder = disk or tmp_path_factory.mktemp("postgres")
    server = PostgresServer(folder)
    server.start()
    yield server
    server.stop()
    remove_runtime_folders(folder)


@pytest.fixture(scope="module")
def own_world(own_postgres: PostgresServer) -> World:
    return asyncio.run(_make_world(own_postgres.url))


async def _make_world(url: str) -> World:
    admin = await asyncpg.connect(url)
    await admin.execute("create database own_world")
    await admin.close()
    await migrate(_url_of(url, "own_world"), load_regions)
    database = await Database.connect(_url_of(url, "own_world"))
    try:
        return await create_world(database)
    finally:
        await database.close()


def _url_of(admin_url: str, database: str) -> str:
    return admin_url.replace("/postgres?", f"/{database}?")


@pytest.fixture
async def broken(own_postgres: PostgresServer, own_world: World) -> AsyncIterator[Broken]:
    """A database of the test's own on the server that it may break."""
    admin = await asyncpg.connect(own_postgres.url)
    await admin.execute("create database broken template own_world")
    await admin.close()
    url = _url_of(own_postgres.url, "broken")
    async with Wire(f"{host_of(url)}/.s.PGSQL.{POSTGRES_PORT}") as wire:
        yield Broken(own_postgres, wire, url)
    admin = await asyncpg.connect(own_postgres.url)
    await admin.execute("drop database broken with (force)")
    await admin.close()


@pytest.fixture
async def selling(
    broken: Broken, own_world: World, valkey_url: str
) -> AsyncIterator[list[Runtime]]:
    """Two processes with warm counters and something to sell."""
    url = url_through(broken.wire, broken.admin_url)
    async with processes(url, valkey_url, 2) as runtimes:
        await prepare(runtimes, own_world)
        yield runtimes


async def restart(broken: Broken) -> None:
    await asyncio.to_thread(broken.server.stop)
    await asyncio.sleep(AWAY_SECONDS)
    await asyncio.to_thread(broken.server.start)


async def crash(broken: Broken) -> None:
    """One of its processes is killed: it ends all of them and recovers from its log."""
    os.kill((await _backends(broken))[0], signal.SIGKILL)


async def lose_commits(broken: Broken) -> None:
    """Connections break with the commit on its way: some arrive, some do not."""
    for passes in (True, False) * (COMMITS_CUT // 2):
        broken.wire.trap = Trap(COMMIT, passes=passes, cuts=True)
        await asyncio.wait_for(broken.wire.trap.sprung.wait(), 30)


async def slow_down(broken: Broken) -> None:
    broken.wire.delay_seconds = DELAY_SECONDS


async def _backends(broken: Broken) -> list[int]:
    admin = await asyncpg.connect(broken.admin_url)
    try:
        rows = await admin.fetch(
            "select pid from pg_stat_activity where datname = 'broken' and pid <> pg_backend_pid()"
        )
    finally:
        await admin.close()
    return [row["pid"] for row in rows]


@pytest.mark.parametrize("breaking", [restart, crash, lose_commits, slow_down])
async def test_all_is_sold_and_nothing_twice(
    selling: list[Runtime], own_world: World, broken: Broken, breaking: Break
) -> None:
    sale = await sell(selling, own_world, BUYERS, lambda: breaking(broken))
    assert sale.refused == BUYERS - UNITS
    await assert_all_sold(selling[0], own_world, sale, UNITS)


async def test_a_full_disk_refuses_and_loses_nothing(
    selling: list[Runtime], own_world: World, disk: Path | None
) -> None:
    if disk is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no disk can be mounted")
        pytest.skip("only root may mount a disk that can be full")
    commands = 1

    async def fill_up() -> None:
        nonlocal commands
        filler = disk / "filler"
        filler.write_bytes(bytes(shutil.disk_usage(disk).free))
        try:
            commands += await _receive_until_full(selling[0], own_world)
            await asyncio.sleep(FULL_SECONDS)
        finally:
            filler.unlink()

    sale = await sell(selling, own_world, BUYERS, fill_up)
    assert sale.refused == BUYERS - UNITS
    await assert_all_sold(selling[0], own_world, sale, UNITS, commands=commands)


async def _receive_until_full(runtime: Runtime, world: World) -> int:
    """Return how often stock was received before there was no room for more."""
    for received in range(RECEIPTS_MAX):
        try:
            await receive(runtime.database, world.brand, "wh", "C", 1)
        except DatabaseUnavailable:
            return received
    raise AssertionError("the disk is not full")


async def test_a_database_that_stays_away_is_said_so_in_time(
    selling: list[Runtime], own_world: World, broken: Broken
) -> None:
    runtime, order = selling[0], draft({"A": 1})
    before = await facts(runtime, own_world)
    broken.wire.is_down = True
    await broken.wire.cut()
    async with asyncio.timeout(WAIT_BOUND_SECONDS):
        with pytest.raises(DatabaseUnavailable):
            await runtime.intake.place(order, own_world.brand)
    broken.wire.is_down = False
    await until(lambda: _are(runtime, own_world, before))
    placed(await insist(runtime, own_world, order))
    await assert_healed(runtime, own_world)


async def _are(runtime: Runtime, world: World, expected: object) -> bool:
    try:
        return await facts(runtime, world) == expected
    except DatabaseUnavailable:
        return False
