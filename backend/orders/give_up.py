"""Taking units from a node: they are free again there, and cancelled of the order, or wait anew."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from typing import NamedTuple

import msgspec

from backend.db.pool import Record, TenantTransaction
from backend.events.model import Payload
from backend.inventory.counters import Counters
from backend.orders.claim import SQL
from backend.orders.dealing.holds import and_for_quota
from backend.orders.model import HoldKind, LineOutcome, OrderStatus
from backend.orders.releasing import Releasing
from backend.orders.states import ORDER, check_step, derive_status
from backend.orders.step import StepEvent, lines_of_order, under_holds, write_step


class Into(StrEnum):
    """What becomes of units that a node gives up."""

    CANCELLED = "cancelled"
    BACKORDERED = "backordered"
    """They wait for stock, here or elsewhere."""
    HELD = "held"
    """They wait for a person."""


class GivenUp(NamedTuple):
    """What giving up came to; counters are to be published after the commit."""

    status: OrderStatus
    units: int
    counters: Counters


async def give_up(
    tx: TenantTransaction,
    order_id: int,
    fulfilments: Collection[int],
    node_id: int | None,
    tell: Callable[[int], Payload],
    *,
    into: Into = Into.CANCELLED,
    units: Mapping[int, int] | None = None,
) -> GivenUp:
    """Release what fulfilments of an order have in their nodes: all of it, or so much by line.

    The order is locked; then locks its holds, earmarks and its counters in order. `tell` makes the
    event of so many units, seen at `node_id`. Emits that and `fulfilment.cancelled`.
    """
    order = (await tx.fetch(SQL.lock_orders, tx.tenant_id, [order_id]))[0]
    holds = await tx.fetch(SQL.open_holds, tx.tenant_id, order_id)
    reservations = await tx.fetch(SQL.active_reservations, tx.tenant_id, [order_id])
    releasing = Releasing(tx, order_id, reservations)
    reserved, at_node = _release(reservations, fulfilments, units, releasing)
    await releasing.lock()
    counters, emptied = await releasing.carry_out(tx.principal.subject)
    before = await lines_of_order(tx, order_id)
    kinds = [HoldKind(hold["kind"]) for hold in holds]
    moved = [_moved(line, reserved, at_node, into) for line in before]
    kinds = await and_for_quota(tx, order, moved, kinds)
    after = under_holds(moved, kinds)
    status = check_step(order["status"], derive_status(after, is_held=bool(kinds)))
    if kinds and status in ORDER.final:  # nothing is left to be held
        await tx.execute(SQL.end_holds, tx.tenant_id, [order_id], tx.principal.subject)
    total = reserved.total() + at_node.total()
    events = [StepEvent(tell(total), node_id), *emptied]
    quotas = await write_step(tx, order, (before, after), status, events)
    return GivenUp(status, total, counters.and_also(quotas))


def _release(
    reservations: Collection[Record],
    fulfilments: Collection[int],
    units: Mapping[int, int] | None,
    releasing: Releasing,
) -> tuple[Counter[int], Counter[int]]:
    """Release units; returns those that no node had begun with, and the others, by line."""
    reserved, at_node = Counter[int](), Counter[int]()
    left = Counter(units or {})
    for row in reservations:
        if row["fulfilment_no"] not in fulfilments:
            continue
        part = row["active"] if units is None else min(row["active"], left[row["line_no"]])
        if part:
            releasing.add(row, part)
            left[row["line_no"]] -= part
            (at_node if row["is_at_node"] else reserved)[row["line_no"]] += part
    return reserved, at_node


def _moved(
    line: LineOutcome, reserved: Mapping[int, int], at_node: Mapping[int, int], into: Into
) -> LineOutcome:
    begun, waiting = at_node.get(line.line_no, 0), reserved.get(line.line_no, 0)
    given_up = begun + waiting
    return msgspec.structs.replace(
        line,
        reserved=line.reserved - waiting,
        at_node=line.at_node - begun,
        cancelled=line.cancelled + (given_up if into is Into.CANCELLED else 0),
        backordered=line.backordered + (given_up if into is Into.BACKORDERED else 0),
        held=line.held + (given_up if into is Into.HELD else 0),
    )
