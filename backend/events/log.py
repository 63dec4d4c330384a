"""Reading the event log from PostgreSQL, in order and without gaps.

Order is (transaction, id), and only what lies below the oldest running transaction is read, so an
event that commits late is never skipped. Events of one order carry a rising sequence.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from backend.db.errors import DatabaseUnavailable, YipanError
from backend.db.pool import Database, Record, TenantTransaction
from backend.events.model import Event, Position
from backend.events.outbox import SQL
from tenants.principal import Principal

POLL_SECONDS = 1.0
"""How long a subscriber sleeps when no message wakes it."""
PAGE = 500
LOOK_BACK = timedelta(days=7)
"""How far back a subscriber may resume."""
LAST_ID = 2**62


class InvalidCursor(YipanError):
    """The cursor is not one of ours, or is older than a week; begin without one."""

    code = "INVALID_CURSOR"


class WakeUps:
    """Tells the subscribers of a tenant, here and in other processes, that there is news."""

    def __init__(self, announce: Callable[[int], Awaitable[None]]) -> None:
        self._announce = announce
        self._waiting: defaultdict[int, asyncio.Event] = defaultdict(asyncio.Event)

    async def tell(self, tenant_id: int) -> None:
        """Wake everybody, everywhere; a message that is lost is made good by polling."""
        self.wake(tenant_id)
        await self._announce(tenant_id)

    def wake(self, tenant_id: int) -> None:
        """Wake the subscribers in this process."""
        event = self._waiting.pop(tenant_id, None)
        if event is not None:
            event.set()

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
            return Position(await tx.fetch_value(SQL.end_of_events) - 1, LAST_ID)

    async def read(self, principal: Principal, after: Position) -> list[Event]:
        """Return the next page of events after a position."""
        async with self._database.tenant_transaction(principal, read_only=True) as tx:
            rows = await tx.fetch(
                SQL.read_events,
                tx.tenant_id,
                str(after.xid),
                after.id,
                datetime.now(UTC) - LOOK_BACK,
                PAGE,
            )
        return [_event(row) for row in rows]

    async def follow(self, principal: Principal, after: Position | None) -> AsyncIterator[Event]:
        """Yield events as they become readable, from `after` or from now on; never ends."""
        position = after or await self.end(principal)
        while True:
            try:
                events = await self.read(principal, position)
            except DatabaseUnavailable:
                events = []
            for event in events:
                position = event.position
                yield event
            if len(events) < PAGE:
                await self._wake_ups.wait(principal.tenant_id)


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
    return f"{position.xid}-{position.id}"


def position_of(cursor: str) -> Position:
    """Return the position of a cursor; raises InvalidCursor."""
    xid, _, number = cursor.partition("-")
    if not (xid.isdecimal() and number.isdecimal() and len(cursor) <= 40):
        raise InvalidCursor
    return Position(int(xid), int(number))


def _event(row: Record) -> Event:
    return Event(
        position=Position(row["xid"], row["id"]),
        event_id=str(row["event_id"]),
        recorded_at=row["recorded_at"],
        type=row["type"],
        order_id=row["order_id"],
        sequence=row["sequence"],
        dealer_id=row["dealer_id"],
        node_id=row["node_id"],
        payload=msgspec.json.decode(row["payload"]),
    )
