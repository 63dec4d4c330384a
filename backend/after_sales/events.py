"""What became of requests and refunds, as others are told: the payloads of the events."""

from typing import ClassVar

from backend.events.model import Payload


class ReturnRequested(Payload, frozen=True, rename="camel"):
    """A customer wants to send something back, or to be paid back."""

    TYPE: ClassVar[str] = "return.requested"

    order_id: int
    return_id: int
    kind: str
    status: str
    units: int
    reason: str


class ReturnChanged(Payload, frozen=True, rename="camel"):
    """A request stands elsewhere."""

    TYPE: ClassVar[str] = "return.changed"

    order_id: int
    return_id: int
    status: str
    decision: str


class ReturnReceived(Payload, frozen=True, rename="camel"):
    """What was sent back has come to a node."""

    TYPE: ClassVar[str] = "return.received"

    order_id: int
    return_id: int
    node_id: int
    units: int


class ReturnInspected(Payload, frozen=True, rename="camel"):
    """What was sent back was looked at; units by what they were found to be."""

    TYPE: ClassVar[str] = "return.inspected"

    order_id: int
    return_id: int
    node_id: int
    good: int
    defective: int
    scrapped: int
    denied: int


class RefundChanged(Payload, frozen=True, rename="camel"):
    """Paying back stands elsewhere."""

    TYPE: ClassVar[str] = "refund.changed"

    order_id: int
    refund_no: int
    status: str
    amount_minor: int
    offset_minor: int = 0
    """So much of it is not paid back: it was exchanged for something."""


class ExchangeChanged(Payload, frozen=True, rename="camel"):
    """An exchange stands elsewhere."""

    TYPE: ClassVar[str] = "exchange.changed"

    order_id: int
    return_id: int
    replacement_id: int | None
    status: str
    credit_minor: int
    due_minor: int


class RepairChanged(Payload, frozen=True, rename="camel"):
    """A repair is asked for, or stands elsewhere."""

    TYPE: ClassVar[str] = "repair.changed"

    order_id: int
    repair_id: int
    status: str
    price_minor: int


class TradeInChanged(Payload, frozen=True, rename="camel"):
    """An old unit is promised for a part of the price, or its trade-in stands elsewhere."""

    TYPE: ClassVar[str] = "trade_in.changed"

    order_id: int
    trade_in_id: int
    status: str
    promised_minor: int
    credit_minor: int


PAYLOADS: tuple[type[Payload], ...] = (
    ReturnRequested,
    ReturnChanged,
    ReturnReceived,
    ReturnInspected,
    RefundChanged,
    ExchangeChanged,
    RepairChanged,
    TradeInChanged,
)
