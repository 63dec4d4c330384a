"""A node did not find what it was to send (缺货上报): the units leave its stock, the order waits.

It is given to another node by the next allocation: not again to one that could not send of it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from backend.db.commands import apply_once
from backend.db.pool import Database, Record, TenantTransaction
from backend.inventory import ledger
from backend.inventory.accuracy.accuracy import note_shortages
from backend.inventory.accuracy.model import PickShortage, ShortageCause
from backend.inventory.counters import Counters
from backend.inventory.model import CauseKind, LevelKey, Movement
from backend.inventory.movement_types import MovementType
from backend.orders.claim import SQL
from backend.orders.errors import (
    InterceptPending,
    InvalidShortage,
    UnknownFulfilment,
    WrongFulfilmentState,
)
from backend.orders.events import FulfilmentShort, OrderAppointmentLost
from backend.orders.find_work import open_intercepts
from backend.orders.model import FulfilmentStatus, HoldKind, LineOutcome, OrderStatus
from backend.orders.move_fulfilments import (
    FulfilmentKey,
    lock_orders_of,
    move_fulfilments,
    picked,
    read_fulfilment,
)
from backend.orders.place_hold import add_hold
from backend.orders.releasing import Releasing
from backend.orders.states import FULFILMENT, check_step, derive_status
from backend.orders.step import StepEvent, line_outcome, under_holds, write_step
from tenants.principal import Permission, Principal, stock_writer

LOST_ITS_TIME = "A node could not send what was to come at this time; agree on another one."
LINES_MAX = 2_000
"""Lines of one report: those of the largest order."""


class ShortPick(msgspec.Struct, frozen=True):
    """Units of a line that could not be sent."""

    line_no: int
    quantity: int


class Reported(NamedTuple):
    """What a report came to; counters are to be published after the commit."""

    status: OrderStatus
    units: int
    counters: Counters


async def report_shortage(
    database: Database,
    principal: Principal,
    fulfilment: tuple[int, int],
    picks: Sequence[ShortPick],
    cause: ShortageCause,
    key: str,
) -> Reported:
    """Let units of a fulfilment (order, number) that could not be sent wait for another node, once.

    They are released, and leave the stock of the node as `adjusted`, unless a count has found them
    missing already; what was released goes back to earmarks, allotments and capacity as with a
    cancellation. An order with an appointment loses it, with all its visits, and is held for
    another one: it comes at its time whole, or not. What is picked is found: it stays. Who may: the
    brand, a store of its node, a dealer of its own goods. Locks the key, the order, earmarks, then
    its counters in order. Emits `fulfilment.short`, where nothing is left to send
    `fulfilment.cancelled`, where all that is left is picked `fulfilment.picked`, and
    `order.appointment_lost`. Raises UnknownFulfilment, WrongFulfilmentState, InterceptPending,
    InvalidShortage, CommandConflict; then nothing has changed.
    """
    principal.require(Permission.STOCK_WRITE)
    _check(picks)
    async with database.tenant_transaction(stock_writer(principal)) as tx:

        async def work() -> Reported:
            return await _report(tx, fulfilment, picks, cause)

        content = ("report_shortage", fulfilment, picks, cause)
        return await apply_once(tx, key, content, Reported, work)


async def _report(
    tx: TenantTransaction,
    fulfilment: tuple[int, int],
    picks: Sequence[ShortPick],
    cause: ShortageCause,
) -> Reported:
    order_id, number = key = FulfilmentKey(*fulfilment)
    orders = await lock_orders_of(tx, [key])
    row = await read_fulfilment(tx, key)
    if row["status"] == FulfilmentStatus.CANCELLED:
        raise UnknownFulfilment
    if row["status"] not in FULFILMENT.step("report_shortage").sources:
        raise WrongFulfilmentState(row["status"])
    if key in await open_intercepts(tx, [key]):
        raise InterceptPending
    reservations = await tx.fetch(SQL.active_reservations, tx.tenant_id, [order_id])
    own = [each for each in reservations if each["fulfilment_no"] == number]
    is_at_node = row["status"] != FulfilmentStatus.RESERVED
    releasing = Releasing(tx, order_id, reservations)
    missing = [part for at, pick in enumerate(picks) for part in _missing(own, pick, at, releasing)]
    releasing.end_appointment()
    await releasing.lock()
    lost = await _lose(tx, order_id, missing, cause)
    counters, emptied = await releasing.carry_out(tx.principal.subject, lost)
    units = sum(pick.quantity for pick in picks)
    if releasing.has_lost_appointment:
        await add_hold(tx, orders[0], HoldKind.APPOINTMENT, LOST_ITS_TIME)
    units_missing = {pick.line_no: pick.quantity for pick in picks}
    status, lines = await _waits(tx, orders[0], units_missing, is_at_node=is_at_node)
    payload = FulfilmentShort(order_id, number, row["node_id"], status, units, cause)
    events = [StepEvent(payload, row["node_id"]), *emptied]
    if releasing.has_lost_appointment:
        events.append(StepEvent(OrderAppointmentLost(order_id, status)))
    await write_step(tx, orders[0], lines, status, events)
    unpicked = sum(each["active"] - each["picked"] for each in own) - units
    if row["status"] == FulfilmentStatus.PICKING and not (emptied or unpicked):
        await move_fulfilments(tx, FULFILMENT.step("pick"), [key], picked)
    return Reported(status, units, counters)


def _missing(
    reservations: Sequence[Record], pick: ShortPick, at: int, releasing: Releasing
) -> list[PickShortage]:
    """Release units of a line from the last of its reservations on; raises InvalidShortage."""
    found, left = [], pick.quantity
    for row in reversed(reservations):
        unpicked = row["active"] - row["picked"]
        part = min(left, unpicked) if row["line_no"] == pick.line_no else 0
        if part:
            releasing.add(row, part)
            place = row["functional_warehouse_id"], row["sku_id"]
            found.append(PickShortage(pick.line_no, *place, part))
            left -= part
    if left:
        raise InvalidShortage(
            f"Of line {pick.line_no} this node has {pick.quantity - left} units to send or pick.",
            path=("lines", at, "quantity"),
        )
    return found


async def _lose(
    tx: TenantTransaction, order_id: int, missing: Sequence[PickShortage], cause: ShortageCause
) -> list[Movement]:
    """Return the movements by which units leave the stock, but for those that left it already.

    Where a count found less than is reserved, as many of the missing units are gone from the book.
    """
    keys = [LevelKey(part.functional_warehouse_id, part.sku_id) for part in missing]
    levels = await ledger.lock_levels(tx, keys)
    gone = {key: max(0, level.reserved - level.on_hand) for key, level in levels.items()}
    left = []
    for key, part in zip(keys, missing, strict=True):
        known = min(part.quantity, gone[key])
        gone[key] -= known
        if part.quantity > known:
            left.append(part._replace(quantity=part.quantity - known))
    numbers = await note_shortages(tx, order_id, cause, left)
    return [_lost(part, one, cause) for part, one in zip(left, numbers, strict=True)]


def _lost(part: PickShortage, number: int, cause: ShortageCause) -> Movement:
    return Movement(
        key=LevelKey(part.functional_warehouse_id, part.sku_id),
        type=MovementType.ADJUSTED,
        quantity=-part.quantity,
        cause_kind=CauseKind.PICK,
        cause_id=number,
        cause_line=part.line_no,
        reason=cause.value,
    )


async def _waits(
    tx: TenantTransaction, order: Record, units: dict[int, int], *, is_at_node: bool
) -> tuple[OrderStatus, tuple[list[LineOutcome], list[LineOutcome]]]:
    """Return the status of an order of which units wait again, and its lines before and after."""
    rows = await tx.fetch(SQL.lines_of_orders, tx.tenant_id, [order["id"]])
    before = [line_outcome(row) for row in rows]
    holds = await tx.fetch(SQL.open_holds, tx.tenant_id, order["id"])
    after = under_holds(
        [
            msgspec.structs.replace(
                line,
                reserved=line.reserved - (0 if is_at_node else units.get(line.line_no, 0)),
                at_node=line.at_node - (units.get(line.line_no, 0) if is_at_node else 0),
                backordered=line.backordered + units.get(line.line_no, 0),
            )
            for line in before
        ],
        [HoldKind(hold["kind"]) for hold in holds],
    )
    status = derive_status(after, is_held=bool(holds))
    return check_step(OrderStatus(order["status"]), status), (before, after)


def _check(picks: Sequence[ShortPick]) -> None:
    if not 0 < len(picks) <= LINES_MAX:
        raise InvalidShortage(f"Name 1 to {LINES_MAX} lines.", path=("lines",))
    if len({pick.line_no for pick in picks}) < len(picks):
        raise InvalidShortage("A line stands there twice.", path=("lines",))
    for at, pick in enumerate(picks):
        if pick.quantity < 1:
            raise InvalidShortage("Of a line 1 unit or more is missing.", path=("lines", at))
