"""What Yipan needs of a channel, in the words of the field: the interface of its connectors."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import msgspec


class StockPush(msgspec.Struct, frozen=True):
    """The quantity that a listing shall show.

    `sequence` rises with each new number of a listing, so that a delayed push cannot undo a newer
    one. It is at least 1. A push whose outcome is unknown is sent again under its sequence; a
    number that is found to be shown wrong needs a higher one.
    """

    listing: str
    quantity: int
    sequence: int


class PushOutcome(StrEnum):
    """What a channel did with a push."""

    ACCEPTED = "accepted"
    UNKNOWN_LISTING = "unknown_listing"
    STALE = "stale"
    """It knows a number with this sequence or a higher one, and keeps it.

    To a push that was sent again: it had been done, or is out of date.
    """
    REFUSED = "refused"


class PushAnswer(msgspec.Struct, frozen=True):
    """What a channel says about a push; `quantity_shown` is what it says it shows now."""

    listing: str
    outcome: PushOutcome
    quantity_shown: int


class ChannelBuyer(msgspec.Struct, frozen=True):
    """Who bought on a channel, and where it goes."""

    name: str
    phone: str
    region_code: int
    address: str


class ChannelLine(msgspec.Struct, frozen=True):
    """Units of a listing that were bought."""

    listing: str
    quantity: int
    unit_price_minor: int


class ChannelOrder(msgspec.Struct, frozen=True):
    """A paid order of a channel; `paid_at` in RFC 3339, the number unique in the shop."""

    number: str
    paid_at: str
    buyer: ChannelBuyer
    lines: list[ChannelLine]
    total_minor: int


class OrderPage(msgspec.Struct, frozen=True):
    """Orders in the order in which they were paid, and the cursor of what follows them."""

    orders: list[ChannelOrder]
    next: str


class ChannelReturnKind(StrEnum):
    """What a buyer wants."""

    RETURN = "return"
    """To send goods back (退货退款)."""
    REFUND_ONLY = "refund_only"
    """To be paid back, and keep them (仅退款)."""


class ChannelReturnStatus(StrEnum):
    """Where a request stands on its channel, in the words that all of them have for it."""

    WAIT_SELLER = "wait_seller"
    """等待卖家处理."""
    WAIT_BUYER_SEND = "wait_buyer_send"
    """等待买家退货."""
    WAIT_SELLER_RECEIVE = "wait_seller_receive"
    """买家已退货，等待卖家确认."""
    REFUSED = "refused"
    CLOSED = "closed"
    """The buyer keeps it after all."""
    DONE = "done"
    """The buyer was paid back."""

    @property
    def is_final(self) -> bool:
        return self in (self.REFUSED, self.CLOSED, self.DONE)


class ChannelReturnUnits(msgspec.Struct, frozen=True):
    """Units of a listing."""

    listing: str
    quantity: int


class ChannelReturn(msgspec.Struct, frozen=True):
    """A request of a buyer on a channel (平台售后单); its number is unique in the shop."""

    number: str
    order: str
    kind: ChannelReturnKind
    status: ChannelReturnStatus
    lines: list[ChannelReturnUnits]
    reason: str
    carrier: str = ""
    waybill: str = ""


class ReturnPage(msgspec.Struct, frozen=True):
    """Requests in the order in which they changed, and the cursor of what follows them."""

    returns: list[ChannelReturn]
    next: str


class ReturnAction(StrEnum):
    """What a seller answers to a request."""

    AGREE = "agree"
    """It may come back; or the buyer is paid, where nothing is to come."""
    REFUSE = "refuse"
    CONFIRM = "confirm"
    """It came back: the buyer is paid."""


class ReturnAnswer(msgspec.Struct, frozen=True):
    """The seller's answer; `amount_minor` is what the buyer is paid of a return that came."""

    action: ReturnAction
    reason: str = ""
    amount_minor: int = 0


class ChannelStock(Protocol):
    """One shop on one channel. Nothing here tries again by itself: who calls knows when to.

    Every method raises ChannelAway (the outcome is unknown: ask or push again), ChannelBusy
    (nothing happened: wait as long as it says) or ChannelRefused (nothing happened, and nothing
    will until a person has looked).
    """

    push_items_max: int
    """Listings in one push, at most."""
    read_listings_max: int
    """Listings in one read, at most."""
    orders_page_max: int
    """Orders, or requests, of one page, at most."""

    async def push(self, items: Sequence[StockPush]) -> list[PushAnswer]:
        """Let listings show what they shall; return an answer to each item, in their order."""

    async def read(self, listings: Sequence[str]) -> dict[str, int]:
        """Return what listings show; those that the channel does not know are left out."""

    async def orders(self, since: str, limit: int) -> OrderPage:
        """Return up to `limit` paid orders after a cursor; "" is the first one's.

        The same order can come again, and the same cursor can be read again.
        """

    async def returns(self, since: str, limit: int) -> ReturnPage:
        """Return up to `limit` requests of buyers that have changed after a cursor, as `orders`."""

    async def answer_return(self, number: str, answer: ReturnAnswer) -> ChannelReturn:
        """Answer a request, and return how it stands then; the same answer again does nothing."""
