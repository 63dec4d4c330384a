"""A brand with a past for every test: made once, cloned for each."""

import asyncio

import asyncpg
import pytest

from backend.runtime import Runtime, open_runtime
from tests.audit.history import make_history
from tests.conftest import SECRET, WORLD_TEMPLATE, Servers
from tests.world import World

HISTORY_TEMPLATE = "yipan_history"


@pytest.fixture(scope="session")
def template(servers: Servers, ready_world: World) -> str:
    """The world, and what `make_history` does in it."""
    asyncio.run(_make_template(servers, ready_world))
    return HISTORY_TEMPLATE


async def _make_template(servers: Servers, world: World) -> None:
    admin = await asyncpg.connect(servers.admin_url)
    await admin.execute(f"create database {HISTORY_TEMPLATE} template {WORLD_TEMPLATE}")
    await admin.close()
    url = servers.url_of(HISTORY_TEMPLATE)
    async with open_runtime(url, servers.valkey_url, SECRET, with_maintenance=False) as runtime:
        await make_history(runtime, world)


@pytest.fixture
async def brand(runtime: Runtime, world: World) -> World:
    """The brand with its past, its counters known to Valkey."""
    assert await runtime.admission.ensure_warm(world.tenant_id)
    return world
