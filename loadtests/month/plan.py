"""What is to happen to each order of a month, drawn by chance before anything happens."""

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import count, cycle
from random import Random
from typing import NamedTuple, TypeVar

from backend.demo.brand import districts
from backend.demo.stream import SURNAMES
from backend.network.regions.table import RegionTable
from backend.orders.model import AddressDraft, LineDraft, OrderDraft, Shortage
from loadtests.fresh_brand import SHOP
from loadtests.month.calendar import Calendar
from loadtests.month.dealers import (
    AFTERNOON,
    ALL_BP,
    CHEAP_BP,
    HOURS,
    NEW_SKUS,
    PRODUCT_LINES,
    SHARE_OF_LEVEL,
    SKUS_OF_LINE,
    TERRITORY,
    Dealer,
    Shape,
    line_of,
    retail_prices,
)

T = TypeVar("T")


class Fate(StrEnum):
    """What is special about an order."""

    PLAIN = "nothing special"
    UNAGREED = "a SKU that the dealer may not sell"
    ELSEWHERE = "to where the dealer may not sell"
    CHEAP = "sold for too little"
    UNPRICED = "a SKU without a price"
    NO_SKU = "an unknown SKU"
    NO_REGION = "an address that nobody knows"
    AGAIN = "sent by its platform twice"
    CANCELLED = "cancelled"
    CANCELLED_IN_PART = "cancelled in part"
    FEWER = "edited: less of it"
    MORE = "edited: more of it"
    READDRESSED = "edited: to another address"
    SWAPPED = "edited: another SKU"
    PUT_BY = "put by for a day"
    STOPPED = "stopped on its way through a node"
    SHORT = "not found by its node"
    EXCHANGED = "exchanged for the same"
    SENT_BACK = "sent back"
    SENT_BACK_IN_PART = "sent back in part"
    DENIED = "sent back, and not what was sold"
    REFUSED = "refused at the door"
    MISSING = "not arrived in whole, as the customer says"


WRONG: Mapping[Fate, float] = {
    Fate.UNAGREED: 3,
    Fate.ELSEWHERE: 3,
    Fate.CHEAP: 2,
    Fate.UNPRICED: 0.7,
    Fate.NO_SKU: 0.7,
    Fate.NO_REGION: 0.7,
}
"""What is wrong with an order when it comes, of a hundred; where it can be, as the dealer is."""
LATER: Mapping[Fate, float] = {
    Fate.AGAIN: 1,
    Fate.CANCELLED: 4,
    Fate.CANCELLED_IN_PART: 3,
    Fate.FEWER: 1,
    Fate.MORE: 1.5,
    Fate.READDRESSED: 1.5,
    Fate.SWAPPED: 0.5,
    Fate.PUT_BY: 0.7,
    Fate.STOPPED: 1,
    Fate.SHORT: 0.7,
    Fate.EXCHANGED: 0.7,
    Fate.SENT_BACK: 3,
    Fate.SENT_BACK_IN_PART: 2,
    Fate.DENIED: 1,
    Fate.REFUSED: 1,
    Fate.MISSING: 0.7,
}
SURE_EVERY = 4
"""Of so many orders one has the next of all fates, so that each comes in a small month too."""
UNPAID_ONLY = {Fate.MORE}
PAID_ONLY = {Fate.NO_SKU, Fate.NO_REGION, Fate.AGAIN}
SLOW = {
    Fate.EXCHANGED,
    Fate.SENT_BACK,
    Fate.SENT_BACK_IN_PART,
    Fate.DENIED,
    Fate.REFUSED,
    Fate.MISSING,
}
"""What takes days."""
OF_BRAND = 0.04
"""Share of the orders that are of the brand's own shop."""
PAID = 0.7
IN_PIECES = {Fate.CANCELLED_IN_PART, Fate.FEWER, Fate.SENT_BACK_IN_PART, Fate.MISSING}
"""What needs two units of something."""
TWO_CHANCE = 0.35
"""That a line has two units."""


def fates_of(dealer: Dealer) -> set[Fate]:
    """Return what can be special about an order of a dealer."""
    found = {*WRONG, *LATER}
    found.discard(Fate.UNPRICED if dealer.lines else Fate.UNAGREED)
    if not dealer.territory:
        found.discard(Fate.ELSEWHERE)
    return found


def _is_for(fate: Fate, dealer: Dealer) -> bool:
    """Whether a dealer's order shows what is special about it, whatever happens to the dealer."""
    if dealer.shape in (Shape.PAUSED, Shape.ENDED, Shape.SUSPENDED, Shape.LEAVES):
        return False
    is_bounded = bool(dealer.territory)
    return fate in fates_of(dealer) and (is_bounded or fate is not Fate.READDRESSED)


class Planned(NamedTuple):
    """One order to come, with what becomes of it."""

    number: int
    round: int
    dealer: Dealer | None
    """Whose shop it is of; None: the brand's."""
    fate: Fate
    draft: OrderDraft

    def random(self, seed: int) -> Random:
        """Return what decides the little things of this order."""
        return Random(f"{seed} {self.number}")


class Planner:
    """Draws the orders of a month."""

    def __init__(
        self, seed: int, dealers: Sequence[Dealer], calendar: Calendar, regions: RegionTable
    ) -> None:
        self._random = Random(seed)
        self._calendar = calendar
        self._dealers = dealers
        turns = sorted([*WRONG, *LATER], key=lambda one: one not in SLOW)
        self._sure = cycle([one for fate in turns for one in (fate, *[None] * (SURE_EVERY - 1))])
        self._sure_ones: Counter[Fate] = Counter()
        self._prices = retail_prices()
        self._within: list[int] = []
        self._without: list[int] = []
        for code in districts(regions):
            inside = any(region.code in TERRITORY for region in regions.ancestors(code))
            (self._within if inside else self._without).append(code)
        self._numbers = count(1)

    def month(self, orders: int, days: int) -> list[list[Planned]]:
        """Return the orders of each round."""
        rounds: list[list[Planned]] = [[] for _ in range(days * len(HOURS))]
        weights = [float(share) for _ in range(days) for share in HOURS.values()]
        for chosen in sorted(self._random.choices(range(len(rounds)), weights, k=orders)):
            out = self._out(chosen)
            place = len(rounds[chosen])
            if place < 2 * len(out):
                order = self._drafted(chosen, out[place // 2], Fate.PLAIN, is_paid=place % 2 == 0)
            else:
                order = self._order(chosen)
            rounds[chosen].append(order)
        return rounds

    def _out(self, chosen: int) -> list[Dealer]:
        """Return the dealers that try to sell in a round although they may not."""
        day, index = divmod(chosen, len(HOURS))
        if list(HOURS)[index] != AFTERNOON:
            return []
        return [one for one in self._dealers if self._calendar.is_out(one.shape, day)]

    def _order(self, chosen: int) -> Planned:
        random, fate = self._random, next(self._sure)
        dealer = None
        if fate is not None or random.random() >= OF_BRAND:
            dealers = [one for one in self._dealers if fate is None or _is_for(fate, one)]
            shares = [SHARE_OF_LEVEL[one.level] for one in dealers]
            dealer = random.choices(dealers, shares)[0]
        is_paid = dealer is None or random.random() < PAID
        if fate is None:
            fate = self._fate(dealer, is_paid=is_paid)
        else:
            self._sure_ones[fate] += 1
            is_odd = self._sure_ones[fate] % 2 == 1
            is_paid = fate in PAID_ONLY or (fate not in UNPAID_ONLY and is_odd)
        return self._drafted(chosen, dealer, fate, is_paid=is_paid)

    def _drafted(self, chosen: int, dealer: Dealer | None, fate: Fate, *, is_paid: bool) -> Planned:
        number = next(self._numbers)
        draft = self._draft(number, dealer, fate, is_paid=is_paid)
        return Planned(number, chosen, dealer, fate, draft)

    def _fate(self, dealer: Dealer | None, *, is_paid: bool) -> Fate:
        fates = {**LATER, **WRONG} if dealer is not None else dict(LATER)
        for one in UNPAID_ONLY if is_paid else PAID_ONLY:
            fates.pop(one, None)
        if dealer is not None:
            fates = {one: share for one, share in fates.items() if one in fates_of(dealer)}
        return _drawn(self._random, {Fate.PLAIN: 100 - sum(fates.values()), **fates})

    def _draft(
        self, number: int, dealer: Dealer | None, fate: Fate, *, is_paid: bool
    ) -> OrderDraft:
        random = self._random
        anywhere = [*self._within, *self._without]
        where = anywhere if dealer is None or not dealer.territory else self._within
        place = random.choice(self._without if fate is Fate.ELSEWHERE else where)
        path: tuple[str, ...] = ("某省", "某市") if fate is Fate.NO_REGION else ()
        address = AddressDraft(
            detail=f"人民路 {random.randrange(1, 999)} 号",
            region_code=None if path else place,
            region_path=path,
            name=random.choice(SURNAMES) + random.choice(("女士", "先生")),
            phone=f"139{random.randrange(10**8):08}",
        )
        shortage = random.choice((None, Shortage.PARTIAL, Shortage.BACKORDER))
        return OrderDraft(
            shop=SHOP if dealer is None else random.choice(dealer.shops),
            external_id=f"m{number:05}",
            is_paid=is_paid,
            address=address,
            lines=self._lines(dealer, fate),
            shortage=None if is_paid else shortage,
        )

    def _lines(self, dealer: Dealer | None, fate: Fate) -> tuple[LineDraft, ...]:
        random = self._random
        lines: tuple[str, ...] = PRODUCT_LINES
        if dealer is not None and dealer.lines:
            lines = tuple(one for one in lines if one in dealer.lines)
        skus = [sku for sku in self._prices if line_of(sku) in lines]
        chosen = random.sample(skus, k=min(1 + int(random.expovariate(1.3)), 3))
        units = [1 + int(random.random() < TWO_CHANCE) for _ in chosen]
        if fate in IN_PIECES:
            units[0] = 2
        match fate:
            case Fate.UNAGREED:
                chosen[0] = f"{PRODUCT_LINES[2].upper()}-{random.randrange(1, SKUS_OF_LINE):02}"
            case Fate.UNPRICED:
                chosen[0] = random.choice(NEW_SKUS)
        bp = CHEAP_BP if fate is Fate.CHEAP else ALL_BP
        found = [
            LineDraft(sku, quantity, self._prices[sku] * bp // ALL_BP)
            for sku, quantity in zip(chosen, units, strict=True)
        ]
        if fate is Fate.NO_SKU:
            found[0] = LineDraft("NOBODY-KNOWS", units[0], 19_900)
        return tuple(found)


def _drawn(random: Random, shares: Mapping[T, float]) -> T:
    return random.choices(list(shares), list(shares.values()))[0]
