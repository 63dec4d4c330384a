"""The version of a tenant's terms: who has read them at one need not read them again.

Whoever changes terms raises it first, and so waits for whoever else does.
"""

from backend.db.pool import TenantTransaction
from backend.db.sql import load_queries

SQL = load_queries(__file__)


async def raise_terms_version(tx: TenantTransaction) -> None:
    """Say that this transaction changes terms; locks the tenant's version until it ends."""
    await tx.execute(SQL.next_terms_version, tx.tenant_id)


async def terms_version(tx: TenantTransaction) -> int:
    """Return how often terms have changed: one look at one row."""
    return await tx.fetch_value(SQL.terms_version, tx.tenant_id) or 0
