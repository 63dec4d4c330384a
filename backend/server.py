"""Serving: one uvicorn in this process, on a socket that was opened before anything starts."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import structlog
import uvicorn
from starlette.types import ASGIApp

from backend.db.errors import YipanError

READY = b"r"
"""What a child writes when it answers requests."""
BACKLOG = 2_048
SHUTDOWN_SECONDS = 10
"""How long requests in flight get to finish."""
NOT_ACCEPTING_SECONDS = 1.0
KEEP_ALIVE_SECONDS = 75
"""How long an idle connection stays: longer than a load balancer keeps it, so that it ends it."""

log = structlog.get_logger(__name__)


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
    listening.setblocking(False)
    return listening


def inherited_socket(descriptor: int) -> socket.socket:
    """Return the listening socket that a supervisor opened."""
    listening = socket.socket(fileno=descriptor)
    listening.setblocking(False)
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

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        acceptors: list[Any] = [Acceptor(each, self._protocol) for each in sockets or ()]
        self.servers += acceptors

    def _protocol(self) -> asyncio.Protocol:
        protocol: Any = self.config.http_protocol_class
        made: asyncio.Protocol = protocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made


class Acceptor:
    """Takes connections from a socket that several processes share, one in each round of its loop.

    The loop's own server takes all that wait at once: then one process has most of a rush, and the
    others stand idle.
    """

    def __init__(self, listening: socket.socket, protocol: Callable[[], asyncio.Protocol]) -> None:
        self._listening = listening
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._handing_over: set[asyncio.Task[None]] = set()
        self._is_closed = False
        self._listen()

    def close(self) -> None:
        self._is_closed = True
        self._loop.remove_reader(self._listening)

    async def wait_closed(self) -> None:
        await asyncio.gather(*self._handing_over)

    def _listen(self) -> None:
        if not self._is_closed:
            self._loop.add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        try:
            connection, _ = self._listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            # Too many files are open: those that are connected go on.
            log.warning("server.not_accepting", error=str(error))
            self._loop.remove_reader(self._listening)
            self._loop.call_later(NOT_ACCEPTING_SECONDS, self._listen)
            return
        connection.setblocking(False)
        task = self._loop.create_task(self._hand_over(connection))
        self._handing_over.add(task)
        task.add_done_callback(self._handing_over.discard)

    async def _hand_over(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection)
        except OSError:
            connection.close()


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
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
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

    async def serve_for(self, supervisor: "Supervised") -> None:
        """Serve, say so when requests are answered, and stop when the supervisor is gone."""
        serving = asyncio.create_task(self.serve())
        await self.started()
        if self._server.started:
            supervisor.say_ready()
        watching = asyncio.create_task(supervisor.gone())
        await asyncio.wait([serving, watching], return_when=asyncio.FIRST_COMPLETED)
        watching.cancel()
        self.stop()
        await serving


class Supervised:
    """A child's side of its supervisor: a pipe to say so, standard input to notice its end."""

    def __init__(self, ready: int) -> None:
        self._ready = ready

    def say_ready(self) -> None:
        # The supervisor may have ended meanwhile; then we end as well.
        with suppress(BrokenPipeError), os.fdopen(self._ready, "wb", buffering=0) as pipe:
            pipe.write(READY)

    async def gone(self) -> None:
        """Wait until the supervisor has ended, however it did."""
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        await reader.read()
