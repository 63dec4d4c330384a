"""Choosing another store, or that an order is sent; or that one which was to be sent is fetched."""

from typing import NamedTuple

from backend.db.commands import apply_once
from backend.db.pool import Database, Record, TenantTransaction
from backend.network.nodes import nodes_by_codes
from backend.orders.errors import InterceptPending, NoPickup, WrongFulfilmentState
from backend.orders.find_work import open_intercepts
from backend.orders.give_up import Into, give_up
from backend.orders.model import FulfilmentStatus, HoldKind
from backend.orders.move_fulfilments import FulfilmentKey, lock_orders_of
from backend.orders.place_hold import end_holds_of_kind, has_hold_of_kind
from backend.orders.step import changing_order, is_to_send
from backend.pickups.codes import end_codes
from backend.pickups.errors import (
    InvalidPickupInput,
    NothingThere,
    PickupChanged,
    UnknownPickup,
)
from backend.pickups.events import PickupMoved
from backend.pickups.model import TEXT_MAX, CodeState, Pickup, PickupDone, PickupStatus
from backend.pickups.standing import SQL, own_fulfilments, pickup_of
from backend.pickups.states import OPEN
from tenants.principal import Permission, Principal


class Moving(NamedTuple):
    """Where an order is fetched from now on, by the code of the location; None: it is sent."""

    location: str | None
    reason: str = ""


async def move_pickup(
    database: Database,
    principal: Principal,
    order_id: int,
    moving: Moving,
    *,
    seen: int | None,
    key: str,
) -> PickupDone:
    """Let an order be fetched at another location, or be sent, once.

    What a node had of it is free again, and the order waits for stock where it is wanted now: the
    next allocation gives it what is there, within seconds. Its codes are revoked, and it is held
    for its store no more. Locks the key, the order, its pickup, earmarks, then its counters in
    order. Emits `pickup.moved` and `fulfilment.cancelled`. Raises PermissionMissing, WriteRefused,
    UnknownOrder, UnknownPickup, PickupChanged, NoPickup, InterceptPending, WrongFulfilmentState for
    what another node has begun with, InvalidPickupInput, CommandConflict; then nothing has changed.
    """
    if len(moving.reason) > TEXT_MAX:
        raise InvalidPickupInput(f"At most {TEXT_MAX} characters.", path=("reason",))
    async with changing_order(database, principal, order_id, Permission.ORDERS_PLACE) as tx:
        return await apply_once(
            tx,
            key,
            ("move_pickup", order_id, moving, seen),
            PickupDone,
            lambda: _move(tx, order_id, moving, seen),
        )


async def _move(
    tx: TenantTransaction, order_id: int, moving: Moving, seen: int | None
) -> PickupDone:
    order = (await lock_orders_of(tx, [FulfilmentKey(order_id, 0)]))[0]
    row = await tx.fetch_row(SQL.lock_pickup, tx.tenant_id, order_id)
    before = None if row is None else pickup_of(row)
    node_id = await _node(tx, moving, order["dealer_id"])
    is_awaited = await has_hold_of_kind(tx, order_id, HoldKind.PICKUP)
    _check(before, order, node_id, seen, is_awaited=is_awaited)
    if not await is_to_send(tx, order_id):
        raise NothingThere("Nothing is left of this order to be fetched, or sent.")
    fulfilments = await own_fulfilments(tx, order_id)
    keys = [FulfilmentKey(each["order_id"], each["fulfilment_no"]) for each in fulfilments]
    if await open_intercepts(tx, keys):
        raise InterceptPending
    if order["pickup_node_id"] is None:
        for each in fulfilments:
            if each["status"] != FulfilmentStatus.RESERVED:
                raise WrongFulfilmentState(each["status"])
    await tx.execute(SQL.set_order_node, tx.tenant_id, order_id, node_id)
    await end_holds_of_kind(tx, order_id, HoldKind.PICKUP)
    was = order["pickup_node_id"]
    gone = await give_up(
        tx,
        order_id,
        [key.fulfilment_no for key in keys],
        node_id or was,
        lambda units: PickupMoved(order_id, was, node_id, units, moving.reason),
        into=Into.BACKORDERED,
    )
    await end_codes(tx, order_id, CodeState.REVOKED)
    status = PickupStatus.SENT if node_id is None else PickupStatus.ASKED
    where = node_id or (before.node_id if before else was)
    if where is None:  # it was to be fetched where nothing is handed over
        return PickupDone(Pickup(order_id, 0, status, 0), gone.status, gone.counters)
    put = (order_id, where, order["dealer_id"], status.value, moving.reason)
    row = await tx.fetch_row(SQL.put_pickup, tx.tenant_id, *put)
    assert row is not None, "it is put there"
    return PickupDone(pickup_of(row), gone.status, gone.counters)


def _check(
    before: Pickup | None,
    order: Record,
    node_id: int | None,
    seen: int | None,
    *,
    is_awaited: bool,
) -> None:
    """Raise unless an order may be fetched elsewhere, or be sent, from how it stands.

    `is_awaited`: it is held until somebody says where.
    """
    if before is None:
        if node_id is None and not is_awaited:
            raise UnknownPickup
        return
    is_open = before.status in (*OPEN, PickupStatus.SENT)
    is_so = node_id == order["pickup_node_id"] and before.status is not PickupStatus.REJECTED
    if not is_open or is_so or seen not in (None, before.version):
        raise PickupChanged(before)


async def _node(tx: TenantTransaction, moving: Moving, dealer_id: int | None) -> int | None:
    if moving.location is None:
        return None
    for node in await nodes_by_codes(tx, [moving.location]):
        if node.hands_over_for(dealer_id):
            return node.id
    raise NoPickup(moving.location)
