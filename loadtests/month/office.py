"""What the brand's office does with orders that are held: it lets them go, or calls them off."""

from collections import Counter

from backend.orders.cancel_orders import cancel_order
from backend.orders.find_orders import holds_of_orders
from backend.orders.hold_orders import page_of_held_orders
from backend.orders.model import HoldKind
from backend.orders.release_holds import BRAND_DECIDES, Resolution, release_hold
from loadtests.month.month import Month, Order
from loadtests.month.stories import WITHIN

HELD_MAX = 100_000
KNOWN_SKU = "COOL-02"
TURNS = ("release", "release", "call off", "release", "leave")
"""What the brand does in turn with what it may let go, of each kind."""
GIVES_UP_EVERY = 4
"""Of what waits for terms, or for quota, so many are called off."""
TO_WAIT_FOR = (HoldKind.AGREEMENT, HoldKind.DEALER_PRICE, HoldKind.QUOTA)


class Office:
    """Who looks at held orders, each once, the morning after it was held."""

    def __init__(self, month: Month) -> None:
        self._month = month
        self._seen: set[tuple[int, int]] = set()
        self._counts: Counter[HoldKind] = Counter()

    async def look(self) -> None:
        """Decide on what is held and nobody has looked at yet, the oldest first."""
        month = self._month
        async with month.reading() as tx:
            rows = await page_of_held_orders(tx, kind=None, is_free=True, after=0, limit=HELD_MAX)
            ids = sorted({row["id"] for row in rows} & month.orders.keys())
            holds = await holds_of_orders(tx, ids)
        for order_id in ids:
            for hold in sorted(holds[order_id], key=lambda row: int(row["hold_no"])):
                place = (order_id, hold["hold_no"])
                if hold["released_at"] is None and place not in self._seen:
                    self._seen.add(place)
                    if await self._decide(month.orders[order_id], *place, HoldKind(hold["kind"])):
                        break

    async def _decide(self, order: Order, order_id: int, number: int, kind: HoldKind) -> bool:
        """Resolve a hold; returns whether the order is called off."""
        month = self._month
        count = self._counts[kind]
        self._counts[kind] += 1
        resolution = Resolution(number)
        if kind is HoldKind.SKU_UNKNOWN:
            resolution = Resolution(number, sku=KNOWN_SKU)
        elif kind is HoldKind.ADDRESS_UNRESOLVED:
            resolution = Resolution(number, region_code=WITHIN)
        elif kind is HoldKind.MANUAL:
            return False
        elif kind in TO_WAIT_FOR:
            gives_up = count % GIVES_UP_EVERY == 1
            return gives_up and await self._call_off(order_id, kind)
        elif (turn := TURNS[count % len(TURNS)]) != "release":
            return turn == "call off" and await self._call_off(order_id, kind)
        dealer = order.planned.dealer
        if kind in BRAND_DECIDES and dealer is not None:
            forbidden = release_hold(
                month.database,
                month.as_dealer(dealer),
                order_id,
                resolution,
                month.runtime.regions,
                month.key(),
            )
            what = f"a dealer that releases what it is held for: {kind}"
            await month.refused(what, "HOLD_UNRESOLVED", forbidden)
        released = release_hold(
            month.database, month.clerk, order_id, resolution, month.runtime.regions, month.key()
        )
        await month.do(f"released: {kind}", released)
        return False

    async def _call_off(self, order_id: int, kind: HoldKind) -> bool:
        month = self._month
        command = cancel_order(month.database, month.clerk, order_id, None, month.key(), "不卖了")
        await month.do(f"called off: {kind}", command)
        return True
