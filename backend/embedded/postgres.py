"""PostgreSQL on a unix socket, for the demo and the tests."""

import shutil
import signal
from pathlib import Path
from urllib.parse import quote, urlencode

from backend.embedded.account import hand_over, server_account
from backend.embedded.cluster import data_argument, forget_dead_server, make_cluster
from backend.embedded.folders import fits_socket, make_runtime_folder, runtime_folder
from backend.embedded.handshake import takes_connections
from backend.embedded.processes import START_TIMEOUT_SECONDS, ChildServer
from backend.embedded.programs import postgres_programs

PORT = 5432
SUPERUSER = "postgres"
SOCKET_NAME = f".s.PGSQL.{PORT}"
# After a crash the log is replayed first: up to 2 GB, at some 20 MB a second on a slow disk.
RECOVERY_TIMEOUT_SECONDS = 120.0
SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "max_connections": "200",
    "shared_buffers": "256MB",
    # Commits wait for the disk, as in production: the figures we publish include it.
    "fsync": "on",
    "synchronous_commit": "on",
    # Nobody replicates from here, so the least is logged, and checkpoints are rare.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class PostgresServer:
    """PostgreSQL with its data in `folder`/postgres/data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._home = folder / "postgres"
        self._data = self._home / "data"
        self._account = server_account(self._data)
        self._sockets = self._home / "sockets"
        # Another account cannot be expected to reach the data folder by its path.
        if self._account is not None or not fits_socket(self._sockets / SOCKET_NAME):
            self._sockets = runtime_folder(folder) / "postgres"
        self._child = ChildServer(
            "PostgreSQL",
            log=folder / "postgres.log",
            pid_file=self._data / "postmaster.pid",
            mark=str(self._sockets),
            # Fast shutdown; immediate shutdown, which takes the sessions along; the hard end.
            stop_signals=(signal.SIGINT, signal.SIGQUIT, signal.SIGKILL),
        )

    @property
    def url(self) -> str:
        """For `asyncpg.connect`: the superuser over the unix socket, without a password."""
        query = {"host": str(self._sockets), "port": PORT, "user": SUPERUSER}
        return f"postgresql:///postgres?{urlencode(query, quote_via=quote, safe='/')}"

    def start(self) -> None:
        """Return once it takes connections; raises EmbeddedServiceError."""
        self._child.stop_leftover()
        programs = postgres_programs(self._account, self._folder)
        self._home.mkdir(mode=0o700, exist_ok=True)
        if not self._data.exists():
            make_cluster(programs, self._data, self._account)
        if self._account is not None and not self._account.owns(self._data):
            hand_over(self._data, self._account)
        crashed = forget_dead_server(self._data)
        self._make_socket_folder()
        settings = SETTINGS | {"unix_socket_directories": str(self._sockets)}
        command = [
            str(programs / "bin" / "postgres"),
            "-D",
            data_argument(self._data, self._account),
        ]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self._child.spawn(command, self._data, self._account)
        self._child.wait_until(
            lambda: takes_connections(self._sockets / SOCKET_NAME, SUPERUSER),
            RECOVERY_TIMEOUT_SECONDS if crashed else START_TIMEOUT_SECONDS,
        )

    def stop(self) -> None:
        self._child.stop()

    def _make_socket_folder(self) -> None:
        """A new, empty one: no server runs, so what lies there is a dead server's."""
        if self._sockets.parent != self._home:
            make_runtime_folder(self._sockets.parent)
        shutil.rmtree(self._sockets, ignore_errors=True)
        self._sockets.mkdir(mode=0o700)
        if self._account is not None:
            hand_over(self._sockets, self._account)
