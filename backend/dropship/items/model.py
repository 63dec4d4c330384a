"""What dealers sell under their own names (代发商品): items of SKUs, offered in their shops."""

from collections.abc import Sequence
from datetime import datetime

import msgspec


class ItemPart(msgspec.Struct, frozen=True):
    """Units of a SKU that are in one item."""

    sku_code: str
    quantity: int
    sku_id: int = 0
    """Known once it is saved."""


class DealerItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item of a dealer."""

    id: int
    dealer_id: int
    code: str
    title: str
    price_minor: int
    pictures: tuple[str, ...]
    """Addresses of pictures."""
    is_active: bool
    version: int
    set_by: str
    changed_at: datetime
    parts: tuple[ItemPart, ...]
    """By SKU."""


class ItemDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An item to be saved, whole.

    With `compare_version` only if it is still at that version (0: does not exist yet).
    """

    code: str
    title: str
    price_minor: int
    parts: Sequence[ItemPart]
    pictures: Sequence[str] = ()
    is_active: bool = True
    compare_version: int | None = None


class ListingDraft(msgspec.Struct, frozen=True, kw_only=True):
    """Where an item is offered; title and price are the item's where they are left out."""

    item: str
    shop: str
    is_listed: bool = True
    title: str | None = None
    price_minor: int | None = None


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """How an item is offered in a shop."""

    item_id: int
    shop_id: int
    title: str
    price_minor: int
    is_listed: bool
    changed_at: datetime
