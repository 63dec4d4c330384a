"""Holding orders by hand (人工挂起), and taking those that are held in hand (审单)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog

from backend.db.commands import apply_once, part_of_key
from backend.db.errors import YipanError
from backend.db.pool import Database, Record, TenantTransaction
from backend.inventory.levels import database_time
from backend.moments import fault_of_time
from backend.network.regions.table import RegionTable
from backend.orders.claim import SQL
from backend.orders.errors import HoldClaimed, InvalidHold, UnknownHold
from backend.orders.events import OrderHeld
from backend.orders.model import HoldKind, OrderStatus
from backend.orders.place_hold import add_hold
from backend.orders.release_holds import Resolution, release_hold
from backend.orders.states import ORDER, check_step, derive_status
from backend.orders.step import StepEvent, changing_order, lines_of_order, write_step
from tenants.principal import Permission, Principal, system_principal

log = structlog.get_logger(__name__)

REASON_MAX = 200
HOLDS_MAX = 20
"""Open holds of one order: who needs more has a rule gone wild."""
CLAIM_LASTS = timedelta(minutes=30)
"""After this somebody else may take a hold in hand: who had it has gone home."""
EXPIRED_AT_ONCE = 200


class Resolved(NamedTuple):
    """What became of one hold of many: the order's status, or why it was refused."""

    order_id: int
    hold_no: int
    status: OrderStatus | None
    error: YipanError | None = None


async def hold_order(
    database: Database,
    principal: Principal,
    order_id: int,
    reason: str,
    expires_at: datetime | None,
    key: str,
) -> tuple[int, OrderStatus]:
    """Hold an order until somebody releases it, or a time; returns the hold's number, its status.

    What is reserved stays so; nothing more is released to nodes, and what they have packed is not
    handed over. Locks the key, then the order. Emits `order.held`. Raises PermissionMissing,
    WriteRefused, UnknownOrder, InvalidHold, CommandConflict; then nothing has changed.
    """
    if not 0 < len(reason) <= REASON_MAX or not reason.isprintable():
        raise InvalidHold(f"Say why, in 1 to {REASON_MAX} characters.", path=("reason",))
    if expires_at is not None and (fault := fault_of_time(expires_at)):
        raise InvalidHold(fault, path=("expiresAt",))
    async with changing_order(database, principal, order_id, Permission.ORDERS_CANCEL) as tx:
        return await apply_once(
            tx,
            key,
            ("hold", order_id, reason, expires_at),
            tuple[int, OrderStatus],
            lambda: _hold(tx, order_id, reason, expires_at, principal.subject),
        )


async def _hold(
    tx: TenantTransaction, order_id: int, reason: str, expires_at: datetime | None, actor: str
) -> tuple[int, OrderStatus]:
    order = (await tx.fetch(SQL.lock_orders, tx.tenant_id, [order_id]))[0]
    if order["status"] not in ORDER.step("hold").sources:
        raise InvalidHold(f"The order is {order['status']}: nothing of it can be held any more.")
    if len(await tx.fetch(SQL.open_holds, tx.tenant_id, order_id)) >= HOLDS_MAX:
        raise InvalidHold(f"An order has at most {HOLDS_MAX} open holds.")
    number = await add_hold(
        tx, order, HoldKind.MANUAL, reason, placed_by=actor, expires_at=expires_at
    )
    lines = await lines_of_order(tx, order_id)
    status = check_step(order["status"], derive_status(lines, is_held=True))
    event = StepEvent(OrderHeld(order_id, status, number, reason, actor))
    await write_step(tx, order, (lines, lines), status, [event])
    return number, status


async def claim_hold(
    database: Database, principal: Principal, order_id: int, hold_no: int, *, gives_back: bool
) -> None:
    """Take an open hold in hand, so that nobody else does the same work, or give it back.

    It is anybody's again after CLAIM_LASTS. Raises PermissionMissing, WriteRefused, UnknownOrder,
    UnknownHold, HoldClaimed; then nothing has changed. Doing it twice changes nothing.
    """
    async with changing_order(database, principal, order_id, Permission.ORDERS_PLACE) as tx:
        await tx.fetch(SQL.lock_orders, tx.tenant_id, [order_id])
        rows = await tx.fetch(SQL.open_holds, tx.tenant_id, order_id)
        holds = {row["hold_no"]: row for row in rows}
        if hold_no not in holds:
            raise UnknownHold
        who = principal.subject
        taker = None if gives_back else who
        since = await database_time(tx) - CLAIM_LASTS
        done = await tx.execute(SQL.claim_hold, tx.tenant_id, order_id, hold_no, taker, who, since)
        if not done:
            raise HoldClaimed(holds[hold_no]["claimed_by"])


async def release_holds(
    database: Database,
    principal: Principal,
    resolutions: Sequence[tuple[int, Resolution]],
    regions: RegionTable,
    key: str,
) -> list[Resolved]:
    """Release holds of many orders, each by itself and once: see `release_hold`.

    Raises PermissionMissing, InvalidHold for none or too many.
    """
    principal.require(Permission.ORDERS_PLACE)
    if not 0 < len(resolutions) <= EXPIRED_AT_ONCE:
        raise InvalidHold(f"Name 1 to {EXPIRED_AT_ONCE} holds.", path=("holds",))
    found = []
    for order_id, resolution in resolutions:
        own_key = part_of_key(key, f"{order_id}/{resolution.hold_no}")
        status, refusal = None, None
        try:
            status = await release_hold(database, principal, order_id, resolution, regions, own_key)
        except YipanError as error:
            refusal = error
        found.append(Resolved(order_id, resolution.hold_no, status, refusal))
    return found


async def release_expired(database: Database, tenant_id: int, regions: RegionTable) -> int:
    """Release the holds of a brand whose time is over; returns how many. See `release_hold`."""
    principal = system_principal(tenant_id, "holds")
    async with database.tenant_transaction(principal, read_only=True) as tx:
        rows = await tx.fetch(SQL.expired_holds, tx.tenant_id, EXPIRED_AT_ONCE)
    released = 0
    for order_id, hold_no in rows:
        given = [(order_id, Resolution(hold_no))]
        try:
            (done,) = await release_holds(database, principal, given, regions, "expired")
        except Exception:  # one hold that cannot be released does not keep the others
            log.exception("holds.releasing_failed", order=order_id, hold=hold_no)
        else:
            released += done.error is None
    return released


async def page_of_held_orders(
    tx: TenantTransaction, *, kind: HoldKind | None, is_free: bool, after: int, limit: int
) -> list[Record]:
    """Return orders with an open hold, the oldest first, after an id.

    Of a kind or of any; with `is_free` those that nobody has in hand.
    """
    since = await database_time(tx) - CLAIM_LASTS
    given = (after, kind, is_free, since, limit)
    return await tx.fetch(SQL.page_of_held_orders, tx.tenant_id, *given)
