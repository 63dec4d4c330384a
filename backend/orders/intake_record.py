"""A record of bulk intake: an order as JSON in, what became of it as JSON out.

The NDJSON stream, files and the intake topic carry the same records.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from backend.db.errors import YipanError
from backend.orders.claim import refused
from backend.orders.errors import InvalidOrder
from backend.orders.model import (
    LineOutcome,
    OrderDraft,
    OrderStatus,
    Outcome,
    Placed,
    Refused,
)
from backend.orders.place_orders import OrderIntake
from tenants.principal import PermissionMissing, Principal

log = structlog.get_logger(__name__)

UNKNOWN_OUTCOME = "Something went wrong here. Send the order again: it is not placed twice."


class PlatformOrder(OrderDraft, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A record of a stream: an order of a platform, which is paid unless it says otherwise."""

    is_paid: bool = True


class PlacedAnswer(msgspec.Struct, frozen=True, rename="camel", tag="placed", tag_field="result"):
    """What became of a line whose order exists."""

    line: int
    order_id: str
    status: OrderStatus
    lines: tuple[LineOutcome, ...]
    holds: tuple[str, ...]
    parcels: int


class RefusedAnswer(msgspec.Struct, frozen=True, rename="camel", tag="refused", tag_field="result"):
    """Why a line gave no order."""

    line: int
    code: str
    message: str
    path: tuple[str | int, ...]
    detail: dict[str, Any]


ShowId = Callable[[int], str]
"""Returns an order's id as the API shows it."""

_decode = msgspec.json.Decoder(PlatformOrder).decode
_encode = msgspec.json.Encoder().encode


async def submit_record(
    intake: OrderIntake, principal: Principal, record: bytes
) -> "asyncio.Future[Outcome]":
    """Queue the order of a record, waiting for room, and return its outcome to come.

    One that cannot be read is refused at once. Raises UnknownBrand.
    """
    try:
        draft = _decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return done(refused(InvalidOrder(f"The record cannot be read: {error}")))
    return await intake.submit_bulk(draft, principal)


def done(outcome: Outcome) -> "asyncio.Future[Outcome]":
    """Return an outcome that is there already, like one to come."""
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    future.set_result(outcome)
    return future


def settled(future: "asyncio.Future[Outcome]") -> Outcome:
    """Return the outcome of what is done; what failed is said as a refusal."""
    try:
        return future.result()
    except YipanError as error:
        return refused(error)
    except PermissionMissing as error:
        return Refused(error.code, str(error))
    except Exception:
        log.exception("intake.failed")
        return Refused("INTERNAL", UNKNOWN_OUTCOME)


def answer_record(number: int, outcome: Outcome, show_id: ShowId) -> bytes:
    """Return what is answered to the record of a number, as JSON."""
    answer: PlacedAnswer | RefusedAnswer
    if isinstance(outcome, Placed):
        answer = PlacedAnswer(
            number,
            show_id(outcome.order_id),
            outcome.status,
            outcome.lines,
            outcome.holds,
            outcome.parcels,
        )
    else:
        answer = RefusedAnswer(number, outcome.code, outcome.message, outcome.path, outcome.detail)
    return _encode(answer)
