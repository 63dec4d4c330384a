"""Elastic shares: what an earmark does not need for now is lent to whoever sells."""

from collections.abc import Sequence
from datetime import datetime

from backend.db.pool import Record, TenantTransaction
from backend.inventory import ledger
from backend.inventory.earmarks.queries import SQL, lock_earmark
from backend.inventory.model import CauseKind, Level, LevelKey, Movement
from backend.inventory.movement_types import MovementType
from backend.inventory.pools.live import SALES_WINDOW, units_sold
from backend.inventory.pools.model import WHOLE_BP


async def lend_unused(tx: TenantTransaction, local: datetime) -> list[Level]:
    """Lend what open earmarks have beyond what they keep for themselves; returns changed levels.

    What is kept follows from all that was put in of a SKU and from its sales in the last four
    weeks; where it lies in several places, what is kept stays where most is unused. Locks each
    earmark, then its levels in order. `local` is the time where the brand is.
    """
    lenders = await tx.fetch(SQL.lending, tx.tenant_id)
    if not lenders:
        return []
    sold = await units_sold(tx, local)
    levels: dict[LevelKey, Level] = {}
    for row in lenders:
        levels |= await _lend(tx, row["code"], sold)
    return list(levels.values())


async def _lend(tx: TenantTransaction, code: str, sold: dict[int, int]) -> dict[LevelKey, Level]:
    earmark = await lock_earmark(tx, code)
    terms = await tx.fetch_row(SQL.lending_of, tx.tenant_id, earmark.id)
    assert terms is not None, "it is locked"
    rows = await tx.fetch(SQL.levels_of_earmark, tx.tenant_id, earmark.id)
    await ledger.lock_levels(
        tx, [LevelKey(row["functional_warehouse_id"], row["sku_id"]) for row in rows]
    )
    rows = await tx.fetch(SQL.levels_of_earmark, tx.tenant_id, earmark.id)  # nobody moves them now
    keep = _kept(rows, terms["lend_keep_bp"], terms["lend_keep_days"], sold)
    cause_id = await ledger.next_cause_id(tx)
    movements = []
    for row in sorted(rows, key=lambda row: (-row["unused"], row["functional_warehouse_id"])):
        sku_id = row["sku_id"]
        kept = min(keep[sku_id], row["unused"])
        keep[sku_id] -= kept
        if surplus := row["unused"] - kept:
            movements.append(
                Movement(
                    key=LevelKey(row["functional_warehouse_id"], sku_id),
                    type=MovementType.EARMARK_LENT,
                    quantity=surplus,
                    cause_kind=CauseKind.EARMARK,
                    cause_id=cause_id,
                    earmark_id=earmark.id,
                )
            )
    return await ledger.record(tx, movements, tx.principal.subject) if movements else {}


def _kept(
    rows: Sequence[Record], keep_bp: int, keep_days: int, sold: dict[int, int]
) -> dict[int, int]:
    """Return the units of each SKU that an earmark does not lend."""
    filled: dict[int, int] = {}
    for row in rows:
        filled[row["sku_id"]] = filled.get(row["sku_id"], 0) + row["filled"]
    return {
        sku_id: max(
            units * keep_bp // WHOLE_BP, sold.get(sku_id, 0) * keep_days // SALES_WINDOW.days
        )
        for sku_id, units in filled.items()
    }
