"""Stock holds: units kept for somebody until a time (预占), before there is an order."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from backend.inventory.model import StockKey

HOLD_SECONDS_MAX = 30 * 24 * 3600
"""A platform keeps an unpaid order for some days at most."""


class StockHoldKind(StrEnum):
    """What units are kept for."""

    CART = "cart"
    UNPAID = "unpaid"
    """待付款: an order that is not paid yet."""
    PLATFORM = "platform"
    """平台预占: a platform has locked them for an order of its own."""
    SUPPLY = "supply"
    """到货预占: received of a supply for an order that was promised it."""
    IN_STORE = "in_store"
    """门店预留: a customer comes to the store to try it."""


class StockHoldState(StrEnum):
    """Where a hold stands; only an active one keeps units."""

    ACTIVE = "active"
    CONVERTED = "converted"
    EXPIRED = "expired"
    RELEASED = "released"


class HoldTerms(NamedTuple):
    """For what, and for how long, units are to be kept."""

    kind: StockHoldKind
    seconds: int


class HoldPart(NamedTuple):
    """Units of a hold at one place."""

    functional_warehouse_id: int
    sku_id: int
    quantity: int
    earmark_id: int | None
    allotment_ids: tuple[int, ...]

    @property
    def key(self) -> StockKey:
        return StockKey(self.functional_warehouse_id, self.sku_id, self.earmark_id or 0)


class LockedHold(NamedTuple):
    """A hold that is active, under its lock."""

    id: int
    shop_id: int
    order_id: int | None
    """The order that its units were received for."""
    parts: tuple[HoldPart, ...]

    def is_for(self, shop_id: int, order_id: int) -> bool:
        """Whether an order of a shop may take over what it keeps."""
        return self.shop_id == shop_id and self.order_id in (None, order_id)


class StockHold(msgspec.Struct, frozen=True, kw_only=True):
    """A hold as people see it."""

    id: int
    kind: StockHoldKind
    shop_id: int
    external_id: str | None
    dealer_id: int | None
    state: StockHoldState
    expires_at: datetime
    taken_by: str
    taken_at: datetime
    ended_at: datetime | None
    order_id: int | None
