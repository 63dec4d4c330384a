"""Starting `yipan` as its user does: as a process of its own, with an environment of its own."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import httpx2
import pytest

from loadtests.waiting import until

ROOT = Path(__file__).parents[2]
PROGRAM = Path(sys.executable).with_name("yipan")
WAIT_SECONDS = 30.0
"""Far longer than a start or an end takes; a process that hangs fails its test."""

Process = subprocess.Popen[str]


class Finished(NamedTuple):
    """What a process said, and how it ended."""

    status: int
    out: str
    err: str

    @property
    def said(self) -> list[str]:
        """The lines on standard error, without the progress bar of a replay."""
        lines = [line.strip() for line in self.err.splitlines()]
        return [line for line in lines if line and not line.startswith("lines ━")]


def environment(settings: Mapping[str, object]) -> dict[str, str]:
    """Return what a process is told: the source of this checkout, and the settings."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        **{f"YIPAN_{name.upper()}": str(value) for name, value in settings.items()},
    }


def start(folder: Path, *words: str, **settings: object) -> Process:
    """Start a command in `folder`; whoever calls sees to its end."""
    return launch([str(PROGRAM), *words], folder, settings)


def launch(arguments: Sequence[str], folder: Path, settings: Mapping[str, object]) -> Process:
    """Start a program with the environment of a command, as a terminal does: in its own group."""
    return subprocess.Popen(
        arguments,
        cwd=folder,
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def end_of(process: Process) -> Finished:
    """Wait for the end of a process; one that does not come is killed, and an error."""
    try:
        out, err = process.communicate(timeout=WAIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        _, err = process.communicate()
        pytest.fail(f"{process.args!r} did not end: {err}")
    return Finished(process.returncode, out, err)


@contextmanager
def started(folder: Path, *words: str, **settings: object) -> Iterator[Process]:
    """A command that runs; whatever happens, it does not outlive the block."""
    process = start(folder, *words, **settings)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def run(folder: Path, *words: str, **settings: object) -> Finished:
    """Run a command to its end."""
    return end_of(start(folder, *words, **settings))


def wait_until(condition: Callable[[], Awaitable[object] | object], process: Process) -> None:
    """Return once the condition holds; fails when the process ends before."""

    async def holds_or_ended() -> object:
        holds = condition()
        if isinstance(holds, Awaitable):
            holds = await holds
        return holds or process.poll() is not None

    try:
        asyncio.run(until(holds_or_ended, WAIT_SECONDS))
    except TimeoutError:
        process.kill()
        pytest.fail(f"it did not come true: {end_of(process)}")
    if process.poll() is not None:
        pytest.fail(f"it ended: {end_of(process)}")


def read_until(words: str, said: IO[str] | None) -> str:
    """Return what a process says until these words come, or its end."""
    assert said is not None, "processes are started with pipes"
    lines = []
    for line in said:
        lines.append(line)
        if words in line:
            break
    return "".join(lines)


def children(process: Process) -> set[int]:
    """Return the processes that a process has started, and that live."""
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return set(map(int, path.read_text().split()))


def is_ready(port: int) -> bool:
    """Whether a server of ours is ready there."""
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx2.TransportError:
        return False


def ask(port: int, query: str, token: str | None = None, **variables: Any) -> dict[str, Any]:
    """Return the data of a GraphQL answer without errors."""
    answer = httpx2.post(
        f"http://127.0.0.1:{port}/graphql",
        json={"query": query, "variables": variables},
        headers={} if token is None else {"authorization": f"Bearer {token}"},
    ).json()
    assert "errors" not in answer, answer["errors"]
    data: dict[str, Any] = answer["data"]
    return data
