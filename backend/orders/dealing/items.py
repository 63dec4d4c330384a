"""Lines that are called as a dealer calls its items: each becomes a line for each SKU in it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from backend.dropship.items.model import DealerItem
from backend.orders.apportion import apportion
from backend.orders.model import LineDraft


class NamedLine(NamedTuple):
    """A line of the brand's SKU."""

    draft: LineDraft
    origin: int
    """The place of the line that it is from."""
    item_code: str | None
    """What that is called in the dealer's shop; None where it names the SKU."""


def by_skus(
    lines: Sequence[LineDraft], item_of: Callable[[str], DealerItem | None]
) -> list[NamedLine]:
    """Return the lines by the brand's SKUs; what an item costs is shared out by its units.

    The shares add up to what the line costs, to the minor unit; a unit's price is rounded up, and
    the line's discount makes up for it.
    """
    found: list[NamedLine] = []
    for index, line in enumerate(lines):
        item = item_of(line.sku)
        if item is None:
            found.append(NamedLine(line, index, None))
            continue
        gross = line.quantity * line.unit_price_minor
        units = [line.quantity * part.quantity for part in item.parts]
        prices = apportion(gross, units)
        discounts = apportion(line.discount_minor, prices)
        for part, count, amount, less in zip(item.parts, units, prices, discounts, strict=True):
            unit = -(-amount // count)
            discount = unit * count - amount + less
            found.append(
                NamedLine(LineDraft(part.sku_code, count, unit, discount), index, line.sku)
            )
    return found
