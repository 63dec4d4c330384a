"""Supplies: stock to come (在途, 采购, 生产), line by line, with dates and confidence."""

from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from backend.inventory.pools.model import WHOLE_BP

LINES_MAX = 1_000
"""Lines of one command."""
CODE_LENGTH_MAX = 64


class SupplyKind(StrEnum):
    """Where stock comes from."""

    PURCHASE = "purchase"
    PRODUCTION = "production"
    IN_TRANSIT = "in_transit"
    TRANSFER = "transfer"


class SupplyDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A line of stock to come.

    `confidence_bp` are basis points of what is to come that are promised. With `compare_version`
    only if it is still at that version (0: does not exist yet).
    """

    code: str
    line_no: int
    kind: SupplyKind
    warehouse: str
    sku: str
    quantity: int
    expected_on: date
    confidence_bp: int = WHOLE_BP
    compare_version: int | None = None


class Supply(msgspec.Struct, frozen=True, kw_only=True):
    """A line of stock to come, with what has come of it and what is promised of it."""

    id: int
    code: str
    line_no: int
    kind: SupplyKind
    functional_warehouse_id: int
    sku_id: int
    quantity: int
    received: int
    confidence_bp: int
    expected_on: date
    is_open: bool
    version: int
    set_by: str
    changed_at: datetime
    promised: int

    @property
    def outstanding(self) -> int:
        """Units that are still to come."""
        return self.quantity - self.received


class OpenSupply(NamedTuple):
    """What may be promised of a supply, in the order of promising."""

    expected_on: date
    id: int
    functional_warehouse_id: int
    sku_id: int
    units: int
    """Believed in, promised or not."""


class ReceivedSupply(NamedTuple):
    """A supply under its lock, of which something is received."""

    id: int
    functional_warehouse_id: int
    sku_id: int
    node_id: int


class Outlook(NamedTuple):
    """What can be had of a SKU from a day on."""

    day: date
    units: int
    """That come on it and are not promised."""
    total: int
    """What is offered now and all that comes until then."""
