"""Several serving processes behind one socket: started, watched, replaced one by one.

The socket is opened here and inherited, so a connection that waits in its queue is answered by
whichever process accepts next, whatever happens to the others. A child ends by itself when its
standard input ends: so none outlives a supervisor that was killed.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence

import structlog

from backend.db.errors import YipanError
from backend.metrics import SHARED_FOLDER, forget_process
from backend.server import READY

log = structlog.get_logger(__name__)

START_SECONDS = 60.0
"""How long a process may take until it answers: the pool opens, the schema is checked."""
STOP_SECONDS = 20.0
"""How long a process may take to finish what is in flight; then it is killed."""
RESTART_PAUSE_SECONDS = 1.0
"""Before a process that died is started anew: a mistake in it must not eat a core."""


class ServerDied(YipanError):
    """A serving process ended before it answered; its log says why."""

    code = "SERVER_DIED"


class Child:
    """One serving process."""

    def __init__(self, process: asyncio.subprocess.Process, shared: str) -> None:
        self.process = process
        self._shared = shared

    @classmethod
    async def start(
        cls, command: Sequence[str], environment: Mapping[str, str], listening: socket.socket
    ) -> "Child":
        """Start a process on the socket and return once it answers; raises ServerDied."""
        said, says = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                f"--socket={listening.fileno()}",
                f"--ready={says}",
                stdin=asyncio.subprocess.PIPE,
                pass_fds=(listening.fileno(), says),
                env=environment,
                start_new_session=True,
            )
        except BaseException:
            os.close(said)
            raise
        finally:
            os.close(says)
        child = cls(process, environment[SHARED_FOLDER])
        try:
            await asyncio.wait_for(_read_ready(said), START_SECONDS)
        except (TimeoutError, EOFError) as error:
            await child.stop()
            raise ServerDied from error
        return child

    async def stop(self) -> None:
        """Let it finish what is in flight; kill it if that takes too long."""
        if self.process.returncode is None:
            self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), STOP_SECONDS)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        self.forget()

    def forget(self) -> None:
        """Take its gauges out of the figures that all processes show together."""
        forget_process(self.process.pid, self._shared)


async def _read_ready(descriptor: int) -> None:
    """Wait until a child says that it answers; raises EOFError if it ends instead."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    with os.fdopen(descriptor, "rb", buffering=0) as pipe:
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        try:
            if await reader.read(1) != READY:
                raise EOFError
        finally:
            transport.close()


class Supervisor:
    """Keeps a number of serving processes alive until it is told to stop."""

    def __init__(
        self,
        count: int,
        environment: Mapping[str, str],
        listening: socket.socket,
    ) -> None:
        self._count = count
        self._command = (sys.executable, "-m", "backend", "serve")
        self._environment = environment
        self._listening = listening
        self._children: list[Child] = []
        self._stopping = asyncio.Event()
        self._turn = asyncio.Lock()
        self._started = asyncio.Event()

    async def run(self) -> None:
        """Start the processes and keep them; returns after SIGINT or SIGTERM.

        SIGHUP replaces them one by one: the next begins to answer before the last one stops to.
        Raises ServerDied if one does not start at first.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)
        replacing: set[asyncio.Task[None]] = set()
        loop.add_signal_handler(
            signal.SIGHUP, lambda: replacing.add(asyncio.create_task(self._replace_all()))
        )
        try:
            self._children = list(
                await asyncio.gather(*(self._start() for _ in range(self._count)))
            )
            log.info("supervisor.ready", processes=self._count)
            self._started.set()
            await asyncio.gather(*(self._keep(place) for place in range(self._count)))
        finally:
            for task in replacing:
                task.cancel()
            await asyncio.gather(*replacing, return_exceptions=True)
            await asyncio.gather(*(child.stop() for child in self._children))

    async def _start(self) -> Child:
        return await Child.start(self._command, self._environment, self._listening)

    async def _keep(self, place: int) -> None:
        """Start a process anew whenever the one at this place dies, until we stop."""
        stopping = asyncio.create_task(self._stopping.wait())
        while not stopping.done():
            child = self._children[place]
            died = asyncio.create_task(child.process.wait())
            await asyncio.wait([died, stopping], return_when=asyncio.FIRST_COMPLETED)
            if stopping.done():
                died.cancel()
                return
            async with self._turn:
                if self._children[place] is child:
                    child.forget()
                    log.error("supervisor.process_died", status=child.process.returncode)
                    await self._start_again(place)

    async def _start_again(self, place: int) -> None:
        while not self._stopping.is_set():
            await asyncio.sleep(RESTART_PAUSE_SECONDS)
            try:
                self._children[place] = await self._start()
            except ServerDied as error:
                log.error("supervisor.not_started", error=error.message)
            else:
                return

    async def _replace_all(self) -> None:
        await self._started.wait()
        async with self._turn:
            for place in range(self._count):
                old = self._children[place]
                try:
                    self._children[place] = await self._start()
                except ServerDied as error:
                    log.error("supervisor.not_replaced", error=error.message)
                    return
                await old.stop()
            log.info("supervisor.replaced", processes=self._count)
