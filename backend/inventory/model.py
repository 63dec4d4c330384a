"""Levels and what changes them."""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from backend.inventory.movement_types import EFFECTS, MovementType

QUANTITY_MAX = 10**9
"""No level, line or movement is larger: a typing error is refused, and sums stay far from 2**63."""


class LevelKey(NamedTuple):
    """Which level; also the order in which levels are locked."""

    functional_warehouse_id: int
    sku_id: int


class Level(NamedTuple):
    """The figures of a level at a version."""

    functional_warehouse_id: int
    sku_id: int
    node_id: int
    dealer_id: int | None
    on_hand: int
    reserved: int
    floor: int
    earmark_unused: int
    version: int

    @property
    def key(self) -> LevelKey:
        return LevelKey(self.functional_warehouse_id, self.sku_id)

    @property
    def signed_free(self) -> int:
        """What is free; below 0 where more is promised than there is (a shortage)."""
        return self.on_hand - self.reserved - self.floor - self.earmark_unused


class FreeAt(NamedTuple):
    """What admission and the stock books follow: the free quantity of a level at a version."""

    functional_warehouse_id: int
    sku_id: int
    free: int
    version: int


class CauseKind(StrEnum):
    """What a movement came from."""

    ORDER = "order"
    RECEIPT = "receipt"
    ADJUSTMENT = "adjustment"
    COUNT = "count"
    TRANSFER = "transfer"


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the ledger to be written: type, signed quantity and cause."""

    key: LevelKey
    type: MovementType
    quantity: int
    cause_kind: CauseKind
    cause_id: int | None = None
    cause_line: int | None = None
    reason: str | None = None

    @property
    def deltas(self) -> tuple[int, int, int, int]:
        """What it adds to on_hand, reserved, floor and earmark_unused."""
        effect = EFFECTS[self.type]
        return (
            effect.on_hand * self.quantity,
            effect.reserved * self.quantity,
            effect.floor * self.quantity,
            effect.earmark_unused * self.quantity,
        )
