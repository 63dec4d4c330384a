"""Allotments: how many units of a SKU a shop, or all shops of a dealer, may sell."""

from datetime import datetime
from typing import NamedTuple

import msgspec

LINES_MAX = 1_000
"""Allotments set by one command."""


class AllotmentAt(NamedTuple):
    """What is left of an allotment at a version; below 0 where it was lowered since."""

    id: int
    free: int
    version: int


class AllotmentState(NamedTuple):
    """An allotment as the stock books follow it: of a shop, or (None) of all shops of a dealer."""

    id: int
    sku_id: int
    shop_id: int | None
    dealer_id: int | None
    free: int
    version: int
    is_active: bool
    changed_at: datetime

    @property
    def at(self) -> AllotmentAt:
        return AllotmentAt(self.id, self.free, self.version)


class Allotment(msgspec.Struct, frozen=True, kw_only=True):
    """An allotment as people see it."""

    id: int
    sku_id: int
    shop_id: int | None
    dealer_id: int | None
    quantity: int
    taken: int
    """Units that are reserved for orders, or were when they were shipped."""
    is_active: bool
    version: int
    reason: str
    set_by: str
    changed_at: datetime


class AllotmentOwner(msgspec.Struct, frozen=True, kw_only=True):
    """Which allotment: of a shop, or of all shops of a dealer."""

    sku: str
    shop: str | None = None
    dealer: str | None = None


class AllotmentLine(AllotmentOwner, frozen=True, kw_only=True):
    """An allotment to be set.

    With `compare_version` only if it is still at that version (0: does not exist yet).
    """

    quantity: int
    compare_version: int | None = None
    reason: str = ""
