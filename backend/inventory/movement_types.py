"""The ledger's verbs and their signed effects; the only table of its kind.

| type | on_hand | reserved | floor | earmark_unused |
| --- | --- | --- | --- | --- |
| `received`, `moved_in`, `returned` | +q | | | |
| `reserved` / `released` | | +q / -q | | |
| `reserved` from an earmark / `released` back to it | | +q / -q | | -q / +q |
| `allocated` | | | | |
| `shipped` | -q | -q | | |
| `moved_out` | -q | | | |
| `adjusted`, `counted`, `condition_changed`, `owner_changed` | ±q | | | |
| `floor_set` | | | ±q | |
| `earmarked` / `earmark_dropped` | | | | +q / -q |
| `earmark_lent` / `earmark_repaid` | | | | -q / +q |
"""

from enum import StrEnum
from typing import NamedTuple


class MovementType(StrEnum):
    """What happened to a level."""

    RECEIVED = "received"
    MOVED_IN = "moved_in"
    RETURNED = "returned"
    RESERVED = "reserved"
    RELEASED = "released"
    ALLOCATED = "allocated"
    SHIPPED = "shipped"
    MOVED_OUT = "moved_out"
    ADJUSTED = "adjusted"
    COUNTED = "counted"
    CONDITION_CHANGED = "condition_changed"
    OWNER_CHANGED = "owner_changed"
    FLOOR_SET = "floor_set"
    EARMARKED = "earmarked"
    EARMARK_DROPPED = "earmark_dropped"
    EARMARK_LENT = "earmark_lent"
    """Units that an earmark does not need for now are free to all, until new stock repays them."""
    EARMARK_REPAID = "earmark_repaid"


class Effect(NamedTuple):
    """What one unit of a movement does to each figure of its level."""

    on_hand: int = 0
    reserved: int = 0
    floor: int = 0
    earmark_unused: int = 0


EFFECTS: dict[MovementType, Effect] = {
    MovementType.RECEIVED: Effect(on_hand=1),
    MovementType.MOVED_IN: Effect(on_hand=1),
    MovementType.RETURNED: Effect(on_hand=1),
    MovementType.RESERVED: Effect(reserved=1),
    MovementType.RELEASED: Effect(reserved=-1),
    MovementType.ALLOCATED: Effect(),
    MovementType.SHIPPED: Effect(on_hand=-1, reserved=-1),
    MovementType.MOVED_OUT: Effect(on_hand=-1),
    MovementType.ADJUSTED: Effect(on_hand=1),
    MovementType.COUNTED: Effect(on_hand=1),
    MovementType.CONDITION_CHANGED: Effect(on_hand=1),
    MovementType.OWNER_CHANGED: Effect(on_hand=1),
    MovementType.FLOOR_SET: Effect(floor=1),
    MovementType.EARMARKED: Effect(earmark_unused=1),
    MovementType.EARMARK_DROPPED: Effect(earmark_unused=-1),
    MovementType.EARMARK_LENT: Effect(earmark_unused=-1),
    MovementType.EARMARK_REPAID: Effect(earmark_unused=1),
}
"""Types whose quantity is signed (`adjusted`, `counted`, `floor_set`) take the sign with them."""

WITH_EARMARK: dict[MovementType, Effect] = {
    MovementType.RESERVED: Effect(reserved=1, earmark_unused=-1),
    MovementType.RELEASED: Effect(reserved=-1, earmark_unused=1),
}
"""The effects of those that take from an earmark, or give back to it."""


def effect_of(kind: MovementType, earmark_id: int | None) -> Effect:
    """Return what one unit of a movement does; `earmark_id` names the earmark it concerns."""
    if earmark_id is not None and kind in WITH_EARMARK:
        return WITH_EARMARK[kind]
    return EFFECTS[kind]


class EarmarkEffect(NamedTuple):
    """What one unit of a movement does to what an earmark keeps of its level."""

    filled: int = 0
    unused: int = 0
    lent: int = 0


EARMARK_EFFECTS: dict[MovementType, EarmarkEffect] = {
    MovementType.RESERVED: EarmarkEffect(unused=-1),
    MovementType.RELEASED: EarmarkEffect(unused=1),
    MovementType.EARMARKED: EarmarkEffect(filled=1, unused=1),
    MovementType.EARMARK_DROPPED: EarmarkEffect(filled=-1, unused=-1),
    MovementType.EARMARK_LENT: EarmarkEffect(unused=-1, lent=1),
    MovementType.EARMARK_REPAID: EarmarkEffect(unused=1, lent=-1),
}
