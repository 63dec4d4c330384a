"""One step of many fulfilments at once: their units, stock, the status of their orders, events.

The only place where a fulfilment gets from one state to the next. A batch costs a handful of round
trips, whatever its size.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from backend.db.errors import YipanError
from backend.db.pool import Record, TenantTransaction
from backend.events.model import NewEvent, Payload
from backend.events.outbox import append_events
from backend.inventory import ledger
from backend.inventory.counters import Counters
from backend.inventory.model import CauseKind, LevelKey, Movement
from backend.inventory.movement_types import MovementType
from backend.machines import Step
from backend.orders.claim import SQL
from backend.orders.errors import (
    OrderFetched,
    OrderHeld,
    OrderSent,
    UnknownFulfilment,
    WrongFulfilmentState,
)
from backend.orders.events import FulfilmentPicked
from backend.orders.model import HoldKind
from backend.orders.states import ORDER, Units, check_step, status_of


class FulfilmentKey(NamedTuple):
    """Which fulfilment: that of an order, by its number there."""

    order_id: int
    fulfilment_no: int


class Batch(NamedTuple):
    """What moves together: the wave or the pick list that fulfilments become part of."""

    wave_id: int | None = None
    pick_list_id: int | None = None


NO_BATCH = Batch()
STOPPED_BY: Mapping[str, Sequence[HoldKind] | None] = {
    "release": None,
    "ship": [kind for kind in HoldKind if kind.stops_parcels],
}
"""The steps that a hold of the order stops: a hold of any kind, or of these."""
FETCHED_STEPS = frozenset({"release", "pack", "ship"})
"""The steps that are others where a customer fetches the order: nothing more of it travels."""
Check = Callable[[Record], YipanError | None]
"""Says why a fulfilment may not take the step, beside the state that it is in."""

Beside = Callable[[Record, Collection[FulfilmentKey]], YipanError | None]
"""Says why a fulfilment may not take the step where these do not."""


class Moved(NamedTuple):
    """What took the step, what did not and why; counters are to be published after the commit."""

    done: Sequence[Record]
    refused: Mapping[FulfilmentKey, YipanError]
    counters: Counters


async def move_fulfilments(
    tx: TenantTransaction,
    step: Step,
    keys: Iterable[FulfilmentKey],
    tell: Callable[[Record], Payload],
    *,
    batch: Batch = NO_BATCH,
    check: Check | None = None,
    beside: Beside | None = None,
    hands_over: bool = False,
) -> Moved:
    """Let each fulfilment take a step of its machine, if it may; the others stay as they are.

    `tell` makes the event of each. `hands_over` where a store does it for who fetches the order:
    then no other way leads through FETCHED_STEPS, and that one nowhere else. Refused, one by one:
    UnknownFulfilment for what the principal may not work at, WrongFulfilmentState, OrderFetched or
    OrderSent, OrderHeld where a hold of its order stops the step, what `check` says, and what
    `beside` says of those that are refused. Locks the
    orders in order, then, where units leave, their levels. Call it as who writes stock in the
    principal's name.
    """
    wanted = sorted(set(keys))
    orders = {row["id"]: row for row in await lock_orders_of(tx, wanted)}
    found = {FulfilmentKey(row[0], row[1]): row for row in await _read(tx, wanted)}
    held = frozenset[int]()
    if step.name in STOPPED_BY:
        held = await _held(tx, orders, STOPPED_BY[step.name])
    refused: dict[FulfilmentKey, YipanError] = {}
    done = []
    for key in wanted:
        row = found.get(key)
        error = _refusal(tx, step, row, held)
        if error is None and step.name in FETCHED_STEPS and row:
            error = _of_other_way(orders[row["order_id"]], hands_over=hands_over)
        if error is None and check and row:
            error = check(row)
        if error is not None:
            refused[key] = error
        elif row is not None:
            done.append(row)
    if beside is not None and refused:
        alone = {FulfilmentKey(row[0], row[1]): beside(row, refused.keys()) for row in done}
        refused |= {key: error for key, error in alone.items() if error is not None}
        done = [row for row in done if FulfilmentKey(row[0], row[1]) not in refused]
    if not done:
        return Moved((), refused, Counters())
    columns = [row["order_id"] for row in done], [row["fulfilment_no"] for row in done]
    await tx.execute(SQL.set_fulfilment_status, tx.tenant_id, *columns, step.target, *batch)
    effect = EFFECTS.get(step.name)
    counters = Counters() if effect is None else await effect(tx, *columns)
    await tell_of_fulfilments(tx, orders, done, tell)
    return Moved(done, refused, counters)


async def lock_fulfilment(
    tx: TenantTransaction, key: FulfilmentKey, states: Collection[str]
) -> Record:
    """Lock the order of a fulfilment that stands in one of these states, and return it.

    Raises UnknownFulfilment where the principal may not work at it, WrongFulfilmentState.
    """
    await lock_orders_of(tx, [key])
    row = await read_fulfilment(tx, key)
    if row["status"] not in states:
        raise WrongFulfilmentState(row["status"])
    return row


async def read_fulfilment(tx: TenantTransaction, key: FulfilmentKey) -> Record:
    """Return a fulfilment; raises UnknownFulfilment where the principal may not work at it."""
    row = next(iter(await _read(tx, [key])), None)
    if row is None or not _may_work(tx, row):
        raise UnknownFulfilment
    return row


def picked(row: Record) -> Payload:
    """Tell that all of a fulfilment is picked."""
    return FulfilmentPicked(row["order_id"], row["fulfilment_no"], row["node_id"])


async def note_picked(
    tx: TenantTransaction, order_id: int, reservation_no: int, quantity: int
) -> None:
    """Note that so many more units of a reservation are picked; its order is locked."""
    await tx.execute(SQL.pick_units, tx.tenant_id, order_id, reservation_no, quantity)


def _may_work(tx: TenantTransaction, row: Record) -> bool:
    return tx.principal.may_work_at(row["node_id"], row["owner_id"] or None)


async def lock_orders_of(tx: TenantTransaction, keys: Iterable[FulfilmentKey]) -> list[Record]:
    """Lock the orders of fulfilments, in order, and return them."""
    return await tx.fetch(SQL.lock_orders, tx.tenant_id, sorted({key.order_id for key in keys}))


async def _read(tx: TenantTransaction, keys: Sequence[FulfilmentKey]) -> list[Record]:
    columns = [key.order_id for key in keys], [key.fulfilment_no for key in keys]
    return await tx.fetch(SQL.fulfilments_by_keys, tx.tenant_id, *columns)


async def _held(
    tx: TenantTransaction, order_ids: Iterable[int], kinds: Sequence[HoldKind] | None = None
) -> frozenset[int]:
    rows = await tx.fetch(SQL.held_orders, tx.tenant_id, list(order_ids), kinds)
    return frozenset(row["order_id"] for row in rows)


def _refusal(
    tx: TenantTransaction, step: Step, row: Record | None, held: frozenset[int]
) -> YipanError | None:
    if row is None or not _may_work(tx, row):
        return UnknownFulfilment()
    if row["status"] not in step.sources:
        return WrongFulfilmentState(row["status"])
    return OrderHeld() if row["order_id"] in held else None


def _of_other_way(order: Record, *, hands_over: bool) -> YipanError | None:
    is_fetched = order["pickup_node_id"] is not None
    if is_fetched == hands_over:
        return None
    return OrderFetched() if is_fetched else OrderSent()


async def _to_nodes(
    tx: TenantTransaction, order_ids: Sequence[int], numbers: Sequence[int]
) -> Counters:
    await tx.execute(SQL.units_to_nodes, tx.tenant_id, order_ids, numbers)
    return Counters()


async def _leave(
    tx: TenantTransaction, order_ids: Sequence[int], numbers: Sequence[int]
) -> Counters:
    """Let units leave the stock of their nodes: what is free stays as it is."""
    movements = [
        Movement(
            key=LevelKey(row["functional_warehouse_id"], row["sku_id"]),
            type=MovementType.SHIPPED,
            quantity=row["units"],
            cause_kind=CauseKind.ORDER,
            cause_id=row["order_id"],
            cause_line=row["line_no"],
        )
        for row in await tx.fetch(SQL.units_leave, tx.tenant_id, order_ids, numbers)
    ]
    after = await ledger.record(tx, movements, tx.principal.subject)
    return Counters(await ledger.free_after(tx, after.values()))


async def _arrive(
    tx: TenantTransaction, order_ids: Sequence[int], numbers: Sequence[int]
) -> Counters:
    await tx.execute(SQL.units_arrive, tx.tenant_id, order_ids, numbers)
    return Counters()


async def _picked(
    tx: TenantTransaction, order_ids: Sequence[int], numbers: Sequence[int]
) -> Counters:
    await tx.execute(SQL.units_picked, tx.tenant_id, order_ids, numbers)
    return Counters()


Effect = Callable[[TenantTransaction, Sequence[int], Sequence[int]], Awaitable[Counters]]
EFFECTS: dict[str, Effect] = {
    "release": _to_nodes,
    "pick": _picked,
    "ship": _leave,
    "deliver": _arrive,
    "refuse": _arrive,
}
"""What a step does to units beside the status of the fulfilment."""


async def tell_of_fulfilments(
    tx: TenantTransaction,
    orders: Mapping[int, Record],
    done: Sequence[Record],
    tell: Callable[[Record], Payload],
) -> None:
    """Derive the status of locked orders anew, and append an event of each of their fulfilments."""
    ids = sorted({row["order_id"] for row in done})
    held = await _held(tx, ids)
    told: defaultdict[int, int] = defaultdict(int)
    events = []
    for row in done:
        order = orders[row["order_id"]]
        told[order["id"]] += 1
        sequence = order["event_sequence"] + told[order["id"]]
        events.append(
            NewEvent(tell(row), order["id"], sequence, order["dealer_id"], row["node_id"])
        )
    updates = []
    for order_id, *units in await tx.fetch(SQL.units_of_orders, tx.tenant_id, ids):
        order = orders[order_id]
        status = status_of(Units(*units), is_held=order_id in held)
        check_step(order["status"], status)
        sequence = order["event_sequence"] + told[order_id]
        counts = (
            order[name] for name in ("fulfilment_count", "reservation_count", "decision_count")
        )
        updates.append((order_id, status.value, sequence, *counts))
    await tx.execute(SQL.update_orders, tx.tenant_id, *zip(*updates, strict=True))
    final = {order_id for order_id, status, *_ in updates if status in ORDER.final}
    over = sorted(final & held)
    if over:  # nothing is left to be held
        await tx.execute(SQL.end_holds, tx.tenant_id, over, tx.principal.subject)
    for order_id in final:
        if orders[order_id]["pickup_node_id"] is not None:
            await tx.execute(SQL.cancel_pickup, tx.tenant_id, order_id)
    await append_events(tx, events)
