"""Events: what happened, in the words of the API and the ledger."""

from datetime import datetime
from typing import Any, ClassVar, NamedTuple

import msgspec


class Payload(msgspec.Struct, frozen=True):
    """What an event says; a centre derives its own and gives each its type."""

    TYPE: ClassVar[str]
    """Noun and past participle: `order.placed`."""


class NewEvent(NamedTuple):
    """An event to be written in the transaction that it reports."""

    payload: Payload
    order_id: int | None
    sequence: int
    """Rises by one within an order; 0 for what belongs to no order."""
    dealer_id: int | None
    node_id: int | None
    actor: str | None = None
    """Who did it; left out: in whose name the transaction is."""


class Position(NamedTuple):
    """A place in a tenant's event log: events of transactions in [since, until) up to an id."""

    since: int
    until: int
    id: int

    @classmethod
    def at(cls, transaction: int) -> "Position":
        """Return the place before everything that a transaction, or a later one, wrote."""
        return cls(transaction, transaction, 0)


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
    actor: str | None
    payload: dict[str, Any]


class Page(NamedTuple):
    """Events in order, and where to go on behind them."""

    events: list[Event]
    position: Position
    has_more: bool
