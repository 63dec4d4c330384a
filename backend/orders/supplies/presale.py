"""Orders for stock to come (预售): taken as far as supplies cover what is short, and no further."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from backend.db.pool import TenantTransaction
from backend.inventory.supplies.model import OpenSupply
from backend.inventory.supplies.supplies import lock_open_supplies
from backend.orders.model import Shortage
from backend.orders.supplies.promise import MayTake, WaitingLine, promise
from backend.orders.supplies.settle import lines_that_wait
from backend.orders.work import Work

LAST = datetime.max.replace(tzinfo=UTC)
"""When an order that is being placed was placed: after all others."""


async def lock_supplies_of(tx: TenantTransaction, works: Iterable[Work]) -> list[OpenSupply]:
    """Lock the open supplies of what presale orders want, by code and line; before levels."""
    skus = {row.sku_id for work in works if work.shortage is Shortage.PRESALE for row in work.rows}
    return await lock_open_supplies(tx, skus) if skus else []


async def cover_presales(
    tx: TenantTransaction, works: Sequence[Work], supplies: Sequence[OpenSupply], may_take: MayTake
) -> None:
    """Let the presale orders, by id, know what is to come for what their plans are short of.

    All that waits already comes before them. `supplies` are locked.
    """
    short = [work for work in works if work.shortage is Shortage.PRESALE and _is_short(work)]
    if not short:
        return
    skus = {row.sku_id for work in short for row in work.rows}
    waiting = await lines_that_wait(tx, skus)
    for work in sorted(short, key=lambda one: one.order_id):  # as promises will be given
        lines = _lines_of(work)
        found = promise([*waiting, *lines], supplies, may_take)
        coming = dict.fromkeys(range(len(work.rows)), 0)
        for one in found.promises:
            if one.order_id == work.order_id:
                coming[one.line_no] += one.quantity
        work.coming = tuple(coming.values())
        if work.is_covered:
            waiting += lines


def _is_short(work: Work) -> bool:
    return work.plan is not None and not work.plan.is_whole


def _lines_of(work: Work) -> list[WaitingLine]:
    """Return what an order would wait for, row by row."""
    assert work.plan is not None, "it was planned"
    return [
        WaitingLine(LAST, work.order_id, at, row.sku_id, work.shop_id, work.dealer_id, None, short)
        for at, (row, short) in enumerate(zip(work.rows, work.plan.short, strict=True))
    ]
