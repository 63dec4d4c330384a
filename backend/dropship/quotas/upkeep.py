"""What time does to quotas: increases end, what is due is counted, and who runs low is told."""

from collections.abc import Sequence
from datetime import date

from backend.db.pool import Database, TenantTransaction
from backend.dropship.events import QuotaLow, QuotaOverdue
from backend.dropship.quotas.accounts import end_increases, lock_account, tell_dealer
from backend.dropship.quotas.counters import SQL, read_quotas
from backend.dropship.quotas.model import QuotaAt
from tenants.principal import system_principal

AT_ONCE = 200


async def mind_quotas(database: Database, tenant_id: int, today: date) -> list[QuotaAt]:
    """End increases whose time is over, count what fell due before `today`, warn who runs low.

    A credit account of which something is overdue is blocked until it is paid, or given back. Each
    account in a transaction of its own. Returns the accounts that changed, as counters. Emits
    `quota.low` and `quota.overdue`.
    """
    principal = system_principal(tenant_id, "quotas")
    async with database.tenant_transaction(principal) as tx:
        changed = [account.at for account in await end_increases(tx, AT_ONCE)]
    async with database.tenant_transaction(principal, read_only=True) as tx:
        late = await tx.fetch(SQL.late_accounts, tenant_id, today)
        to_warn = await tx.fetch(SQL.accounts_to_warn, tenant_id, AT_ONCE)
    for row in late:
        async with database.tenant_transaction(principal) as tx:
            changed += await _count_due(tx, row["code"], today)
    for row in to_warn:
        async with database.tenant_transaction(principal) as tx:
            told = (row["id"], row["warned_bp"], row["now_bp"])
            if await tx.fetch_value(SQL.set_warned, tenant_id, *told) is not None:
                figures = (row["granted_minor"], row["left_minor"], row["now_bp"])
                await tell_dealer(tx, row["dealer_id"], QuotaLow(row["code"], *figures))
    return changed


async def _count_due(tx: TenantTransaction, code: str, today: date) -> Sequence[QuotaAt]:
    account = await lock_account(tx, code)
    row = await tx.fetch_row(SQL.count_due, tx.tenant_id, account.id, today)
    assert row is not None, "it is locked"
    if row["is_blocked"] != account.is_blocked:
        payload = QuotaOverdue(code, row["overdue_minor"], row["is_blocked"])
        await tell_dealer(tx, account.dealer_id, payload)
    return await read_quotas(tx, [account.id])
