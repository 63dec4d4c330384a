"""The product's own doors to real servers, with faults at the effects of a process."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import redis.exceptions

from backend.admission.valkey import Valkey
from backend.db.pool import Database
from loadtests.torture.effects import Effects, Fault

WORDS = 4
"""Of a statement in the trace."""


class FaultyDatabase(Database):
    """Each statement is an effect."""

    def __init__(self, pool: Any, effects: Effects) -> None:
        super().__init__(pool)
        self._effects = effects

    async def _open(self, stack: AsyncExitStack, begin: str) -> Any:
        self._effects.check_alive()
        return FaultyConnection(await super()._open(stack, begin), self._effects)


class FaultyConnection:
    """An open transaction's connection: one that got lost is lost for good."""

    def __init__(self, connection: Any, effects: Effects) -> None:
        self._connection = connection
        self._effects = effects

    def is_closed(self) -> bool:
        return bool(self._connection.is_closed())

    async def execute(self, text: str, *arguments: object) -> Any:
        return await self._perform("execute", text, *arguments)

    async def fetch(self, text: str, *arguments: object) -> Any:
        return await self._perform("fetch", text, *arguments)

    async def fetchrow(self, text: str, *arguments: object) -> Any:
        return await self._perform("fetchrow", text, *arguments)

    async def fetchval(self, text: str, *arguments: object) -> Any:
        return await self._perform("fetchval", text, *arguments)

    async def cursor(self, text: str, *arguments: object, prefetch: int) -> AsyncIterator[Any]:
        for row in await self.fetch(text, *arguments):
            yield row

    async def _perform(self, how: str, text: str, *arguments: object) -> Any:
        act = partial(getattr(self._connection, how), text, *arguments)
        return await self._effects.perform(" ".join(text.split()[:WORDS]), act, self._lost)

    def _lost(self, fault: Fault) -> Exception:
        self._connection.terminate()
        return ConnectionResetError("connection lost")


class FaultyValkey(Valkey):
    """Each call is an effect."""

    def __init__(self, url: str, effects: Effects) -> None:
        super().__init__(url)
        self.process = effects.name
        self._client = _Client(self._client, effects)


class _Client:
    def __init__(self, client: Any, effects: Effects) -> None:
        self._client = client
        self._effects = effects
        self.pubsub = client.pubsub
        self.aclose = client.aclose

    async def fcall(self, function: str, *arguments: Any) -> Any:
        act = partial(self._client.fcall, function, *arguments)
        return await self._effects.perform(function.rpartition("_")[0], act, _timed_out)

    async def execute_command(self, *arguments: Any) -> Any:
        act = partial(self._client.execute_command, *arguments)
        return await self._effects.perform(" ".join(map(str, arguments[:2])), act, _timed_out)

    def pipeline(self, *, transaction: bool) -> Any:
        pipeline = self._client.pipeline(transaction=transaction)
        execute = pipeline.execute

        async def perform() -> Any:
            return await self._effects.perform("pipeline", execute, _timed_out)

        pipeline.execute = perform
        return pipeline


def _timed_out(fault: Fault) -> Exception:
    return redis.exceptions.TimeoutError("timed out")
