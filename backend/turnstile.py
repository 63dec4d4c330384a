"""How many operations a process has in hand, and whose turn is next.

A rush must not bring everything to a stand: what has begun is finished quickly, the rest waits
outside. Tenants take turns, so whoever shops while another floods waits for one operation, not for
the other's queue; and a queue that is too long says when to come back.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from backend.db.errors import YipanError
from backend.metrics import TURNSTILE_REFUSED, TURNSTILE_WAITING

IN_HAND_MAX = 256
"""A quarter of a second's work: enough for batches, and little for the event loop to hold."""
WAITING_MAX = 10_000
"""Of one tenant in one process, a few hundred bytes each."""
RETRY_AFTER_SECONDS = 1.0


class TooManyWaiting(YipanError):
    """Too many requests are waiting; try again after the time given."""

    code = "TOO_BUSY"
    retry_after_seconds = RETRY_AFTER_SECONDS


class Turnstile:
    """Lets so many in at a time, each tenant in turn."""

    def __init__(self, in_hand_max: int = IN_HAND_MAX, waiting_max: int = WAITING_MAX) -> None:
        self._free = in_hand_max
        self._waiting_max = waiting_max
        self._lines: dict[Hashable, deque[asyncio.Future[None]]] = {}
        """Who waits, by tenant; the tenant whose turn is next comes first."""

    @asynccontextmanager
    async def turn(self, tenant: Hashable) -> AsyncIterator[None]:
        """Wait for a place and hold it; raises TooManyWaiting."""
        if self._free > 0:
            self._free -= 1
        else:
            await self._wait(tenant)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, tenant: Hashable) -> None:
        line = self._lines.setdefault(tenant, deque())
        if len(line) >= self._waiting_max:
            TURNSTILE_REFUSED.inc()
            raise TooManyWaiting
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(place)
        TURNSTILE_WAITING.inc()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._pass_on()
            raise
        finally:
            TURNSTILE_WAITING.dec()

    def _pass_on(self) -> None:
        """Give a place to the tenant whose turn it is."""
        while self._lines:
            tenant, line = next(iter(self._lines.items()))
            del self._lines[tenant]
            while line:
                place = line.popleft()
                if not place.done():
                    if line:
                        self._lines[tenant] = line
                    place.set_result(None)
                    return
        self._free += 1
