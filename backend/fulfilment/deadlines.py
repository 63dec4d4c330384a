"""How long a step may last (时效): warned of before it is late, told once when it is."""

from collections.abc import Sequence

import msgspec

from backend.db.commands import apply_once
from backend.db.pool import Database, Record, TenantTransaction
from backend.events.model import Payload
from backend.fulfilment.errors import InvalidFulfilmentInput
from backend.fulfilment.events import FulfilmentLate, FulfilmentWarned
from backend.fulfilment.waves import BEFORE_ITS_DAY, SQL
from backend.network.model import NodeKind
from backend.orders.find_work import note_told, overdue_fulfilments
from backend.orders.model import FulfilmentStatus
from backend.orders.move_fulfilments import FulfilmentKey, lock_orders_of, tell_of_fulfilments
from tenants.brands import Brand
from tenants.principal import Permission, system_principal

OPEN = tuple(
    status
    for status in FulfilmentStatus
    if status not in (FulfilmentStatus.DELIVERED, FulfilmentStatus.CANCELLED)
)
"""Where something is still to be done."""
MINUTES_MAX = 60 * 24 * 365
TOLD_AT_ONCE = 500


class Deadline(msgspec.Struct, frozen=True):
    """How long a fulfilment may stand somewhere: at nodes of a kind, or at all others."""

    status: FulfilmentStatus
    warn_minutes: int
    late_minutes: int
    node_kind: NodeKind | None = None


async def set_deadlines(
    tx: TenantTransaction, deadlines: Sequence[Deadline], key: str
) -> list[Deadline]:
    """Replace all deadlines of the brand, once, and return them.

    Raises PermissionMissing, InvalidFulfilmentInput, CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)
    _check(deadlines)

    async def work() -> list[Deadline]:
        await tx.execute(SQL.lock_deadlines, tx.tenant_id)
        await tx.execute(SQL.delete_deadlines, tx.tenant_id)
        await tx.execute(
            SQL.insert_deadlines,
            tx.tenant_id,
            [one.status.value for one in deadlines],
            [one.node_kind.value if one.node_kind else "" for one in deadlines],
            [one.warn_minutes for one in deadlines],
            [one.late_minutes for one in deadlines],
        )
        return await list_deadlines(tx)

    return await apply_once(tx, key, ("deadlines", deadlines), list[Deadline], work)


async def list_deadlines(tx: TenantTransaction) -> list[Deadline]:
    """Return the deadlines of the brand."""
    return [
        Deadline(
            FulfilmentStatus(row["status"]),
            row["warn_minutes"],
            row["late_minutes"],
            NodeKind(row["node_kind"]) if row["node_kind"] else None,
        )
        for row in await tx.fetch(SQL.deadlines, tx.tenant_id)
    ]


async def tell_overdue(database: Database, brand: Brand) -> int:
    """Tell of each fulfilment once that it soon lasts too long, and once that it does.

    Returns how many were told of. Several processes may do so at once. Locks the orders. Emits
    `fulfilment.warned` and `fulfilment.late`.
    """
    principal = system_principal(brand.id, "deadlines")
    until_day = (brand.local_time() + BEFORE_ITS_DAY).date()
    async with database.tenant_transaction(principal) as tx:
        statuses = sorted({row["status"] for row in await tx.fetch(SQL.deadlines, tx.tenant_id)})
        if not statuses:
            return 0
        found = await overdue_fulfilments(tx, statuses, until_day, TOLD_AT_ONCE)
        if not found:
            return 0
        keys = [FulfilmentKey(row["order_id"], row["fulfilment_no"]) for row in found]
        orders = {row["id"]: row for row in await lock_orders_of(tx, keys)}
        # Read again under the locks: some have moved on, or were told of, meanwhile.
        rows = await overdue_fulfilments(tx, statuses, until_day, TOLD_AT_ONCE, list(orders))
        if rows:
            await note_told(tx, rows)
            await tell_of_fulfilments(tx, orders, rows, _told)
        return len(rows)


def _told(row: Record) -> Payload:
    kind = FulfilmentLate if row["is_late"] else FulfilmentWarned
    return kind(row["order_id"], row["fulfilment_no"], row["node_id"], row["status"])


def _check(deadlines: Sequence[Deadline]) -> None:
    if len({(one.status, one.node_kind) for one in deadlines}) < len(deadlines):
        raise InvalidFulfilmentInput("A deadline stands there twice.", path=("deadlines",))
    for index, one in enumerate(deadlines):
        path = ("deadlines", index)
        if one.status not in OPEN:
            raise InvalidFulfilmentInput(
                "What has arrived or is cancelled has no deadline.", path=(*path, "status")
            )
        if not 0 < one.warn_minutes <= one.late_minutes <= MINUTES_MAX:
            raise InvalidFulfilmentInput(
                f"Warn after 1 minute or more, and not after it is late; {MINUTES_MAX} at most.",
                path=(*path, "warnMinutes"),
            )
