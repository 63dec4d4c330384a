"""A cluster filters as one server does, and survives the death of the server that it asks."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from backend.admission.keys import warm_key
from backend.runtime import Runtime
from tests.cluster import ValkeyClusterServers
from tests.failures.selling import assert_all_sold, processes, sell
from tests.failures.test_valkey import BUYERS, UNITS, prepare
from tests.world import World


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyClusterServers]:
    with ValkeyClusterServers(tmp_path_factory.mktemp("cluster")) as servers:
        yield servers


@pytest.fixture
async def selling(
    database_url: str, cluster: ValkeyClusterServers, world: World
) -> AsyncIterator[list[Runtime]]:
    async with processes(database_url, cluster.url, 2) as runtimes:
        await prepare(runtimes, world)
        yield runtimes


async def test_all_is_sold_and_nothing_twice(selling: list[Runtime], world: World) -> None:
    sale = await sell(selling, world, BUYERS, lambda: asyncio.sleep(0))
    assert sale.refused == BUYERS - UNITS
    await assert_all_sold(selling[0], world, sale, UNITS)


async def test_a_failover_in_the_middle_loses_nothing(
    selling: list[Runtime], world: World, cluster: ValkeyClusterServers
) -> None:
    dead = cluster.primary_of(warm_key(world.tenant_id))

    async def die() -> None:
        await asyncio.to_thread(dead.kill)

    sale = await sell(selling, world, BUYERS, die)
    assert sale.refused == BUYERS - UNITS
    await assert_all_sold(selling[0], world, sale, UNITS)
    assert cluster.primary_of(warm_key(world.tenant_id)) is not dead
