"""Indexing: orders get the terms that they are found by, soon after what happened to them.

Beside the intake and not in it: ten more index entries would cost an order a tenth of its time, and
whoever searches can wait a second. Orders that were there before are indexed backwards.
"""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from backend.clock import now
from backend.db.pool import Database, TenantTransaction
from backend.db.sql import load_queries
from backend.events.log import PAGE, end_of_log, read_page
from backend.events.model import Position
from backend.metrics import SEARCH_LAG
from tenants.brands import BrandDirectory
from tenants.principal import system_principal

SQL = load_queries(__file__)

OLDER_AT_ONCE = 200
LOOK_BACK = timedelta(days=3650)
"""However long nobody has read: what is passed over would not be found for ever."""
NEWEST = 2**62
"""Before this id there is everything."""
LOOK_AT_ALL_SECONDS = 5.0
"""How often brands are looked at of which nobody told that there is news."""
NEWS_LAST_SECONDS = 3.0
"""For how long a brand with news is looked at again: a transaction beside it holds some back."""


class Indexed(NamedTuple):
    """What was done in one go."""

    has_more: bool
    """There may be more to do."""
    until: datetime | None = None
    """When the last event was written that was read; None where none was."""


async def index_next(database: Database, tenant_id: int) -> Indexed:
    """Index the next orders of a brand.

    Several processes may do so at once: one of them reads, the others go on. Locks how far the
    events are read.
    """
    principal = system_principal(tenant_id, "search")
    async with database.tenant_transaction(principal) as tx:
        reading = await tx.fetch_row(SQL.take_reading, tx.tenant_id)
        if reading is None:
            return Indexed(await _begin(tx))
        page = await read_page(tx, Position(*reading[:3]), LOOK_BACK)
        ids = sorted({event.order_id for event in page.events if event.order_id is not None})
        await index_orders(tx, ids)
        if page.position != Position(*reading[:3]):
            await tx.execute(SQL.move_reading, tx.tenant_id, *page.position)
        until = page.events[-1].recorded_at if page.events else None
        has_more = page.has_more
        if reading["older_below"] and len(page.events) < PAGE:
            has_more = await _index_older(tx, reading["older_below"]) or has_more
        return Indexed(has_more, until)


async def index_orders(tx: TenantTransaction, ids: Sequence[int]) -> None:
    """Give orders the terms that they have now."""
    if ids:
        await tx.execute(SQL.index_orders, tx.tenant_id, ids)


async def _begin(tx: TenantTransaction) -> bool:
    """Follow the events of a brand, where nobody does; returns whether there is work now."""
    if await tx.fetch_value(SQL.has_reading, tx.tenant_id):
        return False  # another process is at it
    await tx.execute(SQL.begin_reading, tx.tenant_id, *await end_of_log(tx), NEWEST)
    return True


async def _index_older(tx: TenantTransaction, below: int) -> bool:
    rows = await tx.fetch(SQL.older_orders, tx.tenant_id, below, OLDER_AT_ONCE)
    ids = [row["id"] for row in rows]
    await index_orders(tx, ids)
    await tx.execute(SQL.move_older, tx.tenant_id, ids[-1] if ids else 0)
    return bool(ids)


class SearchIndexer:
    """Indexes the orders of all brands, of those first of which there is news."""

    def __init__(self, database: Database, brands: BrandDirectory) -> None:
        self._database = database
        self._brands = brands
        self._waiting: dict[int, float] = {}
        """Until when each is looked at; in the order in which they have their turn."""
        self._looked_at = float("-inf")
        self._behind: dict[int, datetime] = {}
        """Since when there is something to read of brands that are not read to the end."""

    def hear(self, tenant_id: int) -> None:
        """There is news of a brand."""
        self._waiting[tenant_id] = now() + NEWS_LAST_SECONDS

    async def index(self, seconds: float, is_stopping: Callable[[], bool]) -> None:
        """Index for so long at most: what is left then is indexed the next time."""
        until = now() + seconds
        if now() >= self._looked_at + LOOK_AT_ALL_SECONDS:
            self._looked_at = now()
            for brand in await self._brands.all():
                self.hear(brand.id)
        turns = deque(self._waiting)
        while turns and now() < until and not is_stopping():
            tenant_id = turns.popleft()
            look_until = self._waiting.pop(tenant_id)
            indexed = await index_next(self._database, tenant_id)
            if indexed.has_more:
                self.hear(tenant_id)
                turns.append(tenant_id)
            elif now() < look_until:
                self._waiting.setdefault(tenant_id, look_until)
            if indexed.has_more and indexed.until:
                self._behind[tenant_id] = indexed.until
            else:
                self._behind.pop(tenant_id, None)
        oldest = min(self._behind.values(), default=None)
        SEARCH_LAG.set((datetime.now(UTC) - oldest).total_seconds() if oldest else 0.0)
