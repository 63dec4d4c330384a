"""Both servers together, with one data folder that one process at a time may use."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from backend.embedded.errors import system_errors_explained
from backend.embedded.folders import locked, remove_runtime_folders, require_free_space
from backend.embedded.postgres import PostgresServer
from backend.embedded.valkey import ValkeyServer


class EmbeddedServices:
    """PostgreSQL and Valkey as child processes, with data below `folder` (say `.yipan`).

    The data outlives them, and outlives a crash; deleting `folder` deletes it. As root PostgreSQL
    runs under a number of its own (see `account`), with the data in `folder` all the same.
    Start from the main thread: only then do the servers end when this process is killed;
    otherwise the next start ends them.
    """

    def __init__(self, folder: Path, *, database: bool = True, valkey: bool = True) -> None:
        self._folder = folder.resolve()
        self._postgres = PostgresServer(self._folder)
        self.valkey = ValkeyServer(self._folder)
        self._wanted = [
            server
            for server, is_wanted in ((self._postgres, database), (self.valkey, valkey))
            if is_wanted
        ]
        self._running: ExitStack | None = None

    @property
    def database_url(self) -> str:
        """For `asyncpg.connect`; known before the start, so other processes can ask for it too."""
        return self._postgres.url

    @property
    def valkey_url(self) -> str:
        """For `redis.asyncio.from_url`; known before the start."""
        return self.valkey.url

    def start(self) -> None:
        """Return once both answer; does nothing if they were started already.

        Locks `folder` until `stop`. Raises EmbeddedServiceError, and then nothing is left running.
        """
        if self._running is not None:
            return
        with ExitStack() as cleanup, system_errors_explained(self._folder):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            cleanup.enter_context(locked(self._folder))
            require_free_space(self._folder)
            cleanup.callback(remove_runtime_folders, self._folder)
            for server in self._wanted:
                cleanup.callback(server.stop)
                server.start()
            self._running = cleanup.pop_all()

    def stop(self) -> None:
        """End the servers in order and release `folder`; does nothing if they do not run."""
        if self._running is not None:
            running, self._running = self._running, None
            running.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
