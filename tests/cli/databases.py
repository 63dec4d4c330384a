"""Databases that a process of its own works on, and what is in them."""

import asyncio
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import asyncpg
import redis

from tests.catalogue import contents
from tests.conftest import SECRET, Servers

_numbers = itertools.count(1)
Settings = Mapping[str, object]


def clone(servers: Servers, template: str) -> Iterator[str]:
    """A database, and an empty Valkey, as long as the fixture lives that yields from here."""
    name = f"commands_{next(_numbers)}"
    with redis.Redis.from_url(servers.valkey_url) as client:
        client.flushall()
    ask(servers.admin_url, f"create database {name} template {template}")
    yield servers.url_of(name)
    ask(servers.admin_url, f"drop database {name} with (force)")


def settings_for(servers: Servers, url: str) -> Settings:
    """Return the settings of a process that works on a database of the test servers."""
    return {"database_url": url, "valkey_url": servers.valkey_url, "jwt_secret": SECRET}


async def find(url: str, statement: str) -> Any:
    """Carry out a statement as the superuser, and return the first value of what it finds."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def ask(url: str, statement: str) -> Any:
    """The same, where nothing else runs."""
    return asyncio.run(find(url, statement))


def contents_of(url: str) -> dict[str, Any]:
    """Return a mark for each table of a database that differs wherever its rows do."""

    async def run() -> dict[str, Any]:
        connection = await asyncpg.connect(url)
        try:
            return await contents(connection)
        finally:
            await connection.close()

    return asyncio.run(run())
