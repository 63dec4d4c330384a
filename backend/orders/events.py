"""What happens to orders, as others are told: the payloads of the events."""

from datetime import date, datetime
from typing import ClassVar

import msgspec

from backend.events.model import Payload
from backend.inventory.accuracy.model import ShortageCause
from backend.orders.model import HoldKind, OrderStatus


class OrderPlaced(Payload, frozen=True, rename="camel"):
    """An order exists."""

    TYPE: ClassVar[str] = "order.placed"

    order_id: int
    shop: str
    external_id: str | None
    status: OrderStatus
    total_minor: int
    currency: str
    units: int
    holds: tuple[HoldKind, ...]


class OrderAllocated(Payload, frozen=True, rename="camel"):
    """Units of an order that waited have got a node."""

    TYPE: ClassVar[str] = "order.allocated"

    order_id: int
    status: OrderStatus
    units: int


class Edit(msgspec.Struct, frozen=True, rename="camel"):
    """One thing that an order said, and says now."""

    field: str
    before: str
    after: str


class OrderEdited(Payload, frozen=True, rename="camel"):
    """Somebody changed what an order says."""

    TYPE: ClassVar[str] = "order.edited"

    order_id: int
    edits: tuple[Edit, ...]
    reason: str


class OrderCancelled(Payload, frozen=True, rename="camel"):
    """Units of an order were cancelled."""

    TYPE: ClassVar[str] = "order.cancelled"

    order_id: int
    status: OrderStatus
    units: int
    reason: str


class OrderHeld(Payload, frozen=True, rename="camel"):
    """Somebody says that an order must not be sent for now."""

    TYPE: ClassVar[str] = "order.held"

    order_id: int
    status: OrderStatus
    hold_no: int
    reason: str
    placed_by: str


class OrderHoldReleased(Payload, frozen=True, rename="camel"):
    """What an order was held for is resolved."""

    TYPE: ClassVar[str] = "order.hold_released"

    order_id: int
    status: OrderStatus
    hold: HoldKind


class OrderAppointmentSet(Payload, frozen=True, rename="camel"):
    """An order is to be delivered, and installed, at a time; all its visits are booked."""

    TYPE: ClassVar[str] = "order.appointment_set"

    order_id: int
    status: OrderStatus
    day: date
    from_minute: int
    to_minute: int


class OrderAppointmentLost(Payload, frozen=True, rename="camel"):
    """An order cannot come at its time: its visits are given back, and another one is needed."""

    TYPE: ClassVar[str] = "order.appointment_lost"

    order_id: int
    status: OrderStatus


class InstallationChanged(Payload, frozen=True, rename="camel"):
    """An order was installed, or not and why, or another time is agreed for that."""

    TYPE: ClassVar[str] = "installation.changed"

    order_id: int
    status: str
    outcome: str
    """What came of a visit, if that is what is told."""
    day: date
    from_minute: int
    to_minute: int


class OrderRerouted(Payload, frozen=True, rename="camel"):
    """Units of an order that had their nodes were given to others, for less."""

    TYPE: ClassVar[str] = "order.rerouted"

    order_id: int
    status: OrderStatus
    units: int
    saved_minor: int


class PickupAsked(Payload, frozen=True, rename="camel"):
    """A store is asked to hand an order over; ready by a time, if all of it is there."""

    TYPE: ClassVar[str] = "pickup.asked"

    order_id: int
    node_id: int
    ready_by: datetime | None


class RefundDue(Payload, frozen=True, rename="camel"):
    """Something is to be paid back of an order."""

    TYPE: ClassVar[str] = "refund.due"

    order_id: int
    refund_no: int
    cause: str
    amount_minor: int


class FulfilmentCreated(Payload, frozen=True, rename="camel"):
    """A node is to send units of an order."""

    TYPE: ClassVar[str] = "fulfilment.created"

    order_id: int
    fulfilment_no: int
    node_id: int
    units: int


class FulfilmentChanged(Payload, frozen=True, rename="camel"):
    """A node is to send other units of an order than before: so many altogether."""

    TYPE: ClassVar[str] = "fulfilment.changed"

    order_id: int
    fulfilment_no: int
    node_id: int
    units: int


class FulfilmentCancelled(Payload, frozen=True, rename="camel"):
    """A node has nothing left to send of an order."""

    TYPE: ClassVar[str] = "fulfilment.cancelled"

    order_id: int
    fulfilment_no: int


class FulfilmentShort(Payload, frozen=True, rename="camel"):
    """A node could not send units of an order: they wait for another one."""

    TYPE: ClassVar[str] = "fulfilment.short"

    order_id: int
    fulfilment_no: int
    node_id: int
    status: OrderStatus
    units: int
    cause: ShortageCause


class FulfilmentPicked(Payload, frozen=True, rename="camel"):
    """All that a node sends of an order is picked."""

    TYPE: ClassVar[str] = "fulfilment.picked"

    order_id: int
    fulfilment_no: int
    node_id: int


class ExpectedLine(msgspec.Struct, frozen=True, rename="camel"):
    """When the last of a line's waiting units is expected; null where not all is promised."""

    line_no: int
    expected_on: date | None
    was_expected_on: date | None


class OrderExpected(Payload, frozen=True, rename="camel"):
    """Supply is promised to lines that wait, or it comes at another time than was said."""

    TYPE: ClassVar[str] = "order.expected"

    order_id: int
    lines: tuple[ExpectedLine, ...]


class OrderPaid(Payload, frozen=True, rename="camel"):
    """The rest of an order was paid."""

    TYPE: ClassVar[str] = "order.paid"

    order_id: int
    amount_minor: int
    reference: str


PAYLOADS: tuple[type[Payload], ...] = (
    OrderPlaced,
    OrderAllocated,
    OrderCancelled,
    OrderEdited,
    OrderHeld,
    OrderHoldReleased,
    OrderExpected,
    OrderPaid,
    OrderAppointmentSet,
    OrderAppointmentLost,
    InstallationChanged,
    OrderRerouted,
    PickupAsked,
    RefundDue,
    FulfilmentCreated,
    FulfilmentChanged,
    FulfilmentCancelled,
    FulfilmentShort,
    FulfilmentPicked,
)
