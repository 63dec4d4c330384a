"""Who is promised what of supplies: the first in the queue the earliest supply. Pure."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple, Protocol

from backend.inventory.supplies.model import OpenSupply


class WaitingLine(NamedTuple):
    """A line that waits, or that expects something; in the order in which they queue."""

    place: int
    """0 where all queue by age; otherwise lower for better customers (see queue_rule)."""
    placed_at: datetime
    order_id: int
    line_no: int
    sku_id: int
    shop_id: int
    dealer_id: int | None
    expected_on: date | None
    waiting: int
    """Units that wait and for which nothing has been received."""
    only_node_id: int | None = None
    """Where it is fetched, or is to be sent from; None: from wherever it may."""

    @property
    def key(self) -> tuple[int, int]:
        return self.order_id, self.line_no


class Promise(NamedTuple):
    """Units of a supply for a line."""

    order_id: int
    line_no: int
    supply_id: int
    quantity: int


class Promised(NamedTuple):
    """What lines are promised, and when the last of a line's units is expected."""

    promises: set[Promise]
    expected_on: dict[tuple[int, int], date | None]
    """None for a line for which not all is promised."""


class Buyer(Protocol):
    """Whose a line is."""

    @property
    def shop_id(self) -> int: ...
    @property
    def dealer_id(self) -> int | None: ...
    @property
    def only_node_id(self) -> int | None: ...


MayTake = Callable[[Buyer, int], bool]
"""Whether a line of a buyer may be sent from a functional warehouse."""


def promise(
    lines: Sequence[WaitingLine], supplies: Iterable[OpenSupply], may_take: MayTake
) -> Promised:
    """Return who is promised what: as they queue, each the earliest supplies that it may have."""
    by_sku: dict[int, list[OpenSupply]] = {}
    for supply in sorted(supplies):
        by_sku.setdefault(supply.sku_id, []).append(supply)
    left = {supply.id: supply.units for each in by_sku.values() for supply in each}
    promises: set[Promise] = set()
    expected: dict[tuple[int, int], date | None] = {}
    for line in sorted(lines):
        wanted, last = line.waiting, None
        for supply in by_sku.get(line.sku_id, ()) if wanted else ():
            part = min(wanted, left[supply.id])
            if part > 0 and may_take(line, supply.functional_warehouse_id):
                left[supply.id] -= part
                wanted -= part
                last = supply.expected_on
                promises.add(Promise(*line.key, supply.id, part))
                if not wanted:
                    break
        expected[line.key] = None if wanted else last
    return Promised(promises, expected)
