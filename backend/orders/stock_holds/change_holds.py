"""Extending and releasing holds, and finding them."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from backend.db.commands import apply_once
from backend.db.pool import Database, Record, TenantTransaction
from backend.inventory.counters import Counters
from backend.orders.errors import InvalidOrder, OrderRefused
from backend.orders.stock_holds.ending import SQL, lock_holds
from backend.orders.stock_holds.model import (
    HOLD_SECONDS_MAX,
    StockHold,
    StockHoldKind,
    StockHoldState,
)
from tenants.principal import Permission, Principal, system_principal


class UnknownStockHold(OrderRefused):
    """There is no such hold among those that you may see."""

    code = "UNKNOWN_STOCK_HOLD"


class StockHoldEnded(OrderRefused):
    """The hold has ended, and its units are no longer kept; take another one."""

    code = "STOCK_HOLD_ENDED"


class HoldChanged(msgspec.Struct, frozen=True):
    """A hold after a command; counters are to be published after the commit."""

    hold: StockHold
    counters: Counters


def check_seconds(seconds: int) -> None:
    """Raise InvalidOrder unless a hold may last so long."""
    if not 1 <= seconds <= HOLD_SECONDS_MAX:
        raise InvalidOrder(
            f"A hold lasts from 1 to {HOLD_SECONDS_MAX:,} seconds.", path=("expiresInSeconds",)
        )


async def extend_hold(
    database: Database, principal: Principal, hold_id: int, seconds: int, *, key: str
) -> HoldChanged:
    """Let an active hold end so many seconds from now, once, and return it; late is in time.

    Locks the key, then the hold. Raises UnknownStockHold, StockHoldEnded, InvalidOrder,
    CommandConflict; then nothing has changed.
    """
    check_seconds(seconds)

    async def work(tx: TenantTransaction) -> Counters:
        await tx.execute(SQL.extend_stock_hold, tx.tenant_id, hold_id, seconds)
        return Counters()

    content = ("extend_hold", hold_id, seconds)
    return await _change(database, principal, (hold_id, key, content), work)


async def release_stock_hold(
    database: Database, principal: Principal, hold_id: int, *, key: str
) -> HoldChanged:
    """Give the units of an active hold back to all, once, and return it.

    Locks the key, the hold, earmarks, then its counters in order. Raises UnknownStockHold,
    StockHoldEnded, CommandConflict; then nothing has changed.
    """

    async def work(tx: TenantTransaction) -> Counters:
        holds = await lock_holds(tx, [hold_id])
        state = StockHoldState.RELEASED
        return await holds.end(tx, {hold_id: None}, state, principal.subject)

    content = ("release_hold", hold_id)
    return await _change(database, principal, (hold_id, key, content), work)


async def page_of_stock_holds(
    tx: TenantTransaction, below: int, limit: int, state: StockHoldState | None
) -> list[StockHold]:
    """Return up to `limit` holds that the principal may see, the newest first, below an id."""
    wanted = None if state is None else state.value
    rows = await tx.fetch(SQL.page_of_stock_holds, tx.tenant_id, below, wanted, limit)
    return [_hold(row) for row in rows]


async def stock_holds_by_ids(tx: TenantTransaction, ids: Sequence[int]) -> list[StockHold]:
    """Return those of the holds that the principal may see."""
    return [_hold(row) for row in await tx.fetch(SQL.stock_holds_by_ids, tx.tenant_id, ids)]


async def _change(
    database: Database,
    principal: Principal,
    asked: tuple[int, str, tuple[object, ...]],
    work: Callable[[TenantTransaction], Awaitable[Counters]],
) -> HoldChanged:
    """Do something to an active hold once: `asked` is which, the key, and what."""
    hold_id, key, content = asked
    principal.require(Permission.ORDERS_PLACE)
    async with database.tenant_transaction(principal, read_only=True) as tx:
        if not await stock_holds_by_ids(tx, [hold_id]):
            raise UnknownStockHold
    system = system_principal(principal.tenant_id, principal.subject)
    async with database.tenant_transaction(system) as tx:

        async def once() -> HoldChanged:
            if hold_id not in (await lock_holds(tx, [hold_id])).by_id:
                raise StockHoldEnded
            counters = await work(tx)
            return HoldChanged((await stock_holds_by_ids(tx, [hold_id]))[0], counters)

        return await apply_once(tx, key, content, HoldChanged, once)


def _hold(row: Record) -> StockHold:
    kind, state = StockHoldKind(row["kind"]), StockHoldState(row["state"])
    return StockHold(**{**row, "kind": kind, "state": state})
