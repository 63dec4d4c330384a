"""The whole platform: its shops, its faults and its clock."""

import time
from collections.abc import Callable
from typing import Any

from backend.demo.platform import limits
from backend.demo.platform.faults import Faults
from backend.demo.platform.refusal import Refusal, unknown_shop
from backend.demo.platform.shop import Shop
from backend.demo.platform.wire import FaultDraft, ShopDraft


class Market:
    """The state of the platform. The same calls in the same order have the same outcome."""

    def __init__(
        self,
        calls_per_second: int = limits.CALLS_PER_SECOND,
        seed: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calls_per_second = calls_per_second
        self._seed = seed
        self._clock = clock
        self._started_at = clock()
        self._shops: dict[str, Shop] = {}
        self.faults = Faults()

    def now(self) -> float:
        """Return the seconds since the platform started."""
        return self._clock() - self._started_at

    def shop(self, code: str) -> Shop:
        """Return the shop; raises Refusal where there is none."""
        if code not in self._shops:
            raise unknown_shop(code)
        return self._shops[code]

    def open_shop(self, draft: ShopDraft) -> None:
        """Open a shop without listings; raises Refusal for a code in use, and for too many."""
        if draft.code in self._shops:
            raise Refusal(409, "exists", f"there is a shop {draft.code} already")
        if len(self._shops) >= limits.SHOPS_MAX:
            raise Refusal(409, "full", f"at most {limits.SHOPS_MAX} shops")
        rate = draft.calls_per_second or self._calls_per_second
        self._shops[draft.code] = Shop(draft.code, draft.token, rate, self._seed)

    def order_fault(self, draft: FaultDraft) -> None:
        """Let calls go wrong from now on; raises Refusal for a shop that is not there."""
        if draft.shop is not None:
            self.shop(draft.shop)
        self.faults.order(draft, self.now())

    def state(self) -> dict[str, Any]:
        """Return everything, for assertions."""
        now = self.now()
        return {
            "seconds": now,
            "faults": self.faults.state(now),
            "shops": {code: shop.state() for code, shop in self._shops.items()},
        }
