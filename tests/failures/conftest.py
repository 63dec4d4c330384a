"""Servers of a test's own, which it may break, behind wires that it may cut."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from backend.embedded.folders import remove_runtime_folders
from backend.embedded.valkey import ValkeyServer
from loadtests.wire import Wire

POSTGRES_PORT = 5432
LEFT_OPEN = "ignore::pytest.PytestUnraisableExceptionWarning"
"""Connections that broke are left to the garbage collector, by the libraries and by who died."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings(LEFT_OPEN))


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A Valkey of the test's own."""
    server = ValkeyServer(tmp_path)
    server.start()
    yield server
    server.stop()
    remove_runtime_folders(tmp_path)


@pytest.fixture
async def valkey_wire(valkey: ValkeyServer) -> AsyncIterator[Wire]:
    async with Wire(socket_of(valkey)) as wire:
        yield wire


@pytest.fixture
def valkey_url(valkey_wire: Wire) -> str:
    """The test's own Valkey, through its wire."""
    return "redis://{}:{}".format(*valkey_wire.address)


@pytest.fixture
async def database_wire(database_url: str) -> AsyncIterator[Wire]:
    """A wire to the session's PostgreSQL, for whom connects by `url_through`."""
    async with Wire(f"{host_of(database_url)}/.s.PGSQL.{POSTGRES_PORT}") as wire:
        yield wire


def host_of(database_url: str) -> str:
    """Return the folder of the socket that a URL names."""
    return parse_qs(urlsplit(database_url).query)["host"][0]


def url_through(wire: Wire, database_url: str) -> str:
    """Return the URL of a database, by way of a wire."""
    parts = urlsplit(database_url)
    host, port = wire.address
    return f"postgresql://{parts.username or 'postgres'}@{host}:{port}{parts.path}"


def socket_of(valkey: ValkeyServer) -> str:
    return unquote(valkey.url.removeprefix("unix://"))
