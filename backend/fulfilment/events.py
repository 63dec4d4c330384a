"""What nodes did for orders, as others are told: the payloads of the events."""

from datetime import datetime
from typing import ClassVar

import msgspec

from backend.events.model import Payload


class FulfilmentReleased(Payload, frozen=True, rename="camel"):
    """A node may begin with an order."""

    TYPE: ClassVar[str] = "fulfilment.released"

    order_id: int
    fulfilment_no: int
    node_id: int
    wave_id: int


class FulfilmentPicking(Payload, frozen=True, rename="camel"):
    """Somebody fetches what an order wants."""

    TYPE: ClassVar[str] = "fulfilment.picking"

    order_id: int
    fulfilment_no: int
    node_id: int
    pick_list_id: int
    picker: str


class FulfilmentPacked(Payload, frozen=True, rename="camel"):
    """What a node sends of an order is in its parcels."""

    TYPE: ClassVar[str] = "fulfilment.packed"

    order_id: int
    fulfilment_no: int
    node_id: int
    carrier: str
    parcels: int


class SentParcel(msgspec.Struct, frozen=True, rename="camel"):
    """A parcel, and what its carrier calls it."""

    carrier: str
    waybill: str | None


class FulfilmentShipped(Payload, frozen=True, rename="camel"):
    """A node has handed its parcels of an order over."""

    TYPE: ClassVar[str] = "fulfilment.shipped"

    order_id: int
    fulfilment_no: int
    node_id: int
    parcels: tuple[SentParcel, ...]


class FulfilmentDelivered(Payload, frozen=True, rename="camel"):
    """All parcels that a node sent of an order have arrived."""

    TYPE: ClassVar[str] = "fulfilment.delivered"

    order_id: int
    fulfilment_no: int
    node_id: int


class FulfilmentRefused(Payload, frozen=True, rename="camel"):
    """All that a node sent of an order came back, and nobody had accepted it."""

    TYPE: ClassVar[str] = "fulfilment.refused"

    order_id: int
    fulfilment_no: int
    node_id: int


class InterceptAsked(Payload, frozen=True, rename="camel"):
    """A node is asked to stop what it has begun with."""

    TYPE: ClassVar[str] = "fulfilment.intercept_asked"

    order_id: int
    fulfilment_no: int
    node_id: int
    reason: str


class InterceptRefused(Payload, frozen=True, rename="camel"):
    """A node cannot stop it any more, and goes on."""

    TYPE: ClassVar[str] = "fulfilment.intercept_refused"

    order_id: int
    fulfilment_no: int
    node_id: int
    answer: str


class FulfilmentIntercepted(Payload, frozen=True, rename="camel"):
    """A node has stopped: the units are free again, and cancelled of the order."""

    TYPE: ClassVar[str] = "fulfilment.intercepted"

    order_id: int
    fulfilment_no: int
    node_id: int
    units: int


class FulfilmentWarned(Payload, frozen=True, rename="camel"):
    """A fulfilment soon stands too long where it stands."""

    TYPE: ClassVar[str] = "fulfilment.warned"

    order_id: int
    fulfilment_no: int
    node_id: int
    status: str


class FulfilmentLate(Payload, frozen=True, rename="camel"):
    """A fulfilment stands too long where it stands."""

    TYPE: ClassVar[str] = "fulfilment.late"

    order_id: int
    fulfilment_no: int
    node_id: int
    status: str


class ParcelTracked(Payload, frozen=True, rename="camel"):
    """A carrier said where a parcel is."""

    TYPE: ClassVar[str] = "parcel.tracked"

    order_id: int
    fulfilment_no: int
    parcel_id: int
    carrier: str
    waybill: str
    kind: str
    place: str


class CollectionChanged(Payload, frozen=True, rename="camel"):
    """Something is to be fetched from a customer, or how that stands is otherwise."""

    TYPE: ClassVar[str] = "collection.changed"

    order_id: int
    collection_id: int
    subject: str
    subject_id: int
    status: str
    carrier: str
    waybill: str
    from_at: datetime
    until_at: datetime


PAYLOADS: tuple[type[Payload], ...] = (
    FulfilmentReleased,
    FulfilmentPicking,
    FulfilmentPacked,
    FulfilmentShipped,
    FulfilmentDelivered,
    FulfilmentRefused,
    InterceptAsked,
    InterceptRefused,
    FulfilmentIntercepted,
    FulfilmentWarned,
    FulfilmentLate,
    ParcelTracked,
    CollectionChanged,
)
