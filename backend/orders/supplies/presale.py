"""Orders for stock to come (预售): taken as far as supplies cover what is short, and no further."""

from collections.abc import Iterable, Sequence

from backend.db.pool import TenantTransaction
from backend.inventory.supplies.model import OpenSupply
from backend.inventory.supplies.supplies import lock_open_supplies
from backend.orders.model import Shortage
from backend.orders.supplies.promise import MayTake, promise
from backend.orders.supplies.settle import lines_that_wait
from backend.orders.work import Work

LINES_MAX = 200_000
"""Lines that wait for what somebody orders ahead; where there are more, nothing more is sold."""


class ToCome:
    """What supplies bring beyond what others wait for; who comes first has it."""

    def __init__(self, supplies: Sequence[OpenSupply], may_take: MayTake) -> None:
        self._may_take = may_take
        self._left: dict[int, list[tuple[int, int]]] = {}
        """Of each SKU, functional warehouses and units, by day."""
        for supply in sorted(supplies):
            at = (supply.functional_warehouse_id, supply.units)
            self._left.setdefault(supply.sku_id, []).append(at)

    def covers(self, work: Work, short: Sequence[int]) -> bool:
        """Whether an order may wait for units, row by row; then they are its own.

        Who may wait anyway has what there is; a presale all, or nothing.
        """
        must_be_covered = work.shortage is Shortage.PRESALE
        if not must_be_covered and work.shortage is not Shortage.BACKORDER:
            return True
        left = {row.sku_id: list(self._left.get(row.sku_id, ())) for row in work.rows}
        coming = [
            self._take(work, wanted, left[row.sku_id])
            for row, wanted in zip(work.rows, short, strict=True)
        ]
        is_covered = coming == list(short)
        if must_be_covered:
            work.coming = tuple(coming)
        if is_covered or not must_be_covered:
            self._left |= left
        return is_covered or not must_be_covered

    def _take(self, work: Work, wanted: int, left: list[tuple[int, int]]) -> int:
        """Take units from what is left, the earliest first; returns how many."""
        taken = 0
        for at, (warehouse_id, units) in enumerate(left):
            part = min(wanted - taken, units)
            if part > 0 and self._may_take(work, warehouse_id):
                left[at] = warehouse_id, units - part
                taken += part
        return taken


async def lock_supplies_of(tx: TenantTransaction, works: Iterable[Work]) -> list[OpenSupply]:
    """Lock the open supplies of what new orders may wait for, by code and line; before levels.

    So what is to come is sold to one after another, in all processes.
    """
    skus = {
        row.sku_id
        for work in works
        if work.intake is not None and work.shortage in (Shortage.BACKORDER, Shortage.PRESALE)
        for row in work.rows
    }
    return await lock_open_supplies(tx, skus) if skus else []


async def read_to_come(
    tx: TenantTransaction, works: Sequence[Work], supplies: Sequence[OpenSupply], may_take: MayTake
) -> ToCome | None:
    """Return what supplies, which are locked, bring beyond what others wait for.

    None where none of the works asks for it: others may wait anyway.
    """
    ahead = [work for work in works if work.shortage is Shortage.PRESALE]
    if not ahead:
        return None
    skus = {row.sku_id for work in ahead for row in work.rows}
    waiting = await lines_that_wait(tx, skus, LINES_MAX)
    if len(waiting) == LINES_MAX:
        return ToCome([], may_take)
    taken: dict[int, int] = {}
    for one in promise(waiting, supplies, may_take).promises:
        taken[one.supply_id] = taken.get(one.supply_id, 0) + one.quantity
    left = [supply._replace(units=supply.units - taken.get(supply.id, 0)) for supply in supplies]
    return ToCome(left, may_take)
