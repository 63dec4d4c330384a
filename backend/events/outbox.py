"""Writing events in the transaction that they report."""

from collections.abc import Sequence

import msgspec

from backend.db.pool import TenantTransaction
from backend.db.sql import load_queries
from backend.events.model import NewEvent

SQL = load_queries(__file__)


async def append_events(tx: TenantTransaction, events: Sequence[NewEvent]) -> None:
    """Write the events; they become readable when the transaction commits."""
    if not events:
        return
    await tx.execute(
        SQL.append_events,
        tx.tenant_id,
        [event.type for event in events],
        [event.order_id for event in events],
        [event.sequence for event in events],
        [event.dealer_id for event in events],
        [event.node_id for event in events],
        [msgspec.json.encode(event.payload).decode() for event in events],
    )
