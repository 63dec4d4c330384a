"""Agreements with dealers: drafted, approved, ended; never two for the same goods in one place."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import msgspec

from backend.catalog.find_skus import sku_ids_by_codes, skus_by_ids
from backend.catalog.model import Sku
from backend.db.commands import apply_once
from backend.db.errors import OutOfRange
from backend.db.pool import Record, TenantTransaction
from backend.dropship.dealing_version import SQL, raise_dealing_version
from backend.dropship.errors import (
    AgreementOverlaps,
    DocumentChanged,
    InvalidAgreement,
    UnknownAgreement,
)
from backend.dropship.model import Agreement, AgreementDraft, Settlement, TermsStatus
from backend.dropship.quotas.accounts import account_by_code
from backend.network.ranges import BASIS_POINTS, require_between, require_money, require_region
from backend.network.regions.table import RegionTable
from tenants.errors import UnknownDealer
from tenants.organisation import dealers_of_brand
from tenants.principal import Kind, Permission

CODE_LENGTH_MAX = 64
NAMES_MAX = 1_000
"""Regions, lines or SKUs that one agreement names."""
SETTLE_DAYS_MAX = 365
SHIP_HOURS_MAX = 24 * 30
ONE_DAY = timedelta(days=1)

_settlement = msgspec.json.Decoder(Settlement).decode


async def save_agreement(
    tx: TenantTransaction, draft: AgreementDraft, *, key: str, regions: RegionTable
) -> Agreement:
    """Write the draft of an agreement, once, and return it: new, or in the place of that code's.

    Locks the key, then the version of dealers' terms. Raises PermissionMissing, WriteRefused,
    InvalidAgreement, OutOfRange, UnknownRegion, UnknownDealer, UnknownSku, UnknownQuotaAccount,
    UnknownAgreement, AgreementOverlaps (of what is approved), CommandConflict; then nothing has
    changed.
    """
    tx.principal.require(Permission.DEALERS_WRITE)
    _check(draft, regions)

    async def work() -> Agreement:
        await raise_dealing_version(tx)
        agreement_id = await _write(tx, draft)
        saved = await _agreement(tx, draft.code)
        assert saved.id == agreement_id, "it was written under the lock"
        await _check_beside(tx, saved, regions)
        return saved

    return await apply_once(tx, key, ("save_agreement", draft), Agreement, work)


async def approve_agreement(
    tx: TenantTransaction, code: str, version: int, *, key: str, regions: RegionTable
) -> Agreement:
    """Let a draft bind from its first day on, once; what it replaces ends the day before.

    `version` is what whoever approves has read. Orders that were placed stay as they are. Locks
    and raises as `save_agreement`, and DocumentChanged.
    """
    tx.principal.require(Permission.DEALERS_APPROVE)

    async def work() -> Agreement:
        await raise_dealing_version(tx)
        found = await _draft(tx, code, version)
        await _check_beside(tx, found, regions)
        if found.replaces_id is not None:
            await _end(tx, await _replaced(tx, found), found.starts_on - ONE_DAY)
        await _set_status(tx, found.id, TermsStatus.APPROVED)
        return await _agreement(tx, code)

    return await apply_once(tx, key, ("approve_agreement", code, version), Agreement, work)


async def discard_agreement(
    tx: TenantTransaction, code: str, version: int, *, key: str
) -> Agreement:
    """Drop a draft, once. Raises PermissionMissing, UnknownAgreement, DocumentChanged."""
    tx.principal.require(Permission.DEALERS_WRITE)

    async def work() -> Agreement:
        await raise_dealing_version(tx)
        found = await _draft(tx, code, version)
        await _set_status(tx, found.id, TermsStatus.DISCARDED)
        return await _agreement(tx, code)

    return await apply_once(tx, key, ("discard_agreement", code, version), Agreement, work)


async def end_agreement(tx: TenantTransaction, code: str, last_day: date, *, key: str) -> Agreement:
    """Let an approved agreement bind until a day, once: never longer than was agreed.

    Orders that were placed stay as they are. Raises PermissionMissing, UnknownAgreement,
    InvalidAgreement, CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.DEALERS_APPROVE)

    async def work() -> Agreement:
        await raise_dealing_version(tx)
        found = await _agreement(tx, code)
        if found.status is not TermsStatus.APPROVED:
            raise InvalidAgreement("It is not approved; discard it.", path=("code",))
        await _end(tx, found, last_day)
        return await _agreement(tx, code)

    return await apply_once(tx, key, ("end_agreement", code, last_day), Agreement, work)


async def page_of_agreements(
    tx: TenantTransaction, after: int, limit: int, *, dealer_id: int | None = None
) -> list[Agreement]:
    """Return up to `limit` agreements that the principal may see, with ids above `after`.

    A dealer sees its own once they are approved.
    """
    rows = await tx.fetch(SQL.agreements, tx.tenant_id, after, dealer_id, _approved_only(tx), limit)
    return [_agreement_from(row) for row in rows]


async def agreements_by_ids(tx: TenantTransaction, ids: Sequence[int]) -> list[Agreement]:
    """Return the agreements among the ids that the principal may see."""
    rows = await tx.fetch(SQL.agreements_by_ids, tx.tenant_id, ids, _approved_only(tx))
    return [_agreement_from(row) for row in rows]


async def approved_agreements(tx: TenantTransaction) -> list[Agreement]:
    """Return all agreements that bind, will or did."""
    return [_agreement_from(row) for row in await tx.fetch(SQL.approved_agreements, tx.tenant_id)]


async def has_agreements(tx: TenantTransaction, dealer_id: int) -> bool:
    """Whether an agreement binds a dealer, will or did: then its orders are by one."""
    return bool(await tx.fetch_value(SQL.has_agreements, tx.tenant_id, dealer_id))


def _approved_only(tx: TenantTransaction) -> bool:
    return tx.principal.kind is Kind.DEALER


def _agreement_from(row: Record) -> Agreement:
    plain = {
        **row,
        "status": TermsStatus(row["status"]),
        "settlement": _settlement(row["settlement"]),
    }
    for name in ("territory", "product_lines", "added_skus", "excluded_skus"):
        plain[name] = tuple(row[name])
    return Agreement(**plain)


async def _agreement(tx: TenantTransaction, code: str) -> Agreement:
    row = await tx.fetch_row(SQL.agreement_by_code, tx.tenant_id, code)
    if row is None:
        raise UnknownAgreement(f"There is no agreement {code!r}.", path=("code",))
    return _agreement_from(row)


async def _draft(tx: TenantTransaction, code: str, version: int) -> Agreement:
    found = await _agreement(tx, code)
    if found.status is not TermsStatus.DRAFT or found.version != version:
        raise DocumentChanged(found.version)
    return found


async def _write(tx: TenantTransaction, draft: AgreementDraft) -> int:
    dealers = {dealer.code: dealer.id for dealer in await dealers_of_brand(tx, tx.tenant_id)}
    if draft.dealer not in dealers:
        raise UnknownDealer(f"There is no dealer {draft.dealer!r}.", path=("dealer",))
    skus = await sku_ids_by_codes(tx, [*draft.added_skus, *draft.excluded_skus])
    account_id = None
    if draft.quota_account is not None:
        account = await account_by_code(tx, draft.quota_account)
        if account.dealer_id != dealers[draft.dealer]:
            raise InvalidAgreement("The quota is another dealer's.", path=("quotaAccount",))
        account_id = account.id
    replaces_id = None
    if draft.replaces is not None:
        replaces_id = (await _agreement(tx, draft.replaces)).id
    agreement_id: int | None = await tx.fetch_value(
        SQL.save_agreement,
        tx.tenant_id,
        draft.code,
        dealers[draft.dealer],
        draft.starts_on,
        draft.ends_on,
        sorted(set(draft.territory)),
        sorted(set(draft.product_lines)),
        sorted({skus[code] for code in draft.added_skus}),
        sorted({skus[code] for code in draft.excluded_skus}),
        draft.is_exclusive,
        account_id,
        msgspec.json.encode(draft.settlement).decode(),
        replaces_id,
        tx.principal.subject,
    )
    if agreement_id is None:
        raise InvalidAgreement(
            "What was approved or discarded is not changed; save another one that replaces it.",
            path=("code",),
        )
    return agreement_id


async def _replaced(tx: TenantTransaction, agreement: Agreement) -> Agreement:
    """Return what an agreement takes the place of; raises InvalidAgreement where it cannot."""
    assert agreement.replaces_id is not None, "it replaces one"
    (old,) = await agreements_by_ids(tx, [agreement.replaces_id])
    if old.status is not TermsStatus.APPROVED or old.dealer_id != agreement.dealer_id:
        raise InvalidAgreement("It replaces an approved one of the dealer.", path=("replaces",))
    if old.starts_on >= agreement.starts_on:
        raise InvalidAgreement("It begins after what it replaces.", path=("startsOn",))
    return old


async def _end(tx: TenantTransaction, agreement: Agreement, last_day: date) -> None:
    if last_day < agreement.starts_on - ONE_DAY:
        raise InvalidAgreement("It ends, at the earliest, before it begins.", path=("lastDay",))
    if agreement.ends_on is not None and agreement.ends_on < last_day:
        return
    await tx.execute(SQL.end_agreement, tx.tenant_id, agreement.id, last_day)


async def _set_status(tx: TenantTransaction, agreement_id: int, status: TermsStatus) -> None:
    by = tx.principal.subject if status is TermsStatus.APPROVED else None
    await tx.execute(SQL.set_agreement_status, tx.tenant_id, agreement_id, status.value, by)


async def _check_beside(tx: TenantTransaction, one: Agreement, regions: RegionTable) -> None:
    """Raise AgreementOverlaps where an approved one has the same goods there and then."""
    replaced = None if one.replaces_id is None else await _replaced(tx, one)
    others = [
        other
        for other in await approved_agreements(tx)
        if other.id != one.id
        and (other.dealer_id == one.dealer_id or one.is_exclusive or other.is_exclusive)
        and not (replaced is not None and other.id == replaced.id)
    ]
    named = {sku_id for other in (one, *others) for sku_id in other.added_skus}
    skus = await skus_by_ids(tx, sorted(named))
    for other in others:
        is_there = _same_days(one, other) and _same_place(one, other, regions)
        if is_there and _same_goods(one, other, skus.values()):
            raise AgreementOverlaps(other.code)


def _same_days(one: Agreement, other: Agreement) -> bool:
    first_day = max(one.starts_on, other.starts_on)
    return first_day <= min(one.ends_on or date.max, other.ends_on or date.max)


def _same_place(one: Agreement, other: Agreement, regions: RegionTable) -> bool:
    def within(inner: Agreement, outer: Agreement) -> bool:
        return any(
            outer.reaches([region.code for region in regions.ancestors(code)])
            for code in inner.territory
        )

    is_anywhere = not one.territory or not other.territory
    return is_anywhere or within(one, other) or within(other, one)


def _same_goods(one: Agreement, other: Agreement, named: Iterable[Sku]) -> bool:
    """Whether they share a line, or a SKU that one of them names; what is excluded aside."""
    if one.has_all or other.has_all:
        lines = one.product_lines or other.product_lines
        if lines or (one.has_all and other.has_all):
            return True
    elif set(one.product_lines) & set(other.product_lines):
        return True
    return any(one.has(sku) and other.has(sku) for sku in named)


def _check(draft: AgreementDraft, regions: RegionTable) -> None:
    if not 0 < len(draft.code.strip()) <= len(draft.code) <= CODE_LENGTH_MAX:
        raise InvalidAgreement(f"A code has 1 to {CODE_LENGTH_MAX} characters.", path=("code",))
    if draft.ends_on is not None and draft.ends_on < draft.starts_on:
        raise OutOfRange("An agreement cannot end before it starts.", path=("endsOn",))
    for path, names in (
        ("territory", draft.territory),
        ("productLines", draft.product_lines),
        ("addedSkus", draft.added_skus),
        ("excludedSkus", draft.excluded_skus),
    ):
        if len(names) > NAMES_MAX:
            raise InvalidAgreement(f"Name at most {NAMES_MAX:,}.", path=(path,))
    for index, code in enumerate(draft.territory):
        require_region(("territory", index), code, regions)
    if not all(line.strip() for line in draft.product_lines):
        raise InvalidAgreement("A product line has a name.", path=("productLines",))
    settlement = draft.settlement
    require_between(("settlement", "shareBp"), settlement.share_bp, 0, BASIS_POINTS)
    require_between(("settlement", "settleDays"), settlement.settle_days, 0, SETTLE_DAYS_MAX)
    require_between(
        ("settlement", "shipWithinHours"), settlement.ship_within_hours, 1, SHIP_HOURS_MAX
    )
    require_money(("settlement", "depositMinor"), settlement.deposit_minor)
