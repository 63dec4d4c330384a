"""What an order waits for without a promise, and promising a supply to it by hand."""

from backend.db.pool import Record, TenantTransaction
from backend.orders.supplies.settle import SQL


async def awaited_lines(tx: TenantTransaction, order_id: int) -> list[Record]:
    """Return the lines of an order that wait for units of which no supply is promised to them."""
    return await tx.fetch(SQL.awaited_lines, tx.tenant_id, order_id)


async def promise_units(tx: TenantTransaction, order: Record, line: Record, supply_id: int) -> None:
    """Promise a new supply to the units that a line of a locked order waits for.

    Who queues before it for the same goods there has them first, at the next look.
    """
    given = ([supply_id], [order["id"]], [line["line_no"]], [order["dealer_id"]], [line["units"]])
    await tx.execute(SQL.insert_promises, tx.tenant_id, *given)
