"""How holds end: inside the caller's transaction, after their locks and before those of levels."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby

from backend.db.pool import Record, TenantTransaction
from backend.db.sql import load_queries
from backend.inventory import ledger
from backend.inventory.allotments.counters import take_allotments
from backend.inventory.counters import Counters
from backend.inventory.earmarks.queries import lock_open_earmarks
from backend.inventory.model import CauseKind, Movement
from backend.inventory.movement_types import MovementType
from backend.orders.stock_holds.model import HoldPart, LockedHold, StockHoldState

SQL = load_queries(__file__)

DUE_MAX = 500
"""Holds that one transaction lets expire."""


class EndingHolds:
    """Holds under their locks, which are to end; what earmarks gave goes back to those open."""

    def __init__(self, holds: Sequence[LockedHold], open_earmarks: Collection[int]) -> None:
        self.by_id = {hold.id: hold for hold in holds}
        self._open_earmarks = open_earmarks

    @property
    def parts(self) -> list[HoldPart]:
        return [part for hold in self.by_id.values() for part in hold.parts]

    def named(self, ids: Iterable[int]) -> list[LockedHold]:
        """Return those of some holds that are active."""
        return [self.by_id[one] for one in ids if one in self.by_id]

    def freed(self, hold_id: int) -> list[HoldPart]:
        """Return what becomes free where a hold ends."""
        return [
            part if part.earmark_id in self._open_earmarks else part._replace(earmark_id=None)
            for part in self.by_id[hold_id].parts
        ]

    async def end(
        self,
        tx: TenantTransaction,
        order_ids: Mapping[int, int | None],
        state: StockHoldState,
        actor: str,
    ) -> Counters:
        """Give the units of holds back, by id, each with the order that it was converted to.

        Locks levels, then allotments, in order. Returns the counters after it.
        """
        if not order_ids:
            return Counters()
        movements = [
            _release(part, hold_id) for hold_id in order_ids for part in self.freed(hold_id)
        ]
        levels = await ledger.record(tx, movements, actor)
        back: dict[int, int] = {}
        for hold_id in order_ids:
            for part in self.by_id[hold_id].parts:
                for one in part.allotment_ids:
                    back[one] = back.get(one, 0) - part.quantity
        allotments = await take_allotments(tx, back)
        await tx.execute(
            SQL.end_stock_holds,
            tx.tenant_id,
            list(order_ids),
            state.value,
            list(order_ids.values()),
        )
        with_earmarks = any(movement.earmark_id for movement in movements)
        free = await ledger.free_after(tx, levels.values(), with_earmarks=with_earmarks)
        return Counters(free, (), list(allotments.values()))


async def insert_holds(
    tx: TenantTransaction,
    holds: Sequence[tuple[object, ...]],
    parts: Sequence[tuple[object, ...]],
) -> None:
    """Store holds (rows `new_stock_hold`) and their parts (`new_stock_hold_part`)."""
    await tx.execute(SQL.insert_stock_holds, tx.tenant_id, holds, parts)


async def lock_holds(tx: TenantTransaction, ids: Iterable[int]) -> EndingHolds:
    """Lock holds in the one order and return those that are active; then their earmarks."""
    wanted = sorted(set(ids))
    rows = await tx.fetch(SQL.lock_stock_holds, tx.tenant_id, wanted) if wanted else []
    return await _ending(tx, rows)


async def lock_holds_of_order(tx: TenantTransaction, order_id: int) -> EndingHolds:
    """Lock the active holds with what was received for an order; then their earmarks."""
    return await _ending(tx, await tx.fetch(SQL.lock_holds_of_order, tx.tenant_id, order_id))


async def holds_of_orders(
    tx: TenantTransaction, order_ids: Collection[int]
) -> dict[int, list[int]]:
    """Return the active holds with what was received for orders, by order."""
    found: dict[int, list[int]] = {}
    for row in await tx.fetch(SQL.holds_of_orders, tx.tenant_id, sorted(order_ids)):
        found.setdefault(row["order_id"], []).append(row["id"])
    return found


async def lock_due_holds(
    tx: TenantTransaction, sku_ids: Collection[int] | None, wanted: Collection[int]
) -> EndingHolds:
    """Lock holds whose time is over (of some SKUs), but for those that somebody else ends.

    The time of what was received for an order is over when none of its units waits any more.
    """
    skus = None if sku_ids is None else sorted(sku_ids)
    rows = await tx.fetch(SQL.lock_due_holds, tx.tenant_id, skus, sorted(wanted), DUE_MAX)
    return await _ending(tx, rows)


async def expire_holds(
    tx: TenantTransaction,
    sku_ids: Collection[int] | None = None,
    *,
    but_for: Collection[int] = (),
) -> tuple[int, Counters]:
    """End holds whose time is over (of some SKUs); returns how many, and the counters after it.

    `but_for` names holds that are about to be taken over: late is in time.
    """
    holds = await lock_due_holds(tx, sku_ids, but_for)
    ended = dict.fromkeys(holds.by_id)
    return len(ended), await holds.end(tx, ended, StockHoldState.EXPIRED, tx.principal.subject)


async def has_active_holds(tx: TenantTransaction) -> bool:
    """Return whether anything is held."""
    return bool(await tx.fetch_value(SQL.has_active_holds, tx.tenant_id))


async def _ending(tx: TenantTransaction, rows: Sequence[Record]) -> EndingHolds:
    active = {row["id"]: row for row in rows if row["state"] == "active"}
    if not active:
        return EndingHolds([], ())
    parts = await tx.fetch(SQL.parts_of_holds, tx.tenant_id, sorted(active))
    of_hold = {
        hold_id: tuple(_part(row) for row in group)
        for hold_id, group in groupby(parts, key=lambda row: row["hold_id"])
    }
    holds = [
        LockedHold(one, row["shop_id"], row["order_id"], of_hold.get(one, ()))
        for one, row in active.items()
    ]
    earmarks = {row["earmark_id"] for row in parts if row["earmark_id"]}
    return EndingHolds(holds, await lock_open_earmarks(tx, earmarks))


def _part(row: Record) -> HoldPart:
    return HoldPart(
        row["functional_warehouse_id"],
        row["sku_id"],
        row["quantity"],
        row["earmark_id"],
        tuple(row["allotment_ids"] or ()),
    )


def _release(part: HoldPart, hold_id: int) -> Movement:
    return Movement(
        key=part.key.level,
        type=MovementType.RELEASED,
        quantity=part.quantity,
        cause_kind=CauseKind.HOLD,
        cause_id=hold_id,
        earmark_id=part.earmark_id,
    )
