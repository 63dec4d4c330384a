"""The seller's side of the platform, version 1, and the buyers' door."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from backend.demo.platform import limits
from backend.demo.platform.http import Json, body_of, cut, hold, number_of
from backend.demo.platform.market import Market
from backend.demo.platform.refusal import Refusal, too_fast, too_many
from backend.demo.platform.shop import Listing, Shop
from backend.demo.platform.wire import (
    FaultKind,
    Listings,
    Operation,
    Purchase,
    Push,
    QuickRefund,
    ReturnAction,
    ReturnAnswer,
    ReturnDraft,
    ReturnStatus,
    Shipment,
)

Act = Callable[[FaultKind | None], Any]
"""Does what a call is for, in the way that a fault has it, and returns the answer."""
Endpoint = Callable[[Request, Shop], Awaitable[Response]]

NEVER_DONE = frozenset({FaultKind.ERROR_500, FaultKind.TIMEOUT, FaultKind.RESET})
"""Faults of calls that do nothing."""


class SellerApi:
    """What a shop's seller and its buyers can do."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[Route]:
        shop, buyers = "/v1/shops/{shop}", "/v1/shops/{shop}/purchases"
        return [
            Route(f"{shop}/stock", self._of_seller("push", self._push), methods=["PUT"]),
            Route(f"{shop}/stock", self._of_seller("read", self._read), methods=["GET"]),
            Route(f"{shop}/listings", self._of_seller("save", self._save), methods=["PUT"]),
            Route(f"{shop}/listings", self._of_seller("list", self._list), methods=["GET"]),
            Route(f"{shop}/orders", self._of_seller("orders", self._orders), methods=["GET"]),
            Route(f"{shop}/returns", self._of_seller("returns", self._returns), methods=["GET"]),
            Route(
                f"{shop}/returns/{{number}}/answer",
                self._of_seller("answer", self._answer),
                methods=["POST"],
            ),
            Route(
                f"{shop}/returns/{{number}}/shipment",
                self._counted("send", self._send),
                methods=["POST"],
            ),
            Route(
                f"{shop}/returns/{{number}}",
                self._counted("close", self._close),
                methods=["DELETE"],
            ),
            Route(
                f"{shop}/returns/{{number}}/payment",
                self._counted("refund", self._refund),
                methods=["POST"],
            ),
            Route(buyers, self._counted("buy", self._buy), methods=["POST"]),
            Route(
                f"{buyers}/{{number}}/returns", self._counted("ask", self._ask), methods=["POST"]
            ),
            Route(
                f"{buyers}/{{number}}/payment", self._counted("pay", self._pay), methods=["POST"]
            ),
        ]

    def _counted(self, name: str, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        """Find the shop and count the call, and the refusal if it is one."""

        async def answer(request: Request) -> Response:
            shop = self._market.shop(request.path_params["shop"])
            shop.calls[name] += 1
            try:
                return await endpoint(request, shop)
            except Refusal as refusal:
                shop.refusals[str(refusal.status)] += 1
                raise

        return answer

    def _of_seller(self, name: str, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        """The same for who has the shop's token, as fast as the shop may call."""

        async def admitted(request: Request, shop: Shop) -> Response:
            kind, _, token = request.headers.get("authorization", "").partition(" ")
            if kind != "Bearer" or not shop.knows(token):
                raise Refusal(401, "unknown_token", "the token is not this shop's")
            if wait_seconds := shop.bucket.take(self._market.now()):
                raise too_fast(wait_seconds)
            return await endpoint(request, shop)

        return self._counted(name, admitted)

    async def _faulty(
        self, request: Request, shop: Shop, operation: Operation, act: Act
    ) -> Response:
        """Answer a call that is in order, unless a fault has it otherwise."""
        now = self._market.now()
        fault = self._market.faults.strike(shop.code, operation, shop.random, now)
        if fault is None:
            return Json(act(None))
        shop.faults[fault.kind] += 1
        if fault.kind in NEVER_DONE:
            if fault.kind is FaultKind.RESET:
                await cut(request)
            elif fault.kind is FaultKind.TIMEOUT:
                await hold(request)
            return Json({"error": "internal", "message": "something went wrong"}, 500)
        if fault.kind is FaultKind.SLOW:
            await asyncio.sleep(fault.milliseconds / 1000)
        answer = act(fault.kind)
        if fault.kind is FaultKind.TIMEOUT_AFTER:
            await hold(request)
        return Json(answer)

    async def _push(self, request: Request, shop: Shop) -> Response:
        items = (await body_of(request, Push)).items
        if len(items) > limits.PUSH_ITEMS_MAX:
            raise too_many("items", len(items), limits.PUSH_ITEMS_MAX)

        def act(fault: FaultKind | None) -> Any:
            return {"items": shop.push(items, fault, self._market.now())}

        return await self._faulty(request, shop, Operation.PUSH, act)

    async def _read(self, request: Request, shop: Shop) -> Response:
        named = request.query_params.get("listings")
        codes = named.split(",") if named else []
        if len(codes) > limits.READ_LISTINGS_MAX:
            raise too_many("listings", len(codes), limits.READ_LISTINGS_MAX)
        after, limit = request.query_params.get("after", ""), _limit_of(request)

        def act(fault: FaultKind | None) -> Any:
            found = shop.page(after, limit) if named is None else shop.named(codes)
            return {"items": [_stock(code, listing) for code, listing in found]}

        return await self._faulty(request, shop, Operation.READ, act)

    async def _save(self, request: Request, shop: Shop) -> Response:
        items = (await body_of(request, Listings)).items
        if len(items) > limits.LISTING_ITEMS_MAX:
            raise too_many("items", len(items), limits.LISTING_ITEMS_MAX)
        return Json({"items": shop.save_listings(items)})

    async def _list(self, request: Request, shop: Shop) -> Response:
        found = shop.page(request.query_params.get("after", ""), _limit_of(request))
        return Json({"items": [_article(code, listing) for code, listing in found]})

    async def _orders(self, request: Request, shop: Shop) -> Response:
        since = number_of(request, "since", 0, 0, limits.ORDERS_MAX)
        limit = _limit_of(request)

        def act(fault: FaultKind | None) -> Any:
            orders, following = shop.orders(since, limit)
            return {"orders": orders, "next": str(following)}

        return await self._faulty(request, shop, Operation.ORDERS, act)

    async def _returns(self, request: Request, shop: Shop) -> Response:
        since = number_of(request, "since", 0, 0, limits.RETURNS_MAX * len(ReturnStatus))
        limit = _limit_of(request)

        def act(fault: FaultKind | None) -> Any:
            returns, following = shop.returns.since(since, limit)
            return {"returns": returns, "next": str(following)}

        return await self._faulty(request, shop, Operation.RETURNS, act)

    async def _answer(self, request: Request, shop: Shop) -> Response:
        answer, number = await body_of(request, ReturnAnswer), request.path_params["number"]

        def act(fault: FaultKind | None) -> Any:
            owed = shop.worth(number) if answer.action is ReturnAction.AGREE else 0
            return shop.returns.answer(number, answer, owed)

        return await self._faulty(request, shop, Operation.ANSWER, act)

    async def _ask(self, request: Request, shop: Shop) -> Response:
        draft = await body_of(request, ReturnDraft)
        return Json(shop.ask_return(request.path_params["number"], draft), 201)

    async def _send(self, request: Request, shop: Shop) -> Response:
        shipment = await body_of(request, Shipment)
        return Json(shop.returns.send(request.path_params["number"], shipment))

    async def _refund(self, request: Request, shop: Shop) -> Response:
        paid = await body_of(request, QuickRefund)
        return Json(shop.returns.pay(request.path_params["number"], paid.amount_minor))

    async def _close(self, request: Request, shop: Shop) -> Response:
        return Json(shop.returns.close(request.path_params["number"]))

    async def _buy(self, request: Request, shop: Shop) -> Response:
        purchase = await body_of(request, Purchase)
        return Json({"number": shop.buy(purchase)}, 201)

    async def _pay(self, request: Request, shop: Shop) -> Response:
        number = request.path_params["number"]
        shop.pay(number)
        return Json({"number": number})


def _limit_of(request: Request) -> int:
    return number_of(request, "limit", limits.PAGE_ROWS, 1, limits.READ_LISTINGS_MAX)


def _stock(code: str, listing: Listing) -> dict[str, Any]:
    return {"listing": code, "quantity": listing.quantity, "sequence": listing.sequence}


def _article(code: str, listing: Listing) -> dict[str, Any]:
    return {"listing": code, "title": listing.title, "price_minor": listing.price_minor}
