"""Quotas as counters: read, locked and taken from inside the caller's transaction.

Locked after all other counters, by id: many orders share few of them, and so hold them shortly.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from backend.db.pool import TenantTransaction
from backend.db.sql import load_queries
from backend.dropship.quotas.model import QuotaAt, QuotaMove

SQL = load_queries(__file__)


class QuotaMoved(AssertionError):
    """A quota has less than was read of it although it was locked."""


async def changed_quotas(tx: TenantTransaction, since: datetime) -> list[tuple[QuotaAt, datetime]]:
    """Return what is left of the accounts that changed since a time, and when they did."""
    rows = await tx.fetch(SQL.changed_quotas, tx.tenant_id, since)
    return [(QuotaAt(*row[:3]), row["changed_at"]) for row in rows]


async def free_of_all_quotas(tx: TenantTransaction) -> list[QuotaAt]:
    """Return what is left of every account."""
    return [QuotaAt(*row) for row in await tx.fetch(SQL.free_of_all_quotas, tx.tenant_id)]


async def read_quotas(tx: TenantTransaction, ids: Iterable[int]) -> list[QuotaAt]:
    """Return what is left of accounts, without a lock; unknown ones are left out."""
    wanted = sorted(set(ids))
    if not wanted:
        return []
    return [QuotaAt(*row) for row in await tx.fetch(SQL.free_of_quotas, tx.tenant_id, wanted)]


async def lock_quotas(tx: TenantTransaction, ids: Iterable[int]) -> dict[int, QuotaAt]:
    """Lock accounts in the one order and return what is left of them."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    rows = await tx.fetch(SQL.lock_quotas, tx.tenant_id, wanted)
    return {row["id"]: QuotaAt(*row) for row in rows}


async def try_quotas(
    tx: TenantTransaction, moves: Sequence[QuotaMove], day: date
) -> Mapping[int, QuotaAt] | None:
    """Lock accounts in the one order, and let orders take of them, or give back to them.

    What they take is due the account's days after `day`. Returns what is left after it; None where
    one has less than is taken: the caller rolls back.
    """
    if not moves:
        return {}
    accounts, orders, amounts, types = zip(*moves, strict=True)
    rows = await tx.fetch(
        SQL.move_quotas,
        tx.tenant_id,
        accounts,
        orders,
        amounts,
        [one.value for one in types],
        day,
        tx.principal.actor,
    )
    is_whole = len(rows) == len(set(accounts))
    return {row["id"]: QuotaAt(*row) for row in rows} if is_whole else None


async def move_quotas(
    tx: TenantTransaction, moves: Sequence[QuotaMove], day: date
) -> Mapping[int, QuotaAt]:
    """Do as `try_quotas`, of accounts that are known to have enough; raises QuotaMoved."""
    moved = await try_quotas(tx, moves, day)
    if moved is None:
        raise QuotaMoved
    return moved
