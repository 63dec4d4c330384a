"""Events: what happened, in the words of the API and the ledger."""

from datetime import datetime
from typing import Any, NamedTuple

import msgspec


class NewEvent(NamedTuple):
    """An event to be written in the transaction that it reports."""

    type: str
    """Noun and past participle: `order.placed`."""
    order_id: int | None
    sequence: int
    """Rises by one within an order; 0 for what belongs to no order."""
    dealer_id: int | None
    node_id: int | None
    payload: dict[str, Any]


class Position(NamedTuple):
    """A place in a tenant's event log; later events compare greater."""

    xid: int
    id: int


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it is read."""

    position: Position
    event_id: str
    recorded_at: datetime
    type: str
    order_id: int | None
    sequence: int
    dealer_id: int | None
    node_id: int | None
    payload: dict[str, Any]
