"""What one process does to the outside, one effect after another, and what goes wrong with it."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from random import Random
from typing import TypeVar

ResultT = TypeVar("ResultT")

USUAL_SECONDS = (0.000_2, 0.003)
SLOW_SECONDS = (0.02, 0.15)
SLOW_SHARE = 0.03


class Fault(StrEnum):
    """What can go wrong with an effect."""

    DIES_BEFORE = "dies before"
    DIES_AFTER = "dies after"
    LOST_BEFORE = "lost before"
    """It does not happen, and who asked for it hears of an error."""
    LOST_AFTER = "lost after"
    """It happens, and who asked for it hears of an error."""
    LOST_MEANWHILE = "lost meanwhile"
    """Who asked hears of an error, and it happens a little later."""


class ProcessDied(BaseException):
    """The process is no more: whatever it was about to do does not happen."""


class Effects:
    """The effects of one process, numbered; the faults say what goes wrong at which number."""

    def __init__(
        self, name: str, chance: Random, faults: dict[int, Fault], trace: list[str]
    ) -> None:
        self.name = name
        self.count = 0
        self._trace = trace
        self.died = asyncio.Event()
        self._chance = chance
        self._faults = faults

    def die(self) -> None:
        """End the process here and now."""
        self.died.set()

    def heal(self) -> None:
        """Let nothing more go wrong."""
        self._faults.clear()

    def check_alive(self) -> None:
        """Raise ProcessDied if the process is no more."""
        if self.died.is_set():
            raise ProcessDied

    async def perform(
        self,
        what: str,
        act: Callable[[], Awaitable[ResultT]],
        lost: Callable[[Fault], Exception],
    ) -> ResultT:
        """Let something happen outside, after a while, or fail as the seed has it."""
        self.check_alive()
        self.count += 1
        fault = self._faults.get(self.count)
        self._trace.append(
            f"{asyncio.get_running_loop().time():9.4f} {self.name} {self.count:4} {what}"
            + (f" ({fault})" if fault else "")
        )
        await asyncio.sleep(self._latency())
        self.check_alive()
        if fault is Fault.DIES_BEFORE:
            self.die()
            raise ProcessDied
        if fault is Fault.LOST_BEFORE:
            raise lost(fault)
        if fault is Fault.LOST_MEANWHILE:
            asyncio.get_running_loop().create_task(self._later(act))
            raise lost(fault)
        result = await act()
        if fault is Fault.DIES_AFTER:
            self.die()
        if fault is Fault.LOST_AFTER:
            raise lost(fault)
        self.check_alive()
        return result

    async def _later(self, act: Callable[[], Awaitable[object]]) -> None:
        await asyncio.sleep(self._latency() * 5)
        await act()

    def _latency(self) -> float:
        is_slow = self._chance.random() < SLOW_SHARE
        return self._chance.uniform(*(SLOW_SECONDS if is_slow else USUAL_SECONDS))
