"""Handing an order over at the counter: to who shows a code, all of it or what they take."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from backend.db.commands import apply_once
from backend.db.pool import Database, Record, TenantTransaction
from backend.events.model import Payload
from backend.fulfilment.bulk import working
from backend.fulfilment.events import FulfilmentDelivered, FulfilmentShipped
from backend.inventory.counters import Counters
from backend.inventory.levels import database_time
from backend.moments import fault_of_time
from backend.orders.find_work import units_to_send
from backend.orders.give_up import give_up
from backend.orders.model import LINES_MAX_BULK, FulfilmentStatus
from backend.orders.move_fulfilments import FulfilmentKey, move_fulfilments
from backend.orders.states import FULFILMENT
from backend.orders.step import is_to_send, tell_order
from backend.pickups.codes import end_codes, is_token, number_of_code
from backend.pickups.errors import InvalidPickupInput, PickupLocked, UnknownPickup
from backend.pickups.events import PickupHandedOver, PickupLeft
from backend.pickups.model import CodeState, HandedLine, PickupDone, PickupStatus
from backend.pickups.standing import (
    SQL,
    lock_pickup,
    own_fulfilments,
    pickups_of_orders,
    set_pickup,
)
from backend.pickups.states import PICKUP
from tenants.principal import Principal, system_principal

WRONG_CODES_MAX = 5
"""Codes that are looked at before an order is locked; a right one begins anew."""
LOCKED_MINUTES = 15
WRONG_CODES_OF_A_STORE = 50
"""Within LOCKED_MINUTES: nobody tries the same code on order after order."""
TOKEN_MAX = 2_000
AHEAD_MAX = timedelta(minutes=5)
"""How much a phone's clock may be fast; what it says is later happened now."""


class Handing(NamedTuple):
    """What is handed over to whom: a code or a token, and units by line, or all there is."""

    code: str
    lines: Sequence[HandedLine] | None = None
    happened_at: datetime | None = None
    """By the clock of the phone; None: now."""


async def hand_over(
    database: Database,
    principal: Principal,
    order_id: int,
    handing: Handing,
    *,
    seen: int | None,
    key: str,
) -> PickupDone:
    """Hand what is ready of an order over to who shows one of its codes, once.

    What they do not take is cancelled, and free again; units that still wait are asked of the
    store anew. All codes of the order are used up. Each attempt with digits is counted before it
    is looked at: after WRONG_CODES_MAX wrong ones the order is locked for LOCKED_MINUTES. Locks the
    key, the order, its pickup, earmarks, then its counters in order. Emits `fulfilment.shipped`,
    `fulfilment.delivered`, `pickup.left`, `pickup.handed_over`. Raises PermissionMissing,
    WriteRefused, UnknownPickup, PickupChanged, PickupLocked, WrongPickupCode, InvalidPickupInput,
    OrderHeld, InterceptPending, CommandConflict; then nothing has changed but the count.
    """
    _check(handing)
    if not is_token(handing.code):
        await _charge(database, principal, order_id)
    async with working(database, principal) as tx:
        return await apply_once(
            tx,
            key,
            ("hand_over", order_id, handing, seen),
            PickupDone,
            lambda: _hand_over(tx, order_id, handing, seen),
        )


async def _charge(database: Database, principal: Principal, order_id: int) -> None:
    """Count an attempt at a code of what is ready at a store of the principal."""
    async with working(database, principal) as tx:
        pickup = (await pickups_of_orders(tx, [order_id])).get(order_id)
        if pickup is None or not tx.principal.may_work_at(pickup.node_id, None):
            raise UnknownPickup
    async with database.tenant_transaction(
        system_principal(principal.tenant_id, "pickup_codes")
    ) as tx:
        limits = (WRONG_CODES_MAX, LOCKED_MINUTES, WRONG_CODES_OF_A_STORE)
        if await tx.fetch_value(SQL.charge_attempt, tx.tenant_id, order_id, *limits):
            return
        row = await tx.fetch_row(SQL.locked_until, tx.tenant_id, order_id, LOCKED_MINUTES)
    if row is not None and row["status"] == PickupStatus.READY and row["locked_until"]:
        raise PickupLocked(row["locked_until"])


async def _hand_over(
    tx: TenantTransaction, order_id: int, handing: Handing, seen: int | None
) -> PickupDone:
    found = await lock_pickup(tx, order_id, PICKUP.step("hand_over"), seen)
    code_no = await number_of_code(tx, order_id, handing.code)
    before = found.pickup
    keys = found.in_states(FulfilmentStatus.PACKED)
    units = await _units(tx, keys)
    left = _left(units, handing.lines)
    counters = Counters()
    if left.total():
        gone = await give_up(
            tx,
            order_id,
            [key.fulfilment_no for key in keys],
            before.node_id,
            lambda some: PickupLeft(order_id, before.node_id, some),
            units=left,
        )
        counters = gone.counters
        keys = await _still_there(tx, order_id, keys)
    counters = counters.and_also(await _leave(tx, keys))
    await end_codes(tx, order_id, CodeState.USED)
    await tx.execute(SQL.forget_attempts, tx.tenant_id, order_id)
    moment = await database_time(tx)
    happened = moment
    if handing.happened_at is not None and handing.happened_at <= moment + AHEAD_MAX:
        happened = min(handing.happened_at, moment)
    # What waits is asked of the store anew.
    waits = await is_to_send(tx, order_id)
    status = PickupStatus.ASKED if waits else PickupStatus.HANDED_OVER
    after = await set_pickup(tx, before, status, ready_by=None)
    taken = units.total() - left.total()
    payload = PickupHandedOver(order_id, before.node_id, code_no, taken, left.total(), happened)
    order_status = await tell_order(tx, order_id, payload, before.node_id)
    return PickupDone(after, order_status, counters)


async def _units(tx: TenantTransaction, keys: Sequence[FulfilmentKey]) -> Counter[int]:
    units = Counter[int]()
    for unit in await units_to_send(tx, keys):
        units[unit.line_no] += unit.quantity
    return units


def _left(units: Counter[int], lines: Sequence[HandedLine] | None) -> Counter[int]:
    """Return the units of each line that are not taken; raises InvalidPickupInput."""
    if lines is None:
        return Counter()
    taken = {line.line_no: line.quantity for line in lines}
    for at, line in enumerate(lines):
        if not 0 < line.quantity <= units[line.line_no]:
            raise InvalidPickupInput(
                f"Of line {line.line_no} {units[line.line_no]} units are ready.",
                path=("lines", at, "quantity"),
            )
    return Counter({one: there - taken.get(one, 0) for one, there in units.items()})


async def _still_there(
    tx: TenantTransaction, order_id: int, keys: Sequence[FulfilmentKey]
) -> list[FulfilmentKey]:
    there = {row["fulfilment_no"] for row in await own_fulfilments(tx, order_id)}
    return [key for key in keys if key.fulfilment_no in there]


async def _leave(tx: TenantTransaction, keys: Sequence[FulfilmentKey]) -> Counters:
    """Let fulfilments leave their store and arrive, in one."""

    def shipped(row: Record) -> Payload:
        return FulfilmentShipped(row["order_id"], row["fulfilment_no"], row["node_id"], ())

    def delivered(row: Record) -> Payload:
        return FulfilmentDelivered(row["order_id"], row["fulfilment_no"], row["node_id"])

    counters = Counters()
    for name, tell in (("ship", shipped), ("deliver", delivered)):
        moved = await move_fulfilments(tx, FULFILMENT.step(name), keys, tell, hands_over=True)
        for refusal in moved.refused.values():
            raise refusal
        counters = counters.and_also(moved.counters)
    return counters


def _check(handing: Handing) -> None:
    if not 0 < len(handing.code) <= TOKEN_MAX or not handing.code.isascii():
        raise InvalidPickupInput("Give the digits, or what the QR code says.", path=("code",))
    if handing.happened_at is not None and (fault := fault_of_time(handing.happened_at)):
        raise InvalidPickupInput(fault, path=("happenedAt",))
    if handing.lines is not None:
        if not 0 < len(handing.lines) <= LINES_MAX_BULK:
            raise InvalidPickupInput(
                "Name 1 line or more; what nobody takes is cancelled by orderCancel.",
                path=("lines",),
            )
        if len({line.line_no for line in handing.lines}) < len(handing.lines):
            raise InvalidPickupInput("A line stands there twice.", path=("lines",))
