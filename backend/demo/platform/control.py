"""The control door: shops, faults and the whole state, for the demo and the tests."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from backend.demo.platform.http import Json, body_of
from backend.demo.platform.market import Market
from backend.demo.platform.wire import FaultDraft, ShopDraft


class ControlDoor:
    """What no marketplace offers. It asks for no token: the platform listens on this machine."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[Route]:
        return [
            Route("/control/shops", self._open_shop, methods=["POST"]),
            Route("/control/faults", self._order_fault, methods=["POST"]),
            Route("/control/faults", self._clear_faults, methods=["DELETE"]),
            Route("/control/state", self._state, methods=["GET"]),
        ]

    async def _open_shop(self, request: Request) -> Response:
        draft = await body_of(request, ShopDraft)
        self._market.open_shop(draft)
        return Json({"code": draft.code}, 201)

    async def _order_fault(self, request: Request) -> Response:
        draft = await body_of(request, FaultDraft)
        self._market.order_fault(draft)
        return Json(draft, 201)

    async def _clear_faults(self, request: Request) -> Response:
        self._market.faults.clear()
        return Json({})

    async def _state(self, request: Request) -> Response:
        return Json(self._market.state())
