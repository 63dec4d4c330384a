"""An event loop whose clock jumps: nothing is waited for, and everything happens in order."""

import asyncio
import selectors
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


class NothingLeft(Exception):
    """Everybody waits for something that nobody will do."""


class _JumpingSelector(selectors.SelectSelector):
    """Instead of waiting it turns the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise NothingLeft
        self.seconds += max(0.0, timeout)
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Starts at second 0; hours pass in the time that the work in them takes."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self.set_exception_handler(quietly)

    def time(self) -> float:
        return self._jumping.seconds


def quietly(loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """Tasks of processes that died end with an exception that nobody fetches."""


def run_simulated(main: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run on a loop of its own; raises NothingLeft where it would wait for ever."""
    loop = SimulatedLoop()
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(main)
    finally:
        _cancel_all(loop)
        asyncio.set_event_loop(None)
        loop.close()


def _cancel_all(loop: SimulatedLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
