"""Carriers that speak as the simulated one does: HTTP and JSON."""

import asyncio
from urllib.parse import quote

import httpx2
import msgspec

from backend.fulfilment.carriers.model import (
    CarrierAccount,
    CarrierAway,
    CarrierRefused,
    CollectionRequest,
    Waybill,
    WaybillRequest,
)

CONNECT_SECONDS, CALL_SECONDS = 2.0, 10.0
CONNECTIONS_MAX = 16
ANSWER_BYTES_MAX = 100_000
REASON_MAX, LABEL_URL_MAX = 200, 2_000


def carrier_client() -> httpx2.AsyncClient:
    """Return the HTTP client of a process, for all carriers; whoever opens it closes it."""
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(CALL_SECONDS, connect=CONNECT_SECONDS),
        limits=httpx2.Limits(max_connections=CONNECTIONS_MAX),
    )


class HttpCarrier:
    """One account; see Carrier for what each method guarantees."""

    def __init__(self, account: CarrierAccount, http: httpx2.AsyncClient) -> None:
        self._root = f"{account.url.rstrip('/')}/v1"
        self._headers = {"Authorization": f"Bearer {account.secret}"}
        self._http = http

    async def book(self, request: WaybillRequest) -> Waybill:
        return await self._book("waybills", msgspec.json.encode(request))

    async def collect(self, request: CollectionRequest) -> Waybill:
        return await self._book("collections", msgspec.json.encode(request))

    async def _book(self, path: str, content: bytes) -> Waybill:
        answer = await self._ask("POST", f"{self._root}/{path}", content)
        try:
            waybill = msgspec.json.decode(answer.content[:ANSWER_BYTES_MAX], type=Waybill)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise CarrierAway("an answer that cannot be understood") from error
        label = waybill.label_url or ""
        if not 0 < len(waybill.waybill) <= REASON_MAX or not waybill.waybill.isprintable():
            raise CarrierAway("an answer without a waybill")
        if len(label) > LABEL_URL_MAX or not label.isprintable():
            raise CarrierAway("an answer whose label is nowhere")
        return waybill

    async def void(self, waybill: str) -> None:
        url = f"{self._root}/waybills/{quote(waybill, safe='')}"
        await self._ask("DELETE", url, is_over=(404, 410))

    async def _ask(
        self, method: str, url: str, content: bytes = b"", is_over: tuple[int, ...] = ()
    ) -> httpx2.Response:
        """Return an answer that says yes, or (`is_over`) that there is nothing to be done."""
        try:
            async with asyncio.timeout(CALL_SECONDS):
                answer = await self._http.request(
                    method, url, content=content, headers=self._headers
                )
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            raise CarrierAway(f"no answer: {type(error).__name__}") from error
        if answer.status_code in is_over:
            return answer
        if 400 <= answer.status_code < 500 and answer.status_code not in (408, 429):
            raise CarrierRefused(_reason(answer.content))
        if answer.status_code >= 400:
            raise CarrierAway(f"answered {answer.status_code}")
        return answer


NO_REASON = "The carrier refused it, and did not say why."


class _Refusal(msgspec.Struct):
    message: str


def _reason(content: bytes) -> str:
    """Return why a carrier refused, in its own words where they can be read."""
    try:
        said = msgspec.json.decode(content, type=_Refusal).message[:REASON_MAX]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return NO_REASON
    return "".join(each for each in said if each.isprintable()) or NO_REASON
