"""A wire between a client and a server: it can be slow, it can be cut, and it can stand still.

Everything that a network does to us happens here, byte for byte, between real processes and real
servers: the wire listens on a port of loopback and passes on to a port or a unix socket.
"""

import asyncio
import re
from contextlib import suppress
from typing import Self

from loadtests.processes import free_port

CHUNK_BYTES = 1 << 16

Target = tuple[str, int] | str
"""A host and port, or the path of a unix socket."""
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Trap:
    """What a wire does when a client sends what it waits for: that connection stands still.

    `passes` says whether the bytes still reach the server. `cuts` breaks the connection instead
    of letting it stand still. It springs `times` times; with `after`, no sooner than that was sent.
    """

    def __init__(
        self,
        marker: re.Pattern[bytes],
        *,
        passes: bool,
        cuts: bool = False,
        times: int = 1,
        after: re.Pattern[bytes] | None = None,
    ) -> None:
        self.marker = marker
        self.after = after
        self.passes = passes
        self.cuts = cuts
        self.times = times
        self.sprung = asyncio.Event()

    def catches(self, chunk: bytes) -> bool:
        if self.after is not None:
            if self.after.search(chunk) is None:
                return False
            self.after = None
        return self.times > 0 and self.marker.search(chunk) is not None


class Wire:
    """One address that leads to a server; use as an asynchronous context."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.address = ("127.0.0.1", free_port())
        self.delay_seconds = 0.0
        """Of every chunk, each way."""
        self.swallows_answers = False
        """Whether what the server says gets lost."""
        self.trap: Trap | None = None
        self.is_down = False
        """Whether new connections are refused."""
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, *self.address)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self.cut()

    async def cut(self) -> None:
        """Break every connection."""
        carrying = list(self._open)
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "the server runs this in a task"
        self._open.add(task)
        try:
            if not self.is_down:
                await self._carry((reader, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            _break(writer)

    async def _carry(self, client: Streams) -> None:
        server = await self._connect()
        still = asyncio.Event()
        ways = [
            asyncio.create_task(self._there(client[0], server[1], still)),
            asyncio.create_task(self._back(server[0], client[1], still)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            _break(server[1])

    async def _connect(self) -> Streams:
        if isinstance(self.target, str):
            return await asyncio.open_unix_connection(self.target)
        return await asyncio.open_connection(*self.target)

    async def _there(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, still: asyncio.Event
    ) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            trap = self.trap
            is_caught = trap is not None and trap.catches(chunk)
            if is_caught:
                still.set()
            if trap is None or not is_caught or trap.passes:
                await self._pass(chunk, writer)
            if trap is not None and is_caught:
                trap.times -= 1
                trap.sprung.set()
                if not trap.cuts:
                    await asyncio.Event().wait()
                return

    async def _back(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, still: asyncio.Event
    ) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            if still.is_set() or self.swallows_answers:
                continue
            await self._pass(chunk, writer)

    async def _pass(self, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        writer.write(chunk)
        await writer.drain()


def _break(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, RuntimeError):
        writer.transport.abort()
        writer.close()
