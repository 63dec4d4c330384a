"""Which units of which sales a line of a cancellation invoice takes back.

The invoice does not say. Its line is matched to earlier lines of the same customer and stock code:
those of the same price first, the newest first; never more units than are left there.
"""

from typing import NamedTuple

from loadtests.replay.retail_rules import Reason


class Match(NamedTuple):
    """Units of a line of an order."""

    order_id: int
    line_no: int
    quantity: int


class _Sale:
    __slots__ = ("left", "line_no", "order_id", "price_minor")

    def __init__(self, order_id: int, line_no: int, price_minor: int, left: int) -> None:
        self.order_id = order_id
        self.line_no = line_no
        self.price_minor = price_minor
        self.left = left


class OpenSales:
    """What each customer has bought and not sent back."""

    def __init__(self) -> None:
        self._sales: dict[tuple[str, str], list[_Sale]] = {}

    def add(
        self,
        customer: str,
        sku: str,
        *,
        order_id: int,
        line_no: int,
        price_minor: int,
        quantity: int,
    ) -> None:
        """Remember a line that was sold; nothing can be matched to a sale without a customer."""
        if customer:
            sale = _Sale(order_id, line_no, price_minor, quantity)
            self._sales.setdefault((customer, sku), []).append(sale)

    def match(
        self, customer: str, sku: str, price_minor: int, quantity: int
    ) -> list[Match] | Reason:
        """Take `quantity` units from the sales, or nothing at all, and say from which."""
        if not customer:
            return Reason.CANCELLATION_WITHOUT_CUSTOMER
        sales = self._sales.get((customer, sku))
        if sales is None:
            return Reason.CANCELLATION_WITHOUT_SALE
        if sum(sale.left for sale in sales) < quantity:
            return Reason.CANCELLATION_EXCEEDS_SALES
        matches = []
        newest_first = list(reversed(sales))
        for sale in sorted(newest_first, key=lambda sale: sale.price_minor != price_minor):
            part = min(quantity, sale.left)
            if part:
                sale.left -= part
                quantity -= part
                matches.append(Match(sale.order_id, sale.line_no, part))
        return matches
