"""What brand and dealer have of what was sold (利润分成): the figures, from what is agreed."""

from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec

from backend.after_sales.standing import units_that_came_back
from backend.db.errors import OutOfRange
from backend.db.pool import TenantTransaction
from backend.dropship.agreements import agreements_by_ids
from backend.orders.find_orders import dealt_lines, sold_by_agreement
from tenants.brands import Brand

BASIS_POINTS = 10_000
MONTHS = 12


class ShareLine(msgspec.Struct, frozen=True, kw_only=True):
    """What was sold by one agreement; what came back is taken off."""

    agreement_id: int
    agreement_code: str
    units: int
    returned_units: int
    sold_minor: int
    """What buyers paid for the goods."""
    dealer_minor: int
    """What the dealer pays for them."""
    brand_share_minor: int
    """The brand's part of what lies between, as agreed: rounded down, and never below 0."""

    @property
    def dealer_share_minor(self) -> int:
        """What is left to the dealer."""
        return self.sold_minor - self.dealer_minor - self.brand_share_minor


async def share_statement(
    tx: TenantTransaction, brand: Brand, dealer_id: int, month: str
) -> Sequence[ShareLine]:
    """Return what was sold of a dealer's orders of a month ("2026-11"), by agreement.

    That is what has arrived of them by now, less what has come back. Raises OutOfRange.
    """
    begin, end = _period(month, brand)
    sold = await sold_by_agreement(tx, dealer_id, begin, end)
    returned: dict[int, list[int]] = {}
    back = await units_that_came_back(tx, dealer_id, begin)
    lines = await dealt_lines(tx, sorted({order_id for order_id, _ in back}), begin, end)
    for key, line in lines.items():
        units, sums = back[key], returned.setdefault(line["agreement_id"], [0, 0, 0])
        sums[0] += units
        sums[1] += max(0, line["amount_minor"]) * units // line["quantity"]
        sums[2] += line["dealer_price_minor"] * units
    ids = sorted({row["agreement_id"] for row in sold})
    agreements = {one.id: one for one in await agreements_by_ids(tx, ids)}
    found = []
    for row in sold:
        agreement = agreements.get(row["agreement_id"])
        if agreement is None:  # who asks does not see it
            continue
        came, money, cost = returned.get(agreement.id, (0, 0, 0))
        sold_minor, dealer_minor = row["sold_minor"] - money, row["dealer_minor"] - cost
        between = max(0, sold_minor - dealer_minor)
        found.append(
            ShareLine(
                agreement_id=agreement.id,
                agreement_code=agreement.code,
                units=row["units"] - came,
                returned_units=came,
                sold_minor=sold_minor,
                dealer_minor=dealer_minor,
                brand_share_minor=between * agreement.settlement.share_bp // BASIS_POINTS,
            )
        )
    return found


def _period(month: str, brand: Brand) -> tuple[datetime, datetime]:
    try:
        first = date.fromisoformat(f"{month}-01")
        years, next_month = divmod(first.month, MONTHS)
        after = first.replace(year=first.year + years, month=next_month + 1)
    except ValueError as error:
        raise OutOfRange('A month is written "2026-11".', path=("month",)) from error
    zone = ZoneInfo(brand.time_zone)
    begin, end = (datetime(day.year, day.month, 1, tzinfo=zone) for day in (first, after))
    return begin, end
