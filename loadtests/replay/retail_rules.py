"""What a line of the online retailer is: goods, a fee, or nothing that an order can hold.

Each rule answers something that stands in the files; docs/how-to/replay.md tells what, and how
often.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum

from backend.orders.model import QUANTITY_MAX
from loadtests.replay.retail_lines import InvoiceKind, RetailLine

MINOR_UNITS = 100

FEE_CODES = frozenset(
    {
        "POST",  # postage
        "DOT",  # postage of the web shop
        "C2",  # carriage
        "M",  # manual: an amount entered by hand
        "D",  # discount
        "S",  # samples sent out, as an amount
        "B",  # bad debt
        "PADS",  # a rounding entry
        "BANK CHARGES",
        "AMAZONFEE",
        "CRUK",  # a charity's commission
        "ADJUST", "ADJUST2",
        "TEST001", "TEST002",
    }
)  # fmt: skip
"""Codes that are no goods. Those that are not in our six months are in the years around them."""
VOUCHER = re.compile(r"GIFT_\d{4}_\d+")
"""Gift vouchers are money paid in advance."""


class Reason(StrEnum):
    """Why a line was neither placed nor cancelled nor a fee."""

    UNREADABLE = "unreadable"
    UNKNOWN_INVOICE_KIND = "unknown_invoice_kind"
    ACCOUNTING_ADJUSTMENT = "accounting_adjustment"
    STOCK_WRITTEN_OFF = "stock_written_off"
    STOCK_NOTE = "stock_note"
    QUANTITY_OUT_OF_RANGE = "quantity_out_of_range"
    NEGATIVE_PRICE = "negative_price"
    PRICE_BELOW_A_PENNY = "price_below_a_penny"
    CANCELLATION_WITHOUT_CUSTOMER = "cancellation_without_customer"
    CANCELLATION_WITHOUT_SALE = "cancellation_without_sale"
    CANCELLATION_EXCEEDS_SALES = "cancellation_exceeds_sales"


def is_fee(sku: str) -> bool:
    """Return whether a code (in capitals) is something paid for that is no goods."""
    return sku in FEE_CODES or VOUCHER.fullmatch(sku) is not None


class ProductNames:
    """The descriptions under which each code was sold for a price.

    The warehouse's own entries stand among the invoices, at no price, with a note for a
    description: nothing at all, "?", "damaged", "found".
    """

    def __init__(self, lines: Iterable[RetailLine]) -> None:
        self._names: dict[str, set[str]] = {}
        for line in lines:
            if line.price > 0 and line.quantity > 0:
                self._names.setdefault(line.sku, set()).add(line.description)

    def has(self, line: RetailLine) -> bool:
        """Return whether a line's description is a name of what it sells."""
        return bool(line.description) and line.description in self._names.get(line.sku, ())


def why_not(line: RetailLine, names: ProductNames) -> Reason | None:
    """Return why a line cannot be part of an order or a cancellation, or None if it can."""
    if line.kind is None:
        return Reason.UNKNOWN_INVOICE_KIND
    if line.kind is InvoiceKind.ADJUSTMENT:
        return Reason.ACCOUNTING_ADJUSTMENT
    if line.price < 0:
        return Reason.NEGATIVE_PRICE
    if line.kind is InvoiceKind.SALE and line.quantity < 0:
        return Reason.STOCK_WRITTEN_OFF
    if line.price == 0 and not line.customer and not names.has(line):
        return Reason.STOCK_NOTE
    units = -line.quantity if line.kind is InvoiceKind.CANCELLATION else line.quantity
    if not 1 <= units <= QUANTITY_MAX:
        return Reason.QUANTITY_OUT_OF_RANGE
    if not _is_whole(amount_minor(line) if is_fee(line.sku) else line.price * MINOR_UNITS):
        return Reason.PRICE_BELOW_A_PENNY
    return None


def unit_price_minor(line: RetailLine) -> int:
    """Return the price of a unit in pence, exactly."""
    return int(line.price * MINOR_UNITS)


def amount_minor(line: RetailLine) -> Decimal:
    """Return what a line comes to in pence: below 0 on a cancellation."""
    return line.price * line.quantity * MINOR_UNITS


def _is_whole(amount: Decimal) -> bool:
    return amount == amount.to_integral_value()
