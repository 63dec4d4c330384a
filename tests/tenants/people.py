"""What becomes of people on the platform: made, joined to a brand or a dealer, taken away."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from backend.db.pool import Database, Transaction
from tenants import organisation
from tenants.principal import Kind, Permission
from tests.world import ACTOR, ALL, PASSWORD

ResultT = TypeVar("ResultT")


def today(days: int = 0) -> date:
    """Return the day it is for the database, or one so many days later."""
    return datetime.now(UTC).date() + timedelta(days=days)


async def on_platform(
    database: Database, work: Callable[[Transaction], Awaitable[ResultT]]
) -> ResultT:
    """Carry out one piece of work in a transaction of its own."""
    async with database.platform_transaction() as tx:
        return await work(tx)


async def register(database: Database, email: str, password: str = PASSWORD) -> int:
    """Create a user who belongs to nobody yet."""
    return await on_platform(
        database, lambda tx: organisation.register_user(tx, ACTOR, email, email, password)
    )


async def join(
    database: Database,
    user_id: int,
    kind: Kind,
    permissions: Iterable[Permission] = ALL,
    **scope: Any,
) -> int:
    """Give a user a membership."""
    return await on_platform(
        database,
        lambda tx: organisation.grant_membership(tx, ACTOR, user_id, kind, permissions, **scope),
    )


async def disable(database: Database, user_id: int) -> None:
    assert await on_platform(database, lambda tx: organisation.disable_user(tx, ACTOR, user_id))


async def end_agreement(database: Database, brand_id: int, dealer_id: int) -> None:
    assert await on_platform(
        database, lambda tx: organisation.end_agreement(tx, ACTOR, brand_id, dealer_id)
    )


async def sign_agreement(
    database: Database, brand_id: int, dealer_id: int, starts_on: date, ends_on: date | None = None
) -> int:
    return await on_platform(
        database,
        lambda tx: organisation.sign_agreement(tx, ACTOR, brand_id, dealer_id, starts_on, ends_on),
    )


async def issue_key(database: Database, brand_id: int, **scope: Any) -> tuple[int, str]:
    """Create an API key with every permission; returns its id and the key."""
    return await on_platform(
        database, lambda tx: organisation.issue_api_key(tx, ACTOR, brand_id, "k", ALL, **scope)
    )


async def revoke_key(database: Database, brand_id: int, key_id: int) -> None:
    assert await on_platform(
        database, lambda tx: organisation.revoke_api_key(tx, ACTOR, brand_id, key_id)
    )
