"""How the handing over of an order stands: read and set under the lock of the order."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import msgspec

from backend.db.pool import Record, TenantTransaction
from backend.db.sql import load_queries
from backend.machines import Step
from backend.orders.errors import InterceptPending
from backend.orders.find_work import live_fulfilments, open_intercepts
from backend.orders.move_fulfilments import FulfilmentKey, lock_orders_of
from backend.orders.states import NOT_GONE
from backend.pickups.errors import PickupChanged, UnknownPickup
from backend.pickups.model import Pickup, PickupStatus
from backend.pickups.states import PICKUP

SQL = load_queries(__file__)


class Standing(NamedTuple):
    """An order that is fetched, under its lock."""

    pickup: Pickup
    order: Record
    fulfilments: tuple[Record, ...]
    """What its store has, and has not handed over."""

    @property
    def keys(self) -> list[FulfilmentKey]:
        return self.in_states()

    @property
    def numbers(self) -> list[int]:
        return [row["fulfilment_no"] for row in self.fulfilments]

    def in_states(self, *states: str) -> list[FulfilmentKey]:
        """Return what its store has in some states, or all of it."""
        return [
            FulfilmentKey(row["order_id"], row["fulfilment_no"])
            for row in self.fulfilments
            if not states or row["status"] in states
        ]


async def lock_pickup(
    tx: TenantTransaction, order_id: int, step: Step, seen: int | None
) -> Standing:
    """Lock an order that its store may let take a step, as it was seen: by its version, if given.

    Raises UnknownPickup where the principal may not work at its store, PickupChanged, and
    InterceptPending where somebody asked to stop it.
    """
    orders = await lock_orders_of(tx, [FulfilmentKey(order_id, 0)])
    row = await tx.fetch_row(SQL.lock_pickup, tx.tenant_id, order_id)
    if row is None or not orders or not tx.principal.may_work_at(row["node_id"], None):
        raise UnknownPickup
    pickup = pickup_of(row)
    if pickup.status not in step.sources or seen not in (None, pickup.version):
        raise PickupChanged(pickup)
    found = Standing(pickup, orders[0], tuple(await own_fulfilments(tx, order_id)))
    if await open_intercepts(tx, found.keys):
        raise InterceptPending
    return found


async def own_fulfilments(tx: TenantTransaction, order_id: int) -> list[Record]:
    """Return what nodes have of an order and have not sent or handed over."""
    live = await live_fulfilments(tx, order_id)
    return [row for row in live if row["status"] in NOT_GONE]


async def set_pickup(
    tx: TenantTransaction, before: Pickup, status: PickupStatus, **changes: datetime | str | None
) -> Pickup:
    """Let the handing over of a locked order stand elsewhere; what is not given stays."""
    assert PICKUP.allows(before.status, status), f"no step from {before.status} to {status}"
    after = msgspec.structs.replace(before, **changes)
    row = await tx.fetch_row(
        SQL.set_pickup,
        tx.tenant_id,
        before.order_id,
        status.value,
        after.reason,
        after.ready_by,
        after.ready_at,
        after.keep_until,
        False,
    )
    assert row is not None, "it is locked"
    return pickup_of(row)


def pickup_of(row: Record) -> Pickup:
    return Pickup(
        row["order_id"],
        row["node_id"],
        PickupStatus(row["status"]),
        row["version"],
        row["ready_by"],
        row["ready_at"],
        row["keep_until"],
        row["reason"],
        row["changed_at"],
    )


async def pickups_of_orders(tx: TenantTransaction, ids: Iterable[int]) -> dict[int, Pickup]:
    """Return how the handing over of orders stands, of those that are fetched."""
    rows = await tx.fetch(SQL.pickups_of_orders, tx.tenant_id, list(ids))
    return {row["order_id"]: pickup_of(row) for row in rows}


async def page_of_pickups(
    tx: TenantTransaction,
    node_id: int | None,
    statuses: Iterable[PickupStatus],
    after: int,
    limit: int,
) -> list[Pickup]:
    """Return what is handed over at a node, or at all that may be seen, by order, after an id."""
    given = (node_id, [status.value for status in statuses], after, limit)
    return [pickup_of(row) for row in await tx.fetch(SQL.page_of_pickups, tx.tenant_id, *given)]
