"""One step of one order that exists: its lines, status, counters and events, written together."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

import msgspec

from backend.db.errors import WriteRefused
from backend.db.pool import Database, Record, TenantTransaction
from backend.dropship.quotas.model import QuotaAt
from backend.events.model import NewEvent, Payload
from backend.events.outbox import append_events
from backend.inventory.counters import Counters
from backend.orders.claim import SQL
from backend.orders.dealing.give_back import give_back_quota
from backend.orders.errors import UnknownOrder
from backend.orders.events import RefundDue
from backend.orders.model import HoldKind, LineOutcome, OrderStatus
from backend.orders.refunds import ALL_THAT_IS_LEFT, RefundCause, owe_refund
from backend.orders.states import ORDER
from tenants.principal import Permission, Principal, system_principal


class StepEvent(NamedTuple):
    """An event of a step; what belongs to a node is seen there too."""

    payload: Payload
    node_id: int | None = None


@asynccontextmanager
async def changing_order(
    database: Database, principal: Principal, order_id: int, permission: Permission
) -> AsyncIterator[TenantTransaction]:
    """Open the door to change an order that the principal may see: as the system, in its name.

    Raises PermissionMissing, WriteRefused for who may only read, UnknownOrder.
    """
    principal.require(permission)
    if principal.is_read_only:
        raise WriteRefused
    async with database.tenant_transaction(principal, read_only=True) as tx:
        if await tx.fetch_value(SQL.order_visible, tx.tenant_id, order_id) is None:
            raise UnknownOrder
    system = system_principal(principal.tenant_id, principal.subject)
    async with database.tenant_transaction(system) as tx:
        yield tx


async def lines_of_order(tx: TenantTransaction, order_id: int) -> list[LineOutcome]:
    """Return how the units of an order's lines stand."""
    rows = await tx.fetch(SQL.lines_of_orders, tx.tenant_id, [order_id])
    return [line_outcome(row) for row in rows]


async def is_to_send(tx: TenantTransaction, order_id: int) -> bool:
    """Whether units of an order wait, or are at a node, to be sent or handed over."""
    lines = await lines_of_order(tx, order_id)
    return any(line.reserved + line.backordered + line.held + line.at_node for line in lines)


def line_outcome(row: Record) -> LineOutcome:
    return LineOutcome(
        row["line_no"],
        row["reserved"],
        row["backordered"],
        row["held"],
        row["cancelled"],
        row["at_node"],
        row["shipped"],
        row["delivered"],
    )


def under_holds(lines: Sequence[LineOutcome], holds: Iterable[HoldKind]) -> list[LineOutcome]:
    """Return the lines as these holds leave them: where none blocks stock, what was held waits."""
    if any(kind.blocks_stock for kind in holds):
        return list(lines)
    return [
        msgspec.structs.replace(line, backordered=line.backordered + line.held, held=0)
        for line in lines
    ]


async def write_step(
    tx: TenantTransaction,
    order: Record,
    lines: tuple[Sequence[LineOutcome], Sequence[LineOutcome]],
    status: OrderStatus,
    events: Sequence[StepEvent],
) -> Counters:
    """Move the units of a locked order from how its lines stood to how they stand, and tell it.

    What is cancelled of an order that was paid is owed to who paid (`refund.due`). What a dealer's
    order takes less quota for is given back: locks its accounts, and so comes after other counters.
    Returns these.
    """
    moves = [
        (
            now.line_no,
            now.reserved - before.reserved,
            now.backordered - before.backordered,
            now.held - before.held,
            now.cancelled - before.cancelled,
            now.at_node - before.at_node,
        )
        for before, now in zip(*lines, strict=True)
        if before != now
    ]
    if moves:
        columns = (list(column) for column in zip(*moves, strict=True))
        await tx.execute(SQL.move_line_units, tx.tenant_id, [order["id"]] * len(moves), *columns)
    if order["is_paid"] and (refund := await _owe_cancelled(tx, order, lines, status)):
        events = [*events, StepEvent(refund)]
    quotas: Sequence[QuotaAt] = []
    if moves and order["dealer_id"] is not None:
        quotas = await give_back_quota(tx, order["id"], *lines)
    sequence = order["event_sequence"]
    if status in ORDER.final and order["pickup_node_id"] is not None:
        await tx.execute(SQL.cancel_pickup, tx.tenant_id, order["id"])
    await tx.execute(
        SQL.update_orders,
        tx.tenant_id,
        [order["id"]],
        [status.value],
        [sequence + len(events)],
        [order["fulfilment_count"]],
        [order["reservation_count"]],
        [order["decision_count"]],
    )
    await append_events(
        tx,
        [
            NewEvent(
                event.payload,
                order["id"],
                sequence + number,
                order["dealer_id"],
                event.node_id,
            )
            for number, event in enumerate(events, 1)
        ],
    )
    return Counters(quotas=quotas)


async def _owe_cancelled(
    tx: TenantTransaction,
    order: Record,
    lines: tuple[Sequence[LineOutcome], Sequence[LineOutcome]],
    status: OrderStatus,
) -> RefundDue | None:
    """Owe what is cancelled; with the last unit also freight and fees: nothing is sent."""
    cancelled = {
        now.line_no: now.cancelled - before.cancelled
        for before, now in zip(*lines, strict=True)
        if now.cancelled > before.cancelled
    }
    if not cancelled:
        return None
    rest = ALL_THAT_IS_LEFT if status is OrderStatus.CANCELLED else 0
    return await owe_refund(tx, order, cancelled, RefundCause.CANCELLED, amount_minor=rest)


async def tell_order(
    tx: TenantTransaction, order_id: int, payload: Payload, node_id: int | None = None
) -> OrderStatus:
    """Append an event of an order in which nothing else changes; returns its status."""
    order = (await tx.fetch(SQL.lock_orders, tx.tenant_id, [order_id]))[0]
    status = OrderStatus(order["status"])
    await write_step(tx, order, ((), ()), status, [StepEvent(payload, node_id)])
    return status
