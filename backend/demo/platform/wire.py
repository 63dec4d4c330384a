"""What callers send and what they are answered, as JSON."""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from backend.demo.platform import limits

# A comma separates codes in a query, a slash parts of a path.
Code = Annotated[str, Meta(min_length=1, max_length=limits.CODE_CHARS_MAX, pattern=r"^[^,/\s]+$")]
Text = Annotated[str, Meta(max_length=limits.TEXT_CHARS_MAX)]
Token = Annotated[str, Meta(min_length=1, max_length=limits.TEXT_CHARS_MAX)]
Quantity = Annotated[int, Meta(ge=0, le=limits.QUANTITY_MAX)]
Units = Annotated[int, Meta(ge=1, le=limits.QUANTITY_MAX)]
Sequence = Annotated[int, Meta(ge=1, le=limits.SEQUENCE_MAX)]
PriceMinor = Annotated[int, Meta(ge=0, le=limits.PRICE_MINOR_MAX)]
CallsPerSecond = Annotated[int, Meta(ge=1, le=limits.CALLS_PER_SECOND_MAX)]
Share = Annotated[int, Meta(ge=0, le=limits.BASIS_POINTS)]
Milliseconds = Annotated[int, Meta(ge=0, le=limits.SLOW_MILLISECONDS_MAX)]
FaultSeconds = Annotated[float, Meta(gt=0, le=limits.FAULT_SECONDS_MAX)]


class Sent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a caller sends: a field that is not known is refused."""


class PushItem(Sent, frozen=True):
    """A listing with the quantity that it shall show, and the seller's rising number."""

    listing: Code
    quantity: Quantity
    sequence: Sequence


class Push(Sent, frozen=True):
    """The body of PUT stock."""

    items: list[PushItem]


class ListingDraft(Sent, frozen=True):
    """A listing to be created, or to be named and priced anew."""

    listing: Code
    title: Text
    price_minor: PriceMinor


class Listings(Sent, frozen=True):
    """The body of PUT listings."""

    items: list[ListingDraft]


class Buyer(Sent, frozen=True):
    """Who bought, and where it goes."""

    name: Text
    phone: Text
    region_code: int
    address: Text


class PurchaseLine(Sent, frozen=True):
    """Units of a listing, at the price that the buyer saw."""

    listing: Code
    quantity: Units
    unit_price_minor: PriceMinor


class Purchase(Sent, frozen=True):
    """A buyer's basket."""

    buyer: Buyer
    lines: Annotated[list[PurchaseLine], Meta(min_length=1, max_length=limits.PURCHASE_LINES_MAX)]
    paid: bool = True


class ReturnKind(StrEnum):
    """What a buyer wants."""

    RETURN = "return"
    REFUND_ONLY = "refund_only"


class ReturnStatus(StrEnum):
    """Where a buyer's request stands."""

    WAIT_SELLER = "wait_seller"
    WAIT_BUYER_SEND = "wait_buyer_send"
    WAIT_SELLER_RECEIVE = "wait_seller_receive"
    REFUSED = "refused"
    CLOSED = "closed"
    """The buyer keeps it after all."""
    DONE = "done"
    """The buyer was paid back."""


class ReturnUnits(Sent, frozen=True):
    """Units of a listing."""

    listing: Code
    quantity: Units


class ReturnDraft(Sent, frozen=True):
    """What a buyer asks for."""

    kind: ReturnKind
    lines: Annotated[list[ReturnUnits], Meta(min_length=1, max_length=limits.PURCHASE_LINES_MAX)]
    reason: Text = ""


class Shipment(Sent, frozen=True):
    """With whom a buyer sends something back."""

    carrier: Code
    waybill: Code


class QuickRefund(Sent, frozen=True):
    """What a buyer is paid back before anything came."""

    amount_minor: PriceMinor


class ReturnAction(StrEnum):
    """What a seller answers."""

    AGREE = "agree"
    REFUSE = "refuse"
    CONFIRM = "confirm"
    """It came back: pay the buyer."""


class ReturnAnswer(Sent, frozen=True):
    """The seller's answer; `amount_minor` is what the buyer is paid, of a return that came."""

    action: ReturnAction
    reason: Text = ""
    amount_minor: PriceMinor = 0


class Return(msgspec.Struct, frozen=True):
    """A buyer's request, as the seller reads it."""

    number: str
    order: str
    kind: ReturnKind
    status: ReturnStatus
    lines: list[ReturnUnits]
    reason: str
    carrier: str = ""
    waybill: str = ""
    amount_minor: int = 0
    """What the buyer was paid back."""


class ShopDraft(Sent, frozen=True):
    """A shop to be opened."""

    code: Code
    token: Token
    calls_per_second: CallsPerSecond | None = None


class Operation(StrEnum):
    """What faults can befall."""

    PUSH = "push"
    READ = "read"
    ORDERS = "orders"
    RETURNS = "returns"
    ANSWER = "answer"


class FaultKind(StrEnum):
    """How a call goes wrong."""

    ERROR_500 = "error500"
    TIMEOUT = "timeout"
    TIMEOUT_AFTER = "timeout_after"
    FORGET = "forget"
    OTHER_NUMBER = "other_number"
    SILENT_OTHER_NUMBER = "silent_other_number"
    SLOW = "slow"
    RESET = "reset"


class FaultDraft(Sent, frozen=True):
    """A fault to be had: by whom, how often and how long; null means all, or without end."""

    kind: FaultKind
    shop: str | None = None
    share: Share = limits.BASIS_POINTS
    seconds: FaultSeconds | None = None
    calls: Units | None = None
    operation: Operation | None = None
    milliseconds: Milliseconds = 0
    """How long a slow call takes; of no meaning to the others."""


class PushStatus(StrEnum):
    """What became of an item of a push."""

    ACCEPTED = "accepted"
    UNKNOWN_LISTING = "unknown_listing"
    STALE = "stale"
    REFUSED = "refused"


class Pushed(msgspec.Struct, frozen=True):
    """The answer to an item of a push, with the quantity that is shown now."""

    listing: str
    status: PushStatus
    quantity: int


class AcceptedPush(msgspec.Struct, frozen=True):
    """A push that changed what is shown; `seconds` since the platform started."""

    listing: str
    asked: int
    stored: int
    sequence: int
    seconds: float


class Order(msgspec.Struct, frozen=True):
    """An order, as the seller reads it; `paid_at` in RFC 3339."""

    number: str
    paid_at: str
    buyer: Buyer
    lines: list[PurchaseLine]
    total_minor: int
