"""Reading what callers send, answering, and how a call goes wrong on the wire."""

import asyncio
import re
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from backend.demo.platform import limits
from backend.demo.platform.refusal import Refusal, invalid, too_many

T = TypeVar("T")
PLACE = re.compile(r"(?P<what>.*) - at `\$\.?(?P<where>.*)`$", re.DOTALL)
"""How msgspec ends the message about a fault in a body."""


class Json(Response):
    """An answer in JSON, made of structs and what JSON knows."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return msgspec.json.encode(content)


async def answer_refusal(request: Request, refusal: Exception) -> Response:
    """Turn a refusal into its answer."""
    assert isinstance(refusal, Refusal)
    return Json(refusal.body, refusal.status, refusal.headers)


async def body_of(request: Request, kind: type[T]) -> T:
    """Read and check the body; raises Refusal that names the field at fault."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limits.BODY_BYTES_MAX:
            raise too_many("body", len(body), limits.BODY_BYTES_MAX)
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        found = PLACE.match(str(error))
        what, where = found.group("what", "where") if found else (str(error), "")
        raise invalid(where or "body", what) from error
    # Text that is not UTF-8 has an error of its own.
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise invalid("body", str(error)) from error


def number_of(request: Request, name: str, default: int, least: int, most: int) -> int:
    """Return a number of the query; raises Refusal for what is none, or out of range."""
    text = request.query_params.get(name)
    if not text:
        return default
    # More digits than any limit has are out of range, and slow to read.
    if not re.fullmatch(r"[0-9]{1,20}", text) or not least <= int(text) <= most:
        raise invalid(name, f"a number from {least} to {most}")
    return int(text)


class Severable(HttpToolsProtocol):
    """A connection that a call on it can cut."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # Of this connection alone; every request on it finds a copy in its state.
        self.app_state = {**self.app_state, "transport": transport}


async def cut(request: Request) -> None:
    """Close the connection without a word."""
    request.state.transport.abort()
    await _end_of(request)


async def hold(request: Request) -> None:
    """Let the caller wait until it gives up, or for HOLD_SECONDS_MAX."""
    with suppress(TimeoutError):
        async with asyncio.timeout(limits.HOLD_SECONDS_MAX):
            await _end_of(request)


async def _end_of(request: Request) -> None:
    """Wait until the caller is gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
