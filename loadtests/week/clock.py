"""The week's own clock: libfaketime under our process and under every server that it starts.

The library is told by a file how far the clock is from the real one and reads it anew each time, at
two microseconds a look. What is monotonic stays real: waiting, time limits, measured durations.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

from backend.embedded import processes
from backend.settings import environment_of, read_settings

LIBRARY, AHEAD = "libfaketime.so.1", "ahead"
CLOSE = timedelta(seconds=1)


class NoClock(Exception):
    """The clock cannot be set here: that needs libfaketime, which is for Linux on x86-64."""


def run_with_own_clock(module: str, words: Sequence[str]) -> int:
    """Run a module in a process with a clock of its own; returns its exit status.

    It is given `--clock`, the folder of the clock, and `--real`: what the real one is ahead of
    what is monotonic, in seconds.
    """
    with tempfile.TemporaryDirectory(prefix="yipan-clock-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # where we are root, the servers run as somebody else
        with resources.as_file(resources.files("libfaketime")) as package:
            shutil.copy(package / "vendor/libfaketime/src" / LIBRARY, folder)
        (folder / AHEAD).write_text("+0")
        clock = ("--clock", name, "--real", repr(time.time() - time.monotonic()))
        command = [sys.executable, "-m", module, *words, *clock]
        return subprocess.run(
            command, env=environment_of(read_settings()) | _variables(folder)
        ).returncode


class WeekClock:
    """Sets the clock of this process and of all that it starts from now on."""

    def __init__(self, folder: Path, real: float) -> None:
        self._file = folder / AHEAD
        self._real = real
        processes.ENVIRONMENT.update(_variables(folder))

    def set(self, moment: datetime) -> None:
        """Let it be that moment now; raises NoClock where that has no effect."""
        ahead = moment.timestamp() - (self._real + time.monotonic())
        new = self._file.with_suffix(".new")
        new.write_text(f"{ahead:+.6f}")
        new.rename(self._file)  # nobody reads half of it
        if abs(datetime.now(UTC) - moment) > CLOSE:
            raise NoClock(NoClock.__doc__)


def _variables(folder: Path) -> dict[str, str]:
    return {
        "LD_PRELOAD": str(folder / LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(folder / AHEAD),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
