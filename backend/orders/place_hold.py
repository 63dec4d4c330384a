"""Letting an order that is locked wait for a person, and for one no more."""

from datetime import datetime

from backend.db.pool import Record, TenantTransaction
from backend.orders.claim import SQL
from backend.orders.model import HoldKind


async def add_hold(
    tx: TenantTransaction,
    order: Record,
    kind: HoldKind,
    reason: str,
    *,
    placed_by: str | None = None,
    expires_at: datetime | None = None,
    line_no: int | None = None,
) -> int:
    """Add a hold to a locked order and return its number; its status is the caller's to derive."""
    hold = (kind.value, reason, placed_by, expires_at, line_no)
    number: int = await tx.fetch_value(
        SQL.add_hold, tx.tenant_id, order["id"], order["dealer_id"], *hold
    )
    return number


async def has_hold_of_kind(tx: TenantTransaction, order_id: int, kind: HoldKind) -> bool:
    """Whether a locked order is held for a kind."""
    rows = await tx.fetch(SQL.open_holds, tx.tenant_id, order_id)
    return any(row["kind"] == kind for row in rows)


async def end_holds_of_kind(tx: TenantTransaction, order_id: int, kind: HoldKind) -> None:
    """End the open holds of a kind of a locked order; its status is the caller's to derive."""
    rows = await tx.fetch(SQL.open_holds, tx.tenant_id, order_id)
    if numbers := [row["hold_no"] for row in rows if row["kind"] == kind]:
        await tx.execute(SQL.release_hold, tx.tenant_id, order_id, numbers, tx.principal.subject)
