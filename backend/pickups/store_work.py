"""What a store does until an order may be fetched: accept or reject it, have it ready, keep it.

Commands carry a key made by the phone, and the version that it saw: after hours without network
each is applied once, or refused with how the order stands.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

from backend.db.commands import apply_once
from backend.db.errors import YipanError
from backend.db.pool import Database, Record, TenantTransaction
from backend.events.model import Payload
from backend.fulfilment.bulk import working
from backend.fulfilment.events import FulfilmentPacked, FulfilmentPicking, FulfilmentReleased
from backend.inventory.counters import Counters
from backend.inventory.levels import database_time
from backend.moments import fault_of_time
from backend.orders.auditing.auditor import unaudited_orders
from backend.orders.auditing.model import NotAudited
from backend.orders.find_work import units_to_send
from backend.orders.give_up import Into, give_up
from backend.orders.model import FulfilmentStatus, HoldKind
from backend.orders.move_fulfilments import FulfilmentKey, move_fulfilments, picked
from backend.orders.place_hold import add_hold
from backend.orders.states import FULFILMENT
from backend.orders.step import tell_order
from backend.pickups.codes import issue_first_code
from backend.pickups.errors import InvalidPickupInput, NothingThere
from backend.pickups.events import PickupAccepted, PickupKept, PickupReady, PickupRejected
from backend.pickups.model import KEEP_DAYS_MAX, TEXT_MAX, PickupDone, PickupStatus
from backend.pickups.standing import SQL, Standing, lock_pickup, set_pickup
from backend.pickups.states import PICKUP
from backend.pickups.terms import pickup_terms
from tenants.principal import Principal

Work = Callable[[TenantTransaction], Awaitable[PickupDone]]
NO_WAVE = NO_LIST = 0


async def accept_pickup(
    database: Database, principal: Principal, order_id: int, *, seen: int | None, key: str
) -> PickupDone:
    """Note that a store has an order ready by the time it promised, once; it may begin with it.

    Without a promise, because the order had to wait for stock, it is ready after the lead time of
    the store. Locks the key, the order, its pickup. Emits `fulfilment.released` and
    `pickup.accepted`. Raises PermissionMissing, WriteRefused, UnknownPickup, PickupChanged,
    NothingThere, OrderHeld, NotAudited, InterceptPending, CommandConflict; then nothing has
    changed.
    """
    work = partial(_accept, order_id=order_id, seen=seen)
    return await _apply(database, principal, key, ("accept_pickup", order_id, seen), work)


async def reject_pickup(
    database: Database,
    principal: Principal,
    order_id: int,
    reason: str,
    *,
    seen: int | None,
    key: str,
) -> PickupDone:
    """Note that a store does not hand an order over, and why, once.

    Its units are free again; the order is held until another store is chosen, or it is sent. Locks
    the key, the order, its pickup, earmarks, then its counters in order. Emits `pickup.rejected`
    and `fulfilment.cancelled`. Raises InvalidPickupInput, and what `accept_pickup` raises but
    NothingThere and NotAudited; then nothing has changed.
    """
    if not 0 < len(reason) <= TEXT_MAX:
        raise InvalidPickupInput(f"Say why, in 1 to {TEXT_MAX} characters.", path=("reason",))
    work = partial(_reject, order_id=order_id, seen=seen, reason=reason)
    return await _apply(database, principal, key, ("reject_pickup", order_id, seen, reason), work)


async def make_ready(
    database: Database, principal: Principal, order_id: int, *, seen: int | None, key: str
) -> PickupDone:
    """Note that what a store has of an order may be fetched, once: all that is not picked is now.

    Whoever has not accepted it has with this. The buyer's code is valid from now on, for as long
    as the store keeps it. Locks the key, the order, its pickup. Emits the events of the steps of
    its fulfilments and `pickup.ready`. Raises what `accept_pickup` does.
    """
    work = partial(_make_ready, order_id=order_id, seen=seen)
    return await _apply(database, principal, key, ("pickup_ready", order_id, seen), work)


async def keep_pickup(
    database: Database,
    principal: Principal,
    order_id: int,
    until: datetime,
    *,
    seen: int | None,
    key: str,
) -> PickupDone:
    """Keep what is ready until another time, once. Emits `pickup.kept`.

    Raises InvalidPickupInput, and what `reject_pickup` raises.
    """
    if fault := fault_of_time(until):
        raise InvalidPickupInput(fault, path=("keepUntil",))
    work = partial(_keep, order_id=order_id, seen=seen, until=until)
    return await _apply(database, principal, key, ("keep_pickup", order_id, seen, until), work)


async def _apply(
    database: Database, principal: Principal, key: str, content: tuple[object, ...], work: Work
) -> PickupDone:
    async with working(database, principal) as tx:
        return await apply_once(tx, key, content, PickupDone, partial(work, tx))


async def _accept(tx: TenantTransaction, *, order_id: int, seen: int | None) -> PickupDone:
    found = await lock_pickup(tx, order_id, PICKUP.step("accept"), seen)
    await _release(tx, found)
    before = found.pickup
    ready_by = before.ready_by
    if ready_by is None:
        minutes = await tx.fetch_value(SQL.lead_time, tx.tenant_id, before.node_id)
        ready_by = await database_time(tx) + timedelta(minutes=minutes)
    after = await set_pickup(tx, before, PickupStatus.ACCEPTED, ready_by=ready_by)
    payload = PickupAccepted(order_id, before.node_id, ready_by)
    status = await tell_order(tx, order_id, payload, before.node_id)
    return PickupDone(after, status, Counters())


async def _reject(
    tx: TenantTransaction, *, order_id: int, seen: int | None, reason: str
) -> PickupDone:
    found = await lock_pickup(tx, order_id, PICKUP.step("reject"), seen)
    node_id = found.pickup.node_id
    await add_hold(tx, found.order, HoldKind.PICKUP, reason)
    gone = await give_up(
        tx,
        order_id,
        found.numbers,
        node_id,
        lambda _: PickupRejected(order_id, node_id, reason),
        into=Into.HELD,
    )
    after = await set_pickup(tx, found.pickup, PickupStatus.REJECTED, reason=reason, ready_by=None)
    return PickupDone(after, gone.status, gone.counters)


async def _make_ready(tx: TenantTransaction, *, order_id: int, seen: int | None) -> PickupDone:
    found = await lock_pickup(tx, order_id, PICKUP.step("make_ready"), seen)
    before = found.pickup
    await _release(tx, found)
    keys = found.keys
    units = sum(unit.quantity for unit in await units_to_send(tx, keys))
    in_hand = (FulfilmentStatus.PICKING, FulfilmentStatus.PICKED, FulfilmentStatus.PACKED)
    is_begun = set(found.in_states(*in_hand))
    is_done = set(found.in_states(FulfilmentStatus.PICKED, FulfilmentStatus.PACKED))
    packed = set(found.in_states(FulfilmentStatus.PACKED))
    who = tx.principal.actor
    await _step(tx, "start_picking", [one for one in keys if one not in is_begun], _picking(who))
    await _step(tx, "pick", [one for one in keys if one not in is_done], picked)
    await _step(tx, "pack", [one for one in keys if one not in packed], _packed)
    terms = await pickup_terms(tx)
    moment = await database_time(tx)
    until = moment + timedelta(hours=terms.keep_hours)
    after = await set_pickup(
        tx, before, PickupStatus.READY, ready_at=moment, keep_until=until, reason=""
    )
    await issue_first_code(tx, order_id, found.order["buyer_name"], found.order["buyer_phone"])
    payload = PickupReady(order_id, before.node_id, units, until)
    status = await tell_order(tx, order_id, payload, before.node_id)
    return PickupDone(after, status, Counters())


async def _keep(
    tx: TenantTransaction, *, order_id: int, seen: int | None, until: datetime
) -> PickupDone:
    found = await lock_pickup(tx, order_id, PICKUP.step("keep"), seen)
    moment = await database_time(tx)
    if not moment < until <= moment + timedelta(days=KEEP_DAYS_MAX):
        raise InvalidPickupInput(
            f"A store keeps it until a time to come, {KEEP_DAYS_MAX} days at most.",
            path=("keepUntil",),
        )
    before = found.pickup
    after = await set_pickup(tx, before, PickupStatus.READY, keep_until=until)
    payload = PickupKept(order_id, before.node_id, until)
    status = await tell_order(tx, order_id, payload, before.node_id)
    return PickupDone(after, status, Counters())


async def _release(tx: TenantTransaction, found: Standing) -> None:
    """Let a store begin with what it has of an order, as no wave does."""
    if not found.fulfilments:
        raise NothingThere
    keys = found.in_states(FulfilmentStatus.RESERVED)
    if keys and await unaudited_orders(tx, [found.pickup.order_id]):
        raise NotAudited

    def tell(row: Record) -> Payload:
        return FulfilmentReleased(row["order_id"], row["fulfilment_no"], row["node_id"], NO_WAVE)

    await _step(tx, "release", keys, tell)


async def _step(
    tx: TenantTransaction,
    name: str,
    keys: list[FulfilmentKey],
    tell: Callable[[Record], Payload],
) -> None:
    """Let fulfilments take a step, all of them; raises why one may not."""
    if not keys:
        return
    moved = await move_fulfilments(tx, FULFILMENT.step(name), keys, tell, hands_over=True)
    refusal: YipanError | None = next(iter(moved.refused.values()), None)
    if refusal is not None:
        raise refusal


def _picking(picker: str) -> Callable[[Record], Payload]:
    def tell(row: Record) -> Payload:
        where = row["order_id"], row["fulfilment_no"], row["node_id"]
        return FulfilmentPicking(*where, NO_LIST, picker)

    return tell


def _packed(row: Record) -> Payload:
    return FulfilmentPacked(row["order_id"], row["fulfilment_no"], row["node_id"], "", 0)
