"""The version of dealers' terms: an order understood at another one is understood again.

Whoever changes terms raises it first, and so waits for whoever else does: what they check of other
agreements and price lists stays so until they have committed.
"""

from backend.db.pool import TenantTransaction
from backend.db.sql import load_queries

SQL = load_queries(__file__)


async def raise_dealing_version(tx: TenantTransaction) -> None:
    """Say that this transaction changes dealers' terms; locks the version until it ends."""
    await tx.execute(SQL.next_dealing_version, tx.tenant_id)


async def dealing_version(tx: TenantTransaction) -> int:
    """Return how often dealers' terms have changed."""
    return await tx.fetch_value(SQL.dealing_version, tx.tenant_id) or 0
