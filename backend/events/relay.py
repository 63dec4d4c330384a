"""The relay: publishes the event log, tenant by tenant, in order, at least once.

A relay holds leases on some of the tenants; several share them out among themselves, and those of
one that died fall to the others when its leases run out. A position is stored after the broker has
kept what lies before it, so a relay that dies publishes the last page again, with the same ids.
"""

import asyncio
import secrets
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import msgspec
import structlog

from backend.clock import now
from backend.db.errors import DatabaseUnavailable
from backend.db.pool import Database
from backend.events.broker import Message, Publisher
from backend.events.log import read_page
from backend.events.model import Event, Position
from backend.events.outbox import SQL
from backend.metrics import OUTBOX_LAG, RELAYED
from tenants.principal import system_principal

log = structlog.get_logger(__name__)

LEASE_SECONDS = 30
RENEW_SECONDS = 5.0
"""Between two looks at all tenants, and as long as an event waits whose wake-up was lost."""
SAFE_SECONDS = 15.0
"""What must be left of a lease before a page is published: longer than the broker may take."""
AWAY_SECONDS = 1.0
"""How long it leaves a database alone that does not answer."""
TENANTS_AT_ONCE = 8
LOOK_BACK = timedelta(days=60)
"""What a relay publishes that begins, or was stopped, however long ago."""
SPEC_VERSION = b"1.0"
SOURCE = "yipan"


class Lease(msgspec.Struct):
    """A tenant that this relay publishes, and how far it is."""

    tenant_id: int
    position: Position


class Relay:
    """One relay process; it outlives its connections to the broker."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._owner = f"relay-{secrets.token_hex(6)}"
        self._leases: dict[int, Lease] = {}
        self._due: set[int] = set()
        self._leased_until = 0.0
        self._renew_at = 0.0
        self._news = asyncio.Event()
        self._stopping = False
        self._waiting_since: dict[int, datetime] = {}
        self.published = 0
        """Events that the broker has kept for this relay."""

    def wake(self, tenant_id: int) -> None:
        """Look at a tenant at once: it has news."""
        self._due.add(tenant_id)
        self._news.set()

    def stop(self) -> None:
        """Let `run` end after the pages in hand."""
        self._stopping = True
        self._news.set()

    async def run(self, publisher: Publisher) -> None:
        """Publish until `stop`, waiting for the database where it is away; raises BrokerAway."""
        while not self._stopping:
            self._news.clear()
            try:
                await self._renew()
                await self._publish_due(publisher)
            except DatabaseUnavailable as error:
                log.warning("relay.waiting", error=error.message)
                await asyncio.sleep(AWAY_SECONDS)
            if not self._due:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), max(0.0, self._renew_at - now()))

    async def give_back(self) -> None:
        """Leave the leases to the other relays at once."""
        with suppress(DatabaseUnavailable):
            async with self._database.platform_transaction() as tx:
                await tx.execute(SQL.leave_relays, self._owner)

    async def _renew(self) -> None:
        """Keep the leases, take our share of the free ones, leave what is beyond it.

        Every tenant is then due, woken or not: a message that wakes us may be lost.
        """
        if now() < self._renew_at:
            return
        started = now()
        async with self._database.platform_transaction() as tx:
            rows = await tx.fetch(SQL.lease_relays, self._owner, LEASE_SECONDS)
        known = self._leases
        self._leases = {}
        for tenant_id, since, until, last_id in rows:
            lease = Lease(tenant_id, Position(since, until, last_id))
            self._leases[tenant_id] = known.get(tenant_id, lease)
        self._due.update(self._leases)
        self._leased_until = started + LEASE_SECONDS
        self._renew_at = started + RENEW_SECONDS

    async def _publish_due(self, publisher: Publisher) -> None:
        """Publish one page of each tenant that is due."""
        due = [self._leases[tenant_id] for tenant_id in self._due & self._leases.keys()]
        self._due.clear()
        for first in range(0, len(due), TENANTS_AT_ONCE):
            some = due[first : first + TENANTS_AT_ONCE]
            ends = await asyncio.gather(
                *(self._publish(publisher, lease) for lease in some), return_exceptions=True
            )
            for lease, end in zip(some, ends, strict=True):
                if end is not False:
                    self._due.add(lease.tenant_id)
            for end in ends:
                if isinstance(end, BaseException):
                    self._due.update(lease.tenant_id for lease in due)
                    raise end

    async def _publish(self, publisher: Publisher, lease: Lease) -> bool:
        """Publish one page of a tenant, and store the position; returns whether there is more."""
        if now() > self._leased_until - SAFE_SECONDS:
            return True
        principal = system_principal(lease.tenant_id, "relay")
        async with self._database.tenant_transaction(principal, read_only=True) as tx:
            page = await read_page(tx, lease.position, LOOK_BACK)
        if page.events:
            self._note_lag(lease.tenant_id, page.events[0].recorded_at)
            await publisher.publish([message_of(lease.tenant_id, e) for e in page.events])
            self.published += len(page.events)
            RELAYED.inc(len(page.events))
        if page.position != lease.position:
            async with self._database.platform_transaction() as tx:
                await tx.execute(SQL.store_relay, self._owner, lease.tenant_id, *page.position)
            lease.position = page.position
        self._note_lag(lease.tenant_id, page.events[-1].recorded_at if page.has_more else None)
        return page.has_more

    def _note_lag(self, tenant_id: int, oldest: datetime | None) -> None:
        """Remember since when a tenant's events have waited for Kafka; None where none waits."""
        if oldest is None:
            self._waiting_since.pop(tenant_id, None)
        else:
            self._waiting_since[tenant_id] = oldest
        since = min(self._waiting_since.values(), default=None)
        OUTBOX_LAG.set((datetime.now(UTC) - since).total_seconds() if since else 0.0)


def message_of(tenant_id: int, event: Event) -> Message:
    """Return an event as a CloudEvent 1.0 in the binary mode of its Kafka binding.

    Keyed by order, so that what happens to one order stays in order; events of no order share a
    key of their tenant's, and have no subject.
    """
    key = f"{tenant_id}:{event.order_id or 0}".encode()
    subject = [] if event.order_id is None else [("ce_subject", f"order/{event.order_id}".encode())]
    headers = (
        ("ce_specversion", SPEC_VERSION),
        ("ce_id", event.event_id.encode()),
        ("ce_source", f"{SOURCE}/{tenant_id}".encode()),
        ("ce_type", event.type.encode()),
        ("ce_time", event.recorded_at.isoformat().encode()),
        *subject,
        ("ce_tenant", str(tenant_id).encode()),
        ("ce_sequence", str(event.sequence).encode()),
        ("ce_dataschema", f"urn:yipan:event:{event.type}".encode()),
        ("content-type", b"application/json"),
    )
    return Message(key, msgspec.json.encode(event.payload), headers)
