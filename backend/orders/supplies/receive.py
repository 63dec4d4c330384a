"""Receiving supplies: what is promised is kept for whom it is promised to, at once."""

from collections.abc import Sequence

import msgspec

from backend.db.commands import apply_once
from backend.db.ids import OrderIds
from backend.db.pool import Database, Record, TenantTransaction
from backend.inventory import ledger
from backend.inventory.model import CauseKind, Level
from backend.inventory.supplies.model import ReceivedSupply, Supply
from backend.inventory.supplies.supplies import receive_of, supplies_by_ids
from backend.orders.stock_holds.ending import insert_holds
from backend.orders.stock_holds.model import StockHoldKind
from backend.orders.supplies.settle import SQL
from tenants.principal import Principal, stock_writer

ORDERS_MAX = 1_000
"""Orders that one receipt keeps units for; the units of others are free, and theirs soon."""
KEPT_SECONDS = 10 * 365 * 24 * 3600
"""What was received for an order is kept until it is allocated."""


class SupplyReceived(msgspec.Struct, frozen=True):
    """A supply after a receipt, the levels that it changed (to be published), and for whom."""

    supply: Supply
    levels: list[Level]
    kept: int
    """Units that are kept for orders that were promised them."""


async def receive_supply(
    database: Database,
    principal: Principal,
    ids: OrderIds,
    asked: tuple[str, int, int],
    *,
    key: str,
) -> SupplyReceived:
    """Receive units of a supply (code, line, quantity), once, and return it.

    In the same transaction units are kept for the orders that were promised them, the oldest first:
    so there is no moment in which somebody else could buy them. The next allocation gives them to
    these orders, wherever they are best sent from. Who stops waiting at that very moment is kept
    units for nonetheless; `expire_holds` gives them back. Locks the key, the supply, its level.
    Raises UnknownSupply, InvalidQuantity, ReceiptTooLarge, CommandConflict; then nothing has
    changed.
    """
    code, line_no, quantity = asked
    numbers = await ids.take(ORDERS_MAX)
    async with database.tenant_transaction(stock_writer(principal)) as tx:

        async def work() -> SupplyReceived:
            received, levels = await receive_of(tx, code, line_no, quantity)
            kept = await _keep(tx, received, levels[0], quantity, numbers)
            supply = (await supplies_by_ids(tx, [received.id]))[0]
            return SupplyReceived(supply, levels, kept)

        return await apply_once(tx, key, ("receive_supply", asked), SupplyReceived, work)


async def _keep(
    tx: TenantTransaction,
    supply: ReceivedSupply,
    level: Level,
    quantity: int,
    numbers: Sequence[int],
) -> int:
    """Keep received units for the orders that they are promised to; returns how many."""
    left = min(quantity, max(0, level.signed_free))
    parts: list[tuple[Record, int]] = []
    of_supply = (tx.tenant_id, supply.id, ORDERS_MAX, supply.sku_id)
    for row in await tx.fetch(SQL.promises_of_supply, *of_supply):
        if part := min(left, row["quantity"]):
            parts.append((row, part))
            left -= part
    if not parts:
        return 0
    place = (supply.functional_warehouse_id, supply.sku_id)
    await ledger.reserve_locked(
        tx,
        [
            (*place, part, hold_id, row["line_no"], None, CauseKind.HOLD)
            for hold_id, (row, part) in zip(numbers, parts, strict=False)
        ],
        tx.principal.subject,
    )
    await insert_holds(
        tx,
        [
            (
                hold_id,
                StockHoldKind.SUPPLY.value,
                row["shop_id"],
                None,
                row["dealer_id"],
                KEPT_SECONDS,
                tx.principal.subject,
                "",
                row["order_id"],
            )
            for hold_id, (row, _) in zip(numbers, parts, strict=False)
        ],
        [
            (hold_id, 1, *place, supply.node_id, row["dealer_id"], part, None, None)
            for hold_id, (row, part) in zip(numbers, parts, strict=False)
        ],
    )
    taken_off = (
        tx.tenant_id,
        supply.id,
        [row["order_id"] for row, _ in parts],
        [row["line_no"] for row, _ in parts],
        [part for _, part in parts],
    )
    await tx.execute(SQL.drop_kept_promises, *taken_off)
    await tx.execute(SQL.keep_promises, *taken_off)
    return sum(part for _, part in parts)
