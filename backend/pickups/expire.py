"""Orders that nobody fetches: customers are reminded, then the store keeps them no longer."""

from datetime import datetime

from backend.db.errors import YipanError
from backend.db.pool import Database, TenantTransaction
from backend.inventory.counters import Counters
from backend.inventory.levels import database_time
from backend.orders.each_by_itself import end_each
from backend.orders.give_up import give_up
from backend.orders.model import FulfilmentStatus
from backend.orders.step import is_to_send, tell_order
from backend.pickups.codes import end_codes
from backend.pickups.errors import PickupChanged
from backend.pickups.events import PickupExpired, PickupReminded
from backend.pickups.model import CodeState, PickupStatus
from backend.pickups.standing import SQL, lock_pickup, set_pickup
from backend.pickups.states import PICKUP
from backend.pickups.terms import pickup_terms
from tenants.principal import system_principal

AT_ONCE = 200
"""Orders of one round; more have their turn in the next one."""


async def expire_pickups(database: Database, tenant_id: int) -> tuple[int, Counters]:
    """Cancel what stores do not keep any longer, each order by itself; its units are free again.

    Returns how many, and the counters that are to be published. Several processes may do so at
    once. Locks the order, its pickup, earmarks, then its counters in order. Emits
    `pickup.expired`.
    """
    principal = system_principal(tenant_id, "pickups")
    async with database.tenant_transaction(principal, read_only=True) as tx:
        moment = await database_time(tx)
        rows = await tx.fetch(SQL.due_pickups, tx.tenant_id, moment, AT_ONCE)
    return await end_each(
        [row["order_id"] for row in rows],
        lambda order_id: expire_pickup(database, tenant_id, order_id, moment),
        "pickups",
    )


async def expire_pickup(
    database: Database, tenant_id: int, order_id: int, moment: datetime
) -> Counters:
    """Cancel what a store has ready of an order and keeps no longer than until a moment.

    Returns the counters to be published. Raises UnknownPickup, InterceptPending, and PickupChanged
    for what is kept longer too; then nothing has changed.
    """
    async with database.tenant_transaction(system_principal(tenant_id, "pickups")) as tx:
        return await _expire(tx, order_id, moment)


async def _expire(tx: TenantTransaction, order_id: int, moment: datetime) -> Counters:
    found = await lock_pickup(tx, order_id, PICKUP.step("expire"), None)
    if found.pickup.keep_until is None or found.pickup.keep_until > moment:
        raise PickupChanged(found.pickup)
    node_id = found.pickup.node_id
    gone = await give_up(
        tx,
        order_id,
        [key.fulfilment_no for key in found.in_states(FulfilmentStatus.PACKED)],
        node_id,
        lambda units: PickupExpired(order_id, node_id, units),
    )
    await end_codes(tx, order_id, CodeState.REVOKED)
    waits = await is_to_send(tx, order_id)
    status = PickupStatus.ASKED if waits else PickupStatus.EXPIRED
    await set_pickup(tx, found.pickup, status, ready_by=None)
    return gone.counters


async def remind_of_pickups(database: Database, tenant_id: int) -> int:
    """Tell once of each order that its store does not keep for much longer; returns how many.

    Locks the orders. Emits `pickup.reminded`.
    """
    principal = system_principal(tenant_id, "pickups")
    async with database.tenant_transaction(principal) as tx:
        terms = await pickup_terms(tx)
        if not terms.remind_hours:
            return 0
        rows = await tx.fetch(SQL.pickups_to_remind_of, tx.tenant_id, terms.remind_hours, AT_ONCE)
        told = 0
        for order_id in sorted(row["order_id"] for row in rows):
            told += await _remind(tx, order_id)
        return told


async def _remind(tx: TenantTransaction, order_id: int) -> int:
    try:
        found = await lock_pickup(tx, order_id, PICKUP.step("keep"), None)
    except YipanError:  # it was fetched, moved, or is asked to stop, meanwhile
        return 0
    pickup = found.pickup
    if pickup.keep_until is None or not await tx.execute(SQL.set_reminded, tx.tenant_id, order_id):
        return 0
    payload = PickupReminded(order_id, pickup.node_id, pickup.keep_until)
    await tell_order(tx, order_id, payload, pickup.node_id)
    return 1
