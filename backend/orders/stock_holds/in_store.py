"""What a store keeps for a customer who comes to try it (门店预留): bought there, or not.

The customer buys it at the till, or online (an order takes the hold over), or leaves it: then it is
released, or expires.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import partial

import msgspec

from backend.catalog.find_skus import skus_by_ids
from backend.db.commands import apply_once
from backend.db.errors import WriteRefused
from backend.db.pool import Database, TenantTransaction
from backend.inventory import ledger
from backend.inventory.change_stock import check_reason
from backend.inventory.counters import Counters
from backend.inventory.model import CauseKind, LevelKey, Movement
from backend.inventory.movement_types import MovementType
from backend.orders.errors import InvalidOrder
from backend.orders.stock_holds.change_holds import StockHoldEnded, UnknownStockHold
from backend.orders.stock_holds.ending import SQL, EndingHolds, lock_holds
from backend.orders.stock_holds.model import StockHoldState
from tenants.principal import Kind, Permission, Principal, system_principal


class KeptUnits(msgspec.Struct, frozen=True):
    """Units of a SKU, by its code."""

    sku: str
    quantity: int


class Kept(msgspec.Struct, frozen=True):
    """What a store keeps for somebody."""

    hold_id: int
    external_id: str | None
    """What the shop calls it: a member's number, perhaps."""
    expires_at: datetime
    taken_at: datetime
    units: tuple[KeptUnits, ...]


class SoldOfHold(msgspec.Struct, frozen=True):
    """What was sold of a hold at the till; counters are to be published after the commit."""

    hold_id: int
    sold: int
    left: int
    """Units that were not taken, and are free again."""
    counters: Counters


async def kept_at(
    database: Database, principal: Principal, node_id: int, after: int, limit: int
) -> list[Kept]:
    """Return what a node keeps for customers, the oldest first, after an id; ends are left out.

    Nothing of a node of others'. Raises PermissionMissing.
    """
    principal.require(Permission.STOCK_READ)
    if principal.kind is not Kind.BRAND and not principal.may_work_at(node_id, None):
        return []
    async with database.tenant_transaction(_system(principal), read_only=True) as tx:
        rows = await tx.fetch(SQL.kept_in_store, tx.tenant_id, node_id, after, limit)
        parts = await tx.fetch(SQL.parts_of_holds, tx.tenant_id, [row["id"] for row in rows])
        skus = await skus_by_ids(tx, list({part["sku_id"] for part in parts}))
    units: dict[int, Counter[str]] = {row["id"]: Counter() for row in rows}
    for part in parts:
        units[part["hold_id"]][skus[part["sku_id"]].code] += part["quantity"]
    return [
        Kept(
            row["id"],
            row["external_id"],
            row["expires_at"],
            row["taken_at"],
            tuple(KeptUnits(*one) for one in sorted(units[row["id"]].items())),
        )
        for row in rows
    ]


async def sell_of_hold(
    database: Database,
    principal: Principal,
    hold_id: int,
    units: Sequence[KeptUnits] | None,
    receipt: str,
    *,
    key: str,
) -> SoldOfHold:
    """Sell at the till what a store keeps for a customer, all of it or these units, once.

    What is not sold is free again. Locks the key, the hold, earmarks, then its counters in order.
    Raises PermissionMissing, WriteRefused, UnknownStockHold also for a hold of another node,
    StockHoldEnded, InvalidOrder, InvalidReason, CommandConflict; then nothing has changed.
    """
    principal.require(Permission.STOCK_WRITE)
    if principal.is_read_only:
        raise WriteRefused
    check_reason(receipt, ("receipt",))

    async def work(tx: TenantTransaction) -> SoldOfHold:
        rows = await tx.fetch(SQL.nodes_of_hold, tx.tenant_id, hold_id)
        nodes = [row["node_id"] for row in rows]
        is_brand = principal.kind is Kind.BRAND
        if not nodes or not (is_brand or all(principal.may_work_at(one, None) for one in nodes)):
            raise UnknownStockHold
        holds = await lock_holds(tx, [hold_id])
        if hold_id not in holds.by_id:
            raise StockHoldEnded
        return await _sell(tx, hold_id, holds, units, receipt)

    content = ("sell_of_hold", hold_id, units, receipt)
    async with database.tenant_transaction(_system(principal)) as tx:
        return await apply_once(tx, key, content, SoldOfHold, partial(work, tx))


async def _sell(
    tx: TenantTransaction,
    hold_id: int,
    holds: EndingHolds,
    units: Sequence[KeptUnits] | None,
    receipt: str,
) -> SoldOfHold:
    parts = holds.by_id[hold_id].parts
    skus = await skus_by_ids(tx, list({part.sku_id for part in parts}))
    kept: Counter[str] = Counter()
    for part in parts:
        kept[skus[part.sku_id].code] += part.quantity
    wanted = kept if units is None else Counter({one.sku: one.quantity for one in units})
    if units is not None and (len(wanted) < len(units) or min(wanted.values(), default=0) < 1):
        raise InvalidOrder("Name each SKU once, with 1 unit or more.", path=("units",))
    if wanted - kept:
        said = ", ".join(f"{quantity} of {sku}" for sku, quantity in sorted(kept.items()))
        raise InvalidOrder(f"It keeps {said}.", path=("units",))
    ended = await holds.end(tx, {hold_id: None}, StockHoldState.CONVERTED, tx.principal.subject)
    left = Counter(wanted)
    cause_id = await ledger.next_cause_id(tx)
    movements = []
    for part in parts:
        code = skus[part.sku_id].code
        if taken := min(left[code], part.quantity):
            left[code] -= taken
            movements.append(
                Movement(
                    key=LevelKey(part.functional_warehouse_id, part.sku_id),
                    type=MovementType.MOVED_OUT,
                    quantity=taken,
                    cause_kind=CauseKind.TILL,
                    cause_id=cause_id,
                    reason=receipt.strip() or None,
                )
            )
    levels = await ledger.record(tx, movements, tx.principal.subject)
    free = await ledger.free_after(tx, levels.values())
    sold = wanted.total()
    counters = ended.and_also(Counters(free))
    return SoldOfHold(hold_id, sold, kept.total() - sold, counters)


def _system(principal: Principal) -> Principal:
    return system_principal(principal.tenant_id, principal.subject)
