"""Valkey on a unix socket. It keeps nothing on disk: its state is rebuilt from PostgreSQL."""

import signal
import socket
from pathlib import Path
from urllib.parse import quote

from backend.embedded.folders import fits_socket, make_runtime_folder, runtime_folder
from backend.embedded.processes import ChildServer
from backend.embedded.programs import valkey_program

SOCKET_NAME = "valkey.sock"
# More than the demo and the benchmarks use; a leak fails with an error instead of swapping.
MEMORY_LIMIT = "4gb"
ANSWER_TIMEOUT_SECONDS = 1.0
SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    "save": "",
    "appendonly": "no",
    "maxmemory": MEMORY_LIMIT,
    "maxmemory-policy": "noeviction",
    # The command line stays as given, for that is how a leftover server is recognised.
    "set-proc-title": "no",
}


class ValkeyServer:
    """Valkey with its files in `folder`/valkey."""

    def __init__(self, folder: Path) -> None:
        self._home = folder / "valkey"
        self._socket = self._home / SOCKET_NAME
        if not fits_socket(self._socket):
            self._socket = runtime_folder(folder) / SOCKET_NAME
        self._child = ChildServer(
            "Valkey",
            log=folder / "valkey.log",
            pid_file=self._home / "valkey.pid",
            mark=str(self._socket),
            stop_signals=(signal.SIGTERM, signal.SIGKILL),
        )

    @property
    def url(self) -> str:
        """For `redis.asyncio.from_url`."""
        return f"unix://{quote(str(self._socket))}"

    @property
    def process_id(self) -> int:
        """Of the server that runs."""
        return self._child.process_id

    def start(self) -> None:
        """Return once it answers; raises EmbeddedServiceError."""
        program = valkey_program()
        self._child.stop_leftover()
        self._home.mkdir(mode=0o700, exist_ok=True)
        if self._socket.parent != self._home:
            make_runtime_folder(self._socket.parent)
        self._socket.unlink(missing_ok=True)
        paths = {
            "dir": str(self._home),
            "pidfile": str(self._home / "valkey.pid"),
            "unixsocket": str(self._socket),
        }
        command = [str(program)]
        for name, value in (SETTINGS | paths).items():
            command += [f"--{name}", value]
        self._child.spawn(command, self._home)
        self._child.wait_until(self._answers)

    def stop(self) -> None:
        self._child.stop()

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(ANSWER_TIMEOUT_SECONDS)
            try:
                client.connect(str(self._socket))
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
            except OSError:
                return False
