"""A shop on the platform: what it shows, what was bought, and who may ask."""

from bisect import bisect_right, insort
from collections import Counter, deque
from datetime import UTC, datetime
from hmac import compare_digest
from random import Random
from typing import Any

import msgspec

from backend.demo.platform import limits
from backend.demo.platform.bucket import Bucket
from backend.demo.platform.refusal import Refusal, invalid
from backend.demo.platform.returns import Returns
from backend.demo.platform.wire import (
    AcceptedPush,
    Buyer,
    FaultKind,
    ListingDraft,
    Order,
    Purchase,
    PurchaseLine,
    Pushed,
    PushItem,
    PushStatus,
    Return,
    ReturnDraft,
)


class Listing(msgspec.Struct):
    """An article on the shop's pages; a new one shows nothing for sale."""

    title: str
    price_minor: int
    quantity: int = 0
    sequence: int = 0


class Shop:
    """One seller's shop. Times are seconds since the platform started."""

    def __init__(self, code: str, token: str, calls_per_second: int, seed: int) -> None:
        self.code = code
        self._token = token.encode()
        # One for each shop: what befalls it does not depend on who calls for another one.
        self.random = Random(f"{seed} {code}")
        self.bucket = Bucket(calls_per_second)
        self.calls: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self._listings: dict[str, Listing] = {}
        self._codes: list[str] = []
        """The codes of the listings, sorted."""
        self._paid: list[Order] = []
        """In the order in which they were paid; a cursor is a place in it."""
        self._unpaid: dict[str, Purchase] = {}
        self.returns = Returns(code)
        self._purchases = 0
        self._pushes: deque[AcceptedPush] = deque(maxlen=limits.PUSHES_MAX)
        self._pushes_total = 0

    def knows(self, token: str) -> bool:
        return compare_digest(self._token, token.encode())

    def save_listings(self, items: list[ListingDraft]) -> list[dict[str, str]]:
        """Create listings, or name and price them anew; raises Refusal if there are too many."""
        new = {item.listing for item in items} - self._listings.keys()
        if len(self._listings) + len(new) > limits.LISTINGS_MAX:
            raise Refusal(409, "full", f"a shop has at most {limits.LISTINGS_MAX} listings")
        return [{"listing": item.listing, "status": self._save(item)} for item in items]

    def _save(self, item: ListingDraft) -> str:
        if known := self._listings.get(item.listing):
            known.title, known.price_minor = item.title, item.price_minor
            return "updated"
        self._listings[item.listing] = Listing(item.title, item.price_minor)
        insort(self._codes, item.listing)
        return "created"

    def page(self, after: str, limit: int) -> list[tuple[str, Listing]]:
        """Return up to `limit` listings with codes above `after`."""
        first = bisect_right(self._codes, after)
        return [(code, self._listings[code]) for code in self._codes[first : first + limit]]

    def named(self, codes: list[str]) -> list[tuple[str, Listing]]:
        """Return those of the listings that there are."""
        return [(code, self._listings[code]) for code in codes if code in self._listings]

    def push(self, items: list[PushItem], fault: FaultKind | None, now: float) -> list[Pushed]:
        """Show what the seller wants shown, item by item, in the way that a fault has it."""
        return [self._push(item, fault, now) for item in items]

    def _push(self, item: PushItem, fault: FaultKind | None, now: float) -> Pushed:
        listing = self._listings.get(item.listing)
        if listing is None:
            return Pushed(item.listing, PushStatus.UNKNOWN_LISTING, 0)
        if item.sequence <= listing.sequence:
            return Pushed(item.listing, PushStatus.STALE, listing.quantity)
        if item.quantity > limits.SHOWN_MAX:
            return Pushed(item.listing, PushStatus.REFUSED, listing.quantity)
        if fault is FaultKind.FORGET:
            return Pushed(item.listing, PushStatus.ACCEPTED, item.quantity)
        is_wrong = fault in (FaultKind.OTHER_NUMBER, FaultKind.SILENT_OTHER_NUMBER)
        stored = self._other_than(item.quantity) if is_wrong else item.quantity
        listing.quantity, listing.sequence = stored, item.sequence
        self._pushes.append(AcceptedPush(item.listing, item.quantity, stored, item.sequence, now))
        self._pushes_total += 1
        told = item.quantity if fault is FaultKind.SILENT_OTHER_NUMBER else stored
        return Pushed(item.listing, PushStatus.ACCEPTED, told)

    def _other_than(self, quantity: int) -> int:
        off = self.random.randint(1, limits.OTHER_NUMBER_MAX)
        is_less = quantity >= off and self.random.random() < 0.5
        more = quantity + off
        return quantity - off if is_less or more > limits.SHOWN_MAX else more

    def buy(self, purchase: Purchase) -> str:
        """Take all that a buyer wants, or nothing, and return the order's number.

        Raises Refusal: a listing that is not there, too little left, or a shop that is full.
        """
        if self._purchases >= limits.ORDERS_MAX:
            raise Refusal(409, "full", f"a shop takes at most {limits.ORDERS_MAX} orders")
        self._require_all(purchase.lines)
        for line in purchase.lines:
            self._listings[line.listing].quantity -= line.quantity
        self._purchases += 1
        number = f"{self.code}-{self._purchases:08}"
        if purchase.paid:
            self._add_paid(number, purchase.buyer, purchase.lines)
        else:
            self._unpaid[number] = purchase
        return number

    def _require_all(self, lines: list[PurchaseLine]) -> None:
        """Raise Refusal unless there is enough for all lines together."""
        wanted: Counter[str] = Counter()
        for index, line in enumerate(lines):
            if line.listing not in self._listings:
                raise invalid(f"lines[{index}].listing", f"there is no listing {line.listing}")
            wanted[line.listing] += line.quantity
        left = {code: self._listings[code].quantity for code in wanted}
        if any(left[code] < quantity for code, quantity in wanted.items()):
            shown = [{"listing": code, "quantity": quantity} for code, quantity in left.items()]
            raise Refusal(409, "sold_out", "there is less left than was ordered", left=shown)

    def pay(self, number: str) -> None:
        """Let the buyer of an unpaid order pay; raises Refusal where there is none."""
        if number not in self._unpaid:
            raise Refusal(404, "unknown_order", f"there is no unpaid order {number}")
        purchase = self._unpaid.pop(number)
        self._add_paid(number, purchase.buyer, purchase.lines)

    def _add_paid(self, number: str, buyer: Buyer, lines: list[PurchaseLine]) -> None:
        total_minor = sum(line.quantity * line.unit_price_minor for line in lines)
        paid_at = datetime.now(UTC).isoformat()
        self._paid.append(Order(number, paid_at, buyer, lines, total_minor))

    def ask_return(self, number: str, draft: ReturnDraft) -> Return:
        """Let a buyer of a paid order ask for something; raises Refusal for what was not bought."""
        order = next((one for one in self._paid if one.number == number), None)
        if order is None:
            raise Refusal(404, "unknown_order", f"there is no paid order {number}")
        bought = Counter[str]()
        for line in order.lines:
            bought[line.listing] += line.quantity
        for index, wanted in enumerate(draft.lines):
            bought[wanted.listing] -= wanted.quantity
            if bought[wanted.listing] < 0:
                raise invalid(f"lines[{index}].quantity", "more than was bought")
        return self.returns.ask(number, draft)

    def worth(self, number: str) -> int:
        """Return what the units of a request cost, in minor units."""
        found = self.returns.of(number)
        order = next(one for one in self._paid if one.number == found.order)
        prices: dict[str, list[int]] = {}
        for line in order.lines:
            prices.setdefault(line.listing, []).extend([line.unit_price_minor] * line.quantity)
        return sum(sum(prices[line.listing][: line.quantity]) for line in found.lines)

    def orders(self, since: int, limit: int) -> tuple[list[Order], int]:
        """Return up to `limit` paid orders from a place on, and the place after them."""
        found = self._paid[since : since + limit]
        return found, since + len(found)

    def state(self) -> dict[str, Any]:
        """Return everything but the token."""
        return {
            "listings": self._listings,
            "calls": self.calls,
            "refusals": self.refusals,
            "faults": self.faults,
            "pushes": list(self._pushes),
            "pushes_forgotten": self._pushes_total - len(self._pushes),
            "orders": self._paid,
            "unpaid": sorted(self._unpaid),
            "returns": self.returns.all(),
        }
