"""The connector of marketplaces that speak as the simulated platform does: HTTP and JSON."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2
import msgspec

from backend.channels.errors import ChannelAway, ChannelBusy, ChannelRefused
from backend.channels.platform import (
    ChannelReturn,
    OrderPage,
    PushAnswer,
    PushOutcome,
    ReturnAnswer,
    ReturnPage,
    StockPush,
)

T = TypeVar("T", bound=msgspec.Struct)

CONNECT_SECONDS = 2.0
"""A marketplace that cannot be reached in two seconds is away."""
CALL_SECONDS = 10.0
"""The whole call: ten times what a slow one takes. A push that waits longer is out of date."""
CONNECTIONS_MAX = 32
"""Of one process to all channels: a shop has a call or two at a time, and calls are short."""
ANSWER_BYTES_MAX = 8_000_000
"""Ten times the longest page of orders."""
REASON_CHARS_MAX = 500
"""Of a channel's own words in a refusal."""
RETRY_AFTER_SECONDS = 1.0
"""Where a channel says that it is busy, and not for how long."""
RETRY_AFTER_SECONDS_MAX = 600.0
"""Nobody stops pushing for longer, whatever a channel says."""


class _Pushed(msgspec.Struct):
    listing: str
    status: PushOutcome
    quantity: int


class _PushedItems(msgspec.Struct):
    items: list[_Pushed]


class _Shown(msgspec.Struct):
    listing: str
    quantity: int


class _ShownItems(msgspec.Struct):
    items: list[_Shown]


def channel_client() -> httpx2.AsyncClient:
    """Return the HTTP client of a process, for all its channels; whoever opens it closes it."""
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(CALL_SECONDS, connect=CONNECT_SECONDS),
        limits=httpx2.Limits(max_connections=CONNECTIONS_MAX),
    )


class HttpChannelStock:
    """One shop of a marketplace; see ChannelStock for what each method guarantees."""

    push_items_max = 50
    read_listings_max = 200
    orders_page_max = 200

    def __init__(
        self,
        base_url: str,
        shop: str,
        token: str,
        http: httpx2.AsyncClient,
        call_seconds: float = CALL_SECONDS,
    ) -> None:
        """Raises ChannelRefused for an address or a token that can be none."""
        _require_address(base_url)
        if not token.isascii() or not token.isprintable():
            raise ChannelRefused("The shop's token has characters that no token has.")
        self._shop_url = f"{base_url.rstrip('/')}/v1/shops/{quote(shop, safe='')}"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._http = http
        self._call_seconds = call_seconds

    async def push(self, items: Sequence[StockPush]) -> list[PushAnswer]:
        assert len(items) <= self.push_items_max
        if not items:
            return []
        body = msgspec.json.encode({"items": items})
        answered = (await self._call(_PushedItems, "PUT", "stock", body=body)).items
        if [one.listing for one in answered] != [item.listing for item in items]:
            raise ChannelAway("The channel answered about other listings than were pushed.")
        return [PushAnswer(one.listing, one.status, one.quantity) for one in answered]

    async def read(self, listings: Sequence[str]) -> dict[str, int]:
        assert len(listings) <= self.read_listings_max
        # A comma separates listings, so none that has one can be there.
        wanted = [listing for listing in listings if listing and "," not in listing]
        if not wanted:
            return {}
        query = {"listings": ",".join(wanted)}
        shown = (await self._call(_ShownItems, "GET", "stock", query)).items
        return {one.listing: one.quantity for one in shown}

    async def orders(self, since: str, limit: int) -> OrderPage:
        assert 1 <= limit <= self.orders_page_max
        return await self._call(OrderPage, "GET", "orders", {"since": since, "limit": str(limit)})

    async def returns(self, since: str, limit: int) -> ReturnPage:
        assert 1 <= limit <= self.orders_page_max
        query = {"since": since, "limit": str(limit)}
        return await self._call(ReturnPage, "GET", "returns", query)

    async def answer_return(self, number: str, answer: ReturnAnswer) -> ChannelReturn:
        path = f"returns/{quote(number, safe='')}/answer"
        told = await self._call(ChannelReturn, "POST", path, body=msgspec.json.encode(answer))
        if told.number != number:
            raise ChannelAway("The channel answered about another request.")
        return told

    async def _call(
        self,
        kind: type[T],
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> T:
        """Call once and return what a good answer says; raises what ChannelStock names."""
        try:
            async with asyncio.timeout(self._call_seconds):
                answer, content = await self._exchange(method, path, query, body)
        except (httpx2.RequestError, TimeoutError) as error:
            raise ChannelAway from error
        _require_success(answer, content)
        try:
            return msgspec.json.decode(content, type=kind)
        # Text that is not UTF-8, and what is nested without end, have errors of their own.
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ChannelAway("The channel's answer cannot be understood.") from error

    async def _exchange(
        self, method: str, path: str, query: Mapping[str, str] | None, body: bytes | None
    ) -> tuple[httpx2.Response, bytes]:
        url, content = f"{self._shop_url}/{path}", bytearray()
        exchange: Any = self._http.stream(
            method, url, params=query, content=body, headers=self._headers
        )
        async with exchange as answer:
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > ANSWER_BYTES_MAX:
                    raise ChannelAway("The channel's answer is too long.")
        return answer, bytes(content)


def _require_address(base_url: str) -> None:
    try:
        url = httpx2.URL(base_url)
    except httpx2.InvalidURL as error:
        raise ChannelRefused(f"{base_url!r} is no address of a channel: {error}.") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise ChannelRefused(f"{base_url!r} is no address of a channel; it begins with https://.")


def _require_success(answer: httpx2.Response, content: bytes) -> None:
    """Raise what an answer means that is none of success."""
    if answer.is_success:
        return
    if answer.status_code == 429:
        raise ChannelBusy(_retry_after(answer.headers.get("Retry-After", "")))
    if answer.is_server_error or answer.status_code == 408:
        raise ChannelAway(f"The channel answered {answer.status_code}.")
    reason = content.decode("utf-8", "replace")[:REASON_CHARS_MAX]
    raise ChannelRefused(f"The channel refuses ({answer.status_code}): {reason}")


def _retry_after(text: str) -> float:
    """Return the seconds that a header names, within bounds; it may also name a date."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        return RETRY_AFTER_SECONDS
    return min(float(text), RETRY_AFTER_SECONDS_MAX)
