"""For how long stores keep what is ready, as a brand says."""

from backend.db.commands import apply_once
from backend.db.pool import TenantTransaction
from backend.pickups.errors import InvalidPickupInput
from backend.pickups.model import KEEP_HOURS_MAX, PickupTerms
from backend.pickups.standing import SQL
from tenants.principal import Permission


async def pickup_terms(tx: TenantTransaction) -> PickupTerms:
    """Return the terms of a brand, the usual ones where it has none of its own."""
    row = await tx.fetch_row(SQL.terms, tx.tenant_id)
    return PickupTerms() if row is None else PickupTerms(row["keep_hours"], row["remind_hours"])


async def set_pickup_terms(tx: TenantTransaction, terms: PickupTerms, key: str) -> PickupTerms:
    """Say for how long stores keep what becomes ready from now on, once.

    Raises PermissionMissing, InvalidPickupInput, CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)
    if not 1 <= terms.keep_hours <= KEEP_HOURS_MAX:
        raise InvalidPickupInput(
            f"Stores keep it 1 to {KEEP_HOURS_MAX} hours.", path=("keepHours",)
        )
    if not 0 <= terms.remind_hours < terms.keep_hours:
        raise InvalidPickupInput(
            "Customers are reminded while it is kept; 0: they are not.", path=("remindHours",)
        )

    async def work() -> PickupTerms:
        await tx.execute(SQL.set_terms, tx.tenant_id, terms.keep_hours, terms.remind_hours)
        return terms

    return await apply_once(tx, key, ("pickup_terms", terms), PickupTerms, work)
