"""After-sales (售后): what customers send back or claim, and what is paid back to them."""

from datetime import datetime
from enum import StrEnum

import msgspec

from backend.inventory.counters import Counters
from backend.orders.refunds import RefundCause

TEXT_MAX = 200
LINES_MAX = 500
RULES_MAX = 500
DAYS_MAX = 3_650


class ReturnKind(StrEnum):
    """What a customer wants."""

    RETURN = "return"
    """To send goods back (退货退款)."""
    REFUND_ONLY = "refund_only"
    """To be paid back, and keep them (仅退款)."""
    MISSING = "missing"
    """To be paid back what never came (少件)."""
    REFUSED = "refused"
    """Nothing: a parcel was not accepted, and came back (拒收)."""


class ReturnStatus(StrEnum):
    """Where a request stands."""

    REQUESTED = "requested"
    """Somebody has to decide."""
    APPROVED = "approved"
    """The customer may send it."""
    SENT_BACK = "sent_back"
    RECEIVED = "received"
    """It lies at a node, and is to be inspected."""
    CLOSED = "closed"
    """What is to be paid back is owed."""
    REJECTED = "rejected"
    CANCELLED = "cancelled"


class RefundStatus(StrEnum):
    """Where paying back stands."""

    DUE = "due"
    KEPT = "kept"
    """It may be exchanged for something, and is not paid back before that is clear."""
    ASKED = "asked"
    """Whoever pays it back (a platform, a bank) was asked to."""
    PAID = "paid"
    FAILED = "failed"
    """It was refused: ask again."""
    WAIVED = "waived"
    """It is not paid back after all."""


class ReturnUnits(msgspec.Struct, frozen=True):
    """Units of an order's line."""

    line_no: int
    quantity: int


class ReturnDraft(msgspec.Struct, frozen=True):
    """What a customer asks for; `node_id`: where it comes back to, if that is known."""

    order_id: int
    kind: ReturnKind
    lines: tuple[ReturnUnits, ...]
    reason: str
    node_id: int | None = None


class Inspected(msgspec.Struct, frozen=True):
    """What units of a line were found to be; together they are what was received of it."""

    line_no: int
    good: int = 0
    """To be sold again."""
    defective: int = 0
    """To be repaired, or sold as such."""
    scrapped: int = 0
    denied: int = 0
    """Not what was sold, or spoilt by the customer: goes back to them, and is not paid back."""


class ReturnLine(msgspec.Struct, frozen=True):
    """A line of a request."""

    line_no: int
    sku_id: int
    quantity: int
    received: int
    good: int
    defective: int
    scrapped: int
    denied: int
    place_id: int | None = None
    """The functional warehouse where it is inspected."""


class Return(msgspec.Struct, frozen=True):
    """A request (售后单)."""

    id: int
    order_id: int
    node_id: int | None
    kind: ReturnKind
    status: ReturnStatus
    version: int
    reason: str
    decision: str
    carrier: str
    waybill: str
    requested_by: str
    requested_at: datetime
    changed_at: datetime


class Refund(msgspec.Struct, frozen=True):
    """What is paid back (退款)."""

    order_id: int
    refund_no: int
    cause: RefundCause
    return_id: int | None
    status: RefundStatus
    amount_minor: int
    currency: str
    reason: str
    reference: str
    version: int
    owed_at: datetime
    changed_at: datetime
    offset_minor: int = 0
    """So much of it was exchanged for something, and is not paid back."""


class ExchangeStatus(StrEnum):
    """Where an exchange stands."""

    ASKED = "asked"
    """What replaces it is being ordered."""
    WAITING = "waiting"
    """What replaces it is ordered, and reserved where it is there; what is exchanged is to come."""
    UNPAID = "unpaid"
    """It came, and is worth less than what replaces it."""
    DONE = "done"
    """It may be sent."""
    CANCELLED = "cancelled"


class WantedLine(msgspec.Struct, frozen=True):
    """Units of what replaces it; a price for each, or for none: then it is an even exchange."""

    sku: str
    quantity: int
    unit_price_minor: int | None = None


class ExchangeDraft(msgspec.Struct, frozen=True):
    """What a customer sends back, and wants instead."""

    back: ReturnDraft
    wanted: tuple[WantedLine, ...]


class Exchange(msgspec.Struct, frozen=True):
    """What is exchanged for what comes back (换货)."""

    return_id: int
    order_id: int
    replacement_id: int | None
    status: ExchangeStatus
    version: int
    credit_minor: int
    """What came back is worth so much of what replaces it."""
    due_minor: int
    """To be paid for it beside that."""
    reference: str
    changed_at: datetime


class ExchangeDone(msgspec.Struct, frozen=True):
    """What a command came to; counters are to be published after the commit."""

    exchange: Exchange
    counters: Counters


class ReturnDone(msgspec.Struct, frozen=True):
    """What a command came to; counters are to be published after the commit."""

    request: Return
    owed_minor: int
    """What is owed with it."""
    counters: Counters


class ReturnRule(msgspec.Struct, frozen=True):
    """How long after it has come goods may be sent back; empty channel and category: all others."""

    days: int
    """0: never."""
    is_automatic: bool = False
    """Whether it is approved without anybody looking."""
    channel: str = ""
    category: str = ""


USUAL_RULE = ReturnRule(days=7)
"""Of a brand that has none: the seven days of the law for what is sold at a distance (Art. 25 of
the PRC's Law on the Protection of Consumers' Rights), looked at by somebody."""


class RepairStatus(StrEnum):
    """Where a repair stands (维修)."""

    REQUESTED = "requested"
    RECEIVED = "received"
    """It lies at a location; somebody finds out what is wrong with it."""
    QUOTED = "quoted"
    """The customer decides whether that is worth it."""
    ACCEPTED = "accepted"
    DECLINED = "declined"
    """It goes back as it is."""
    REPAIRED = "repaired"
    CLOSED = "closed"
    """The customer has it again, or will when its carrier comes."""
    CANCELLED = "cancelled"


class RepairDraft(msgspec.Struct, frozen=True):
    """A wish to have a unit of a line of an order repaired."""

    order_id: int
    line_no: int
    fault: str
    serial: str = ""


class UnitMove(msgspec.Struct, frozen=True):
    """A step of a unit, with what it needs: see `move_repair` and `move_trade_in`."""

    step: str
    text: str = ""
    amount_minor: int = 0
    node_id: int | None = None
    carrier: str = ""
    waybill: str = ""


class Repair(msgspec.Struct, frozen=True):
    """A unit of a customer's that is repaired: it stays the customer's, and is no stock."""

    id: int
    order_id: int
    line_no: int
    sku_id: int
    node_id: int | None
    status: RepairStatus
    version: int
    fault: str
    serial: str
    finding: str
    price_minor: int
    reference: str
    work: str
    """What was done, or why it was not."""
    carrier: str
    waybill: str
    requested_by: str
    requested_at: datetime
    changed_at: datetime


class TradeInStatus(StrEnum):
    """Where an old unit stands that is given for a part of the price (以旧换新)."""

    PROMISED = "promised"
    COLLECTED = "collected"
    """Its carrier has it."""
    RECEIVED = "received"
    """It lies at a location; somebody finds out what it is worth."""
    GRADED = "graded"
    """It is worth less than was promised: the customer decides."""
    DECLINED = "declined"
    """It goes back."""
    CREDITED = "credited"
    """What it is worth is to be paid to the customer."""
    PAID = "paid"
    CLOSED = "closed"
    """The customer has it again, or will when its carrier comes."""
    CANCELLED = "cancelled"


class TradeInDraft(msgspec.Struct, frozen=True):
    """An old unit that a customer gives with the order of a new one."""

    order_id: int
    line_no: int
    description: str
    promised_minor: int
    serial: str = ""


class TradeIn(msgspec.Struct, frozen=True):
    """An old unit that is given for a part of the price (以旧换新单); it is no stock."""

    id: int
    order_id: int
    line_no: int
    node_id: int | None
    status: TradeInStatus
    version: int
    description: str
    serial: str
    promised_minor: int
    finding: str
    credit_minor: int
    """What it is worth as it was found."""
    reason: str
    reference: str
    carrier: str
    waybill: str
    requested_by: str
    requested_at: datetime
    changed_at: datetime
