"""Earmarks: stock that is kept for one pool, and for the pools and shops below it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from backend.inventory.model import StockSource

LINES_MAX = 1_000
"""Lines of one command."""
CODE_LENGTH_MAX = 64
NAME_LENGTH_MAX = 200
LEND_KEEP_DAYS_MAX = 3_650


class EarmarkKind(StrEnum):
    """What stock is kept for."""

    PROMOTION = "promotion"
    """促销活动."""
    REGION = "region"
    """区域预留."""
    NEW_PRODUCT = "new_product"
    """新品首发: flagship stores first."""
    LIVE_STREAM = "live_stream"
    """直播."""
    OTHER = "other"


class Lending(msgspec.Struct, frozen=True):
    """What of its unused units an earmark lends to whoever sells.

    What is beyond `keep_bp` of all that was put in and beyond `keep_days` of sales, whichever is
    more. Lent units are free to all; new stock of the level repays them before anybody else gets
    any of it.
    """

    keep_bp: int
    keep_days: int = 0


class EarmarkDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An earmark to be opened. At `ends_at` what is unused becomes free to all."""

    code: str
    name: str
    kind: EarmarkKind
    pool: str
    ends_at: datetime | None = None
    lending: Lending | None = None


class EarmarkLine(msgspec.Struct, frozen=True, kw_only=True):
    """Units of a SKU; without a functional warehouse, wherever the pool has most of it."""

    sku: str
    quantity: int
    warehouse: str | None = None


class Earmark(msgspec.Struct, frozen=True, kw_only=True):
    """An earmark with what became of the units that were put in."""

    id: int
    code: str
    name: str
    kind: EarmarkKind
    pool: str
    ends_at: datetime | None
    lending: Lending | None
    opened_by: str
    opened_at: datetime
    closed_by: str | None
    closed_at: datetime | None
    filled: int
    unused: int
    lent: int

    @property
    def used(self) -> int:
        """Units that orders took."""
        return self.filled - self.unused - self.lent


class OpenEarmark(NamedTuple):
    """An earmark that something may be kept for, and where."""

    id: int
    pool: str
    warehouse_ids: tuple[int, ...]


def sources_of(earmarks: Iterable[OpenEarmark], node_of: Mapping[int, int]) -> list[StockSource]:
    """Return earmarks as sources of a stock book, the oldest first; `node_of` functional
    warehouses, without which they are left out."""
    return [
        StockSource(warehouse_id, node_of[warehouse_id], earmark.id, earmark.pool)
        for earmark in sorted(earmarks)
        for warehouse_id in earmark.warehouse_ids
        if warehouse_id in node_of
    ]
