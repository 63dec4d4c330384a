"""`yipan worker` does the background work of the brands that sell, and ends at a signal."""

import asyncio
from pathlib import Path

import pytest
import redis

from backend.admission.keys import warm_key
from tests.cli.databases import ask, find, settings_for
from tests.cli.running import end_of, started, wait_until
from tests.conftest import Servers
from tests.orders.checks import placed, second_runtime
from tests.world import World, paid, receive

RESERVED = "select coalesce(sum(reserved), 0)::int from stock_level"


@pytest.fixture
def waiting_units(servers: Servers, ready_world: World, world_url: str) -> int:
    """An order that waits for stock, and stock that came without anybody being told."""

    async def leave() -> None:
        async with second_runtime(world_url, servers.valkey_url) as runtime:
            waits = placed(await runtime.intake.place(paid("e1", {"A": 3}), ready_world.brand))
            assert waits.status == "backordered"
            await receive(runtime.database, ready_world.brand, "wh", "A", 10)

    asyncio.run(leave())
    assert ask(world_url, RESERVED) == 0
    return 3


def test_it_gives_to_who_waits_warms_again_and_ends_with_status_0(
    servers: Servers, ready_world: World, world_url: str, waiting_units: int, tmp_path: Path
) -> None:
    with (
        redis.Redis.from_url(servers.valkey_url) as valkey,
        started(tmp_path, "worker", **settings_for(servers, world_url)) as process,
    ):
        wait_until(lambda: reserved(world_url, waiting_units), process)
        valkey.flushall()
        wait_until(lambda: valkey.exists(warm_key(ready_world.tenant_id)), process)
        process.terminate()
        finished = end_of(process)
        assert not valkey.exists(warm_key(ready_world.other_tenant_id))
    assert (finished.status, finished.out) == (0, "")
    assert "Traceback" not in finished.err


async def reserved(url: str, units: int) -> bool:
    return bool(await find(url, RESERVED) == units)
