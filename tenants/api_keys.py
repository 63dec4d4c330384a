"""API keys, issued and taken back by those who manage an organisation's members."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from backend.db.pool import Transaction
from tenants.brands import SQL
from tenants.errors import MemberScope, UnknownApiKey
from tenants.members import Role, check_role, require_manager
from tenants.organisation import dealers_of_brand, issue_api_key, revoke_api_key
from tenants.principal import Principal


class ApiKey(NamedTuple):
    """What is kept of a key; the key itself is shown once."""

    id: int
    name: str
    kind: str
    dealer_id: int | None
    node_ids: Sequence[int]
    permissions: Sequence[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


async def list_api_keys(
    tx: Transaction, principal: Principal, after: int, limit: int
) -> list[ApiKey]:
    """Return up to `limit` keys of the principal's organisation with ids above `after`."""
    require_manager(principal)
    rows = await tx.fetch(SQL.api_keys, principal.tenant_id, principal.dealer_id, after, limit)
    return [ApiKey(*row) for row in rows]


async def issue_key(
    tx: Transaction, principal: Principal, name: str, role: Role, expires_at: datetime | None
) -> tuple[int, str]:
    """Create a key that acts as `role` in the principal's brand; returns its id and the key.

    Raises PermissionMissing, MemberScope.
    """
    check_role(principal, role)
    if not name.strip():
        raise MemberScope("A key needs a name by which people know it.")
    dealers = {dealer.id for dealer in await dealers_of_brand(tx, principal.tenant_id)}
    if role.dealer_id is not None and role.dealer_id not in dealers:
        raise MemberScope("The brand has no agreement with this dealer.")
    return await issue_api_key(
        tx,
        principal.subject,
        principal.tenant_id,
        name.strip(),
        role.permissions,
        kind=role.kind,
        dealer_id=role.dealer_id,
        node_ids=role.node_ids,
        expires_at=expires_at,
    )


async def revoke_key(tx: Transaction, principal: Principal, key_id: int) -> None:
    """Take a key of the principal's organisation back; raises UnknownApiKey."""
    require_manager(principal)
    if principal.dealer_id is not None:
        before = key_id - 1
        own = await tx.fetch(SQL.api_keys, principal.tenant_id, principal.dealer_id, before, 1)
        if not own or own[0]["id"] != key_id:
            raise UnknownApiKey
    if not await revoke_api_key(tx, principal.subject, principal.tenant_id, key_id):
        raise UnknownApiKey
