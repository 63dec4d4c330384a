"""The carrier over HTTP: waybills for senders, and a door for who plays fate."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from backend.demo.carrier.depot import Depot, Refusal

FAULTS = ("error", "garbage", "lost")
SEND_SECONDS = 10.0
Book = Callable[[dict[str, Any]], dict[str, Any]]
TRIES, PAUSE_SECONDS = 5, 0.2
"""How often a message is sent that is not taken, and the pause between."""


class CarrierApi:
    """The calls on a depot."""

    def __init__(self, depot: Depot) -> None:
        self._depot = depot

    def routes(self) -> list[Route]:
        return [
            Route("/v1/waybills", self.book, methods=["POST"]),
            Route("/v1/collections", self.collect, methods=["POST"]),
            Route("/v1/waybills/{waybill}", self.void, methods=["DELETE"]),
            Route("/control/callback", self.call_back, methods=["PUT"]),
            Route("/control/faults", self.fail, methods=["POST"]),
            Route("/control/stories", self.tell, methods=["POST"]),
            Route("/control/parcels", self.parcels, methods=["GET"]),
            Route("/control/parcels", self.forget, methods=["DELETE"]),
        ]

    async def void(self, request: Request) -> Response:
        fault = self._fault_of(request)
        self._depot.void(request.path_params["waybill"])
        if fault == "lost":
            raise Refusal(504, "lost", "It is void, and nobody says so.")
        return JSONResponse({})

    def _fault_of(self, request: Request) -> str:
        """Return what a call of an account comes to; raises Refusal."""
        depot = self._depot
        if request.headers.get("authorization") != f"Bearer {depot.secret}":
            raise Refusal(401, "unauthorised", "This is not your account.")
        fault = depot.faults.pop(0) if depot.faults else ""
        if fault == "error":
            raise Refusal(503, "busy", "Come back later.")
        return fault

    async def book(self, request: Request) -> Response:
        return await self._booked(request, self._depot.book)

    async def collect(self, request: Request) -> Response:
        return await self._booked(request, self._depot.collect)

    async def _booked(self, request: Request, book: Book) -> Response:
        fault = self._fault_of(request)
        booked = book(await request.json())
        if fault == "lost":
            raise Refusal(504, "lost", "It was booked, and nobody says so.")
        if fault == "garbage":
            return Response(b"<html>", media_type="text/html")
        return JSONResponse(booked, status_code=201)

    async def call_back(self, request: Request) -> Response:
        self._depot.callback = str((await request.json())["url"])
        return JSONResponse({})

    async def fail(self, request: Request) -> Response:
        """Let the next calls go wrong, in this order."""
        kinds = (await request.json())["faults"]
        if any(kind not in FAULTS for kind in kinds):
            raise Refusal(422, "invalid", f"A fault is one of {', '.join(FAULTS)}.")
        self._depot.faults += kinds
        return JSONResponse({})

    async def tell(self, request: Request) -> Response:
        """Let things befall parcels, and tell them; `isTidy`: each once and in order."""
        asked: dict[str, Any] = await request.json()
        events = self._depot.story(asked["waybills"], asked.get("kinds"))
        messages = self._depot.messages(events, is_tidy=asked.get("isTidy", True))
        async with httpx2.AsyncClient(timeout=SEND_SECONDS) as http:
            answers = [await self._send(http, message) for message in messages]
        return JSONResponse({"answers": answers})

    async def _send(self, http: httpx2.AsyncClient, events: list[dict[str, Any]]) -> int:
        body, signature = self._depot.signed(events)
        for _ in range(TRIES):
            try:
                answer = await http.post(
                    self._depot.callback, content=body, headers={"X-Signature": signature}
                )
            except httpx2.HTTPError:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if answer.status_code < 500:
                return int(answer.status_code)
            await asyncio.sleep(PAUSE_SECONDS)
        return 0

    async def forget(self, request: Request) -> Response:
        """Know of no parcel any more, and let nothing go wrong."""
        self._depot.forget()
        return JSONResponse({})

    async def parcels(self, request: Request) -> Response:
        return JSONResponse(self._depot.parcels)


async def answer_refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return JSONResponse({"code": error.code, "message": error.message}, status_code=error.status)


def create_app(depot: Depot) -> Starlette:
    """Return the application on a depot."""
    handlers: dict[Any, Any] = {Refusal: answer_refusal}
    return Starlette(routes=CarrierApi(depot).routes(), exception_handlers=handlers)
