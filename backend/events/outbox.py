"""Writing events in the transaction that they report."""

from collections.abc import Sequence

import msgspec

from backend.db.pool import TenantTransaction
from backend.db.sql import load_queries
from backend.events.model import NewEvent

SQL = load_queries(__file__)
_encode = msgspec.json.Encoder().encode


EventRow = tuple[str, int | None, int, int | None, int | None, str, str | None]
"""The fields of the row type `new_event`."""


async def append_events(tx: TenantTransaction, events: Sequence[NewEvent]) -> None:
    """Write the events; they become readable when the transaction commits."""
    if events:
        await tx.execute(SQL.append_events, tx.tenant_id, event_rows(events, tx.principal.actor))


def event_rows(events: Sequence[NewEvent], actor: str) -> list[EventRow]:
    """Return the events for a statement that writes them itself, by calling `append_events`.

    `actor` did those that do not say who did them.
    """
    return [
        (
            event.payload.TYPE,
            event.order_id,
            event.sequence,
            event.dealer_id,
            event.node_id,
            _encode(event.payload).decode(),
            event.actor or actor,
        )
        for event in events
    ]
