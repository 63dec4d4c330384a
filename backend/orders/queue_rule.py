"""In which order a brand's waiting orders get what comes (缺货排队)."""

from enum import StrEnum

from backend.db.commands import apply_once
from backend.db.pool import TenantTransaction
from backend.orders.claim import SQL
from tenants.principal import Permission


class QueueBy(StrEnum):
    """Who comes first."""

    AGE = "age"
    """The oldest order."""
    CUSTOMER_LEVEL = "customer_level"
    """The better customer (`customerLevel` of the order's traits), and of two the older order."""


async def set_queue_rule(tx: TenantTransaction, by: QueueBy, key: str) -> QueueBy:
    """Say in which order waiting orders get stock that comes free, and supplies, once.

    It holds from the next allocation on; what is reserved, or was received for an order, stays
    its. Raises PermissionMissing, WriteRefused, CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)

    async def work() -> QueueBy:
        await tx.execute(SQL.set_queue_rule, tx.tenant_id, by is QueueBy.CUSTOMER_LEVEL)
        return by

    return await apply_once(tx, key, ("queue_rule", by), QueueBy, work)


async def queue_rule(tx: TenantTransaction) -> QueueBy:
    """Return in which order waiting orders get what comes: by age where nobody said otherwise."""
    is_by_level = await tx.fetch_value(SQL.queue_rule, tx.tenant_id)
    return QueueBy.CUSTOMER_LEVEL if is_by_level else QueueBy.AGE
