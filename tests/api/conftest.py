"""The API around the test's runtime: in process, and on a real socket."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import httpx2
import pytest
import uvicorn.server
from starlette.types import ASGIApp

from backend.app import create_app
from backend.runtime import Runtime
from backend.server import Server, open_socket
from tests.api.carried import ACCOUNT, CARRIER, Carried
from tests.api.client import Api
from tests.fulfilment.carrier import Fate, carrier_process
from tests.inventory.pools.living import live
from tests.world import World

__all__ = ["live"]

TICK_SECONDS = 0.005


@pytest.fixture
def brisk_uvicorn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let uvicorn look whether it is to stop, and whether all have gone, often.

    It does so every 0.1 s, and waits for as long before it ends: more than most tests here take.
    """

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(min(seconds, TICK_SECONDS))

    brisk = SimpleNamespace(**(vars(asyncio) | {"sleep": sleep}))
    monkeypatch.setattr(uvicorn.server, "asyncio", brisk)


@pytest.fixture
async def app(runtime: Runtime) -> ASGIApp:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Runtime]:
        yield runtime

    return create_app(opened(), is_development=True)


@pytest.fixture
async def address(app: ASGIApp, brisk_uvicorn: None) -> AsyncIterator[str]:
    """The app on a real socket; host and port."""
    listening = open_socket("127.0.0.1", 0)
    server = Server(app, listening)
    serving = asyncio.create_task(server.serve())
    await server.started()
    yield f"127.0.0.1:{listening.getsockname()[1]}"
    server.stop()
    await serving


@pytest.fixture
async def api(address: str, runtime: Runtime) -> AsyncIterator[Api]:
    limits = httpx2.Limits(max_connections=100)
    async with httpx2.AsyncClient(
        base_url=f"http://{address}", timeout=30, limits=limits
    ) as client:
        yield Api(client, runtime.tokens, address)


@pytest.fixture(scope="module")
def carrier_url() -> Iterator[str]:
    with carrier_process("--seed", "7") as url:
        yield url


@pytest.fixture
async def carried(
    api: Api, address: str, runtime: Runtime, world: World, carrier_url: str
) -> AsyncIterator[Carried]:
    async with httpx2.AsyncClient() as http:
        fate = Fate(carrier_url, http)
        found = Carried(api, runtime, world, fate)
        await fate.forget()
        saved = await found.run(ACCOUNT, **CARRIER, url=carrier_url)
        await fate.call_back(f"http://{address}{saved['eventsPath']}")
        yield found
