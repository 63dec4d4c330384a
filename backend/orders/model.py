"""Orders: what comes in, what is stored and what is answered."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

import msgspec

from backend.routing.traits import NO_TRAITS, OrderTraits

LINES_MAX = 500
"""Lines of an order that a person or a web shop places."""
LINES_MAX_BULK = 2_000
"""Lines of an order from a platform or an import: real wholesale orders have up to 700."""
QUANTITY_MAX = 1_000_000
AMOUNT_MINOR_MAX = 10**15
TEXT_MAX = 500


class Shortage(StrEnum):
    """What an order wants where stock is short."""

    REFUSE = "refuse"
    """All or nothing."""
    PARTIAL = "partial"
    """What is there; the rest is cancelled at once."""
    BACKORDER = "backorder"
    """What is there; the rest waits for stock (缺货待发)."""
    PRESALE = "presale"
    """What is there; the rest waits for supplies that are to come (预售), and nothing is taken
    where they do not cover it."""


class OrderStatus(StrEnum):
    """Where an order stands; derived from its lines."""

    HELD = "held"
    BACKORDERED = "backordered"
    PARTIALLY_ALLOCATED = "partially_allocated"
    ALLOCATED = "allocated"
    IN_FULFILMENT = "in_fulfilment"
    """Nodes pick and pack it; nothing has left yet."""
    PARTIALLY_SHIPPED = "partially_shipped"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    COMPLETE = "complete"
    """There was nothing to send: an order of fees only."""


class FulfilmentStatus(StrEnum):
    """Where what one node does for an order stands."""

    RESERVED = "reserved"
    """The node is to send it; nobody there knows of it yet."""
    RELEASED = "released"
    """The node may begin."""
    PICKING = "picking"
    PICKED = "picked"
    PACKED = "packed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class HoldKind(StrEnum):
    """Why an order waits for a person."""

    SKU_UNKNOWN = "sku_unknown"
    ADDRESS_UNRESOLVED = "address_unresolved"
    AMOUNT_MISMATCH = "amount_mismatch"
    AUDIT = "audit"
    ROUTING = "routing"
    """No strategy takes it, or one leaves what it cannot send to a person (异常单)."""
    APPOINTMENT = "appointment"
    """It cannot come, or be installed, at the agreed time: agree on another one (预约)."""
    PICKUP = "pickup"
    """The store where the customer wants to fetch it does not hand it over: choose another one, or
    have it sent."""
    EXCHANGE = "exchange"
    """It goes when what it is exchanged for has come back, and the difference is paid (换货)."""
    DEPOSIT = "deposit"
    """It goes when the rest is paid (尾款)."""
    AGREEMENT = "agreement"
    """No agreement with the dealer whose shop it is of is in force."""
    ASSORTMENT = "assortment"
    """The dealer may not sell this SKU (不在可售范围)."""
    TERRITORY = "territory"
    """The dealer may not sell to there (超出授权区域)."""
    DEALER_PRICE = "dealer_price"
    """Nobody said what the dealer pays for this SKU."""
    RESALE_PRICE = "resale_price"
    """It was sold for less than the least that the dealer may ask (低于最低零售价)."""
    QUOTA = "quota"
    """It goes when the dealer's quota allows it (待额度)."""
    MANUAL = "manual"
    """Somebody, or a platform in their name, says that it must not be sent for now (人工挂起)."""

    @property
    def blocks_stock(self) -> bool:
        """Held for these, an order reserves nothing, and takes no quota: where or what to send is
        not known, or not by what agreement, or there is no quota for it."""
        return self in (
            HoldKind.SKU_UNKNOWN,
            HoldKind.ADDRESS_UNRESOLVED,
            HoldKind.PICKUP,
            HoldKind.AGREEMENT,
            HoldKind.ASSORTMENT,
            HoldKind.TERRITORY,
            HoldKind.DEALER_PRICE,
            HoldKind.QUOTA,
        )

    @property
    def stops_parcels(self) -> bool:
        """Held for these, not even what a node has packed is handed over."""
        return self in (
            HoldKind.AUDIT,
            HoldKind.DEPOSIT,
            HoldKind.EXCHANGE,
            HoldKind.MANUAL,
            HoldKind.RESALE_PRICE,
        )


class LineDraft(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A line as it comes in; amounts in minor units."""

    sku: str
    quantity: int
    unit_price_minor: int = 0
    discount_minor: int = 0


class FeeDraft(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Something paid for that is no goods: postage, gift wrapping, an adjustment (may be < 0)."""

    code: str
    amount_minor: int
    description: str = ""


class AddressDraft(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Where to send: a region by code, or by its names from the outside in."""

    detail: str
    region_code: int | None = None
    region_path: tuple[str, ...] = ()
    name: str = ""
    phone: str = ""


class Appointment(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """When an order is to be delivered, and installed: a day, and minutes since its midnight."""

    day: date
    from_minute: int
    to_minute: int


class Pickup(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Where the customer fetches an order (到店自提): a location, by its code."""

    location: str


class DepositStatus(StrEnum):
    """Where paying in two stands."""

    OPEN = "open"
    """The rest (尾款) is to be paid."""
    PAID = "paid"
    ENDED = "ended"
    """It was not paid in time, or the order was cancelled before."""


class Deposit(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What was paid of an order ahead (定金), and until when the rest is to be paid."""

    amount_minor: int
    pay_by: datetime
    is_kept: bool = True
    """Whether it is kept where the rest is not paid (定金不退); else it is paid back."""


class OrderDraft(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """An order as it comes in, from whichever entrance."""

    shop: str
    address: AddressDraft
    lines: tuple[LineDraft, ...] = ()
    external_id: str | None = None
    idempotency_key: str | None = None
    is_paid: bool = False
    """Paid on its platform already: never refused, and never lost."""
    shortage: Shortage | None = None
    """Left out: REFUSE. A paid order is always a BACKORDER."""
    fees: tuple[FeeDraft, ...] = ()
    order_discount_minor: int = 0
    freight_minor: int = 0
    total_minor: int | None = None
    """Where given, checked against the sum."""
    ordered_at: datetime | None = None
    remark: str = ""
    hold: int | msgspec.UnsetType | None = msgspec.UNSET
    """The stock hold whose units it takes over. Left out it stands nowhere: orders that came before
    there were holds are known by the mark of what they said."""
    traits: OrderTraits | msgspec.UnsetType = msgspec.UNSET
    """What policies of routing may ask about; left out it stands nowhere, as above."""
    appointment: Appointment | msgspec.UnsetType = msgspec.UNSET
    """When it is to come; left out it stands nowhere, as above."""

    pickup: Pickup | msgspec.UnsetType = msgspec.UNSET
    """Where it is fetched; left out it is sent, and stands nowhere, as above."""

    deposit: Deposit | msgspec.UnsetType = msgspec.UNSET
    """What was paid ahead; left out it stands nowhere, as above."""

    @property
    def paid_ahead(self) -> Deposit | None:
        """What was paid of it ahead, where something was."""
        return None if self.deposit is msgspec.UNSET else self.deposit

    @property
    def fetched_at(self) -> Pickup | None:
        """Where the customer fetches it, where it is not sent."""
        return None if self.pickup is msgspec.UNSET else self.pickup

    @property
    def agreed(self) -> Appointment | None:
        """When it is to come, where a time is agreed."""
        return None if self.appointment is msgspec.UNSET else self.appointment

    @property
    def known_traits(self) -> OrderTraits:
        """What is said for routing; nothing where it is left out."""
        return NO_TRAITS if self.traits is msgspec.UNSET else self.traits

    @property
    def wanted_shortage(self) -> Shortage:
        """What it gets: whoever has paid waits, whatever the record says."""
        if self.is_paid:
            return Shortage.BACKORDER
        return self.shortage or Shortage.REFUSE


class LineOutcome(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What became of a line's units; together they are its quantity."""

    line_no: int
    reserved: int
    """A node is to send them, and has not begun."""
    backordered: int
    held: int
    cancelled: int
    at_node: int = 0
    """A node picks and packs them."""
    shipped: int = 0
    """They are on their way."""
    delivered: int = 0


class Placed(msgspec.Struct, frozen=True, rename="camel", tag="placed"):
    """The order exists; this is how it stood when it was placed."""

    order_id: int
    status: OrderStatus
    lines: tuple[LineOutcome, ...]
    holds: tuple[str, ...] = ()
    parcels: int = 0


class Held(msgspec.Struct, frozen=True, rename="camel", tag="held"):
    """The units are kept until the hold ends; a line's `reserved` are those."""

    hold_id: int
    lines: tuple[LineOutcome, ...]


class Refused(msgspec.Struct, frozen=True, rename="camel", tag="refused"):
    """There is no such order: nothing was written and nothing taken."""

    code: str
    message: str
    path: tuple[str | int, ...] = ()
    detail: dict[str, Any] = {}


Outcome = Placed | Refused
"""What an order is answered."""
HoldOutcome = Held | Refused
"""What whoever wants units to be kept is answered."""
Answer = Placed | Held | Refused
"""Either of them."""
