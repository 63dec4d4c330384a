"""Processes over made-up counters, on one database: each test has a tenant of its own."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import asyncpg
import pytest

from backend.admission import valkey
from backend.embedded.valkey import ValkeyServer
from tests.admission.accidents import Address, flush
from tests.admission.authority import ONE_SERVER, Authority, Process, open_process
from tests.cluster import ValkeyClusterServers
from tests.conftest import TEMPLATE, Servers

EPOCHS = "admission_epochs"
_tenants = itertools.count(1)


class Another(Protocol):
    """Opens another process of the same tenant."""

    def __call__(
        self, *, valkey_url: str = ..., tenant_id: int = ...
    ) -> AbstractAsyncContextManager[Process]: ...


@pytest.fixture(scope="session")
def epochs_url(servers: Servers) -> Iterator[str]:
    """A database for epochs alone; no brand is in it."""
    asyncio.run(_carry_out(servers, f"create database {EPOCHS} template {TEMPLATE}"))
    yield servers.url_of(EPOCHS)
    asyncio.run(_carry_out(servers, f"drop database {EPOCHS} with (force)"))


async def _carry_out(servers: Servers, statement: str) -> None:
    admin = await asyncpg.connect(servers.admin_url)
    await admin.execute(statement)
    await admin.close()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyClusterServers]:
    with ValkeyClusterServers(tmp_path_factory.mktemp("cluster")) as servers:
        yield servers


@pytest.fixture
def valkey_url(request: pytest.FixtureRequest, valkey_url: str) -> str:
    """An empty Valkey: one server, or a cluster where the module asks for both (`ON_BOTH`)."""
    if getattr(request, "param", ONE_SERVER) == ONE_SERVER:
        return valkey_url
    servers: ValkeyClusterServers = request.getfixturevalue("cluster")
    servers.flush()
    return servers.url


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy machine be no server that is away; who tests that is impatient by itself."""
    monkeypatch.setattr(valkey, "TIMEOUT_SECONDS", 5.0)


@pytest.fixture
def authority() -> Authority:
    """No counters yet."""
    return Authority()


@pytest.fixture
def tenant_id() -> int:
    """A tenant that no other test has."""
    return next(_tenants)


@pytest.fixture
def another(epochs_url: str, valkey_url: str, tenant_id: int, authority: Authority) -> Another:
    """Opens another process of the tenant: `async with another() as other`."""
    return partial(
        open_process,
        epochs_url,
        valkey_url=valkey_url,
        tenant_id=tenant_id,
        authority=authority,
    )


@pytest.fixture
async def process(another: Another) -> AsyncIterator[Process]:
    """A process; nothing is warm."""
    async with another() as opened:
        yield opened


@pytest.fixture(scope="session")
def own_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[ValkeyServer]]:
    """Two Valkeys for what befalls one: the session's own is everybody's."""
    with ExitStack() as stack:
        started = []
        for _ in range(2):
            server = ValkeyServer(tmp_path_factory.mktemp("valkey"))
            stack.callback(server.stop)
            server.start()
            started.append(server)
        yield started


@pytest.fixture
def server_urls(own_servers: list[ValkeyServer]) -> list[str]:
    """Two empty Valkeys of which neither is that of `valkey_url`."""
    for server in own_servers:
        flush(server.url)
    return [server.url for server in own_servers]


@pytest.fixture
def address(server_urls: list[str]) -> Iterator[Address]:
    """An address that leads to the first of these servers."""
    with TemporaryDirectory(prefix="yipan-test-") as folder:
        address = Address(Path(folder))
        address.lead_to(server_urls[0])
        yield address


@pytest.fixture
async def follower(another: Another, address: Address) -> AsyncIterator[Process]:
    """A process that knows its Valkey by the address alone."""
    async with another(valkey_url=address.url) as opened:
        yield opened
