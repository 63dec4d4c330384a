"""Elastic shares: what an earmark does not need for now is lent to whoever sells."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from backend.db.commands import apply_once
from backend.db.pool import Record, TenantTransaction
from backend.inventory import ledger
from backend.inventory.earmarks.change_earmarks import EarmarkChanged
from backend.inventory.earmarks.errors import EarmarkClosed, InvalidEarmark
from backend.inventory.earmarks.model import Lending
from backend.inventory.earmarks.queries import SQL, earmark_by_code, lock_earmark
from backend.inventory.model import CauseKind, Level, LevelKey, Movement
from backend.inventory.movement_types import MovementType
from backend.inventory.pools.live import SALES_WINDOW, units_sold
from backend.inventory.pools.model import WHOLE_BP
from tenants.principal import Permission


async def lend_earmark(
    tx: TenantTransaction, code: str, local: datetime, *, key: str
) -> EarmarkChanged:
    """Lend what an earmark has beyond what it keeps for itself, once; returns it.

    What is kept follows from all that was put in of a SKU and from its sales in the last four
    weeks; where it lies in several places, what is kept stays where most is unused. Locks the key,
    the earmark, then its levels in order. `local` is the time where the brand is. Raises
    UnknownEarmark, EarmarkClosed, InvalidEarmark for one that lends nothing, CommandConflict; then
    nothing has changed.
    """
    tx.principal.require(Permission.STOCK_WRITE)

    async def work() -> EarmarkChanged:
        lending = (await earmark_by_code(tx, code)).lending
        if lending is None:
            raise InvalidEarmark("This earmark lends nothing: it was opened without lending.")
        levels = await _lend(tx, code, lending, await units_sold(tx, local))
        return EarmarkChanged(await earmark_by_code(tx, code), list(levels.values()))

    return await apply_once(tx, key, ("lend_earmark", code), EarmarkChanged, work)


async def lend_unused(tx: TenantTransaction, code: str, sold: Mapping[int, int]) -> list[Level]:
    """Do what `lend_earmark` does, by units that were sold; returns the levels that changed.

    None if the earmark is closed by now. Locks as `lend_earmark` does.
    """
    lending = (await earmark_by_code(tx, code)).lending
    assert lending is not None, "only those that lend are asked for"
    try:
        return list((await _lend(tx, code, lending, sold)).values())
    except EarmarkClosed:
        return []


async def _lend(
    tx: TenantTransaction, code: str, lending: Lending, sold: Mapping[int, int]
) -> dict[LevelKey, Level]:
    earmark = await lock_earmark(tx, code)
    rows = await tx.fetch(SQL.levels_of_earmark, tx.tenant_id, earmark.id)
    await ledger.lock_levels(
        tx, [LevelKey(row["functional_warehouse_id"], row["sku_id"]) for row in rows]
    )
    rows = await tx.fetch(SQL.levels_of_earmark, tx.tenant_id, earmark.id)  # nobody moves them now
    keep = _kept(rows, lending, sold)
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


def _kept(rows: Sequence[Record], lending: Lending, sold: Mapping[int, int]) -> dict[int, int]:
    """Return the units of each SKU that an earmark does not lend."""
    filled: dict[int, int] = {}
    for row in rows:
        filled[row["sku_id"]] = filled.get(row["sku_id"], 0) + row["filled"]
    return {
        sku_id: max(
            units * lending.keep_bp // WHOLE_BP,
            sold.get(sku_id, 0) * lending.keep_days // SALES_WINDOW.days,
        )
        for sku_id, units in filled.items()
    }
