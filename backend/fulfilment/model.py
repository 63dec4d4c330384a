"""What nodes do for orders: waves, pick lists, parcels and intercepts (履约)."""

from datetime import datetime
from enum import StrEnum

import msgspec

from backend.orders.move_fulfilments import FulfilmentKey

BULK_MAX = 500
"""Fulfilments of one command: a transaction of a fraction of a second."""
WAVE_MAX = 10_000
"""Fulfilments of one wave, released in pieces of BULK_MAX; call again for more."""
PICK_LIST_MAX = 200
"""Fulfilments that somebody picks in one round."""
PARCELS_MAX = 100
"""Parcels of one fulfilment."""
WEIGHT_G_MAX = 10**9
TEXT_MAX = 200


class ParcelStatus(StrEnum):
    """Where a parcel stands."""

    PACKED = "packed"
    """Its carrier has not given it a waybill yet, if it is to."""
    LABELLED = "labelled"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    RETURNED = "returned"
    """Taken in by a node again, without having been accepted (拒收)."""
    EXCEPTION = "exception"
    """The carrier refuses it, or says that something went wrong: somebody has to look."""
    CANCELLED = "cancelled"


class VoidStatus(StrEnum):
    """Where a waybill stands that nobody uses (运单作废)."""

    DUE = "due"
    """Its carrier is to be told."""
    DONE = "done"
    REFUSED = "refused"
    """Its carrier carries it: somebody has to look."""
    SETTLED = "settled"
    """Somebody has agreed about it with the carrier."""


class InterceptState(StrEnum):
    """What became of a request to stop."""

    ASKED = "asked"
    STOPPED = "stopped"
    REFUSED = "refused"


class ParcelLine(msgspec.Struct, frozen=True):
    """Units of an order's line in a parcel."""

    line_no: int
    quantity: int


class ParcelDraft(msgspec.Struct, frozen=True):
    """A parcel as it was packed; no weight: that of its goods."""

    lines: tuple[ParcelLine, ...]
    weight_g: int | None = None


class Packing(msgspec.Struct, frozen=True):
    """How a fulfilment is packed; no parcels: all of it in one."""

    key: FulfilmentKey
    carrier: str
    parcels: tuple[ParcelDraft, ...] = ()


class Answered(msgspec.Struct, frozen=True):
    """What became of one fulfilment of a command: done, or refused and why."""

    key: FulfilmentKey
    code: str = ""
    message: str = ""

    @property
    def is_done(self) -> bool:
        return not self.code


class Wave(msgspec.Struct, frozen=True):
    """A wave, and how many fulfilments it gave to nodes."""

    id: int
    fulfilments: int
    refused: tuple[Answered, ...]


class PickLine(msgspec.Struct, frozen=True):
    """Units of a fulfilment that are to be fetched from a functional warehouse."""

    key: FulfilmentKey
    line_no: int
    sku_id: int
    functional_warehouse_id: int
    quantity: int
    picked: int


class Intercept(msgspec.Struct, frozen=True):
    """A request that a node stops what it has begun with, and what it answered."""

    key: FulfilmentKey
    intercept_no: int
    node_id: int
    state: InterceptState
    reason: str
    asked_by: str
    asked_at: datetime
    answer: str
    answered_by: str | None
    answered_at: datetime | None
