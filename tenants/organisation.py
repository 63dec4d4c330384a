"""Setting up groups, brands, dealers, agreements, users and API keys.

Each function is one audited door to the platform tables; the caller's authority is checked by
whoever offers it (the command line, or a mutation).
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from backend.db.errors import OutOfRange, YipanError
from backend.db.pool import Transaction
from tenants.brands import SQL
from tenants.passwords import LENGTH_MAX, LENGTH_MIN, hash_password
from tenants.principal import Kind, Permission
from tenants.tokens import hash_api_key, new_api_key


class WeakPassword(YipanError):
    """A password has 8 to 1000 characters."""

    code = "WEAK_PASSWORD"


class Dealer(NamedTuple):
    id: int
    code: str
    name: str


async def register_group(tx: Transaction, actor: str, code: str, name: str) -> int:
    """Create a group of brands; raises AlreadyExists."""
    return int(await tx.fetch_value(SQL.register_group, actor, code, name))


async def register_brand(
    tx: Transaction,
    actor: str,
    *,
    code: str,
    name: str,
    currency: str,
    time_zone: str,
    group_id: int | None = None,
) -> int:
    """Create a brand (a tenant).

    Raises AlreadyExists, UnknownReference for a group, OutOfRange for a currency or time zone that
    is none.
    """
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise OutOfRange(
            f"There is no time zone {time_zone!r}; take one as in Asia/Shanghai."
        ) from error
    return int(
        await tx.fetch_value(SQL.register_brand, actor, group_id, code, name, currency, time_zone)
    )


async def register_dealer(tx: Transaction, actor: str, code: str, name: str) -> int:
    """Create a dealer; raises AlreadyExists."""
    return int(await tx.fetch_value(SQL.register_dealer, actor, code, name))


async def sign_agreement(
    tx: Transaction,
    actor: str,
    brand_id: int,
    dealer_id: int,
    starts_on: date,
    ends_on: date | None = None,
) -> int:
    """Join a dealer to a brand; raises AlreadyExists, UnknownReference, OutOfRange."""
    return int(
        await tx.fetch_value(SQL.sign_agreement, actor, brand_id, dealer_id, starts_on, ends_on)
    )


async def end_agreement(tx: Transaction, actor: str, brand_id: int, dealer_id: int) -> bool:
    """End an agreement at once; returns whether there was one."""
    return bool(await tx.fetch_value(SQL.end_agreement, actor, brand_id, dealer_id))


async def register_user(tx: Transaction, actor: str, email: str, name: str, password: str) -> int:
    """Create a user; raises AlreadyExists, WeakPassword."""
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        raise WeakPassword
    hashed = await hash_password(password)
    return int(await tx.fetch_value(SQL.register_user, actor, email, name, hashed))


async def disable_user(tx: Transaction, actor: str, user_id: int) -> bool:
    """Take a user's access away; returns whether there was any."""
    return bool(await tx.fetch_value(SQL.disable_user, actor, user_id))


async def grant_membership(
    tx: Transaction,
    actor: str,
    user_id: int,
    kind: Kind,
    permissions: Iterable[Permission],
    *,
    group_id: int | None = None,
    brand_id: int | None = None,
    dealer_id: int | None = None,
    node_ids: Sequence[int] = (),
) -> int:
    """Say what a user is: of one group, one brand, one dealer, or some stores of a brand.

    Raises OutOfRange for anything else, UnknownReference.
    """
    return int(
        await tx.fetch_value(
            SQL.grant_membership,
            actor,
            user_id,
            kind.value,
            group_id,
            brand_id,
            dealer_id,
            list(node_ids),
            sorted(permissions),
        )
    )


async def issue_api_key(
    tx: Transaction,
    actor: str,
    brand_id: int,
    name: str,
    permissions: Iterable[Permission],
    *,
    kind: Kind = Kind.BRAND,
    dealer_id: int | None = None,
    node_ids: Sequence[int] = (),
    expires_at: datetime | None = None,
) -> tuple[int, str]:
    """Create an API key and return its id and the key itself, which is not stored.

    Raises OutOfRange for a scope that does not go with the kind, UnknownReference.
    """
    key = new_api_key()
    key_id = await tx.fetch_value(
        SQL.issue_api_key,
        actor,
        brand_id,
        kind.value,
        dealer_id,
        list(node_ids),
        sorted(permissions),
        name,
        hash_api_key(key),
        expires_at,
    )
    return int(key_id), key


async def revoke_api_key(tx: Transaction, actor: str, brand_id: int, key_id: int) -> bool:
    """Take an API key of a brand back; returns whether there was one."""
    return bool(await tx.fetch_value(SQL.revoke_api_key, actor, brand_id, key_id))


async def dealers_of_brand(tx: Transaction, brand_id: int) -> list[Dealer]:
    """Return the dealers that have, or had, an agreement with a brand."""
    return [Dealer(*row) for row in await tx.fetch(SQL.dealers_of_brand, brand_id)]
