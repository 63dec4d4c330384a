"""Counting stock, and deciding on large variances."""

from collections.abc import Sequence

import msgspec

from backend.catalog.find_skus import sku_ids_by_codes
from backend.db.commands import apply_once
from backend.db.pool import Record, TenantTransaction
from backend.db.sql import load_queries
from backend.inventory import ledger
from backend.inventory.change_stock import check_levels, check_reason, warehouse_by_code
from backend.inventory.counts import model
from backend.inventory.counts.errors import InvalidCount, OwnCount, UnknownCount
from backend.inventory.counts.model import (
    CountLine,
    CountState,
    StockCount,
    is_within_tolerance,
)
from backend.inventory.errors import InvalidQuantity
from backend.inventory.model import QUANTITY_MAX, CauseKind, Level, LevelKey, Movement
from backend.inventory.movement_types import MovementType
from tenants.principal import Permission

SQL = load_queries(__file__)


class Counted(msgspec.Struct, frozen=True):
    """Counts after a command, and the levels that they changed; those are to be published."""

    counts: list[StockCount]
    levels: list[Level]


async def count_stock(tx: TenantTransaction, lines: Sequence[CountLine], *, key: str) -> Counted:
    """Keep what was counted, all lines or none, once, and return it.

    Small differences change the levels at once, large ones when somebody else approves them; who
    counts again rejects what waited. Locks the key, earlier counts, then the levels in order.
    Raises InvalidCount, InvalidQuantity, InvalidReason, UnknownSku, UnknownWarehouse,
    CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.STOCK_WRITE)
    _check(lines)

    async def work() -> Counted:
        skus = await sku_ids_by_codes(tx, [line.sku for line in lines])
        codes = sorted({line.warehouse for line in lines})
        ids = {code: int((await warehouse_by_code(tx, code))["id"]) for code in codes}
        keys = [LevelKey(ids[line.warehouse], skus[line.sku]) for line in lines]
        places = ([key.functional_warehouse_id for key in keys], [key.sku_id for key in keys])
        await tx.execute(SQL.supersede_counts, tx.tenant_id, *places, tx.principal.subject)
        levels = await ledger.lock_levels(tx, keys, create=True)
        on_hand = [levels[key].on_hand for key in keys]
        states = [
            CountState.APPLIED if is_within_tolerance(before, line.counted) else CountState.WAITING
            for before, line in zip(on_hand, lines, strict=True)
        ]
        rows = await tx.fetch(
            SQL.insert_counts,
            tx.tenant_id,
            *places,
            on_hand,
            [line.counted for line in lines],
            [state.value for state in states],
            [line.reason.strip() for line in lines],
            tx.principal.subject,
        )
        counts = await counts_by_ids(tx, [row["id"] for row in rows])
        applied = [count for count in counts if count.state is CountState.APPLIED]
        return Counted(counts, await _apply(tx, applied))

    return await apply_once(tx, key, ("count_stock", lines), Counted, work)


async def decide_count(tx: TenantTransaction, count_id: int, *, approve: bool, key: str) -> Counted:
    """Let a count that waits change its level by its variance, or reject it, once; returns it.

    What moved since it was counted stays. Locks the key, the count, then the level. Raises
    UnknownCount, OwnCount, InvalidQuantity, CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.STOCK_WRITE)

    async def work() -> Counted:
        row = await tx.fetch_row(SQL.lock_count, tx.tenant_id, count_id)
        if row is None or row["state"] != CountState.WAITING.value:
            raise UnknownCount
        if row["counted_by"] == tx.principal.subject:
            raise OwnCount
        state = CountState.APPLIED if approve else CountState.REJECTED
        await tx.execute(
            SQL.decide_count, tx.tenant_id, count_id, state.value, tx.principal.subject
        )
        counts = await counts_by_ids(tx, [count_id])
        return Counted(counts, await _apply(tx, counts if approve else ()))

    return await apply_once(tx, key, ("decide_count", count_id, approve), Counted, work)


async def counts_by_ids(tx: TenantTransaction, ids: Sequence[int]) -> list[StockCount]:
    """Return those of the counts that the principal may see, by id."""
    return [_count(row) for row in await tx.fetch(SQL.counts_by_ids, tx.tenant_id, ids)]


async def page_of_counts(
    tx: TenantTransaction, below: int, limit: int, state: CountState | None
) -> list[StockCount]:
    """Return up to `limit` counts that the principal may see, the newest first, below an id."""
    wanted = None if state is None else state.value
    rows = await tx.fetch(SQL.page_of_counts, tx.tenant_id, below, wanted, limit)
    return [_count(row) for row in rows]


async def _apply(tx: TenantTransaction, counts: Sequence[StockCount]) -> list[Level]:
    movements = [
        Movement(
            key=LevelKey(count.functional_warehouse_id, count.sku_id),
            type=MovementType.COUNTED,
            quantity=count.variance,
            cause_kind=CauseKind.COUNT,
            cause_id=count.id,
            reason=count.reason or None,
        )
        for count in counts
    ]
    if not movements:
        return []
    levels = list((await ledger.record(tx, movements, tx.principal.subject)).values())
    check_levels(levels)
    return levels


def _check(lines: Sequence[CountLine]) -> None:
    if not 0 < len(lines) <= model.LINES_MAX:
        raise InvalidCount(f"A count has 1 to {model.LINES_MAX} lines.", path=("lines",))
    if len({(line.warehouse, line.sku) for line in lines}) < len(lines):
        raise InvalidCount("A SKU stands there twice for a functional warehouse.", path=("lines",))
    for index, line in enumerate(lines):
        if not 0 <= line.counted <= QUANTITY_MAX:
            raise InvalidQuantity(
                "A count is a whole number from 0 to 1,000,000,000.",
                path=("lines", index, "counted"),
            )
        check_reason(line.reason, ("lines", index, "reason"))


def _count(row: Record) -> StockCount:
    return StockCount(**{**row, "state": CountState(row["state"])})
