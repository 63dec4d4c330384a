"""Serving: one uvicorn in this process, on a socket that was opened before anything starts."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from backend.db.errors import YipanError

BACKLOG = 2_048
SHUTDOWN_SECONDS = 10
"""How long requests in flight get to finish."""


class PortInUse(YipanError):
    """The port is in use; stop what uses it, or choose another with YIPAN_PORT."""

    code = "PORT_IN_USE"


def open_socket(host: str, port: int) -> socket.socket:
    """Take the port; raises PortInUse."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise PortInUse(
            f"Cannot listen on {host}:{port} ({error.strerror}). Stop what uses it, or choose "
            "another with YIPAN_PORT."
        ) from error
    listening.listen(BACKLOG)
    return listening


class _Uvicorn(uvicorn.Server):
    """Stops at a signal, and leaves it at that: uvicorn would raise it again."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


class Server:
    """The HTTP server of this process."""

    def __init__(self, app: ASGIApp, listening: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            ws="websockets-sansio",
            lifespan="on",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        self._server = _Uvicorn(config)
        self._listening = listening

    async def serve(self) -> None:
        """Serve until a signal comes; requests in flight are finished."""
        await self._server.serve(sockets=[self._listening])

    async def started(self) -> None:
        """Wait until requests are answered."""
        while not self._server.started and not self._server.should_exit:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    def stop(self) -> None:
        """Take no more requests, finish those in flight, and let `serve` return."""
        self._server.should_exit = True
