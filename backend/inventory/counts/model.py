"""Counts (盘点): what somebody found, and what became of the difference."""

from datetime import datetime
from enum import StrEnum

import msgspec

LINES_MAX = 1_000
"""Lines of one command."""
TOLERANCE_UNITS = 2
TOLERANCE_BP = 200
"""A difference of 2 units, or of 2 % of what was on hand, counts at once; a larger one waits."""


class CountState(StrEnum):
    """Whether a count has changed the level."""

    WAITING = "waiting"
    """For somebody else to approve or reject it."""
    APPLIED = "applied"
    REJECTED = "rejected"


class CountLine(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of a SKU in a functional warehouse."""

    warehouse: str
    sku: str
    counted: int
    reason: str = ""


class StockCount(msgspec.Struct, frozen=True, kw_only=True):
    """A count with its variance."""

    id: int
    functional_warehouse_id: int
    sku_id: int
    on_hand: int
    counted: int
    state: CountState
    reason: str
    counted_by: str
    counted_at: datetime
    decided_by: str | None
    decided_at: datetime | None

    @property
    def variance(self) -> int:
        """Units more (or, below 0, less) than there should be."""
        return self.counted - self.on_hand


def is_within_tolerance(on_hand: int, counted: int) -> bool:
    """Whether a difference is applied without approval."""
    difference = abs(counted - on_hand)
    return difference <= TOLERANCE_UNITS or difference * 10_000 <= abs(on_hand) * TOLERANCE_BP
