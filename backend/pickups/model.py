"""Orders that customers fetch (到店自提): how their handing over at a store stands."""

from datetime import datetime
from enum import StrEnum

import msgspec

from backend.inventory.counters import Counters
from backend.orders.model import OrderStatus

TEXT_MAX = 200
CODES_MAX = 20
"""Codes that an order ever has: the buyer's, and those of whom the buyer sends."""
KEEP_DAYS_MAX = 90
KEEP_HOURS_MAX = KEEP_DAYS_MAX * 24


class PickupStatus(StrEnum):
    """Where the handing over of an order stands."""

    ASKED = "asked"
    """The store has not said whether it does it; or all of it waits for stock."""
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    """Another store is to be chosen, or it is to be sent."""
    READY = "ready"
    HANDED_OVER = "handed_over"
    EXPIRED = "expired"
    """Nobody came: it is cancelled, and lies on the shelf again."""
    SENT = "sent"
    """It is sent instead."""
    CANCELLED = "cancelled"


class Pickup(msgspec.Struct, frozen=True):
    """How the handing over of an order stands."""

    order_id: int
    node_id: int
    status: PickupStatus
    version: int
    """Grows with every change: say which one you saw."""
    ready_by: datetime | None = None
    """Until when the customer was promised to have it ready."""
    ready_at: datetime | None = None
    keep_until: datetime | None = None
    """For so long the store keeps what is ready."""
    reason: str = ""
    changed_at: datetime | None = None


class PickupDone(msgspec.Struct, frozen=True):
    """What a command came to; counters are to be published after the commit."""

    pickup: Pickup
    order_status: OrderStatus
    counters: Counters


class HandedLine(msgspec.Struct, frozen=True):
    """Units of a line that are handed over."""

    line_no: int
    quantity: int


class CodeState(StrEnum):
    """Whether a code opens anything."""

    ACTIVE = "active"
    REVOKED = "revoked"
    USED = "used"


class PickupCode(msgspec.Struct, frozen=True):
    """Who may fetch an order, and with what, while it is ready."""

    code_no: int
    name: str
    phone: str
    state: CodeState
    issued_at: datetime
    code: str | None
    """Eight digits (取货码)."""
    token: str | None
    """To be shown as a QR code: signed, so that a phone without network can check it."""


class PickupTerms(msgspec.Struct, frozen=True):
    """For how long stores keep what is ready, and how long before its end customers are reminded;
    0: they are not."""

    keep_hours: int = 72
    remind_hours: int = 24
