"""Carriers (承运商): what they are asked, and what they tell."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec

EVENTS_MAX = 500
"""Of one message: carriers send a few at a time."""
TEXT_MAX = 500


class TrackingKind(StrEnum):
    """What befell a parcel, as a carrier tells it."""

    PICKED_UP = "picked_up"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    FAILED_ATTEMPT = "failed_attempt"
    DELIVERED = "delivered"
    EXCEPTION = "exception"
    RETURNED = "returned"

    @property
    def needs_somebody(self) -> bool:
        """Whether a person has to look: the parcel will not arrive by itself."""
        return self in (TrackingKind.EXCEPTION, TrackingKind.RETURNED)


class TrackingEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=False, rename="camel"):
    """One thing that a carrier tells; its id is the carrier's own, and never used again."""

    id: str
    waybill: str
    kind: TrackingKind
    happened_at: datetime
    place: str = ""
    text: str = ""


class Recipient(msgspec.Struct, frozen=True, rename="camel"):
    """Where a parcel goes, or is fetched."""

    name: str
    phone: str
    region_code: int | None
    address: str


class WaybillRequest(msgspec.Struct, frozen=True, rename="camel"):
    """What a carrier is asked; the same reference gets the same waybill."""

    reference: str
    weight_g: int
    to: Recipient


class CollectionRequest(msgspec.Struct, frozen=True, rename="camel"):
    """What a carrier is asked that is to fetch something; the same reference, the same waybill."""

    reference: str
    weight_g: int
    sender: Recipient
    from_at: datetime
    until_at: datetime


class Waybill(msgspec.Struct, frozen=True, rename="camel"):
    """What a carrier calls a parcel, and where its label is to be had."""

    waybill: str
    label_url: str | None = None


class CarrierAccount(NamedTuple):
    """How a carrier is reached in a brand's name."""

    code: str
    url: str
    secret: str


class CarrierAway(Exception):
    """The carrier does not answer, or not as agreed; it is asked again."""


class CarrierRefused(Exception):
    """The carrier does not take this parcel, and says why."""


class Carrier(Protocol):
    """One carrier, for one brand."""

    async def book(self, request: WaybillRequest) -> Waybill:
        """Return the waybill of a parcel, the same for the same reference.

        Raises CarrierAway and CarrierRefused.
        """
        ...

    async def collect(self, request: CollectionRequest) -> Waybill:
        """Return the waybill of what is fetched, the same for the same reference.

        Raises CarrierAway and CarrierRefused.
        """
        ...

    async def void(self, waybill: str) -> None:
        """Let a waybill be void that was not used; one that is void, or unknown, is so already.

        Raises CarrierAway and CarrierRefused: what it has picked up it carries.
        """
        ...
