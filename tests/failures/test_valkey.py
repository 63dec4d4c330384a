"""Valkey breaks while a crowd buys: all is sold, nothing twice, and soon every base is right."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import redis.asyncio

from backend.admission.valkey import ValkeyAway
from backend.embedded.folders import remove_runtime_folders
from backend.embedded.valkey import ValkeyServer
from backend.runtime import Runtime
from loadtests.processes import free_port
from loadtests.waiting import until
from loadtests.wire import Wire
from tests.failures.conftest import socket_of
from tests.failures.selling import assert_all_sold, processes, sell
from tests.world import World, draft, receive

UNITS, BUYERS = 120, 200
AWAY_SECONDS = 0.7
PAUSED_SECONDS = 3.0
DELAY_SECONDS = 0.03

Break = Callable[[ValkeyServer, Wire], Awaitable[object]]


async def kill(valkey: ValkeyServer, _: Wire) -> None:
    """Dead for a while, then another one, empty."""
    signal_to(valkey, signal.SIGKILL)
    await asyncio.to_thread(valkey.stop)
    await asyncio.sleep(AWAY_SECONDS)
    await asyncio.to_thread(valkey.start)


async def restart(valkey: ValkeyServer, _: Wire) -> None:
    """At once another one, empty."""
    await asyncio.to_thread(valkey.stop)
    await asyncio.to_thread(valkey.start)


async def flush(valkey: ValkeyServer, _: Wire) -> None:
    async with redis.asyncio.from_url(valkey.url) as client:
        await client.flushall()


async def forget_functions(valkey: ValkeyServer, _: Wire) -> None:
    async with redis.asyncio.from_url(valkey.url) as client:
        await client.function_flush()


async def pause(valkey: ValkeyServer, _: Wire) -> None:
    signal_to(valkey, signal.SIGSTOP)
    await asyncio.sleep(PAUSED_SECONDS)
    signal_to(valkey, signal.SIGCONT)


async def cut(_: ValkeyServer, wire: Wire) -> None:
    """The network is away for a while."""
    wire.is_down = True
    await wire.cut()
    await asyncio.sleep(AWAY_SECONDS)
    wire.is_down = False


async def slow_down(_: ValkeyServer, wire: Wire) -> None:
    wire.delay_seconds = DELAY_SECONDS


def signal_to(valkey: ValkeyServer, number: signal.Signals) -> None:
    os.kill(valkey.process_id, number)


@pytest.fixture
async def selling(database_url: str, valkey_url: str, world: World) -> AsyncIterator[list[Runtime]]:
    """Two processes with warm counters and something to sell."""
    async with processes(database_url, valkey_url, 2) as runtimes:
        await prepare(runtimes, world)
        yield runtimes


async def prepare(runtimes: list[Runtime], world: World) -> None:
    """Give them something to sell, and let their counters be warm."""
    await receive(runtimes[0].database, world.brand, "wh", "A", UNITS)
    for runtime in runtimes:
        await runtime.intake.place(draft({"B": 1}), world.brand)
        await until(partial(_is_warm, runtime, world))


async def _is_warm(runtime: Runtime, world: World) -> bool:
    try:
        return await runtime.admission.ensure_warm(world.tenant_id)
    except ValkeyAway:
        return False


@pytest.mark.parametrize(
    "breaking", [kill, restart, flush, forget_functions, pause, cut, slow_down]
)
async def test_all_is_sold_and_nothing_twice(
    selling: list[Runtime],
    world: World,
    valkey: ValkeyServer,
    valkey_wire: Wire,
    breaking: Break,
) -> None:
    sale = await sell(selling, world, BUYERS, lambda: breaking(valkey, valkey_wire))
    assert sale.refused == BUYERS - UNITS
    await assert_all_sold(selling[0], world, sale, UNITS)


@pytest.fixture
def replica(valkey: ValkeyServer, tmp_path: Path) -> Iterator[ValkeyServer]:
    """A second server that copies the first."""
    folder = tmp_path / "replica"
    folder.mkdir()
    server = ValkeyServer(folder)
    server.start()
    yield server
    server.stop()
    remove_runtime_folders(folder)


async def test_a_replica_that_is_behind_takes_over(
    selling: list[Runtime],
    world: World,
    valkey: ValkeyServer,
    valkey_wire: Wire,
    replica: ValkeyServer,
) -> None:
    await copy(valkey, replica)

    async def take_over() -> None:
        valkey_wire.target = socket_of(replica)
        await valkey_wire.cut()

    sale = await sell(selling, world, BUYERS, take_over)
    assert sale.refused == BUYERS - UNITS
    await assert_all_sold(selling[0], world, sale, UNITS)


async def copy(valkey: ValkeyServer, replica: ValkeyServer) -> None:
    """Copy the first into the second, which from then on knows nothing of what happens."""
    port = free_port()
    async with (
        redis.asyncio.from_url(valkey.url) as first,
        redis.asyncio.from_url(replica.url) as second,
    ):
        await first.config_set("port", port)
        await second.replicaof("127.0.0.1", port)

        async def is_copied() -> bool:
            return bool((await second.info("replication"))["master_link_status"] == "up")

        await until(is_copied)
        assert await second.dbsize() > 0
        await second.replicaof("NO", "ONE")
