"""Quota accounts: opened, limited, topped up, paid, increased for a while; each once."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from backend.db.commands import apply_once
from backend.db.errors import OutOfRange
from backend.db.pool import Record, TenantTransaction
from backend.dropship.dealing_version import raise_dealing_version
from backend.dropship.events import QuotaChanged, QuotaOverdue
from backend.dropship.quotas.counters import SQL
from backend.dropship.quotas.errors import (
    AlreadyRecorded,
    InvalidQuota,
    QuotaTooSmall,
    UnknownQuotaAccount,
)
from backend.dropship.quotas.model import (
    AMOUNT_MINOR_MAX,
    AccountDraft,
    QuotaAccount,
    QuotaEntry,
    QuotaEntryType,
    QuotaKind,
)
from backend.events.model import NewEvent, Payload
from backend.events.outbox import append_events
from backend.moments import fault_of_time
from backend.network.nodes import list_legal_entities
from tenants.errors import UnknownDealer
from tenants.organisation import dealers_of_brand
from tenants.principal import Permission

TEXT_MAX = 200
PAYMENT_DAYS_MAX = 365
WARN_MAX = 5
BASIS_POINTS = 10_000


async def open_account(tx: TenantTransaction, draft: AccountDraft, *, key: str) -> QuotaAccount:
    """Open an account for a dealer, once. Raises InvalidQuota, UnknownDealer, AlreadyExists."""
    tx.principal.require(Permission.QUOTA_WRITE)
    _check(draft)

    async def work() -> QuotaAccount:
        await raise_dealing_version(tx)
        dealers = {dealer.code: dealer.id for dealer in await dealers_of_brand(tx, tx.tenant_id)}
        if draft.dealer not in dealers:
            raise UnknownDealer(f"There is no dealer {draft.dealer!r}.", path=("dealer",))
        dealer_id = dealers[draft.dealer]
        account_id = await tx.fetch_value(
            SQL.open_account,
            tx.tenant_id,
            dealer_id,
            draft.code,
            draft.kind.value,
            draft.limit_minor,
            draft.payment_days,
            sorted(set(draft.warn_bp), reverse=True),
            tx.principal.subject,
            await _legal_entity(tx, draft.legal_entity),
        )
        assert account_id, "its code was free"
        opened = await account_by_code(tx, draft.code)
        await _note(tx, opened, QuotaEntryType.OPENED, granted=draft.limit_minor)
        return opened

    return await apply_once(tx, key, ("open_account", draft), QuotaAccount, work)


async def set_limit(
    tx: TenantTransaction, code: str, limit_minor: int, *, key: str, reason: str = ""
) -> QuotaAccount:
    """Set what may be owed on a credit account, once; increases for a while come on top.

    It may be set below what is used: then orders are blocked until enough is paid. Locks the key,
    then the account. Raises PermissionMissing, UnknownQuotaAccount, InvalidQuota, CommandConflict;
    then nothing has changed.
    """
    if not 0 <= limit_minor <= AMOUNT_MINOR_MAX:
        raise InvalidQuota("A limit is 0 or more.", path=("limitMinor",))

    async def change(tx: TenantTransaction, account: QuotaAccount) -> None:
        _require_kind(account, QuotaKind.CREDIT)
        extra = await tx.fetch_value(SQL.open_increases, tx.tenant_id, account.id)
        delta = limit_minor + extra - account.granted_minor
        await _record(tx, account, QuotaEntryType.LIMIT_SET, granted=delta, reason=reason)

    return await _change(tx, code, key, ("set_limit", code, limit_minor, reason), change)


async def top_up(
    tx: TenantTransaction, code: str, amount_minor: int, reference: str, *, key: str
) -> QuotaAccount:
    """Record that so much was paid ahead, once: `reference` is the payment's own, as its bank's.

    Locks and raises as `set_limit`, and AlreadyRecorded for a reference that the account has.
    """
    _check_amount(amount_minor)

    async def change(tx: TenantTransaction, account: QuotaAccount) -> None:
        _require_kind(account, QuotaKind.PREPAID)
        await _require_new(tx, account, reference)
        paid = QuotaEntryType.TOPPED_UP
        await _record(tx, account, paid, granted=amount_minor, reference=reference)

    return await _change(tx, code, key, ("top_up", code, amount_minor, reference), change)


async def pay_out(
    tx: TenantTransaction, code: str, amount_minor: int, reference: str, *, key: str
) -> QuotaAccount:
    """Record that so much of what was paid ahead was given back, once: no more than is left.

    Locks and raises as `top_up`, and QuotaTooSmall.
    """
    _check_amount(amount_minor)

    async def change(tx: TenantTransaction, account: QuotaAccount) -> None:
        _require_kind(account, QuotaKind.PREPAID)
        await _require_new(tx, account, reference)
        if amount_minor > account.left_minor:
            raise QuotaTooSmall(amount_minor, account.left_minor)
        given = QuotaEntryType.PAID_OUT
        await _record(tx, account, given, granted=-amount_minor, reference=reference)

    return await _change(tx, code, key, ("pay_out", code, amount_minor, reference), change)


async def record_payment(
    tx: TenantTransaction, code: str, amount_minor: int, reference: str, *, key: str
) -> QuotaAccount:
    """Record that so much of what is owed on a credit account was paid, once.

    What is due is paid first; with nothing overdue the account is no longer blocked. Locks and
    raises as `top_up`. Emits `quota.overdue` where nothing is any more.
    """
    _check_amount(amount_minor)

    async def change(tx: TenantTransaction, account: QuotaAccount) -> None:
        _require_kind(account, QuotaKind.CREDIT)
        await _require_new(tx, account, reference)
        paid = QuotaEntryType.PAID
        await _record(tx, account, paid, used=-amount_minor, reference=reference)

    return await _change(tx, code, key, ("record_payment", code, amount_minor, reference), change)


async def increase(
    tx: TenantTransaction,
    code: str,
    amount_minor: int,
    ends_at: datetime,
    *,
    key: str,
    reason: str = "",
) -> QuotaAccount:
    """Let a credit account have so much more until a time (临时额度), once.

    Locks and raises as `set_limit`.
    """
    _check_amount(amount_minor)
    if fault := fault_of_time(ends_at):
        raise InvalidQuota(fault, path=("endsAt",))
    if ends_at <= datetime.now(UTC):
        raise InvalidQuota("That time is over already.", path=("endsAt",))

    async def change(tx: TenantTransaction, account: QuotaAccount) -> None:
        _require_kind(account, QuotaKind.CREDIT)
        given = (account.id, account.dealer_id, amount_minor, ends_at, reason)
        await tx.execute(SQL.add_increase, tx.tenant_id, *given, tx.principal.subject)
        more = QuotaEntryType.INCREASED
        await _record(tx, account, more, granted=amount_minor, reason=reason)

    what = ("increase", code, amount_minor, ends_at, reason)
    return await _change(tx, code, key, what, change)


async def adjust(
    tx: TenantTransaction, code: str, amount_minor: int, reason: str, *, key: str
) -> QuotaAccount:
    """Let a dealer owe so much more (借记), or below 0 less (贷记), by hand and once; it says why.

    It is taken even where the quota is too small: what is so is so. Locks and raises as
    `set_limit`.
    """
    if not 0 < abs(amount_minor) <= AMOUNT_MINOR_MAX:
        raise InvalidQuota("An amount is not 0.", path=("amountMinor",))
    if not reason.strip():
        raise InvalidQuota("Say why.", path=("reason",))

    async def change(tx: TenantTransaction, account: QuotaAccount) -> None:
        by_hand = QuotaEntryType.CHARGED if amount_minor > 0 else QuotaEntryType.CREDITED
        await _record(tx, account, by_hand, used=amount_minor, reason=reason)

    return await _change(tx, code, key, ("adjust", code, amount_minor, reason), change)


async def reverse_entry(
    tx: TenantTransaction, code: str, entry_id: int, reason: str, *, key: str
) -> QuotaAccount:
    """Take back what was charged or credited by hand, once: the entry stays, another one undoes it.

    Locks and raises as `adjust`, and InvalidQuota for an entry that was not made by hand, or was
    taken back already.
    """

    async def change(tx: TenantTransaction, account: QuotaAccount) -> None:
        row = await tx.fetch_row(SQL.entry, tx.tenant_id, account.id, entry_id)
        by_hand = (QuotaEntryType.CHARGED, QuotaEntryType.CREDITED)
        if row is None or row["type"] not in by_hand or row["reverses_id"] is not None:
            raise InvalidQuota("Only what was charged or credited by hand is taken back.")
        if await tx.fetch_value(SQL.is_reversed, tx.tenant_id, entry_id):
            raise InvalidQuota("It was taken back already.")
        used = -row["used_delta"]
        opposite = by_hand[0] if used > 0 else by_hand[1]
        await _record(tx, account, opposite, used=used, reason=reason, reverses_id=entry_id)

    return await _change(tx, code, key, ("reverse_entry", code, entry_id, reason), change)


async def end_increases(tx: TenantTransaction, limit: int) -> list[QuotaAccount]:
    """End the increases whose time is over, and return the accounts."""
    codes = []
    for increase_id, code in await tx.fetch(SQL.ended_increases, tx.tenant_id, limit):
        account = await lock_account(tx, code)
        row = await tx.fetch_row(SQL.end_increase, tx.tenant_id, increase_id)
        if row is not None:
            less = QuotaEntryType.INCREASE_ENDED
            await _record(tx, account, less, granted=-row["amount_minor"], reason=row["reason"])
            codes.append(code)
    return [await account_by_code(tx, code) for code in codes]


async def page_of_accounts(
    tx: TenantTransaction, after: int, limit: int, *, dealer_id: int | None = None
) -> list[QuotaAccount]:
    """Return up to `limit` accounts that the principal may see, with ids above `after`."""
    rows = await tx.fetch(SQL.accounts, tx.tenant_id, after, dealer_id, limit)
    return [_account_from(row) for row in rows]


async def accounts_by_ids(tx: TenantTransaction, ids: Sequence[int]) -> list[QuotaAccount]:
    """Return the accounts among the ids that the principal may see."""
    return [_account_from(row) for row in await tx.fetch(SQL.accounts_by_ids, tx.tenant_id, ids)]


async def account_by_code(tx: TenantTransaction, code: str) -> QuotaAccount:
    """Return an account; raises UnknownQuotaAccount."""
    row = await tx.fetch_row(SQL.account_by_code, tx.tenant_id, code)
    if row is None:
        raise UnknownQuotaAccount(f"There is no quota account {code!r}.", path=("account",))
    return _account_from(row)


async def page_of_entries(
    tx: TenantTransaction, account_id: int, before: int, limit: int
) -> list[QuotaEntry]:
    """Return up to `limit` entries of an account with ids below `before`, the newest first."""
    return _entries(await tx.fetch(SQL.entries, tx.tenant_id, account_id, before, limit))


async def entries_by_ids(tx: TenantTransaction, ids: Sequence[int]) -> list[QuotaEntry]:
    """Return the entries among the ids that the principal may see."""
    return _entries(await tx.fetch(SQL.entries_by_ids, tx.tenant_id, ids))


async def entries_of_orders(tx: TenantTransaction, ids: Sequence[int]) -> list[QuotaEntry]:
    """Return what orders took of accounts and gave back, as it happened."""
    return _entries(await tx.fetch(SQL.entries_of_orders, tx.tenant_id, ids))


async def orders_of_accounts(tx: TenantTransaction, account_ids: Sequence[int]) -> list[int]:
    """Return the orders that took of accounts."""
    rows = await tx.fetch(SQL.orders_of_accounts, tx.tenant_id, account_ids)
    return [row["order_id"] for row in rows]


async def other_entries(tx: TenantTransaction, account_ids: Sequence[int]) -> list[QuotaEntry]:
    """Return what changed accounts and was no order's, as it happened."""
    return _entries(await tx.fetch(SQL.other_entries, tx.tenant_id, account_ids))


async def sums_of_period(
    tx: TenantTransaction, account_id: int, begin: datetime, end: datetime
) -> list[Record]:
    """Return what changed an account in a period, by type of entry, and what it was before."""
    return await tx.fetch(SQL.sums_of_period, tx.tenant_id, account_id, begin, end)


def _entries(rows: Sequence[Record]) -> list[QuotaEntry]:
    return [QuotaEntry(**{**row, "type": QuotaEntryType(row["type"])}) for row in rows]


async def _change(
    tx: TenantTransaction,
    code: str,
    key: str,
    what: tuple[object, ...],
    change: Callable[[TenantTransaction, QuotaAccount], Awaitable[None]],
) -> QuotaAccount:
    tx.principal.require(Permission.QUOTA_WRITE)

    async def work() -> QuotaAccount:
        await change(tx, await lock_account(tx, code))
        return await account_by_code(tx, code)

    return await apply_once(tx, key, what, QuotaAccount, work)


async def lock_account(tx: TenantTransaction, code: str) -> QuotaAccount:
    """Lock an account and return it; raises UnknownQuotaAccount."""
    row = await tx.fetch_row(SQL.lock_account, tx.tenant_id, code)
    if row is None:
        raise UnknownQuotaAccount(f"There is no quota account {code!r}.", path=("account",))
    return _account_from(row)


async def tell_dealer(tx: TenantTransaction, dealer_id: int, payload: Payload) -> None:
    """Tell the brand and a dealer what happens to its quota."""
    await append_events(tx, [NewEvent(payload, None, 0, dealer_id, None)])


async def _record(
    tx: TenantTransaction,
    account: QuotaAccount,
    type_: QuotaEntryType,
    *,
    granted: int = 0,
    used: int = 0,
    reference: str | None = None,
    reason: str = "",
    reverses_id: int | None = None,
) -> None:
    """Change a locked account, and write down why; emits `quota.overdue` where nothing is now."""
    if len(reason) > TEXT_MAX:
        raise InvalidQuota(f"A reason has at most {TEXT_MAX} characters.", path=("reason",))
    paid = -used if type_ is QuotaEntryType.PAID else 0
    by = tx.principal.subject
    change = (granted, used, paid, by)
    is_blocked = await tx.fetch_value(SQL.change_account, tx.tenant_id, account.id, *change)
    if account.is_blocked and not is_blocked:
        await tell_dealer(tx, account.dealer_id, QuotaOverdue(account.code, 0, False))
    await _note(
        tx,
        account,
        type_,
        granted=granted,
        used=used,
        reference=reference,
        reason=reason,
        reverses_id=reverses_id,
    )


async def _note(
    tx: TenantTransaction,
    account: QuotaAccount,
    type_: QuotaEntryType,
    *,
    granted: int = 0,
    used: int = 0,
    reference: str | None = None,
    reason: str = "",
    reverses_id: int | None = None,
) -> None:
    """Write down why an account changed, and tell it."""
    await tx.execute(
        SQL.add_entry,
        tx.tenant_id,
        account.id,
        account.dealer_id,
        type_.value,
        granted,
        used,
        reference,
        reason,
        tx.principal.actor,
        reverses_id,
    )
    payload = QuotaChanged(account.id, account.code, type_.value, granted, used)
    await tell_dealer(tx, account.dealer_id, payload)


async def _legal_entity(tx: TenantTransaction, code: str | None) -> int | None:
    """Return the brand's legal entity of a code; raises InvalidQuota."""
    if code is None:
        return None
    for entity in await list_legal_entities(tx):
        if entity.code == code and entity.dealer_id is None:
            return entity.id
    raise InvalidQuota(f"The brand has no legal entity {code!r}.", path=("legalEntity",))


async def _require_new(tx: TenantTransaction, account: QuotaAccount, reference: str) -> None:
    if not 0 < len(reference.strip()) <= len(reference) <= TEXT_MAX:
        raise InvalidQuota(
            f"A payment has a reference of 1 to {TEXT_MAX} characters.", path=("reference",)
        )
    if await tx.fetch_value(SQL.has_reference, tx.tenant_id, account.id, reference):
        raise AlreadyRecorded(path=("reference",))


def _require_kind(account: QuotaAccount, kind: QuotaKind) -> None:
    if account.kind is not kind:
        raise InvalidQuota(f"That is for {kind.value} accounts; this one is {account.kind.value}.")


def _account_from(row: Record) -> QuotaAccount:
    return QuotaAccount(**{**row, "kind": QuotaKind(row["kind"]), "warn_bp": tuple(row["warn_bp"])})


def _check_amount(amount_minor: int) -> None:
    if not 0 < amount_minor <= AMOUNT_MINOR_MAX:
        raise InvalidQuota("An amount is 1 or more.", path=("amountMinor",))


def _check(draft: AccountDraft) -> None:
    if not 0 < len(draft.code.strip()) <= len(draft.code) <= TEXT_MAX:
        raise InvalidQuota(f"A code has 1 to {TEXT_MAX} characters.", path=("code",))
    if not 0 <= draft.limit_minor <= AMOUNT_MINOR_MAX:
        raise InvalidQuota("A limit is 0 or more.", path=("limitMinor",))
    if draft.kind is QuotaKind.PREPAID and (draft.limit_minor or draft.payment_days is not None):
        raise InvalidQuota("What is paid ahead has no limit and no days; top it up.")
    if draft.payment_days is not None and not 0 <= draft.payment_days <= PAYMENT_DAYS_MAX:
        raise OutOfRange(f"0 to {PAYMENT_DAYS_MAX} days.", path=("paymentDays",))
    if len(draft.warn_bp) > WARN_MAX or not all(0 < one <= BASIS_POINTS for one in draft.warn_bp):
        raise InvalidQuota(
            f"Up to {WARN_MAX} shares of 1 to {BASIS_POINTS:,} basis points.", path=("warnBp",)
        )
