"""Orders that routing lets wait: in a queue that somebody works through, or until a day."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from backend.db.pool import Record, TenantTransaction
from backend.orders.claim import SQL


class RoutingWait(NamedTuple):
    """How an order waits; exactly one of `queue` and `cancel_on` is there."""

    order_id: int
    strategy: str
    """The name of the strategy that was for it."""
    queue: str | None
    cancel_on: date | None
    """What still waits on this day is cancelled."""
    waits_from: datetime


async def page_of_routing_waits(
    tx: TenantTransaction, *, queue: str | None, below: int, limit: int
) -> list[RoutingWait]:
    """Return up to `limit` waits of orders of which units still wait, the newest order first.

    Below an order's id; of all queues and days, or of one queue; those that the principal may see.
    """
    rows = await tx.fetch(SQL.page_of_routing_waits, tx.tenant_id, below, queue, limit)
    return [_wait(row) for row in rows]


async def routing_waits_of_orders(tx: TenantTransaction, ids: Sequence[int]) -> list[RoutingWait]:
    """Return those of the orders' waits that the principal may see."""
    return [_wait(row) for row in await tx.fetch(SQL.routing_waits_of_orders, tx.tenant_id, ids)]


def _wait(row: Record) -> RoutingWait:
    return RoutingWait(
        row["order_id"], row["strategy"], row["queue"], row["cancel_on"], row["waits_from"]
    )
