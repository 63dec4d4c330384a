"""What is to happen to each order of the week, drawn by chance before anything happens."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import count
from random import Random
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from backend.catalog.model import SkuDraft
from backend.demo import brand as demo
from backend.demo.appointments import TIMES
from backend.demo.stream import SURNAMES
from backend.orders.model import (
    AddressDraft,
    Appointment,
    Deposit,
    LineDraft,
    OrderDraft,
    Pickup,
    Shortage,
)
from backend.routing.traits import OrderTraits

CHINA = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2026, 11, 9, tzinfo=CHINA)
"""Of the week of Singles' Day."""
DAYS = 7
HOURS = {1: 2, 8: 6, 10: 13, 12: 14, 14: 12, 16: 12, 18: 13, 20: 18, 22: 10}
"""The rounds of a day, and what share of its orders each brings."""
ROUNDS = [(day, hour) for day in range(DAYS) for hour in HOURS]
SHOPS = {
    "tmall": 30,
    "jd": 20,
    "douyin": 20,
    "app": 16,
    **{f"shop-{code}": 14 / len(demo.DEALERS) for code, _, _ in demo.DEALERS},
}
"""The shops of the five channels, and what share of the orders each brings."""
NEW_SKUS = tuple(f"NEW-{number:02}" for number in range(1, 9))
"""What the week sells before it is there."""
NEW_PRICE_MINOR = 99_900
LARGE_PRICE_MINOR = 600_000
"""Orders from here on are looked at before they are sent."""

T = TypeVar("T")


class Way(StrEnum):
    """How an order gets to its customer."""

    SENT = "sent"
    FETCHED = "fetched at a store"
    INSTALLED = "delivered and installed"
    DEPOSIT = "paid ahead"
    TO_COME = "sold before it is there"


class Fate(StrEnum):
    """What is special about an order."""

    PLAIN = "nothing special"
    CANCELLED = "cancelled before a node began"
    CANCELLED_TWICE = "cancelled by two people at once"
    STOPPED = "stopped on its way through a node"
    TOO_LATE = "asked to be stopped too late"
    READDRESSED = "sent to another address"
    EDITED_TWICE = "changed by two people at once"
    FEWER = "ordered less of it"
    SWAPPED = "ordered another SKU instead"
    SHORT = "not found by its node"
    MISREAD = "a wrong SKU scanned for it"
    IN_TWO = "packed into two parcels"
    SHIPPED_TWICE = "handed over by two people at once"
    NO_SKU = "placed with an unknown SKU"
    NO_REGION = "placed with an address that nobody knows"
    WRONG_SUM = "placed with a wrong sum"
    REMARKED = "held for its remark"
    FRAUD = "held for its remark, and cancelled"
    PUT_BY = "put by for a day"
    REFUSED = "refused at the door"
    SENT_BACK = "sent back"
    APPROVED_TWICE = "sent back, approved by two people at once"
    SENT_BACK_IN_PART = "sent back in part"
    NOT_SENT_BACK = "to be sent back, and kept after all"
    TAKEN_BACK = "given back at a store"
    REFUND_ONLY = "paid back without being sent back"
    MISSING = "not arrived, as the customer says"
    DECLINED = "asked to be sent back, and declined"
    EXCHANGED = "exchanged for the same"
    EXCHANGED_DEARER = "exchanged for something dearer"
    EXCHANGE_DROPPED = "exchanged, and not after all"
    GOODWILL = "paid something back for goodwill"
    REPAIRED = "repaired, or too dear for it"
    COLLECTED = "fetched back at the door"
    COLLECTED_LATE = "fetched back at the door, at the second try"
    TRADED_IN = "given an old one for it"
    TRADED_IN_FOR_LESS = "given an old one for it that is worth less"
    SPLIT = "split by hand"
    ANOTHER = "ordered by the customer before, and packed together"
    BY_PROXY = "fetched by somebody else"
    IN_PARTS = "fetched in two parts"
    GUESSED = "a wrong code shown for it"
    FETCHED_TWICE = "fetched at two counters at once"
    NO_SHOW = "never fetched"
    REJECTED = "rejected by its store, and fetched elsewhere"
    GATHERED = "brought to its store from elsewhere"
    SENT_AFTER_ALL = "sent instead of fetched"
    CANCELLED_THERE = "cancelled while it is kept"
    MOVED = "agreed upon for another day"
    NOBODY_HOME = "not installed at the first visit"
    SITE_PROBLEM = "not installed: the place is not fit for it"
    WRONG_REST = "a wrong rest paid first"
    NEVER_PAID = "its rest never paid"
    NOT_AWAITED = "cancelled while it waits"


WAYS = {Way.SENT: 74, Way.FETCHED: 12, Way.INSTALLED: 6, Way.DEPOSIT: 3, Way.TO_COME: 5}
FATES: dict[Way, dict[Fate, float]] = {
    Way.SENT: {
        Fate.CANCELLED: 2.5,
        Fate.CANCELLED_TWICE: 0.3,
        Fate.STOPPED: 1,
        Fate.TOO_LATE: 0.4,
        Fate.READDRESSED: 1,
        Fate.EDITED_TWICE: 0.3,
        Fate.FEWER: 0.5,
        Fate.SWAPPED: 0.4,
        Fate.SHORT: 1.2,
        Fate.MISREAD: 1,
        Fate.IN_TWO: 1,
        Fate.SHIPPED_TWICE: 0.4,
        Fate.NO_SKU: 0.3,
        Fate.NO_REGION: 0.4,
        Fate.WRONG_SUM: 0.3,
        Fate.REMARKED: 1,
        Fate.FRAUD: 0.2,
        Fate.PUT_BY: 0.4,
        Fate.REFUSED: 0.6,
        Fate.SENT_BACK: 3.5,
        Fate.APPROVED_TWICE: 0.3,
        Fate.SENT_BACK_IN_PART: 1,
        Fate.NOT_SENT_BACK: 0.4,
        Fate.TAKEN_BACK: 1,
        Fate.REFUND_ONLY: 0.8,
        Fate.MISSING: 0.3,
        Fate.DECLINED: 0.3,
        Fate.EXCHANGED: 0.8,
        Fate.EXCHANGED_DEARER: 0.4,
        Fate.EXCHANGE_DROPPED: 0.2,
        Fate.GOODWILL: 0.4,
        Fate.REPAIRED: 0.6,
        Fate.COLLECTED: 1.2,
        Fate.COLLECTED_LATE: 0.4,
        Fate.TRADED_IN: 0.6,
        Fate.TRADED_IN_FOR_LESS: 0.4,
        Fate.SPLIT: 0.4,
        Fate.ANOTHER: 0.8,
    },
    Way.FETCHED: {
        Fate.BY_PROXY: 5,
        Fate.IN_PARTS: 3,
        Fate.GUESSED: 3,
        Fate.FETCHED_TWICE: 2,
        Fate.NO_SHOW: 6,
        Fate.REJECTED: 4,
        Fate.SENT_AFTER_ALL: 3,
        Fate.CANCELLED_THERE: 2,
        Fate.TAKEN_BACK: 3,
        Fate.GATHERED: 5,
    },
    Way.INSTALLED: {Fate.MOVED: 8, Fate.CANCELLED: 3, Fate.NOBODY_HOME: 6, Fate.SITE_PROBLEM: 3},
    Way.DEPOSIT: {Fate.WRONG_REST: 5, Fate.NEVER_PAID: 20},
    Way.TO_COME: {Fate.NOT_AWAITED: 8},
}
"""Of a hundred orders of each way; the others are plain."""
IN_PIECES = {Fate.FEWER, Fate.IN_TWO, Fate.SENT_BACK_IN_PART, Fate.IN_PARTS, Fate.SHORT}
"""What needs two units of something."""
TO_BE_PAID = {Fate.EXCHANGED, Fate.EXCHANGED_DEARER, Fate.EXCHANGE_DROPPED, Fate.GOODWILL}


class Planned(NamedTuple):
    """One order to come, with what becomes of it."""

    number: int
    round: int
    """In which round it is placed: an index of ROUNDS."""
    way: Way
    fate: Fate
    draft: OrderDraft

    def random(self, seed: int) -> Random:
        """Return what decides the little things of this order."""
        return Random(f"{seed} {self.number}")


class Planner:
    """Draws the orders of a week; `carried` are the SKUs that each store has enough of."""

    def __init__(
        self, seed: int, districts: Sequence[int], carried: Mapping[str, Collection[str]]
    ) -> None:
        self._random = Random(seed)
        self._districts = districts
        self._carried = carried
        self._skus = [pair for pair in demo.demo_skus() if not pair[0].needs_installation]
        self._large = [pair for pair in demo.demo_skus() if pair[0].needs_installation]
        self._numbers = count(1)
        self._last: OrderDraft | None = None
        """The last order that was sent to somebody."""

    def week(self, orders: int) -> list[list[Planned]]:
        """Return the orders of each round."""
        rounds: list[list[Planned]] = [[] for _ in ROUNDS]
        weights = [float(HOURS[hour]) for _, hour in ROUNDS]
        for chosen in sorted(self._random.choices(range(len(ROUNDS)), weights, k=orders)):
            rounds[chosen].append(self._order(chosen))
        return rounds

    def _order(self, chosen: int) -> Planned:
        number, random = next(self._numbers), self._random
        way = _drawn(random, WAYS)
        special = FATES[way]
        fate = _drawn(random, {Fate.PLAIN: 100 - sum(special.values()), **special})
        return Planned(number, chosen, way, fate, self._draft(number, chosen, way, fate))

    def _draft(self, number: int, chosen: int, way: Way, fate: Fate) -> OrderDraft:
        random, day = self._random, ROUNDS[chosen][0]
        shop = _drawn(random, SHOPS)
        if way in (Way.FETCHED, Way.TO_COME) or fate in TO_BE_PAID:
            shop = random.choice(("tmall", "jd", "app"))
        store = random.choice(demo.STORES) if way is Way.FETCHED else None
        lines = self._lines(way, fate, store.code if store else None)
        goods = sum(line.quantity * line.unit_price_minor for line in lines)
        discount = goods // 20 if random.random() < 0.3 else 0
        name = random.choice(SURNAMES) + random.choice(("女士", "先生"))
        draft = OrderDraft(
            shop=shop,
            external_id=f"w{number:05}",
            is_paid=way is not Way.DEPOSIT,
            address=AddressDraft(
                detail=f"人民路 {random.randrange(1, 999)} 号",
                region_code=store.region_code if store else random.choice(self._districts),
                name=name,
                phone=f"139{random.randrange(10**8):08}",
            ),
            lines=lines,
            order_discount_minor=discount,
            pickup=Pickup(store.code) if store else msgspec.UNSET,
        )
        changes: dict[str, object] = {}
        if fate is Fate.ANOTHER and self._last is not None:
            changes |= {"shop": self._last.shop, "address": self._last.address}
        elif way is Way.SENT:
            self._last = draft
        if way is Way.INSTALLED:
            on = MONDAY.date() + timedelta(days=day + random.randrange(1, 4))
            changes["appointment"] = Appointment(on, *random.choice(TIMES))
        elif way is Way.DEPOSIT:
            pay_by = MONDAY + timedelta(days=day + 2, hours=23)
            changes["deposit"] = Deposit(goods // 10, pay_by, is_kept=random.random() < 0.5)
        elif way is Way.TO_COME:
            changes["traits"] = OrderTraits(customer_level=random.randrange(4))
            if random.random() < 0.5:
                changes |= {"is_paid": False, "shortage": Shortage.PRESALE}
        match fate:
            case Fate.NO_REGION:
                where = msgspec.structs.replace(
                    draft.address, region_code=None, region_path=("某省", "某市")
                )
                changes["address"] = where
            case Fate.WRONG_SUM:
                changes["total_minor"] = goods - discount + 100
            case Fate.REMARKED | Fate.FRAUD:
                changes["remark"] = "代付，请先联系"
        return msgspec.structs.replace(draft, **changes)

    def _lines(self, way: Way, fate: Fate, store: str | None) -> tuple[LineDraft, ...]:
        random = self._random
        if way is Way.TO_COME:
            return (LineDraft(random.choice(NEW_SKUS), 1, NEW_PRICE_MINOR),)
        if way is Way.INSTALLED:
            sku, price = random.choice(self._large)
            return (LineDraft(sku.code, 1, price),)
        sold = self._skus
        if store is not None:
            carried = self._carried[store]
            elsewhere = [pair for pair in sold if pair[0].code not in carried]
            is_gathered = fate is Fate.GATHERED and bool(elsewhere)
            sold = elsewhere if is_gathered else [p for p in sold if p[0].code in carried]
        chosen = random.sample(sold, k=min(1 + int(random.expovariate(1.1)), 4, len(sold)))
        units = [1 + int(random.random() < 0.1) for _ in chosen]
        if fate in IN_PIECES:
            units[0] = 2
        lines = [
            LineDraft(sku.code, quantity, price)
            for (sku, price), quantity in zip(chosen, units, strict=True)
        ]
        if fate is Fate.NO_SKU:
            lines[0] = LineDraft("NOBODY-KNOWS", 1, lines[0].unit_price_minor)
        return tuple(lines)


def new_skus() -> Iterator[SkuDraft]:
    """Return what is sold before it is there."""
    for code in NEW_SKUS:
        yield SkuDraft(code=code, name=code, category="new", product_line="small", weight_g=2_000)


def _drawn(random: Random, shares: Mapping[T, float]) -> T:
    return random.choices(list(shares), list(shares.values()))[0]
