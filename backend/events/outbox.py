"""Writing events in the transaction that they report."""

from collections.abc import Sequence

import msgspec

from backend.db.pool import TenantTransaction
from backend.db.sql import load_queries
from backend.events.model import NewEvent

SQL = load_queries(__file__)
_encode = msgspec.json.Encoder().encode


async def append_events(tx: TenantTransaction, events: Sequence[NewEvent]) -> None:
    """Write the events; they become readable when the transaction commits."""
    if not events:
        return
    rows = [
        (
            event.payload.TYPE,
            event.order_id,
            event.sequence,
            event.dealer_id,
            event.node_id,
            _encode(event.payload).decode(),
        )
        for event in events
    ]
    await tx.execute(SQL.append_events, tx.tenant_id, rows)
