"""What stores did for who fetches an order, as others are told: the payloads of the events."""

from datetime import date, datetime
from typing import ClassVar

from backend.events.model import Payload


class PickupAccepted(Payload, frozen=True, rename="camel"):
    """A store has an order ready by a time."""

    TYPE: ClassVar[str] = "pickup.accepted"

    order_id: int
    node_id: int
    ready_by: datetime


class PickupRejected(Payload, frozen=True, rename="camel"):
    """A store does not hand an order over: another one is to be chosen."""

    TYPE: ClassVar[str] = "pickup.rejected"

    order_id: int
    node_id: int
    reason: str


class PickupReady(Payload, frozen=True, rename="camel"):
    """An order may be fetched, until a time; units of it that wait are none of it."""

    TYPE: ClassVar[str] = "pickup.ready"

    order_id: int
    node_id: int
    units: int
    keep_until: datetime


class PickupKept(Payload, frozen=True, rename="camel"):
    """A store keeps an order until another time."""

    TYPE: ClassVar[str] = "pickup.kept"

    order_id: int
    node_id: int
    keep_until: datetime


class PickupReminded(Payload, frozen=True, rename="camel"):
    """Who is to fetch an order is to be reminded: the store keeps it until a time."""

    TYPE: ClassVar[str] = "pickup.reminded"

    order_id: int
    node_id: int
    keep_until: datetime


class PickupHandedOver(Payload, frozen=True, rename="camel"):
    """An order was handed over to who showed a code; so many units, others were left there."""

    TYPE: ClassVar[str] = "pickup.handed_over"

    order_id: int
    node_id: int
    code_no: int
    units: int
    left: int
    happened_at: datetime


class PickupLeft(Payload, frozen=True, rename="camel"):
    """Units were not taken at the counter: they are cancelled, and on the shelf again."""

    TYPE: ClassVar[str] = "pickup.left"

    order_id: int
    node_id: int
    units: int


class PickupExpired(Payload, frozen=True, rename="camel"):
    """Nobody fetched an order: its units are cancelled, and on the shelf again."""

    TYPE: ClassVar[str] = "pickup.expired"

    order_id: int
    node_id: int
    units: int


class PickupMoved(Payload, frozen=True, rename="camel"):
    """An order is fetched elsewhere, or sent; what a store had of it is free again."""

    TYPE: ClassVar[str] = "pickup.moved"

    order_id: int
    from_node_id: int | None
    to_node_id: int | None
    units: int
    reason: str


class PickupGathered(Payload, frozen=True, rename="camel"):
    """Units that an order waits for at its store are on their way there from another node."""

    TYPE: ClassVar[str] = "pickup.gathered"

    order_id: int
    node_id: int
    from_node_id: int
    units: int
    arrives_on: date


PAYLOADS: tuple[type[Payload], ...] = (
    PickupAccepted,
    PickupRejected,
    PickupReady,
    PickupKept,
    PickupReminded,
    PickupHandedOver,
    PickupLeft,
    PickupExpired,
    PickupMoved,
    PickupGathered,
)
