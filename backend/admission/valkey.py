"""The connection to Valkey and the calls of the server-side functions.

A call that fails says so with ValkeyAway, and for a moment no other is tried: Valkey is a filter in
front of PostgreSQL, and waiting for it would cost more than it saves.
"""

import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgpack
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from backend.db.errors import YipanError

FUNCTIONS = Path(__file__).with_name("functions.lua").read_text("utf-8")
VERSION = hashlib.sha256(FUNCTIONS.encode()).hexdigest()[:12]
"""Part of the functions' names: during an upgrade each process calls those it was built with."""
TIMEOUT_SECONDS = 0.5
"""A batch takes a few milliseconds; past this the server is paused or away."""
RETRY_AFTER_SECONDS = 0.25
"""How long a server that failed is left alone."""
CONNECTIONS_MAX = 64


class ValkeyAway(YipanError):
    """The admission filter does not answer; orders go straight through the database."""

    code = "UNAVAILABLE"


class Identity(NamedTuple):
    """Which life of which server answers."""

    run_id: str
    replication_id: str


class Valkey:
    """The client of one process."""

    def __init__(self, url: str) -> None:
        # Who finds all connections in use waits for one: the server is busy then, and not away.
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS_MAX,
            timeout=TIMEOUT_SECONDS,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            # An admission that timed out may have been carried out: it is never sent again.
            retry=Retry(NoBackoff(), 0),
            redis_connect_func=self._connected,
        )
        self._client: Any = redis.asyncio.Redis.from_pool(pool)
        self._away_until = 0.0
        self.connections_made = 0
        """Raised with every new connection: the server behind it may be another one."""

    async def _connected(self, connection: Any) -> None:
        self.connections_made += 1
        await connection.on_connect()

    async def close(self) -> None:
        await self._client.aclose()

    async def call(self, function: str, keys: Sequence[str], *arguments: str | bytes | int) -> Any:
        """Call a server-side function, loading the library where the server lacks it."""

        async def fcall() -> Any:
            return await self._client.fcall(f"{function}_{VERSION}", len(keys), *keys, *arguments)

        try:
            return await self._guarded(fcall)
        except ResponseError as error:
            if "Function not found" not in str(error):
                raise
            await self.load_functions()
            return await self._guarded(fcall)

    async def command(self, *arguments: str | bytes | int) -> Any:
        """Send one plain command."""

        async def execute() -> Any:
            return await self._client.execute_command(*arguments)

        return await self._guarded(execute)

    async def load_functions(self) -> None:
        await self.command("FUNCTION", "LOAD", "REPLACE", FUNCTIONS.replace("VERSION", VERSION))

    async def identity(self) -> Identity:
        """Ask the server which one it is."""
        server = await self.command("INFO", "server")
        replication = await self.command("INFO", "replication")
        return Identity(str(server["run_id"]), str(replication["master_replid"]))

    def subscriber(self) -> Any:
        """Return a pub/sub connection of the client."""
        return self._client.pubsub(ignore_subscribe_messages=True)

    async def _guarded(self, call: Callable[[], Awaitable[Any]]) -> Any:
        if time.monotonic() < self._away_until:
            raise ValkeyAway
        try:
            return await call()
        except ResponseError:
            raise
        except (RedisError, OSError, TimeoutError) as error:
            self._away_until = time.monotonic() + RETRY_AFTER_SECONDS
            raise ValkeyAway(f"{ValkeyAway.__doc__} ({error})") from error


def pack(value: object) -> bytes:
    packed: bytes = msgpack.packb(value, use_bin_type=False)
    return packed


def unpack(value: bytes) -> Any:
    return msgpack.unpackb(value, raw=False)
