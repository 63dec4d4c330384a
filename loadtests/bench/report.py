"""What a benchmark reports: its figures, and what they were measured on."""

import os
import platform
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import psutil

PACKAGES = ("asyncpg", "cython", "redis", "strawberry-graphql", "uvicorn", "uvloop")
SEED = 20_261_111


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a benchmark is to be run."""

    seconds: float = 20.0
    """Of the measured part."""
    seed: int = SEED
    workers: int | None = None
    """Serving processes; each benchmark has a number of its own where this is None."""
    quick: bool = False
    """Less of it, where a benchmark runs so many cases instead of so many seconds."""


class BenchReport(msgspec.Struct, kw_only=True):
    """One run of one benchmark."""

    name: str
    metrics: dict[str, Any]
    """A figure by its name, or figures by the names of what is compared."""
    seconds: float
    """The measured part."""
    set_up_seconds: float = 0.0
    cpu_seconds: dict[str, float] = {}
    """What each kind of process used of the cores in the measured part."""
    machine: dict[str, str | int | float] = {}
    seed: int = SEED
    versions: dict[str, str] = {}
    skipped: list[str] = []
    """What was not measured, and why."""


class Processor:
    """CPU seconds of this process and of those it started, by what they are."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure what happens inside; processes that end meanwhile are counted together."""
        before, ended = _cpu_by_process(), _cpu_of_ended()
        try:
            yield
        finally:
            sums: defaultdict[str, float] = defaultdict(float)
            sums["ended"] = _cpu_of_ended() - ended
            for process, (kind, seconds) in _cpu_by_process().items():
                sums[kind] += seconds - before.get(process, (kind, 0.0))[1]
            self.seconds = {
                kind: round(seconds, 2) for kind, seconds in sorted(sums.items()) if seconds > 0
            }


def _cpu_by_process() -> dict[tuple[int, float], tuple[str, float]]:
    own = psutil.Process()
    found = {}
    for process in (own, *own.children(recursive=True)):
        try:
            times = process.cpu_times()
            kind = "client" if process == own else _kind(process.name(), process.cmdline())
            found[process.pid, process.create_time()] = (kind, times.user + times.system)
        except psutil.NoSuchProcess:
            continue
    return found


def _cpu_of_ended() -> float:
    times = psutil.Process().cpu_times()
    return float(times.children_user + times.children_system)


def _kind(name: str, command: list[str]) -> str:
    """Return what a process is to us: a role of ours, or one of the servers."""
    for role in ("serve", "worker", "relay"):
        if role in command:
            return role
    return "postgres" if name.startswith("postgres") else name


def machine() -> dict[str, str | int | float]:
    """Return what the figures depend on, and what else the machine did just before."""
    return {
        "cores": os.cpu_count() or 0,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "processor": _processor(),
        "system": platform.platform(terse=True),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def versions() -> dict[str, str]:
    """Return the versions of what does the work."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


class Stopwatch:
    """How long something took, in seconds."""

    def __init__(self) -> None:
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._started


def quantile(values: list[float], share: float) -> float:
    """Return the value below which a share of the values lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
