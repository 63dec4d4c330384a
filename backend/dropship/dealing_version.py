"""The version of dealers' terms: an order understood at another one is understood again.

Whoever changes terms raises it first, and so waits for whoever else does: what they check of other
agreements and price lists stays so until they have committed. Whoever opens a quota, or takes a
deposit, raises it too: a brand whose version is 0 deals with no dealer, and nobody looks after it.
"""

from backend.clock import now
from backend.db.pool import Database, TenantTransaction
from backend.db.sql import load_queries
from tenants.principal import system_principal

SQL = load_queries(__file__)

LOOK_AGAIN_SECONDS = 15.0
"""How long a brand that deals with nobody is believed to."""


async def raise_dealing_version(tx: TenantTransaction) -> None:
    """Say that this transaction changes dealers' terms; locks the version until it ends."""
    await tx.execute(SQL.next_dealing_version, tx.tenant_id)


async def dealing_version(tx: TenantTransaction) -> int:
    """Return how often dealers' terms have changed."""
    return await tx.fetch_value(SQL.dealing_version, tx.tenant_id) or 0


class Dealing:
    """Which brands deal with dealers: who looks after all of them asks here first.

    That one does is known for good; that one does not for a while.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._until: dict[int, float] = {}
        """Of brands that do not: until when that is believed."""
        self._known: set[int] = set()

    async def does(self, tenant_id: int) -> bool:
        """Whether a brand has, or had, anything to do with dealers."""
        if tenant_id not in self._known and now() >= self._until.get(tenant_id, 0.0):
            principal = system_principal(tenant_id, "dealing")
            async with self._database.tenant_transaction(principal, read_only=True) as tx:
                if await dealing_version(tx):
                    self._known.add(tenant_id)
            self._until[tenant_id] = now() + LOOK_AGAIN_SECONDS
        return tenant_id in self._known
