"""The client of one process to the simulated Valkey: what `backend.admission.valkey` calls."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, TypeVar

from redis.exceptions import ConnectionError, TimeoutError

from backend.admission.valkey import TIMEOUT_SECONDS, Valkey
from loadtests.torture.effects import Effects, Fault
from loadtests.torture.valkey_server import ValkeyServer

ResultT = TypeVar("ResultT")
ANNOUNCEMENT_SECONDS = 0.001


class SimulatedValkey(Valkey):
    """The product's own client, with its connections exchanged."""

    def __init__(self, server: ValkeyServer, effects: Effects) -> None:
        super().__init__("redis://simulated")
        self.process = effects.name
        self._client = _Client(self, server, effects)


class _Client:
    """What the product uses of the library's client: each call is an effect."""

    def __init__(self, valkey: Valkey, server: ValkeyServer, effects: Effects) -> None:
        self._valkey = valkey
        self._server = server
        self._effects = effects
        self._life = 0

    async def fcall(self, function: str, count: int, *arguments: Any) -> Any:
        keys, rest = arguments[:count], arguments[count:]
        name = function.rpartition("_")[0]
        return await self._ask(name, partial(self._server.call, function, keys, rest))

    async def execute_command(self, *arguments: Any) -> Any:
        what = " ".join(map(str, arguments[:2]))[:40]
        return await self._ask(what, partial(self._server.command, *arguments))

    def pipeline(self, *, transaction: bool) -> "_Pipeline":
        return _Pipeline(self)

    def pubsub(self, *, ignore_subscribe_messages: bool) -> "_Subscriber":
        return _Subscriber(self._server, self._effects)

    async def aclose(self) -> None:
        return

    async def _ask(self, what: str, act: Callable[[], ResultT]) -> ResultT:
        if not self._server.is_up:
            await asyncio.sleep(0)
            raise ConnectionError("connection refused")
        if self._life != self._server.lives:
            self._life = self._server.lives
            self._valkey.connections_made += 1
        paused = self._server.paused_until - asyncio.get_running_loop().time()
        if paused > TIMEOUT_SECONDS:
            await asyncio.sleep(TIMEOUT_SECONDS)
            raise TimeoutError("timed out")

        async def answer() -> ResultT:
            if not self._server.is_up or self._life != self._server.lives:
                raise ConnectionError("the server has gone")
            return act()

        return await self._effects.perform(what, answer, _timed_out)


class _Pipeline:
    """Commands in one go."""

    def __init__(self, client: _Client) -> None:
        self._client = client
        self._commands: list[tuple[Any, ...]] = []

    async def __aenter__(self) -> "_Pipeline":
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    def execute_command(self, *arguments: Any) -> None:
        self._commands.append(arguments)

    async def execute(self) -> list[Any]:
        server = self._client._server
        return await self._client._ask(
            f"{len(self._commands)} commands",
            lambda: [server.command(*command) for command in self._commands],
        )


class _Subscriber:
    """A pub/sub connection; it breaks with the server's life."""

    def __init__(self, server: ValkeyServer, effects: Effects) -> None:
        self._server = server
        self._effects = effects
        self._queue: asyncio.Queue[dict[str, Any] | Exception] = asyncio.Queue()

    async def psubscribe(self, *patterns: str) -> None:
        await self._effects.perform("psubscribe", self._subscribe, _timed_out)

    async def _subscribe(self) -> None:
        if not self._server.is_up:
            raise ConnectionError("connection refused")
        self._server.subscribers[self._queue] = None

    async def listen(self) -> AsyncIterator[dict[str, Any]]:
        while True:
            message = await self._queue.get()
            await asyncio.sleep(ANNOUNCEMENT_SECONDS)
            self._effects.check_alive()
            if isinstance(message, Exception):
                raise message
            yield message

    async def aclose(self) -> None:
        self._server.subscribers.pop(self._queue, None)


def _timed_out(fault: Fault) -> Exception:
    return TimeoutError("timed out")
