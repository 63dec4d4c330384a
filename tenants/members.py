"""Who works for an organisation: its members, added and taken back by those who manage them.

A brand manages its own people and its stores'; a dealer its own. Nobody hands out a permission that
it lacks, and no brand lets itself into a dealer that other brands work with: only the brand that
brought a dealer here registers the dealer's first user.
"""

from collections.abc import Sequence
from typing import NamedTuple

from backend.db.pool import Transaction
from tenants.brands import SQL
from tenants.errors import MemberScope, UnknownMember
from tenants.organisation import grant_membership, register_user
from tenants.principal import Kind, Permission, PermissionMissing, Principal


class Member(NamedTuple):
    """Somebody who may log in, and as what."""

    id: int
    user_id: int
    email: str
    name: str
    kind: str
    dealer_id: int | None
    node_ids: Sequence[int]
    permissions: Sequence[str]
    is_disabled: bool


class Role(NamedTuple):
    """What a member, or an API key, is to be."""

    kind: Kind
    permissions: frozenset[Permission]
    dealer_id: int | None = None
    node_ids: tuple[int, ...] = ()


class NewUser(NamedTuple):
    """A log-in to be made."""

    email: str
    name: str
    password: str


async def list_members(
    tx: Transaction, principal: Principal, after: int, limit: int
) -> list[Member]:
    """Return up to `limit` members of the principal's organisation with ids above `after`."""
    require_manager(principal)
    rows = await tx.fetch(SQL.members, principal.tenant_id, principal.dealer_id, after, limit)
    return [Member(*row) for row in rows]


async def add_member(tx: Transaction, principal: Principal, user: NewUser, role: Role) -> int:
    """Create a user with one role and return the membership's id.

    Raises PermissionMissing, MemberScope for a role that the principal may not give, AlreadyExists
    for an address in use, WeakPassword.
    """
    check_role(principal, role)
    if role.kind is Kind.DEALER and principal.kind is not Kind.DEALER:
        sponsor = await tx.fetch_value(SQL.sponsor_of_dealer, role.dealer_id)
        if sponsor != principal.tenant_id:
            raise MemberScope("This dealer manages its own members, or works for other brands too.")
    user_id = await register_user(tx, principal.subject, *user)
    return await grant_membership(
        tx,
        principal.subject,
        user_id,
        role.kind,
        role.permissions,
        brand_id=None if role.kind is Kind.DEALER else principal.tenant_id,
        dealer_id=role.dealer_id,
        node_ids=role.node_ids,
    )


async def revoke_membership(tx: Transaction, principal: Principal, membership_id: int) -> None:
    """Take a membership of the principal's organisation back; raises UnknownMember.

    What the member has open ends within seconds; an order on its way is refused in its commit.
    """
    require_manager(principal)
    if not await tx.fetch_value(
        SQL.revoke_membership,
        principal.subject,
        principal.tenant_id,
        principal.dealer_id,
        membership_id,
    ):
        raise UnknownMember


def require_manager(principal: Principal) -> None:
    """Raise PermissionMissing unless the principal manages a brand's or a dealer's members."""
    if principal.kind not in (Kind.BRAND, Kind.DEALER, Kind.SYSTEM):
        raise PermissionMissing(Permission.MEMBERS_WRITE)
    principal.require(Permission.MEMBERS_WRITE)


def check_role(principal: Principal, role: Role) -> None:
    """Raise unless the principal may give this role; whose the nodes are is the caller's to know.

    Raises PermissionMissing for a permission that the principal lacks itself, MemberScope.
    """
    require_manager(principal)
    for permission in sorted(role.permissions - principal.permissions):
        principal.require(permission)
    allowed = {Kind.DEALER, Kind.STORE}
    if principal.kind is not Kind.DEALER:
        allowed.add(Kind.BRAND)
    if role.kind not in allowed:
        raise MemberScope
    if principal.kind is Kind.DEALER and role.dealer_id != principal.dealer_id:
        raise MemberScope("A dealer gives roles in its own company only.")
    is_store, is_dealer = role.kind is Kind.STORE, role.kind is Kind.DEALER
    if is_store != bool(role.node_ids) or (is_dealer and role.dealer_id is None):
        raise MemberScope("A store's role names its locations, a dealer's role its dealer.")
    if role.kind is Kind.BRAND and role.dealer_id is not None:
        raise MemberScope("A brand's role names no dealer.")
