"""The numbers of one shop: what is pending, and what becomes of it. Pure; times are given.

A number is pending from the moment it differs until the platform has acknowledged it.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence

from backend.channels.platform import PushAnswer, PushOutcome, StockPush
from backend.channels.push_order import SINCE_SECONDS_MAX, Pending, push_order
from backend.inventory.pools.model import Sync
from backend.publishing.model import Listing

REORDER_SECONDS = 0.2
"""How long the order of a long queue holds: to order 20,000 numbers takes some 40 ms."""
SOLD_SECONDS = 60.0
"""How long a platform may show less than it acknowledged before that is drift: it sells, and its
orders take a while to reach us."""


class ShopNumbers:
    """What a platform shows of each SKU of a shop, and what it shall show."""

    def __init__(self, shop: str) -> None:
        self.shop = shop
        self.sync = Sync(shop=shop)
        self.velocity: Mapping[int, int] = {}
        """Thousandths of a unit sold a day, by SKU."""
        self.listings: dict[int, Listing] = {}
        self._by_code: dict[str, int] = {}
        self._pending: set[int] = set()
        self._unsaved: set[int] = set()
        self._queue: deque[int] = deque()
        self._ordered_at = 0.0
        self._read_at: Iterator[int] = iter(())

    @property
    def pending(self) -> int:
        """How many numbers the platform does not show as it should."""
        return len(self._pending)

    def add(self, sku_id: int, listing: Listing) -> None:
        """Take up a SKU with what is known of it."""
        self.listings[sku_id] = listing
        self._by_code[listing.code] = sku_id

    def want(self, sku_id: int, number: int, now: float) -> None:
        """Let the platform show a shop's number, after its sync policy."""
        listing = self.listings[sku_id]
        wanted = self.sync.shown(number)
        is_settled = sku_id not in self._pending and not listing.is_drifted
        if wanted == listing.wanted == listing.shown and is_settled:
            return
        listing.wanted = wanted
        self._judge(sku_id, listing, now)

    def _judge(self, sku_id: int, listing: Listing, now: float) -> None:
        """Note whether a number is pending."""
        differs = listing.is_drifted or self.sync.is_worth_sending(listing.shown, listing.wanted)
        if listing.is_unlisted or listing.refused == listing.wanted or not differs:
            listing.differs_since = None
            self._pending.discard(sku_id)
            return
        if listing.differs_since is None:
            listing.differs_since = now
        self._pending.add(sku_id)

    def next_batch(self, items_max: int, now: float) -> list[StockPush]:
        """Return what the next call should say, the riskiest numbers first.

        The sequence of a number is the time in milliseconds, or one more than its last: it rises
        whoever speaks for the shop, without being stored before it is used.
        """
        chosen: Iterable[int] = self._pending
        if len(self._pending) > items_max:
            chosen = self._riskiest(items_max, now)
        batch = []
        for sku_id in sorted(chosen):
            listing = self.listings[sku_id]
            listing.sequence = max(listing.sequence + 1, int(now * 1000))
            batch.append(StockPush(listing.code, listing.wanted, listing.sequence))
        return batch

    def _riskiest(self, items_max: int, now: float) -> list[int]:
        if not self._queue or now - self._ordered_at >= REORDER_SECONDS:
            ordered = push_order(self._pending_number(sku_id, now) for sku_id in self._pending)
            self._queue = deque(self._by_code[number.sku] for number in ordered)
            self._ordered_at = now
        chosen: list[int] = []
        while self._queue and len(chosen) < items_max:
            sku_id = self._queue.popleft()
            if sku_id in self._pending:
                chosen.append(sku_id)
        return chosen or list(self._pending)[:items_max]

    def _pending_number(self, sku_id: int, now: float) -> Pending:
        listing = self.listings[sku_id]
        since = max(0.0, now - (listing.differs_since or now))
        return Pending(
            self.shop,
            listing.code,
            listing.shown,
            listing.wanted,
            self.velocity.get(sku_id, 0),
            min(SINCE_SECONDS_MAX, int(since)),
            listing.is_drifted,
        )

    def answered(self, answers: Sequence[PushAnswer], now: float) -> None:
        """Take over what the platform says that it shows now."""
        for answer in answers:
            sku_id = self._by_code[answer.listing]
            listing = self.listings[sku_id]
            listing.is_unlisted = answer.outcome is PushOutcome.UNKNOWN_LISTING
            is_refused = answer.outcome is PushOutcome.REFUSED
            listing.refused = listing.wanted if is_refused else None
            if not listing.is_unlisted:
                listing.shown, listing.is_drifted = answer.quantity_shown, False
                listing.seen_other = None
            self._unsaved.add(sku_id)
            self._judge(sku_id, listing, now)

    def to_read(self, listings_max: int) -> list[str]:
        """Return the listings that are to be looked at next, in turn: those that are settled, and
        those that the platform did not sell."""
        codes: list[str] = []
        for _ in range(2):  # the second time from the beginning
            for sku_id in self._read_at:
                listing = self.listings[sku_id]
                if sku_id not in self._pending:
                    codes.append(listing.code)
                if len(codes) == listings_max:
                    return codes
            self._read_at = iter(list(self.listings))
        return codes

    def seen(self, asked: Sequence[str], shown: Mapping[str, int], now: float) -> int:
        """Compare what the platform was found to show; returns how many have drifted.

        More than it acknowledged is drift at once. Less may have been sold there and be on its way
        to us: it is drift when it stays. Who asked did not push the same numbers meanwhile.
        """
        drifted = 0
        for code in asked:
            sku_id = self._by_code[code]
            listing = self.listings[sku_id]
            found = shown.get(code)
            if listing.is_unlisted and found is not None:
                listing.is_unlisted, listing.shown = False, found
                self._unsaved.add(sku_id)
                self._judge(sku_id, listing, now)
                continue
            if sku_id in self._pending or found is None or listing.shown is None:
                continue
            if found == listing.shown:
                listing.seen_other = None
                continue
            if listing.seen_other is None:
                listing.seen_other = now
            if found > listing.shown or now - listing.seen_other >= SOLD_SECONDS:
                listing.is_drifted = True
                drifted += 1
                self._unsaved.add(sku_id)
                self._judge(sku_id, listing, now)
        return drifted

    def leave_unsaved(self, sku_ids: Iterable[int]) -> None:
        """Take back what was taken to be stored, and was not."""
        self._unsaved.update(sku_ids)

    def take_unsaved(self) -> list[tuple[int, Listing]]:
        """Return the listings that have changed since they were stored."""
        unsaved, self._unsaved = sorted(self._unsaved), set()
        return [(sku_id, self.listings[sku_id]) for sku_id in unsaved]
