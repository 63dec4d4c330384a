"""Speaks with the platform of one shop: pushes its numbers, looks whether they are shown, and takes
its orders."""

import asyncio
import time
from array import array
from collections.abc import Iterable, Sequence
from contextlib import suppress

import structlog

from backend.catalog.find_skus import codes_of_skus
from backend.channels.errors import ChannelAway, ChannelBusy, ChannelRefused
from backend.channels.pace import Pace
from backend.channels.platform import ChannelStock
from backend.db.errors import DatabaseUnavailable
from backend.db.pool import CONNECTION_LOST, Database
from backend.inventory.pools.live import LivePools
from backend.metrics import DRIFTED_NUMBERS, PUSHES
from backend.publishing.connections import SQL, note_problem
from backend.publishing.model import Listing, ShopAccess
from backend.publishing.order_puller import OrderPuller
from backend.publishing.returns import ReturnsDesk
from backend.publishing.shop_numbers import ShopNumbers
from backend.routing.live_book import FRESH_SECONDS, LiveBook
from tenants.principal import system_principal

log = structlog.get_logger(__name__)

SAVE_SECONDS = 1.0
"""How far what is stored may lie behind what is known: who takes over pushes that much again."""
READ_SECONDS = 2.0
"""Between two looks at what the platform shows."""
PULL_SECONDS = 1.0
"""Between two looks for new orders."""
RETURNS_SECONDS = 3.0
"""Between two looks for what buyers want to send back."""
AWAY_SECONDS, AWAY_SECONDS_MAX = 0.5, 30.0
"""First and longest pause after a call that failed; it doubles."""
REFUSED_SECONDS = 60.0
"""How long a shop rests that needs a person."""


class ShopPublisher:
    """Keeps what one platform shows equal to what the shop may offer.

    A number is sent within milliseconds of its movement while the platform takes calls; beyond its
    rate the riskiest go first. What failed is pushed again under a newer sequence.
    """

    def __init__(
        self,
        live: LiveBook,
        database: Database,
        shop: ShopAccess,
        channel: ChannelStock,
        puller: OrderPuller,
        desk: ReturnsDesk,
    ) -> None:
        self.shop = shop
        self._puller = puller
        self._desk = desk
        self.numbers = ShopNumbers(shop.shop_code)
        self._live = live
        self._database = database
        self._channel = channel
        self._principal = system_principal(live.brand.id, "publisher")
        self._pace = Pace(time.time(), shop.calls_per_second)
        self._moved: set[int] = set()
        self._wake = asyncio.Event()
        self._pools: LivePools | None = None
        self._stopping = asyncio.Event()
        self._away_seconds = AWAY_SECONDS
        self._saved_at = self._looked_at = self._pulled_at = self._served_at = 0.0
        self._problem = shop.problem
        self._has_pushed = True
        """Since orders or numbers were last read; so that reading does not starve pushing."""

    async def run(self) -> None:
        """Publish until `stop`; raises DatabaseUnavailable while nothing is known yet."""
        await self._load()
        self._live.book.listeners.append(self._hear)
        try:
            while not self._stopping.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), FRESH_SECONDS)
                self._wake.clear()
                await self._turn()
        finally:
            self._live.book.listeners.remove(self._hear)
            with suppress(DatabaseUnavailable, *CONNECTION_LOST):
                await self._save()

    def stop(self) -> None:
        """Let `run` end after the call in hand."""
        self._stopping.set()
        self._wake.set()

    def _hear(self, sku_ids: "array[int]") -> None:
        self._moved.update(sku_ids)
        self._wake.set()

    async def _load(self) -> None:
        """Take over what was known of the platform."""
        async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
            rows = await tx.fetch(SQL.shown_numbers, tx.tenant_id, self.shop.shop_id)
            codes = await codes_of_skus(tx, [row["sku_id"] for row in rows])
        for row in rows:
            listing = Listing(codes[row["sku_id"]])
            listing.sequence, listing.wanted = row["sequence"], row["wanted"]
            listing.shown, listing.is_drifted = row["shown"], row["is_drifted"]
            self.numbers.add(row["sku_id"], listing)

    async def _turn(self) -> None:
        """Do what is due: follow the stock, push, look, store."""
        try:
            await self._live.freshen()
            await self._follow()
            await self._push()
            await self._pull()
            await self._serve()
            await self._look()
            await self._save_now_and_then()
        except (DatabaseUnavailable, *CONNECTION_LOST) as error:
            log.warning("publisher.waiting", shop=self.shop.shop_code, error=str(error))
            await asyncio.sleep(AWAY_SECONDS)

    async def _follow(self) -> None:
        """Take over the numbers of what has moved; all of them under another layout."""
        pools = self._live.book.pools
        moved, self._moved = self._moved, set()
        if pools is None:
            return
        self.numbers.velocity = self._live.velocity()
        if pools is not self._pools:
            self.numbers.sync = pools.sync_of(self.shop.shop_code)
            moved |= pools.sku_ids() | self.numbers.listings.keys()
        try:
            await self._take_up(moved - self.numbers.listings.keys())
        except (DatabaseUnavailable, *CONNECTION_LOST):
            self._moved |= moved
            raise
        self._pools = pools
        now = time.time()
        for sku_id in moved & self.numbers.listings.keys():
            number = pools.of_shop(sku_id, self.shop.shop_id)
            if number is not None:
                self.numbers.want(sku_id, number, now)
            elif self.numbers.listings[sku_id].shown:  # the layout gives the shop nothing any more
                self.numbers.want(sku_id, 0, now)

    async def _take_up(self, sku_ids: Iterable[int]) -> None:
        wanted = sorted(sku_ids)
        if not wanted:
            return
        async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
            codes = await codes_of_skus(tx, wanted)
        for sku_id, code in codes.items():
            self.numbers.add(sku_id, Listing(code))

    async def _push(self) -> None:
        """Push what is pending, as fast as the platform takes it, but let orders come meanwhile."""
        ends = time.time() + PULL_SECONDS
        while self.numbers.pending and not self._stopping.is_set():
            if time.time() >= ends:
                self._wake.set()
                return
            wait_seconds = self._pace.may_call(time.time())
            if wait_seconds > 0:
                await self._pause(wait_seconds)
                return
            batch = self.numbers.next_batch(self._channel.push_items_max, time.time())
            self._pace.called(time.time())
            self._has_pushed = True
            try:
                answers = await self._channel.push(batch)
            except (ChannelAway, ChannelBusy, ChannelRefused) as error:
                await self._failed(error)
                return
            self.numbers.answered(answers, time.time())
            PUSHES.labels("answered").inc(len(answers))
            await self._went_well()
            if self._moved:
                await self._follow()

    async def _pull(self) -> None:
        """Now and then, take the new orders of the platform; all that there are."""
        while time.time() - self._pulled_at >= PULL_SECONDS and not self._stopping.is_set():
            if not self._may_read():
                return
            try:
                orders = await self._puller.pull()
            except (ChannelAway, ChannelBusy, ChannelRefused) as error:
                await self._failed(error)
                return
            await self._went_well()
            if orders < self._channel.orders_page_max:
                self._pulled_at = time.time()

    async def _serve(self) -> None:
        """Now and then, bring what buyers ask for in step with the platform."""
        now = time.time()
        is_early = now - self._served_at < RETURNS_SECONDS
        if is_early or self._stopping.is_set() or not self._may_read():
            return
        self._served_at = now
        try:
            while await self._desk.pull() == self._channel.orders_page_max and self._may_read():
                pass
            for row in await self._desk.due():
                if self._stopping.is_set() or self._pace.may_call(time.time()) > 0:
                    self._served_at = 0.0  # the rest has its turn next
                    return
                if await self._desk.look(row):
                    self._pace.called(time.time())
        except (ChannelAway, ChannelBusy, ChannelRefused) as error:
            await self._failed(error)
            return
        await self._went_well()

    def _may_read(self) -> bool:
        """Take a call for reading, if the pace allows it and no number waits since the last one."""
        must_push = self.numbers.pending > 0 and not self._has_pushed
        if must_push or self._pace.may_call(time.time()) > 0:
            return False
        self._pace.called(time.time())
        self._has_pushed = False
        return True

    async def _look(self) -> None:
        """Now and then, read what the platform shows of some listings."""
        now = time.time()
        if now - self._looked_at < READ_SECONDS:
            return
        asked = self.numbers.to_read(self._channel.read_listings_max)
        if not asked or not self._may_read():
            return
        self._looked_at = now
        try:
            shown = await self._channel.read(asked)
        except (ChannelAway, ChannelBusy, ChannelRefused) as error:
            await self._failed(error)
            return
        drifted = self.numbers.seen(asked, shown, time.time())
        if drifted:
            DRIFTED_NUMBERS.inc(drifted)
            log.warning("publisher.drifted", shop=self.shop.shop_code, numbers=drifted)
            self._wake.set()

    async def _failed(self, error: ChannelAway | ChannelBusy | ChannelRefused) -> None:
        PUSHES.labels(error.code.lower()).inc()
        if isinstance(error, ChannelBusy):
            self._pace.refused(time.time(), error.retry_after_seconds)
            return
        if isinstance(error, ChannelRefused):
            await self._say(error.message)
            await self._pause(REFUSED_SECONDS)
            return
        await self._pause(self._away_seconds)
        self._away_seconds = min(AWAY_SECONDS_MAX, self._away_seconds * 2)

    async def _went_well(self) -> None:
        self._away_seconds = AWAY_SECONDS
        if self._problem is not None:
            await self._say(None)

    async def _say(self, problem: str | None) -> None:
        """Leave word for a person, or take it back."""
        await note_problem(self._database, self._live.brand.id, self.shop.shop_id, problem)
        self._problem = problem

    async def _pause(self, seconds: float) -> None:
        """Rest, unless told to stop; what moves meanwhile is pushed afterwards."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        self._wake.set()

    async def _save_now_and_then(self) -> None:
        if time.time() - self._saved_at >= SAVE_SECONDS:
            await self._save()

    async def _save(self) -> None:
        self._saved_at = time.time()
        unsaved = self.numbers.take_unsaved()
        if not unsaved:
            return
        columns = [
            (sku_id, at.sequence, at.wanted, at.shown, at.is_drifted, at.is_unlisted)
            for sku_id, at in unsaved
        ]
        try:
            await self._store(columns)
        except (DatabaseUnavailable, *CONNECTION_LOST):
            self.numbers.leave_unsaved(sku_id for sku_id, _ in unsaved)
            raise

    async def _store(self, columns: Sequence[tuple[object, ...]]) -> None:
        async with self._database.tenant_transaction(self._principal) as tx:
            await tx.execute(
                SQL.save_shown,
                tx.tenant_id,
                self.shop.shop_id,
                *zip(*columns, strict=True),
                self.shop.kind,
                self.shop.base_url,
                self.shop.remote_shop,
            )
