"""How accurate the stock of nodes is (库存准确率): learned from counts and picks that failed."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from backend.inventory.pools.model import WHOLE_BP

LEARNED_FROM = timedelta(days=90)
"""What happened before says little of a node's people of today."""
BELIEVED_UNITS = 50
"""Units that a node of which nothing is known yet is believed to have found, all of them: so a
single unit missing of two does not halve what a store offers."""

Weights = Mapping[int, int]
"""Basis points of what nodes have that they offer, by node; those that are not there offer all."""


class ShortageCause(StrEnum):
    """Why units could not be sent."""

    NOT_FOUND = "not_found"
    DAMAGED = "damaged"


class PickShortage(NamedTuple):
    """Units of a line that a node was to send and could not."""

    line_no: int
    functional_warehouse_id: int
    sku_id: int
    quantity: int


class NodeAccuracy(NamedTuple):
    """Units that a node was believed to have, how many of them were missing, and what follows."""

    node_id: int
    expected: int
    missing: int
    weight_bp: int
    learned_at: datetime


def weight_of(expected: int, missing: int) -> int:
    """Return the basis points of its stock that a node offers, rounded down."""
    found = max(0, expected - missing) + BELIEVED_UNITS
    return WHOLE_BP * found // (max(expected, missing) + BELIEVED_UNITS)
