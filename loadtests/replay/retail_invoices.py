"""From lines to invoices, and from invoices to orders."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import msgspec

from backend.orders.model import AddressDraft, FeeDraft, LineDraft, OrderDraft
from loadtests.fresh_brand import SHOP
from loadtests.replay.retail_lines import InvoiceKind, RetailLine
from loadtests.replay.retail_rules import amount_minor, is_fee, unit_price_minor


class Invoice(msgspec.Struct):
    """The lines of one number that an order or a cancellation can hold."""

    number: str
    kind: InvoiceKind
    ordered_at: datetime
    """When its first line was entered: an invoice may be entered over two minutes."""
    customer: str
    country: str
    goods: list[RetailLine] = []
    fees: list[RetailLine] = []

    @property
    def lines(self) -> int:
        return len(self.goods) + len(self.fees)


def gather_invoices(lines: Iterable[RetailLine]) -> list[Invoice]:
    """Return the invoices by time; those of one minute in the order of the files."""
    invoices: dict[str, Invoice] = {}
    for line in lines:
        invoice = invoices.get(line.invoice)
        if invoice is None:
            assert line.kind is not None, "lines of other invoices are rejected before"
            invoice = invoices[line.invoice] = Invoice(
                line.invoice, line.kind, line.ordered_at, line.customer, line.country
            )
        invoice.ordered_at = min(invoice.ordered_at, line.ordered_at)
        (invoice.fees if is_fee(line.sku) else invoice.goods).append(line)
    return sorted(invoices.values(), key=lambda invoice: invoice.ordered_at)


def order_of(invoice: Invoice, region_of: Callable[[str], int]) -> OrderDraft | None:
    """Return the paid platform order that an invoice stands for, or None where there is none.

    A sale is its goods and fees; a cancellation only its fees, which are a credit. Each customer
    lives in one region; where nobody is named, each invoice goes to its own.
    """
    goods: Sequence[RetailLine] = invoice.goods if invoice.kind is InvoiceKind.SALE else ()
    if not goods and not invoice.fees:
        return None
    return OrderDraft(
        shop=SHOP,
        external_id=invoice.number,
        is_paid=True,
        ordered_at=invoice.ordered_at,
        address=AddressDraft(
            detail=invoice.country,
            name=invoice.customer,
            region_code=region_of(invoice.customer or invoice.number),
        ),
        lines=tuple(LineDraft(line.sku, line.quantity, unit_price_minor(line)) for line in goods),
        fees=tuple(_fee(line) for line in invoice.fees),
    )


def _fee(line: RetailLine) -> FeeDraft:
    units = "" if line.quantity == 1 else f" ({line.quantity})"
    return FeeDraft(line.sku, int(amount_minor(line)), line.description + units)
