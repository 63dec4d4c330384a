"""Levels and what changes them."""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from backend.inventory.movement_types import MovementType, effect_of

QUANTITY_MAX = 10**9
"""No level, line or movement is larger: a typing error is refused, and sums stay far from 2**63."""


class LevelKey(NamedTuple):
    """Which level; also the order in which levels are locked."""

    functional_warehouse_id: int
    sku_id: int


class StockKey(NamedTuple):
    """What can be taken of a level: what is free to all, or (with its id) what an earmark keeps."""

    functional_warehouse_id: int
    sku_id: int
    earmark_id: int = 0

    @property
    def level(self) -> LevelKey:
        return LevelKey(self.functional_warehouse_id, self.sku_id)


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
    """What admission and the stock books follow: what can be taken at a version of the level.

    What is free to all, or (with its id) what an earmark may be used for: no more than it has
    unused, and no more than is on hand and not reserved.
    """

    functional_warehouse_id: int
    sku_id: int
    free: int
    version: int
    earmark_id: int = 0


class StockSource(NamedTuple):
    """A source of a stock book: what is free in a functional warehouse, or what an earmark keeps.

    `pool` is the code of the pool that an earmark keeps its units for; "" for what is free to all.
    """

    functional_warehouse_id: int
    node_id: int
    earmark_id: int = 0
    pool: str = ""


class CauseKind(StrEnum):
    """What a movement came from."""

    ORDER = "order"
    RECEIPT = "receipt"
    ADJUSTMENT = "adjustment"
    COUNT = "count"
    TRANSFER = "transfer"
    EARMARK = "earmark"
    HOLD = "hold"
    SUPPLY = "supply"
    SAFETY = "safety"
    PICK = "pick"
    """A node did not find it when it was to send it, or found it damaged."""
    RETURN = "return"
    """A customer sent it back."""
    TILL = "till"
    """A store sold it at its own till."""


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the ledger to be written: type, signed quantity and cause.

    With `earmark_id` the units go to an earmark, come from it, or are taken from it.
    """

    key: LevelKey
    type: MovementType
    quantity: int
    cause_kind: CauseKind
    cause_id: int | None = None
    cause_line: int | None = None
    reason: str | None = None
    earmark_id: int | None = None

    @property
    def deltas(self) -> tuple[int, int, int, int]:
        """What it adds to on_hand, reserved, floor and earmark_unused."""
        effect = effect_of(self.type, self.earmark_id)
        return (
            effect.on_hand * self.quantity,
            effect.reserved * self.quantity,
            effect.floor * self.quantity,
            effect.earmark_unused * self.quantity,
        )
