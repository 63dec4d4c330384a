"""The connection to Valkey and the calls of the server-side functions.

A call that fails says so with ValkeyAway, and for a moment no other is tried: Valkey is a filter in
front of PostgreSQL, and waiting for it would cost more than it saves.
"""

import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgpack
import redis.asyncio
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.maint_notifications import MaintNotificationsConfig

from backend.clock import now
from backend.db.errors import YipanError

log = structlog.get_logger(__name__)

FUNCTIONS = Path(__file__).with_name("functions.lua").read_text("utf-8")
VERSION = hashlib.sha256(FUNCTIONS.encode()).hexdigest()[:12]
"""Part of the functions' names: during an upgrade each process calls those it was built with."""
LIBRARY = FUNCTIONS.replace("VERSION", VERSION)
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


def connect_valkey(url: str) -> "Valkey":
    """Return the client of one server, or of a cluster: `valkey+cluster://host:port`."""
    found = re.match(r"^valkey(s?)\+cluster://", url)
    if found is None:
        # The library knows the protocol by its older name.
        return Valkey(re.sub(r"^valkey(s?)://", r"redis\1://", url))
    return ValkeyCluster(f"redis{found[1]}://{url[found.end() :]}")


class Valkey:
    """The client of one process to one server."""

    failures: tuple[type[Exception], ...] = (RedisError, OSError, TimeoutError)
    """What the library raises where the server is away."""

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
        self._is_away = False
        self.process = secrets.token_hex(4)
        """Who we are in announcements: a process need not listen to itself."""
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

    async def commands(self, commands: Sequence[Sequence[str | bytes | int]]) -> list[Any]:
        """Send plain commands in one go, and return their answers in order."""

        async def execute() -> Any:
            async with self._client.pipeline(transaction=False) as pipeline:
                for command in commands:
                    pipeline.execute_command(*command)
                return await pipeline.execute()

        return list(await self._guarded(execute)) if commands else []

    async def load_functions(self) -> None:
        await self.command("FUNCTION", "LOAD", "REPLACE", LIBRARY)

    async def server_of(self, key: str) -> str:
        """Return the name of the server that has a key; raises ValkeyAway."""
        return ""

    async def identity(self, server: str) -> Identity:
        """Ask a server which one it is; raises ValkeyAway."""
        replies = [await self.command("INFO", part) for part in ("server", "replication")]
        return _identity(*replies)

    def subscriber(self) -> Any:
        """Return a pub/sub connection of the client."""
        return self._client.pubsub(ignore_subscribe_messages=True)

    async def _guarded(self, call: Callable[[], Awaitable[Any]]) -> Any:
        if now() < self._away_until:
            raise ValkeyAway
        try:
            answer = await call()
        except ResponseError:
            raise
        except self.failures as error:
            self._away_until = now() + RETRY_AFTER_SECONDS
            if not self._is_away:
                self._is_away = True
                log.warning("valkey.away", error=str(error))
            raise ValkeyAway(f"{ValkeyAway.__doc__} ({error})") from error
        if self._is_away:
            self._is_away = False
            log.info("valkey.back")
        return answer


class ValkeyCluster(Valkey):
    """The client of one process to a cluster: a tenant's keys lie together, on one of its servers.

    Nobody counts connections here. That another server has taken over is seen by its name, and, if
    it took the name as well, within a second by the maintenance.
    """

    # While servers come and go the library stumbles over its own map of them (redis 8.1).
    failures = (*Valkey.failures, KeyError, AttributeError)

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._client = redis.asyncio.RedisCluster.from_url(
            url,
            max_connections=CONNECTIONS_MAX,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            # A server that moved is asked where everything lies now, at once.
            reinitialize_steps=1,
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )

    async def close(self) -> None:
        await super().close()
        # What the client was about to look up anew it does not close.
        await self._client.nodes_manager.aclose()

    async def load_functions(self) -> None:
        async def load() -> None:
            await self._client.function_load(LIBRARY, replace=True)

        await self._guarded(load)

    async def server_of(self, key: str) -> str:
        async def find() -> str:
            await self._client.initialize()
            return str(self._client.get_node_from_key(key).name)

        return str(await self._guarded(find))

    async def identity(self, server: str) -> Identity:
        async def ask(part: str) -> dict[str, Any]:
            node = self._client.get_node(node_name=server)
            return dict(await self._client.info(part, target_nodes=node))

        replies = [await self._guarded(partial(ask, part)) for part in ("server", "replication")]
        return _identity(*replies)


def _identity(server: dict[str, Any], replication: dict[str, Any]) -> Identity:
    return Identity(str(server["run_id"]), str(replication["master_replid"]))


def pack(value: object) -> bytes:
    packed: bytes = msgpack.packb(value, use_bin_type=False)
    return packed


def unpack(value: bytes) -> Any:
    return msgpack.unpackb(value, raw=False)
