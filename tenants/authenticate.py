"""Logging in, and finding the principal behind a request."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from typing import Any, NamedTuple

from backend.clock import now
from backend.db.pool import Database, Record
from tenants.brands import SQL
from tenants.errors import BrandChoiceRequired, LoginFailed, NoAccess, TokenInvalid
from tenants.passwords import LENGTH_MAX, verify_password
from tenants.principal import Kind, Permission, Principal
from tenants.tokens import API_KEY_PREFIX, TokenIssuer, hash_api_key

MEMORY_SECONDS = 5.0
"""How long a process takes what it read of a key or a member as true; every commit looks again."""
REMEMBERED_MAX = 10_000


class Session(NamedTuple):
    """A token for one brand, and as whom it acts there."""

    token: str
    principal: Principal
    brand_code: str


class BrandRole(NamedTuple):
    """A brand that a user may act in, and as what."""

    code: str
    name: str
    kind: Kind


class Authenticator:
    """Turns credentials into principals."""

    def __init__(self, database: Database, tokens: TokenIssuer) -> None:
        self._database = database
        self._tokens = tokens
        self._known: dict[Hashable, tuple[float, Principal]] = {}
        self._reading: dict[Hashable, asyncio.Task[Principal | None]] = {}
        """What is being read: who asks for the same meanwhile waits for the same answer."""

    async def log_in(
        self, email: str, password: str, brand_code: str | None
    ) -> tuple[Session, str]:
        """Check a password and return a token for one brand, and the user's name.

        Raises LoginFailed, NoAccess, and BrandChoiceRequired where the user has several brands and
        `brand_code` names none of them.
        """
        async with self._database.platform_transaction(read_only=True) as tx:
            user = await tx.fetch_row(SQL.user_by_email, email if email.isprintable() else "")
            roles = await tx.fetch(SQL.roles_of_user, user["id"]) if user else []
        stored = user["password_hash"] if user else None
        # A longer one is nobody's; it is checked all the same, for the time that takes.
        is_right = await verify_password(password[:LENGTH_MAX], stored)
        if not is_right or len(password) > LENGTH_MAX or user is None:
            raise LoginFailed
        role = _choose(roles, brand_code)
        principal = _principal(role, f"user:{user['id']}")
        return self._session(role, principal), user["name"]

    async def brands_of(self, principal: Principal) -> list[BrandRole]:
        """Return the brands in which a user may act; none for an API key."""
        if principal.user_id is None:
            return []
        roles = await self._roles(principal.user_id)
        return [BrandRole(r["brand_code"], r["brand_name"], Kind(r["kind"])) for r in roles]

    async def switch(self, principal: Principal, brand_code: str) -> Session:
        """Return a token for another brand of the same user, without the password.

        One log-in serves all brands of a dealer or a group, brand by brand. Raises NoAccess for
        an API key, BrandChoiceRequired where the user has no such brand.
        """
        if principal.user_id is None:
            raise NoAccess
        role = _choose(await self._roles(principal.user_id), brand_code)
        return self._session(role, _principal(role, principal.subject))

    def _session(self, role: Record, principal: Principal) -> Session:
        return Session(self._tokens.issue(principal), principal, role["brand_code"])

    async def _roles(self, user_id: int) -> list[Record]:
        async with self._database.platform_transaction(read_only=True) as tx:
            return await tx.fetch(SQL.roles_of_user, user_id)

    async def principal_of(self, credential: str) -> Principal:
        """Return the principal of a bearer token or API key; raises TokenInvalid.

        A token says who one is; what one may do is read anew every few seconds, so that a member
        who left, or an agreement that ended, ends there too.
        """
        if credential.startswith(API_KEY_PREFIX):
            key_hash = hash_api_key(credential)
            return await self._remembered(key_hash, partial(self._principal_of_key, key_hash))
        claimed = self._tokens.read(credential)
        who = (claimed.subject, claimed.tenant_id, claimed.kind, claimed.dealer_id)
        return await self._remembered(
            (*who, claimed.node_ids), partial(self._principal_of_member, claimed)
        )

    async def _remembered(
        self, who: Hashable, read: Callable[[], Coroutine[Any, Any, Principal | None]]
    ) -> Principal:
        known = self._known.get(who)
        if known and known[0] > now():
            return known[1]
        reading = self._reading.get(who)
        if reading is None:
            reading = self._reading[who] = asyncio.ensure_future(read())
            reading.add_done_callback(lambda _: self._reading.pop(who, None))
        principal = await asyncio.shield(reading)
        if principal is None:
            self._known.pop(who, None)
            raise TokenInvalid
        if len(self._known) >= REMEMBERED_MAX:
            self._known.clear()
        self._known[who] = (now() + MEMORY_SECONDS, principal)
        return principal

    async def _principal_of_key(self, key_hash: bytes) -> Principal | None:
        async with self._database.platform_transaction(read_only=True) as tx:
            row = await tx.fetch_row(SQL.api_key_by_hash, key_hash)
        return None if row is None else _principal(row, f"key:{row['id']}")

    async def _principal_of_member(self, claimed: Principal) -> Principal | None:
        """Return what a member is now in the brand of its token; None where it is nothing."""
        if claimed.user_id is None:
            return None
        roles = await self._roles(claimed.user_id)
        now = [_principal(role, claimed.subject) for role in roles]
        same = [
            principal
            for principal in now
            if (principal.tenant_id, principal.kind, principal.dealer_id)
            == (claimed.tenant_id, claimed.kind, claimed.dealer_id)
        ]
        return next((p for p in same if p.node_ids == claimed.node_ids), next(iter(same), None))


def _choose(roles: list[Record], brand_code: str | None) -> Record:
    if not roles:
        raise NoAccess
    chosen = [role for role in roles if brand_code in (None, role["brand_code"])]
    brands = sorted({role["brand_code"] for role in roles})
    if not chosen or (brand_code is None and len(brands) > 1):
        raise BrandChoiceRequired(brands)
    return chosen[0]


def _principal(row: Record, subject: str) -> Principal:
    return Principal(
        tenant_id=row["brand_id"],
        kind=Kind(row["kind"]),
        subject=subject,
        group_id=row.get("group_id"),
        dealer_id=row["dealer_id"],
        node_ids=tuple(row["node_ids"]),
        permissions=frozenset(Permission(name) for name in row["permissions"]),
    )
