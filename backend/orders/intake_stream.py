"""Orders as a stream of lines (NDJSON): one order a line in, one answer a line out.

The queue of the tenant's lane is the back-pressure: when it is full, the stream is read no further.
Answers keep the order of the lines. What waits to be read by the client is bounded by the number of
records that one stream may have.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import structlog

from backend.db.errors import YipanError
from backend.orders.claim import refused
from backend.orders.errors import InvalidOrder
from backend.orders.model import OrderDraft, Outcome, Placed, Refused
from backend.orders.place_orders import OrderIntake
from tenants.principal import PermissionMissing, Principal

RECORDS_MAX = 100_000
"""Lines of one stream; more go into another one."""
LINE_BYTES_MAX = 1024 * 1024
"""A line: 2,000 order lines take about 200 kB."""


UNKNOWN_OUTCOME = "Something went wrong here. Send the order again: it is not placed twice."

log = structlog.get_logger(__name__)


class StreamTooLong(YipanError):
    """A stream has at most 100,000 lines of 1 MiB; send the rest in another one."""

    code = "TOO_LARGE"


class PlatformOrder(OrderDraft, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A record of a stream: an order of a platform, which is paid unless it says otherwise."""

    is_paid: bool = True


_decode = msgspec.json.Decoder(PlatformOrder).decode


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


async def place_stream(
    intake: OrderIntake,
    principal: Principal,
    chunks: AsyncIterator[bytes],
    show_id: Callable[[int], str] = str,
) -> AsyncIterator[bytes]:
    """Place the orders of a stream and yield an answer for each line that is not blank.

    A line that cannot be read is refused by itself; the others pass. A stream that is too long ends
    with an answer that says so; what was placed before stays placed.
    """
    answers: asyncio.Queue[tuple[int, asyncio.Future[Outcome]] | None] = asyncio.Queue()
    reader = asyncio.create_task(_read(intake, principal, chunks, answers))
    try:
        while (item := await answers.get()) is not None:
            number, future = item
            yield msgspec.json.encode(_answer(number, await _settled(future), show_id)) + b"\n"
        await reader
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)


async def _read(
    intake: OrderIntake,
    principal: Principal,
    chunks: AsyncIterator[bytes],
    answers: "asyncio.Queue[tuple[int, asyncio.Future[Outcome]] | None]",
) -> None:
    number = 0
    try:
        async for line in split_lines(chunks):
            number += 1
            if line.strip():
                answers.put_nowait((number, await _submit(intake, principal, line)))
    except StreamTooLong as error:
        answers.put_nowait((number + 1, _done(refused(error))))
    finally:
        answers.put_nowait(None)


async def _submit(
    intake: OrderIntake, principal: Principal, line: bytes
) -> "asyncio.Future[Outcome]":
    try:
        draft = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _done(refused(InvalidOrder(f"The line cannot be read: {error}")))
    return await intake.submit_bulk(draft, principal)


def _done(outcome: Outcome) -> "asyncio.Future[Outcome]":
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    future.set_result(outcome)
    return future


async def _settled(future: "asyncio.Future[Outcome]") -> Outcome:
    try:
        return await future
    except YipanError as error:
        return refused(error)
    except PermissionMissing as error:
        return Refused(error.code, str(error))
    except Exception:
        log.exception("intake.failed")
        return Refused("INTERNAL", UNKNOWN_OUTCOME)


def _answer(number: int, outcome: Outcome, show_id: Callable[[int], str]) -> dict[str, Any]:
    answer: dict[str, Any] = {"line": number, **msgspec.to_builtins(outcome)}
    answer["result"] = answer.pop("type")
    if isinstance(outcome, Placed):
        answer["orderId"] = show_id(outcome.order_id)
    return answer
