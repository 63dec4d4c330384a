"""The stock that the online retailer's files do not carry.

Opening stock of 0.35 of a mean month's demand of each SKU, and receipts of 95 % of each month's
demand, in four parts on the 1st, 8th, 16th and 23rd: about a tenth of the lines then wait for a
later receipt.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from backend.demo.brand import NODES
from backend.inventory.model import LevelKey
from backend.network.model import NodeDraft, NodeKind
from backend.orders.apportion import apportion
from loadtests.replay.retail_invoices import Invoice
from loadtests.replay.retail_lines import InvoiceKind

OPENING_PERCENT = 35
RECEIVED_PERCENT = 95
RECEIPT_DAYS = (1, 8, 16, 23)
OPENING_WEIGHTS = {NodeKind.WAREHOUSE: 24, NodeKind.DEALER: 4, NodeKind.STORE: 1}
"""Shares of the opening stock: 72 % in the three warehouses, 16 % at dealers, 12 % in stores."""
RECEIPT_WEIGHTS = (3, 3, 3, 1)
"""A receipt goes to the three warehouses and, in turn, to one of the other nodes."""

WAREHOUSES = [node.code for node in NODES if node.kind is NodeKind.WAREHOUSE]
OTHERS = [node.code for node in NODES if node.kind is not NodeKind.WAREHOUSE]


class Receipt(NamedTuple):
    """Units by SKU that arrive in the morning of a day."""

    day: date
    units: dict[str, int]


class Supply(NamedTuple):
    """All stock of a replay."""

    opening: dict[str, int]
    receipts: list[Receipt]


def demo_nodes() -> list[NodeDraft]:
    """Return the demo's nodes, all the brand's own and without a limit a day.

    Six months are placed within minutes, and a day's capacity counts the parcels of *today*: with
    one, the routing of half a year would follow the limits of a single day.
    """
    return [
        NodeDraft(
            code=node.code,
            name=node.name,
            kind=node.kind,
            region_code=node.region_code,
            priority=node.priority,
            lead_time_minutes=240 if node.kind is NodeKind.WAREHOUSE else 120,
        )
        for node in NODES
    ]


def plan_supply(invoices: Iterable[Invoice]) -> Supply:
    """Return the stock for the demand of the invoices, cancelled later or not."""
    months: dict[date, Counter[str]] = defaultdict(Counter)
    for invoice in invoices:
        month = months[invoice.ordered_at.date().replace(day=1)]
        if invoice.kind is InvoiceKind.SALE:
            for line in invoice.goods:
                month[line.sku] += line.quantity
    total = sum(months.values(), Counter[str]())
    opening = {
        sku: _rounded(units * OPENING_PERCENT, 100 * len(months)) for sku, units in total.items()
    }
    receipts = [
        Receipt(month.replace(day=day), units)
        for month, demand in sorted(months.items())
        for day, units in zip(RECEIPT_DAYS, _in_parts(demand), strict=True)
    ]
    return Supply(opening, receipts)


def spread_opening(
    units: dict[str, int], skus: dict[str, int], warehouses: dict[str, int]
) -> dict[LevelKey, int]:
    """Spread the opening stock over all nodes."""
    weights = [OPENING_WEIGHTS[node.kind] for node in NODES]
    codes = [node.code for node in NODES]
    levels: dict[LevelKey, int] = {}
    for sku, quantity in units.items():
        _add(levels, skus[sku], [warehouses[code] for code in codes], quantity, weights)
    return levels


def spread_receipt(
    units: dict[str, int], turn: int, skus: dict[str, int], warehouses: dict[str, int]
) -> dict[LevelKey, int]:
    """Spread a receipt; `turn` is its number, and says whose turn it is besides the warehouses."""
    levels: dict[LevelKey, int] = {}
    for position, (sku, quantity) in enumerate(sorted(units.items())):
        codes = [*WAREHOUSES, OTHERS[(position + turn) % len(OTHERS)]]
        _add(levels, skus[sku], [warehouses[code] for code in codes], quantity, RECEIPT_WEIGHTS)
    return levels


def _in_parts(demand: Counter[str]) -> list[dict[str, int]]:
    """Return what a month receives, in four parts."""
    parts: list[dict[str, int]] = [{} for _ in RECEIPT_DAYS]
    for sku, units in demand.items():
        received = _rounded(units * RECEIVED_PERCENT, 100)
        for part, quantity in zip(parts, apportion(received, [1] * len(parts)), strict=True):
            part[sku] = quantity
    return parts


def _add(
    levels: dict[LevelKey, int],
    sku_id: int,
    warehouse_ids: Sequence[int],
    quantity: int,
    weights: Sequence[int],
) -> None:
    shares = apportion(quantity, weights)
    for warehouse_id, share in zip(warehouse_ids, shares, strict=True):
        if share:
            levels[LevelKey(warehouse_id, sku_id)] = share


def _rounded(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)
