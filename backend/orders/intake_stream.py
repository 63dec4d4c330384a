"""Orders as a stream of lines (NDJSON): one order a line in, one answer a line out.

The queue of the tenant's lane is the back-pressure: when it is full, the stream is read no further.
Answers keep the order of the lines. What waits to be read by the client is bounded by the number of
records that one stream may have.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from backend.db.errors import YipanError
from backend.orders.claim import refused
from backend.orders.intake_record import ShowId, answer_record, done, settled, submit_record
from backend.orders.model import Outcome
from backend.orders.place_orders import OrderIntake
from tenants.principal import Principal

RECORDS_MAX = 100_000
"""Lines of one stream; more go into another one."""
LINE_BYTES_MAX = 1024 * 1024
"""A line: 2,000 order lines take about 200 kB."""
ANSWERS_AT_ONCE = 100
"""Answers sent in one piece where they are there: a piece costs more than an answer."""


class StreamTooLong(YipanError):
    """A stream has at most 100,000 lines of 1 MiB; send the rest in another one."""

    code = "TOO_LARGE"


Waiting = tuple[int, "asyncio.Future[Outcome]"]
"""A line's number, and its outcome to come."""


async def split_lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the lines of a stream of bytes; raises StreamTooLong."""
    rest = b""
    count = 0
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            count += 1
            if count > RECORDS_MAX or len(line) > LINE_BYTES_MAX:
                raise StreamTooLong
            yield line
        if len(rest) > LINE_BYTES_MAX:
            raise StreamTooLong
    if rest:
        if count == RECORDS_MAX:
            raise StreamTooLong
        yield rest


class _Answers:
    """The answers of a stream, in the order of its lines, each when it is there."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()
        self._news = asyncio.Event()
        self._is_complete = False

    def add(self, number: int, outcome: "asyncio.Future[Outcome]") -> None:
        self._waiting.append((number, outcome))
        self._news.set()

    def complete(self) -> None:
        """No more will be added."""
        self._is_complete = True
        self._news.set()

    async def runs(self) -> AsyncIterator[list[Waiting]]:
        """Yield the next answer once it is there, with those behind it that are there as well."""
        while True:
            while not self._waiting:
                if self._is_complete:
                    return
                self._news.clear()
                await self._news.wait()
            run = [self._waiting.popleft()]
            if not run[0][1].done():
                await asyncio.wait([run[0][1]])
            while self._waiting and len(run) < ANSWERS_AT_ONCE and self._waiting[0][1].done():
                run.append(self._waiting.popleft())
            yield run


async def place_stream(
    intake: OrderIntake,
    principal: Principal,
    chunks: AsyncIterator[bytes],
    show_id: ShowId = str,
) -> AsyncIterator[bytes]:
    """Place the orders of a stream and yield its answers, one a line that is not blank, in order.

    Answers that are there together come in one piece. A line that cannot be read is refused by
    itself; the others pass. A stream that is too long ends with an answer that says so; what was
    placed before stays placed.
    """
    answers = _Answers()
    reader = asyncio.create_task(_read(intake, principal, chunks, answers))
    try:
        async for run in answers.runs():
            lines = [answer_record(number, settled(future), show_id) for number, future in run]
            yield b"\n".join([*lines, b""])
        await reader
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)


async def _read(
    intake: OrderIntake, principal: Principal, chunks: AsyncIterator[bytes], answers: _Answers
) -> None:
    number = 0
    try:
        async for line in split_lines(chunks):
            number += 1
            if line.strip():
                answers.add(number, await submit_record(intake, principal, line))
    except StreamTooLong as error:
        answers.add(number + 1, done(refused(error)))
    finally:
        answers.complete()
