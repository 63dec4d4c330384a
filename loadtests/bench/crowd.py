"""A crowd of buyers in a process of its own, which waits for the word and says what it got."""

import asyncio
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

READY, GO = "ready", b"go\n"


class Bought(msgspec.Struct, frozen=True):
    """How many got one, and how many were refused for want of stock."""

    placed: int
    refused: int
    first_refused_at: float | None = None
    """In seconds since 1970."""

    def __add__(self, other: "Bought") -> "Bought":
        first = [at for at in (self.first_refused_at, other.first_refused_at) if at is not None]
        return Bought(
            self.placed + other.placed, self.refused + other.refused, min(first, default=None)
        )


class Tally:
    """Counts what buyers are told."""

    def __init__(self) -> None:
        self._placed = self._refused = 0
        self._first_refused_at: float | None = None

    def placed(self) -> None:
        self._placed += 1

    def refused(self) -> None:
        self._refused += 1
        if self._first_refused_at is None:
            self._first_refused_at = time.time()

    @property
    def bought(self) -> Bought:
        return Bought(self._placed, self._refused, self._first_refused_at)


async def wait_for_the_word() -> None:
    """Say that everybody stands in line, and wait until the doors open."""
    sys.stdout.write(READY + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)


def say(bought: Bought) -> None:
    sys.stdout.write(msgspec.json.encode(bought).decode() + "\n")
    sys.stdout.flush()


async def let_buy(
    commands: Sequence[Sequence[str]],
    environment: Mapping[str, str],
    meanwhile: Callable[[], Awaitable[None]],
) -> tuple[Bought, float]:
    """Start crowds, open the doors to all at once; returns what they got, and the seconds."""
    crowds = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", *command, stdin=PIPE, stdout=PIPE, env=environment
        )
        for command in commands
    ]
    for crowd in crowds:
        await _line(crowd)
    started = time.perf_counter()
    for crowd in crowds:
        assert crowd.stdin is not None, "opened above"
        crowd.stdin.write(GO)
    disturbing = asyncio.ensure_future(meanwhile())
    answers = [await _line(crowd) for crowd in crowds]
    seconds = time.perf_counter() - started
    await disturbing
    for crowd in crowds:
        await crowd.wait()
    total = Bought(0, 0)
    for answer in answers:
        total += msgspec.json.decode(answer, type=Bought)
    return total, seconds


async def _line(crowd: Process) -> bytes:
    assert crowd.stdout is not None, "opened above"
    line = await crowd.stdout.readline()
    if not line:
        raise RuntimeError("a crowd of buyers ended; its output says why")
    return line
