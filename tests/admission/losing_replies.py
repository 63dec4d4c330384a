"""A way to a server on which answers get lost after the server has done what it was asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote

CHUNK_BYTES = 65_536


class Way:
    """Passes everything on, until it is told to lose answers; counts what it passed to there."""

    def __init__(self, url: str, socket: Path) -> None:
        self._server_socket = unquote(url.removeprefix("unix://"))
        self._socket = socket
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = f"unix://{socket}"
        self.loses = False
        self.asked = b""

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(self._server_socket)
        asking = asyncio.create_task(self._ask(reader, to_server))
        while answer := await from_server.read(CHUNK_BYTES):
            if self.loses:
                break
            writer.write(answer)
        asking.cancel()
        await asyncio.wait([asking])
        for each in (writer, to_server):
            each.close()

    async def _ask(self, reader: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
        while question := await reader.read(CHUNK_BYTES):
            self.asked += question
            to_server.write(question)
        to_server.write_eof()

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Way"]:
        """Listen."""
        async with await asyncio.start_unix_server(self._connected, self._socket):
            yield self
