"""Stopping what a node has begun with: its units are free again, and cancelled of the order."""

from collections import Counter
from collections.abc import Callable

import msgspec

from backend.db.pool import TenantTransaction
from backend.events.model import Payload
from backend.inventory.counters import Counters
from backend.orders.claim import SQL
from backend.orders.model import OrderStatus
from backend.orders.move_fulfilments import FulfilmentKey
from backend.orders.releasing import Releasing
from backend.orders.states import ORDER, check_step, derive_status
from backend.orders.step import StepEvent, lines_of_order, write_step


async def stop_fulfilment(
    tx: TenantTransaction, key: FulfilmentKey, node_id: int, tell: Callable[[int], Payload]
) -> tuple[OrderStatus, int, Counters]:
    """Release all units of a fulfilment that is at its node, and cancel them of its order.

    The order is locked; then locks earmarks and its counters in order. `tell` makes the event of
    the units that were stopped. Returns the order's status, these units, and the counters.
    """
    order = (await tx.fetch(SQL.lock_orders, tx.tenant_id, [key.order_id]))[0]
    reservations = await tx.fetch(SQL.active_reservations, tx.tenant_id, [key.order_id])
    releasing = Releasing(tx, key.order_id, reservations)
    units: Counter[int] = Counter()
    for row in reservations:
        if row["fulfilment_no"] == key.fulfilment_no:
            releasing.add(row, row["active"])
            units[row["line_no"]] += row["active"]
    await releasing.lock()
    counters, emptied = await releasing.carry_out(tx.principal.subject)
    before = await lines_of_order(tx, key.order_id)
    after = [
        msgspec.structs.replace(
            line,
            at_node=line.at_node - units[line.line_no],
            cancelled=line.cancelled + units[line.line_no],
        )
        for line in before
    ]
    holds = await tx.fetch(SQL.open_holds, tx.tenant_id, key.order_id)
    status = check_step(order["status"], derive_status(after, is_held=bool(holds)))
    if holds and status in ORDER.final:  # nothing is left to be held
        await tx.execute(SQL.end_holds, tx.tenant_id, [key.order_id], tx.principal.subject)
    events = [StepEvent(tell(units.total()), node_id), *emptied]
    await write_step(tx, order, (before, after), status, events)
    return status, units.total(), counters
