"""The API around the test's runtime: in process, and on a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from starlette.types import ASGIApp

from backend.app import create_app
from backend.runtime import Runtime
from backend.server import Server, open_socket
from tests.api.client import Api


@pytest.fixture
async def app(runtime: Runtime) -> ASGIApp:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Runtime]:
        yield runtime

    return create_app(opened(), is_development=True)


@pytest.fixture
async def address(app: ASGIApp) -> AsyncIterator[str]:
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
