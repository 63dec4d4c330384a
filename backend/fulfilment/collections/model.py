"""Collection at the door (上门取件): what is fetched, when, and how that stands."""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from backend.fulfilment.carriers.model import Recipient

WINDOW_MAX = timedelta(hours=24)
AHEAD_MAX = timedelta(days=30)


class CollectedFor(StrEnum):
    """What a collection is a part of."""

    RETURN = "return"
    REPAIR = "repair"
    TRADE_IN = "trade_in"


class CollectionStatus(StrEnum):
    """Where a collection stands."""

    ASKED = "asked"
    """Its carrier is asked in the background, until it answers."""
    REFUSED = "refused"
    """Its carrier does not come then, or there: somebody agrees on something else."""
    BOOKED = "booked"
    MISSED = "missed"
    """The carrier came, and got nothing: somebody agrees on another time."""
    COLLECTED = "collected"
    ARRIVED = "arrived"
    CANCELLED = "cancelled"


class Subject(msgspec.Struct, frozen=True):
    """What is fetched: a return, a repair or a trade-in, by its id."""

    kind: CollectedFor
    id: int


class CollectionTime(msgspec.Struct, frozen=True):
    """Who comes, and from when until when the customer is at home."""

    carrier: str
    from_at: datetime
    until_at: datetime


class CollectionDraft(msgspec.Struct, frozen=True):
    """What is to be fetched of an order's customer, from where, and where it goes."""

    subject: Subject
    order_id: int
    node_id: int
    dealer_id: int | None
    time: CollectionTime
    sender: Recipient
    weight_g: int


class Collection(msgspec.Struct, frozen=True):
    """A collection at a customer's door."""

    id: int
    order_id: int
    node_id: int
    subject: Subject
    status: CollectionStatus
    version: int
    time: CollectionTime
    waybill: str
    label_url: str | None
    said: str
    """What its carrier said last where something went wrong."""
    requested_by: str
    requested_at: datetime
    changed_at: datetime
