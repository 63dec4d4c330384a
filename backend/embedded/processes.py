"""A server as our child process: start, wait until it answers, stop, clear up after a crash."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from backend.embedded.account import Account, run_as
from backend.embedded.errors import ServerDidNotStartError, ServerDoesNotStopError, failure_from_log

START_TIMEOUT_SECONDS = 30.0
# For each signal in turn. PostgreSQL writes up to 256 MB of buffers before it ends.
STOP_TIMEOUT_SECONDS = 20.0
POLL_SECONDS = 0.01
LOG_LIMIT_BYTES = 10 * 2**20
# The servers get nothing of ours: PGDATA, LANG and the like would change what they do.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}
_PR_SET_PDEATHSIG = 1


class ChildServer:
    """One server process.

    `stop_signals` are sent one after another, the first being the orderly end. `pid_file` is
    written by the server; `mark` is a word of its command line that no other process has.
    """

    def __init__(
        self, name: str, *, log: Path, pid_file: Path, mark: str, stop_signals: Sequence[int]
    ) -> None:
        self.name = name
        self._log = log
        self._log_start = 0
        self._pid_file = pid_file
        self._mark = mark
        self._stop_signals = stop_signals
        self._process: subprocess.Popen[bytes] | None = None

    def spawn(self, command: Sequence[str], folder: Path, account: Account | None = None) -> None:
        """Start it with `folder` as its working folder, in a session of its own.

        The terminal's Ctrl-C thus reaches us alone, and we stop the servers in order.
        """
        with self._open_log() as log:
            try:
                self._process = subprocess.Popen(
                    command,
                    cwd=folder,
                    env=ENVIRONMENT,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=_end_with_parent(self._stop_signals[0]),
                    **run_as(account),
                )
            except PermissionError as error:
                raise ServerDidNotStartError(f"{command[0]}: {error.strerror}") from error

    def wait_until(
        self, answers: Callable[[], bool], timeout_seconds: float = START_TIMEOUT_SECONDS
    ) -> None:
        """Return once `answers`; raise, with the log's last lines, if that does not come."""
        assert self._process is not None, "spawn first"
        deadline = time.monotonic() + timeout_seconds
        while not answers():
            if (code := self._process.poll()) is not None:
                raise failure_from_log(self.name, f"ended with {code}", self._written())
            if time.monotonic() > deadline:
                reason = f"did not answer within {timeout_seconds:.0f} s"
                raise failure_from_log(self.name, reason, self._written())
            time.sleep(POLL_SECONDS)

    @property
    def process_id(self) -> int:
        assert self._process is not None, "spawn first"
        return self._process.pid

    def stop(self) -> None:
        """End it and wait for that; nothing happens if it does not run."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            self._end(process.pid, process.send_signal, lambda: process.poll() is not None)

    def stop_leftover(self) -> None:
        """End the server that a killed process of ours left running.

        A number in a pid file may long belong to another program, hence the look at `mark`.
        """
        pid = _first_number(self._pid_file)
        if pid is not None and self._is_ours(pid):
            self._end(pid, lambda number: os.kill(pid, number), lambda: not self._is_ours(pid))

    def _is_ours(self, pid: int) -> bool:
        return self._mark in command_line(pid)

    def _end(self, pid: int, send: Callable[[int], None], is_gone: Callable[[], bool]) -> None:
        for number in self._stop_signals:
            try:
                send(number)
            except ProcessLookupError:
                return
            deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
            while time.monotonic() < deadline:
                if is_gone():
                    return
                time.sleep(POLL_SECONDS)
        raise ServerDoesNotStopError(f"{self.name}, process {pid}.")

    def _open_log(self) -> BinaryIO:
        """The log to append to; an old one that grew too long is kept as `.1`."""
        if self._log.exists() and self._log.stat().st_size > LOG_LIMIT_BYTES:
            self._log.replace(self._log.with_name(f"{self._log.name}.1"))
        log = self._log.open("ab")
        self._log_start = log.tell()
        return log

    def _written(self) -> str:
        """What this start wrote to the log."""
        return self._log.read_bytes()[self._log_start :].decode(errors="replace")


def command_line(pid: int) -> str:
    """The command line of a process; empty if it is gone, a zombie or hidden from us."""
    if Path("/proc/self/cmdline").exists():
        try:
            return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" "))
        except OSError:
            return ""
    asked = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout


def _first_number(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text().split(maxsplit=1)[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None


def _end_with_parent(number: int) -> Callable[[], None] | None:
    """What the child does first, so that Linux sends it `number` when we die, killed or not.

    The wish is bound to the thread that forks and dropped when the user changes: so it is made
    from the main thread only, and `subprocess` calls it after it changed the user. Without it
    (other threads, other systems) the next start finds and stops the server.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return None
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    parent = os.getpid()

    def in_child() -> None:
        prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:  # The parent died before the wish was made.
            os.kill(os.getpid(), signal.SIGKILL)

    return in_child
