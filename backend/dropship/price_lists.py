"""Price lists of dealers: drafted whole, approved, ended; one at a time for the same dealers."""

from collections.abc import Sequence
from datetime import date, timedelta

from backend.catalog.find_skus import sku_ids_by_codes
from backend.db.commands import apply_once
from backend.db.errors import OutOfRange
from backend.db.pool import Record, TenantTransaction
from backend.dropship.dealing_version import SQL, raise_dealing_version
from backend.dropship.errors import (
    DocumentChanged,
    InvalidPriceList,
    PriceListOverlaps,
    UnknownPriceList,
)
from backend.dropship.model import PriceList, PriceListDraft, TermsStatus
from backend.network.ranges import MONEY_MINOR_MAX
from tenants.errors import UnknownDealer
from tenants.organisation import dealers_of_brand
from tenants.principal import Kind, Permission

CODE_LENGTH_MAX = 64
LINES_MAX = 20_000
"""Prices of one list: more SKUs than a brand sells through dealers."""
PRICE_MINOR_MAX = MONEY_MINOR_MAX
"""So that the largest order of the dearest SKU fits the 64 bits of a quota."""
ONE_DAY = timedelta(days=1)


async def save_price_list(tx: TenantTransaction, draft: PriceListDraft, *, key: str) -> PriceList:
    """Write the draft of a price list, whole and once: new, or in the place of that code's.

    Locks the key, then the version of dealers' terms. Raises PermissionMissing, WriteRefused,
    InvalidPriceList, OutOfRange, UnknownDealer, UnknownSku, CommandConflict; then nothing has
    changed.
    """
    tx.principal.require(Permission.DEALERS_WRITE)
    _check(draft)

    async def work() -> PriceList:
        await raise_dealing_version(tx)
        skus = await sku_ids_by_codes(tx, [line.sku for line in draft.lines])
        dealer_id = await _dealer(tx, draft.dealer)
        level = None if draft.level is None else draft.level.strip()
        scope = (dealer_id, level, draft.starts_on, draft.ends_on)
        list_id = await tx.fetch_value(
            SQL.save_price_list, tx.tenant_id, draft.code, *scope, tx.principal.subject
        )
        if list_id is None:
            raise InvalidPriceList(
                "What was approved or discarded is not changed; end it and save another one.",
                path=("code",),
            )
        await tx.execute(
            SQL.replace_prices,
            tx.tenant_id,
            list_id,
            dealer_id,
            [skus[line.sku] for line in draft.lines],
            [line.price_minor for line in draft.lines],
            [line.min_resale_minor for line in draft.lines],
        )
        return await _price_list(tx, draft.code)

    return await apply_once(tx, key, ("save_price_list", draft), PriceList, work)


async def approve_price_list(
    tx: TenantTransaction, code: str, version: int, *, key: str
) -> PriceList:
    """Let a draft hold on its days, once; `version` is what whoever approves has read.

    Orders that were placed keep their prices. Locks as `save_price_list`. Raises
    PermissionMissing, UnknownPriceList, DocumentChanged, PriceListOverlaps, CommandConflict.
    """
    tx.principal.require(Permission.DEALERS_APPROVE)

    async def work() -> PriceList:
        await raise_dealing_version(tx)
        found = await _draft(tx, code, version)
        scope = (found.id, found.dealer_id, found.level, found.starts_on, found.ends_on)
        beside = await tx.fetch_value(SQL.price_lists_beside, tx.tenant_id, *scope)
        if beside is not None:
            raise PriceListOverlaps(beside)
        await _set_status(tx, found.id, TermsStatus.APPROVED)
        return await _price_list(tx, code)

    return await apply_once(tx, key, ("approve_price_list", code, version), PriceList, work)


async def discard_price_list(
    tx: TenantTransaction, code: str, version: int, *, key: str
) -> PriceList:
    """Drop a draft, once. Raises PermissionMissing, UnknownPriceList, DocumentChanged."""
    tx.principal.require(Permission.DEALERS_WRITE)

    async def work() -> PriceList:
        await raise_dealing_version(tx)
        found = await _draft(tx, code, version)
        await _set_status(tx, found.id, TermsStatus.DISCARDED)
        return await _price_list(tx, code)

    return await apply_once(tx, key, ("discard_price_list", code, version), PriceList, work)


async def end_price_list(
    tx: TenantTransaction, code: str, last_day: date, *, key: str
) -> PriceList:
    """Let an approved list hold until a day, once: never longer than it was to.

    Raises PermissionMissing, UnknownPriceList, InvalidPriceList; then nothing has changed.
    """
    tx.principal.require(Permission.DEALERS_APPROVE)

    async def work() -> PriceList:
        await raise_dealing_version(tx)
        found = await _price_list(tx, code)
        if found.status is not TermsStatus.APPROVED:
            raise InvalidPriceList("It is not approved; discard it.", path=("code",))
        if last_day < found.starts_on - ONE_DAY:
            raise InvalidPriceList("It ends, at the earliest, before it begins.", path=("lastDay",))
        if found.ends_on is None or last_day < found.ends_on:
            await tx.execute(SQL.end_price_list, tx.tenant_id, found.id, last_day)
        return await _price_list(tx, code)

    return await apply_once(tx, key, ("end_price_list", code, last_day), PriceList, work)


async def page_of_price_lists(tx: TenantTransaction, after: int, limit: int) -> list[PriceList]:
    """Return up to `limit` price lists that the principal may see, with ids above `after`.

    A dealer sees those that are its own, once they are approved.
    """
    approved_only = tx.principal.kind is Kind.DEALER
    rows = await tx.fetch(SQL.price_lists, tx.tenant_id, after, approved_only, limit)
    return [_list_from(row) for row in rows]


async def price_lists_by_ids(tx: TenantTransaction, ids: Sequence[int]) -> list[PriceList]:
    """Return the price lists among the ids that the principal may see."""
    approved_only = tx.principal.kind is Kind.DEALER
    rows = await tx.fetch(SQL.price_lists_by_ids, tx.tenant_id, ids, approved_only)
    return [_list_from(row) for row in rows]


async def page_of_prices(
    tx: TenantTransaction, list_id: int, after: int, limit: int
) -> list[Record]:
    """Return up to `limit` prices of a list that the principal may see, by SKU, after one."""
    if not await price_lists_by_ids(tx, [list_id]):
        return []
    return await tx.fetch(SQL.page_of_prices, tx.tenant_id, list_id, after, limit)


async def _price_list(tx: TenantTransaction, code: str) -> PriceList:
    row = await tx.fetch_row(SQL.price_list_by_code, tx.tenant_id, code)
    if row is None:
        raise UnknownPriceList(f"There is no price list {code!r}.", path=("code",))
    return _list_from(row)


async def _draft(tx: TenantTransaction, code: str, version: int) -> PriceList:
    found = await _price_list(tx, code)
    if found.status is not TermsStatus.DRAFT or found.version != version:
        raise DocumentChanged(found.version)
    return found


async def _set_status(tx: TenantTransaction, list_id: int, status: TermsStatus) -> None:
    by = tx.principal.subject if status is TermsStatus.APPROVED else None
    await tx.execute(SQL.set_price_list_status, tx.tenant_id, list_id, status.value, by)


async def _dealer(tx: TenantTransaction, code: str | None) -> int | None:
    if code is None:
        return None
    for dealer in await dealers_of_brand(tx, tx.tenant_id):
        if dealer.code == code:
            return dealer.id
    raise UnknownDealer(f"There is no dealer {code!r}.", path=("dealer",))


def _list_from(row: Record) -> PriceList:
    return PriceList(**{**row, "status": TermsStatus(row["status"])})


def _check(draft: PriceListDraft) -> None:
    if not 0 < len(draft.code.strip()) <= len(draft.code) <= CODE_LENGTH_MAX:
        raise InvalidPriceList(f"A code has 1 to {CODE_LENGTH_MAX} characters.", path=("code",))
    if draft.ends_on is not None and draft.ends_on < draft.starts_on:
        raise OutOfRange("A price list cannot end before it starts.", path=("endsOn",))
    if draft.dealer is not None and draft.level is not None:
        raise InvalidPriceList("It is of a dealer or of a level: name one.", path=("level",))
    if draft.level is not None and not draft.level.strip():
        raise InvalidPriceList("A level has a name.", path=("level",))
    if not 0 < len(draft.lines) <= LINES_MAX:
        raise InvalidPriceList(f"Give 1 to {LINES_MAX:,} prices.", path=("lines",))
    if len({line.sku for line in draft.lines}) < len(draft.lines):
        raise InvalidPriceList("A SKU stands there twice.", path=("lines",))
    for index, line in enumerate(draft.lines):
        for name, value in (
            ("priceMinor", line.price_minor),
            ("minResaleMinor", line.min_resale_minor),
        ):
            if not 0 <= value <= PRICE_MINOR_MAX:
                raise OutOfRange(
                    f"{name} lies between 0 and {PRICE_MINOR_MAX:,}.", path=("lines", index, name)
                )
