"""The batch of orders that goes into the planner."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Final

TAKE_WHAT_IS_THERE: Final = 1
"""Flag of an order: place what there is and leave the rest short, instead of nothing."""

MAY_SPLIT: Final = 2
"""Flag of an order: the quantity of one demand may come from several nodes."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a batch of orders asks for; n orders, r rows, one row per order and SKU.

    | field | shape, dtype | meaning |
    | order_offsets | n + 1, 'i' | order k has rows order_offsets[k] to order_offsets[k + 1] - 1 |
    | sku | r, 'q' | distinct within an order |
    | quantity | r, 'q' | units, 1 or more |
    | unit_weight_g | r, 'q' | grams a unit, 0 or more |
    | place | n, 'i' | row of the destination in the policy's place tables |
    | filter | n, 'i' | row of the policy's node filters, -1 for none |
    | flags | n, 'B' | TAKE_WHAT_IS_THERE, MAY_SPLIT |
    | scope | n, 'i' | row of `scopes`, -1 for every source; empty where all are -1 |
    | scopes | bytes | rows of one byte a source of the book: 1 where an order may take from it |
    | unit_value | r, 'q' | what a unit is worth, 0 or more; empty where all are 0 |
    | goods | r, 'i' | class of goods in the policies' tables, -1: none; empty where all have none |
    | chain_offsets | n + 1, 'i' | where the chain of each order begins, and the last one ends |
    | chain | 'i' | policies by number, at least one an order; both empty: the first one |

    Units and grams of one order stay below 2**31, its value below 2**60. `plan` checks all of it.
    """

    order_offsets: array[int]
    sku: array[int]
    quantity: array[int]
    unit_weight_g: array[int]
    place: array[int]
    filter: array[int]
    flags: array[int]
    scope: array[int] = field(default_factory=lambda: array("i"))
    scopes: bytes = b""
    unit_value: array[int] = field(default_factory=lambda: array("q"))
    goods: array[int] = field(default_factory=lambda: array("i"))
    chain_offsets: array[int] = field(default_factory=lambda: array("i"))
    chain: array[int] = field(default_factory=lambda: array("i"))
