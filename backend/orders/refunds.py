"""What is to be paid back of orders: units with the shares that were frozen when they were sold."""

from collections.abc import Mapping
from enum import StrEnum

from backend.db.pool import Record, TenantTransaction
from backend.orders.claim import SQL
from backend.orders.events import RefundDue

ALL_THAT_IS_LEFT = 2**60
"""More than an order costs: what is left of it is owed."""


class RefundCause(StrEnum):
    """Why something is paid back."""

    CANCELLED = "cancelled"
    """It was paid, and is not sent."""
    RETURNED = "returned"
    MISSING = "missing"
    """It was sent, and did not arrive."""
    GOODWILL = "goodwill"


async def mark_paid(
    tx: TenantTransaction, order_id: int, paid_minor: int, *, is_paid: bool = True
) -> None:
    """Let so much be paid of a locked order, and no more be paid back of it.

    Where it counts as paid, what is cancelled of it from now on is owed.
    """
    await tx.execute(SQL.set_paid, tx.tenant_id, order_id, is_paid, paid_minor)


async def price_of(tx: TenantTransaction, order_id: int) -> int:
    """Return what an order costs without what was cancelled of it."""
    return int(await tx.fetch_value(SQL.price_of_order, tx.tenant_id, order_id))


async def owe_refund(
    tx: TenantTransaction,
    order: Record,
    units: Mapping[int, int],
    cause: RefundCause,
    *,
    amount_minor: int = 0,
    return_id: int | None = None,
    reason: str = "",
) -> RefundDue | None:
    """Let units of a locked order, by line, and an amount beside them be paid back.

    Of a line the first k units that are ever paid back are worth k parts of what it cost, rounded
    down: all of them together, to the last minor unit, are worth that. All refunds of an order
    together never exceed its total; what is left of it is owed, and nothing where nothing is.
    Returns the event of it.
    """
    given = {line_no: quantity for line_no, quantity in units.items() if quantity}
    row = await tx.fetch_row(
        SQL.owe_refund,
        tx.tenant_id,
        order["id"],
        list(given),
        list(given.values()),
        amount_minor,
        cause.value,
        return_id,
        reason,
    )
    if row is None or not row["amount_minor"]:
        return None
    return RefundDue(order["id"], row["refund_no"], cause.value, row["amount_minor"])
