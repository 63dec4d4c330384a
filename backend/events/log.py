"""Reading the event log from PostgreSQL, in order and without gaps.

Only what lies below the oldest running transaction is read, so an event that commits late is never
skipped. Events of one order come in order, and carry a rising sequence.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from backend.db.errors import DatabaseUnavailable, YipanError
from backend.db.pool import Database, Record, TenantTransaction
from backend.events.model import Event, Page, Position
from backend.events.outbox import SQL
from tenants.principal import Principal

POLL_SECONDS = 1.0
"""How long a subscriber sleeps when no message wakes it."""
PAGE = 500
LOOK_BACK = timedelta(days=7)
"""How far back a subscriber may resume."""
NUMBER_MAX = 2**63 - 1


class InvalidCursor(YipanError):
    """The cursor is not one of ours, or is older than a week; begin without one."""

    code = "INVALID_CURSOR"


class WakeUps:
    """Tells the subscribers of a tenant, here and in other processes, that there is news."""

    def __init__(self, announce: Callable[[int], Awaitable[None]]) -> None:
        self._announce = announce
        self._waiting: defaultdict[int, asyncio.Event] = defaultdict(asyncio.Event)
        self.listeners: set[Callable[[int], None]] = set()
        """Told of every tenant that has news."""

    async def tell(self, tenant_id: int) -> None:
        """Wake everybody, everywhere; a message that is lost is made good by polling."""
        self.wake(tenant_id)
        await self._announce(tenant_id)

    def wake(self, tenant_id: int) -> None:
        """Wake the subscribers in this process."""
        event = self._waiting.pop(tenant_id, None)
        if event is not None:
            event.set()
        for listener in self.listeners:
            listener(tenant_id)

    async def wait(self, tenant_id: int) -> None:
        """Wait for news, or until it is time to look anyway."""
        try:
            await asyncio.wait_for(self._waiting[tenant_id].wait(), POLL_SECONDS)
        except TimeoutError:
            return


class EventLog:
    """The event log as one principal may see it."""

    def __init__(self, database: Database, wake_ups: WakeUps) -> None:
        self._database = database
        self._wake_ups = wake_ups

    async def end(self, principal: Principal) -> Position:
        """Return the position behind which everything is still to come."""
        async with self._database.tenant_transaction(principal, read_only=True) as tx:
            return await end_of_log(tx)

    async def read(self, principal: Principal, after: Position) -> Page:
        """Return the next page of events after a position."""
        async with self._database.tenant_transaction(principal, read_only=True) as tx:
            return await read_page(tx, after)

    async def follow(self, principal: Principal, after: Position | None) -> AsyncIterator[Event]:
        """Yield events as they become readable, from `after` or from now on; never ends."""
        position = after or await self.end(principal)
        while True:
            try:
                page = await self.read(principal, position)
            except DatabaseUnavailable:
                page = Page([], position, has_more=False)
            for event in page.events:
                yield event
            position = page.position
            if not page.has_more:
                await self._wake_ups.wait(principal.tenant_id)


async def end_of_log(tx: TenantTransaction) -> Position:
    """Return the position behind which everything is that is written from now on."""
    return Position.at(await tx.fetch_value(SQL.end_of_events))


async def read_page(
    tx: TenantTransaction, after: Position, look_back: timedelta = LOOK_BACK
) -> Page:
    """Return the next events after a position, in order: those of an order as they happened.

    What overlaps in time is read together and ordered by id, which is drawn under the order's
    lock; a transaction's own number says only when it began to write.
    """
    oldest = datetime.now(UTC) - look_back
    since, until, last_id = after
    if since == until:
        found = await tx.fetch_value(SQL.event_window, tx.tenant_id, str(since), oldest)
        if found is None:
            return Page([], after, has_more=False)
        until = found
    rows = await tx.fetch(
        SQL.read_events, tx.tenant_id, str(since), str(until), last_id, oldest, PAGE
    )
    events = [_event(row, Position(since, until, row["id"])) for row in rows]
    if len(rows) == PAGE:
        return Page(events, events[-1].position, has_more=True)
    return Page(events, Position.at(until), has_more=True)


async def mark_events(database: Database) -> None:
    """Remember where the log can be cut now, for readers who are far behind."""
    async with database.platform_transaction() as tx:
        await tx.execute(SQL.mark_events)


async def events_of_orders(
    tx: TenantTransaction, order_ids: Sequence[int]
) -> dict[int, list[Event]]:
    """Return what happened to orders, each in order, as far as the principal may see it."""
    found: defaultdict[int, list[Event]] = defaultdict(list)
    for row in await tx.fetch(SQL.events_of_orders, tx.tenant_id, order_ids):
        found[row["order_id"]].append(_event(row))
    return found


def cursor_of(position: Position) -> str:
    """Return a position as the API shows it."""
    return "-".join(map(str, position))


def position_of(cursor: str) -> Position:
    """Return the position of a cursor; raises InvalidCursor."""
    parts = cursor.split("-")
    if len(parts) != 3 or len(cursor) > 60 or not all(part.isdecimal() for part in parts):
        raise InvalidCursor
    position = Position(*map(int, parts))
    if position.since > position.until or max(position) > NUMBER_MAX:
        raise InvalidCursor
    return position


def _event(row: Record, position: Position | None = None) -> Event:
    return Event(
        position=position or Position(0, 0, row["id"]),
        event_id=str(row["event_id"]),
        recorded_at=row["recorded_at"],
        type=row["type"],
        order_id=row["order_id"],
        sequence=row["sequence"],
        dealer_id=row["dealer_id"],
        node_id=row["node_id"],
        actor=row["actor"],
        payload=msgspec.json.decode(row["payload"]),
    )
