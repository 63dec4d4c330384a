"""Statements of quotas (额度对账单): what changed an account in a month; issued once it is over."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from backend.db.pool import Database, TenantTransaction
from backend.documents.issue import SQL, issue
from backend.documents.model import DocumentContent, DocumentDraft, DocumentKind, DocumentLine
from backend.dropship.quotas.accounts import page_of_accounts, sums_of_period
from backend.dropship.quotas.model import QuotaAccount
from tenants.brands import Brand
from tenants.principal import system_principal

ACCOUNTS_AT_ONCE = 100


async def issue_statements(database: Database, brand: Brand) -> int:
    """Issue the statements of last month, of all accounts that have none; returns how many."""
    principal = system_principal(brand.id, "documents")
    this_month = brand.today().replace(day=1)
    last_month = (this_month - timedelta(days=1)).replace(day=1)
    issued, after = 0, 0
    while True:
        async with database.tenant_transaction(principal) as tx:
            accounts = await page_of_accounts(tx, after, ACCOUNTS_AT_ONCE)
            if not accounts:
                return issued
            after = accounts[-1].id
            sources = {_source(one, last_month): one for one in accounts}
            rows = await tx.fetch(SQL.issued_sources, tx.tenant_id, list(sources))
            given = {row["source"] for row in rows}
            drafts = [
                await _statement(tx, one, last_month, this_month, brand)
                for source, one in sources.items()
                if source not in given
            ]
            issued += await issue(tx, brand, [draft for draft in drafts if draft is not None])


def _source(account: QuotaAccount, month: date) -> str:
    return f"statement:{account.id}:{month:%Y-%m}"


async def _statement(
    tx: TenantTransaction, account: QuotaAccount, begin: date, end: date, brand: Brand
) -> DocumentDraft | None:
    """Return the statement of a month; None where nothing had changed the account by its end."""
    period = _midnight(begin, brand), _midnight(end, brand)
    rows = await sums_of_period(tx, account.id, *period)
    if not rows:
        return None
    granted = sum(row["granted_before"] or 0 for row in rows)
    used = sum(row["used_before"] or 0 for row in rows)
    lines = [
        DocumentLine("granted before", amount_minor=granted),
        DocumentLine("used before", amount_minor=used),
    ]
    for row in rows:
        more, taken = row["granted_delta"] or 0, row["used_delta"] or 0
        granted, used = granted + more, used + taken
        if more or taken:
            lines.append(DocumentLine(row["type"], amount_minor=taken or more))
    lines += [
        DocumentLine("granted after", amount_minor=granted),
        DocumentLine("used after", amount_minor=used),
        DocumentLine("left after", amount_minor=granted - used),
    ]
    facts = (("account", account.code), ("month", f"{begin:%Y-%m}"))
    return DocumentDraft(
        kind=DocumentKind.STATEMENT,
        dealer_id=account.dealer_id,
        source=_source(account, begin),
        amount_minor=granted - used,
        content=DocumentContent(facts, tuple(lines)),
        legal_entity_id=account.legal_entity_id or 0,
        account_id=account.id,
    )


def _midnight(day: date, brand: Brand) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(brand.time_zone))
