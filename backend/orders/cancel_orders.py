"""Cancelling: a whole order, or units of its lines."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from backend.db.commands import apply_once
from backend.db.pool import Database, Record, TenantTransaction
from backend.inventory.counters import Counters
from backend.orders.claim import SQL
from backend.orders.dealing.holds import and_for_quota
from backend.orders.errors import NothingToCancel
from backend.orders.events import OrderCancelled
from backend.orders.model import HoldKind, LineOutcome, OrderStatus
from backend.orders.releasing import Releasing
from backend.orders.states import check_step, derive_status
from backend.orders.step import StepEvent, changing_order, line_outcome, under_holds, write_step
from backend.orders.stock_holds.ending import EndingHolds, lock_holds_of_order
from backend.orders.stock_holds.model import StockHoldState
from tenants.principal import Permission, Principal

NOTHING_LEFT = "Nothing is left of this order to cancel."
AT_NODES = "Nodes have begun with what is left of this order; ask them by fulfilmentIntercept."


class CancelLine(msgspec.Struct, frozen=True):
    """Units of a line to cancel."""

    line_no: int
    quantity: int


class Cancelled(NamedTuple):
    """What a cancellation came to; counters are to be published after the commit."""

    order_id: int
    status: OrderStatus
    units: int
    counters: Counters


_Choice = Callable[[Sequence[LineOutcome]], Mapping[int, int]]
"""Says which units of each line are cancelled; raises NothingToCancel."""


async def cancel_order(
    database: Database,
    principal: Principal,
    order_id: int,
    lines: Sequence[CancelLine] | None,
    key: str,
    reason: str = "",
) -> Cancelled:
    """Cancel units of lines, or (None) all of an order with which no node has begun.

    What waits or is held goes first, then what is reserved: that is released, and a parcel with
    nothing left in it gives its place at the node back. What is at a node stays; the node is asked
    to stop it by an intercept. A hold ends with the last unit that it was
    for; where none is left that blocks stock, what was held waits. What an earmark gave goes back
    to it while it is open. Locks the key, the order, its holds, the earmarks, then its counters in
    order. Emits `order.cancelled` and `fulfilment.cancelled`. Raises
    UnknownOrder, NothingToCancel, CommandConflict; then nothing has changed. The same key answers
    the same again.
    """
    choose = partial(_wanted, lines)
    return await _apply(database, principal, order_id, ("cancel", lines), choose, key, reason)


async def cancel_waiting(
    database: Database, principal: Principal, order_id: int, key: str, reason: str
) -> Cancelled:
    """Cancel all units of an order that wait when it is locked, and no others.

    Guarantees and errors are those of `cancel_order`.
    """
    what = "cancel waiting", None
    return await _apply(database, principal, order_id, what, _waiting, key, reason)


async def cancel_units(
    tx: TenantTransaction, order_id: int, units: Mapping[int, int], actor: str, reason: str
) -> Cancelled:
    """Cancel units of lines of a locked order that no node has begun with: there are so many."""
    return await _Cancellation(tx, order_id).carry_out(lambda _: units, actor, reason)


async def cancel_rest(tx: TenantTransaction, order_id: int, actor: str, reason: str) -> Counters:
    """Cancel what is left of a locked order and no node has begun with, if anything is."""
    rows = await tx.fetch(SQL.lines_of_orders, tx.tenant_id, [order_id])
    left = _left([line_outcome(row) for row in rows])
    if not any(left.values()):
        return Counters()
    return (await cancel_units(tx, order_id, left, actor, reason)).counters


async def _apply(
    database: Database,
    principal: Principal,
    order_id: int,
    what: tuple[str, Sequence[CancelLine] | None],
    choose: _Choice,
    key: str,
    reason: str,
) -> Cancelled:
    async with changing_order(database, principal, order_id, Permission.ORDERS_CANCEL) as tx:
        return await apply_once(
            tx,
            key,
            (what[0], order_id, what[1], reason),
            Cancelled,
            partial(_Cancellation(tx, order_id).carry_out, choose, principal.subject, reason),
        )


class _Cancellation:
    """One order under its locks."""

    def __init__(self, tx: TenantTransaction, order_id: int) -> None:
        self._tx = tx
        self._order_id = order_id

    async def carry_out(self, choose: _Choice, actor: str, reason: str) -> Cancelled:
        tx, order_id = self._tx, self._order_id
        order = (await tx.fetch(SQL.lock_orders, tx.tenant_id, [order_id]))[0]
        holds = await tx.fetch(SQL.open_holds, tx.tenant_id, order_id)
        kept = await lock_holds_of_order(tx, order_id)
        rows = await tx.fetch(SQL.lines_of_orders, tx.tenant_id, [order_id])
        before = [line_outcome(row) for row in rows]
        reservations = await tx.fetch(SQL.active_reservations, tx.tenant_id, [order_id])
        releasing = Releasing(tx, order_id, reservations)
        wanted = choose(before)
        after = [
            _take(line, wanted.get(line.line_no, 0), reservations, releasing) for line in before
        ]
        needless = [hold for hold in holds if not _is_needed(hold, after)]
        rest = [HoldKind(hold["kind"]) for hold in holds if hold not in needless]
        rest = await and_for_quota(tx, order, after, rest)
        after = under_holds(after, rest)
        status = check_step(OrderStatus(order["status"]), derive_status(after, is_held=bool(rest)))
        if needless:
            numbers = [hold["hold_no"] for hold in needless]
            await tx.execute(SQL.release_hold, tx.tenant_id, order_id, numbers, actor)
        waiting: defaultdict[int, int] = defaultdict(int)
        for row, line in zip(rows, after, strict=True):
            waiting[row["sku_id"]] += line.backordered
        await releasing.lock(part.key.level for part in kept.parts)
        given_back = await self._give_back_received(kept, waiting, actor)
        counters, emptied = await releasing.carry_out(actor)
        units = sum(wanted.values())
        payload = OrderCancelled(order_id, status, units, reason)
        events = [StepEvent(payload), *emptied]
        quotas = await write_step(tx, order, (before, after), status, events)
        counters = given_back.and_also(counters).and_also(quotas)
        return Cancelled(order_id, status, units, counters)

    async def _give_back_received(
        self, kept: EndingHolds, waiting: Mapping[int, int], actor: str
    ) -> Counters:
        """Give back what was received of a SKU that the order waits for less of than that now.

        `waiting` has its waiting units by SKU.
        """
        units: defaultdict[int, int] = defaultdict(int)
        for part in kept.parts:
            units[part.sku_id] += part.quantity
        ended: dict[int, int | None] = {
            hold.id: self._order_id
            for hold in kept.by_id.values()
            if any(units[part.sku_id] > waiting.get(part.sku_id, 0) for part in hold.parts)
        }
        if not ended:
            return Counters()
        return await kept.end(self._tx, ended, StockHoldState.RELEASED, actor)


def _take(
    line: LineOutcome, quantity: int, reservations: Sequence[Record], releasing: Releasing
) -> LineOutcome:
    """Take units from what is held, what waits and, last, what is reserved."""
    held = min(quantity, line.held)
    backordered = min(quantity - held, line.backordered)
    left = reserved = quantity - held - backordered
    for reservation in reversed(reservations):
        if reservation["line_no"] == line.line_no and not reservation["is_at_node"] and left:
            part = min(left, reservation["active"])
            releasing.add(reservation, part)
            left -= part
    assert left == 0, "a line's reserved units are the sum of its reservations"
    return msgspec.structs.replace(
        line,
        reserved=line.reserved - reserved,
        backordered=line.backordered - backordered,
        held=line.held - held,
        cancelled=line.cancelled + quantity,
    )


def _is_needed(hold: Record, lines: Sequence[LineOutcome]) -> bool:
    """Whether units are left of what an order, or one of its lines, is held for.

    One of routing is held for what nobody sends.
    """
    kind = HoldKind(hold["kind"])
    if kind is HoldKind.ROUTING:
        return any(line.backordered for line in lines)
    return any(
        line.reserved + line.backordered + line.held + (line.at_node if kind.stops_parcels else 0)
        for line in lines
        if hold["line_no"] in (None, line.line_no)
    )


def _waiting(lines: Sequence[LineOutcome]) -> dict[int, int]:
    """Return the units of each line that wait; raises NothingToCancel."""
    waiting = {line.line_no: line.backordered for line in lines if line.backordered}
    if not waiting:
        raise NothingToCancel("Nothing of this order waits.")
    return waiting


def _wanted(wanted: Sequence[CancelLine] | None, lines: Sequence[LineOutcome]) -> dict[int, int]:
    """Return the units to be cancelled of each line; raises NothingToCancel."""
    left = _left(lines)
    if wanted is None:
        if not any(left.values()):
            raise NothingToCancel(AT_NODES if any(line.at_node for line in lines) else NOTHING_LEFT)
        return left
    if not wanted:
        raise NothingToCancel("Name at least one line to cancel.")
    sums: defaultdict[int, int] = defaultdict(int)
    for item in wanted:
        sums[item.line_no] += item.quantity
        if item.quantity < 1 or sums[item.line_no] > left.get(item.line_no, 0):
            raise NothingToCancel(path=("lines", item.line_no))
    return sums


def _left(lines: Sequence[LineOutcome]) -> dict[int, int]:
    """Return the units of each line with which no node has begun."""
    return {line.line_no: line.reserved + line.backordered + line.held for line in lines}
