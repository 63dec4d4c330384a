"""Logging in, and finding the principal behind a request."""

import time
from typing import NamedTuple

from backend.db.pool import Database, Record
from tenants.brands import SQL
from tenants.errors import BrandChoiceRequired, LoginFailed, NoAccess, TokenInvalid
from tenants.passwords import LENGTH_MAX, verify_password
from tenants.principal import Kind, Permission, Principal
from tenants.tokens import API_KEY_PREFIX, TokenIssuer, hash_api_key

API_KEY_MEMORY_SECONDS = 5.0
"""How long a process takes an API key as good; every commit looks again."""
API_KEYS_REMEMBERED_MAX = 10_000


class Session(NamedTuple):
    """What a log-in gives."""

    token: str
    principal: Principal
    name: str
    brand_code: str


class Authenticator:
    """Turns credentials into principals."""

    def __init__(self, database: Database, tokens: TokenIssuer) -> None:
        self._database = database
        self._tokens = tokens
        self._keys: dict[bytes, tuple[float, Principal]] = {}

    async def log_in(self, email: str, password: str, brand_code: str | None) -> Session:
        """Check a password and return a token for one brand.

        Raises LoginFailed, NoAccess, and BrandChoiceRequired where the user has several brands and
        `brand_code` names none of them.
        """
        async with self._database.platform_transaction(read_only=True) as tx:
            user = await tx.fetch_row(SQL.user_by_email, email if email.isprintable() else "")
            roles = await tx.fetch(SQL.roles_of_user, user["id"]) if user else []
        stored = user["password_hash"] if user else None
        if not await verify_password(password[:LENGTH_MAX], stored) or user is None:
            raise LoginFailed
        role = _choose(roles, brand_code)
        principal = _principal(role, f"user:{user['id']}")
        return Session(self._tokens.issue(principal), principal, user["name"], role["brand_code"])

    async def principal_of(self, credential: str) -> Principal:
        """Return the principal of a bearer token or API key; raises TokenInvalid."""
        if credential.startswith(API_KEY_PREFIX):
            return await self._principal_of_key(hash_api_key(credential))
        return self._tokens.read(credential)

    async def _principal_of_key(self, key_hash: bytes) -> Principal:
        known = self._keys.get(key_hash)
        if known and known[0] > time.monotonic():
            return known[1]
        async with self._database.platform_transaction(read_only=True) as tx:
            row = await tx.fetch_row(SQL.api_key_by_hash, key_hash)
        if row is None:
            self._keys.pop(key_hash, None)
            raise TokenInvalid
        principal = _principal(row, f"key:{row['id']}")
        if len(self._keys) >= API_KEYS_REMEMBERED_MAX:
            self._keys.clear()
        self._keys[key_hash] = (time.monotonic() + API_KEY_MEMORY_SECONDS, principal)
        return principal


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
