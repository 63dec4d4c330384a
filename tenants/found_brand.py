"""The beginning of a tenant: the brand, its group, and the first user, who makes all others."""

from typing import NamedTuple

from backend.db.pool import Transaction
from tenants.brands import SQL
from tenants.members import NewUser
from tenants.organisation import grant_membership, register_brand, register_group, register_user
from tenants.principal import Kind, Permission


class BrandDraft(NamedTuple):
    """A brand to be created; its group too, where there is none with that code."""

    code: str
    name: str
    currency: str
    time_zone: str
    group_code: str | None = None


async def create_brand(tx: Transaction, actor: str, draft: BrandDraft, admin: NewUser) -> int:
    """Create a brand with a first user who holds every permission; returns its id.

    Raises AlreadyExists, OutOfRange, WeakPassword; nothing is left then.
    """
    group_id = None
    if draft.group_code is not None:
        group_id = await tx.fetch_value(SQL.group_by_code, draft.group_code)
        if group_id is None:
            group_id = await register_group(tx, actor, draft.group_code, draft.group_code)
    brand_id = await register_brand(
        tx,
        actor,
        code=draft.code,
        name=draft.name,
        currency=draft.currency,
        time_zone=draft.time_zone,
        group_id=group_id,
    )
    user_id = await register_user(tx, actor, *admin)
    await grant_membership(tx, actor, user_id, Kind.BRAND, Permission, brand_id=brand_id)
    return brand_id
