"""Saving what dealers sell under their own names, and where; by themselves, or by the brand."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from backend.catalog.find_skus import skus_by_codes
from backend.catalog.model import Sku
from backend.channels.shops import active_shops
from backend.db.commands import apply_once
from backend.db.pool import Record, TenantTransaction
from backend.db.sql import load_queries
from backend.dropship.dealing_version import raise_dealing_version
from backend.dropship.dealings import DealerTerms, Dealings
from backend.dropship.errors import DocumentChanged
from backend.dropship.items.errors import InvalidItem, PriceTooLow, UnknownItem
from backend.dropship.items.model import DealerItem, ItemDraft, ItemPart, Listing, ListingDraft
from tenants.brands import today_of
from tenants.errors import UnknownDealer
from tenants.organisation import dealers_of_brand
from tenants.principal import Kind, Permission, PermissionMissing, Principal

SQL = load_queries(__file__)

ITEMS_MAX = 1_000
"""Items, or listings, saved by one command."""
PARTS_MAX = 10
PICTURES_MAX = 20
TEXT_MAX = 200
QUANTITY_MAX = 1_000
PRICE_MINOR_MAX = 10**12


async def dealer_for(tx: TenantTransaction, principal: Principal, dealer: str | None) -> int:
    """Return whose items a principal writes: a dealer its own, the brand those of whom it names.

    Raises PermissionMissing, UnknownDealer.
    """
    principal.require(Permission.CATALOG_WRITE)
    if principal.kind is Kind.DEALER and principal.dealer_id is not None:
        return principal.dealer_id
    if principal.kind not in (Kind.BRAND, Kind.SYSTEM):
        raise PermissionMissing(Permission.CATALOG_WRITE)
    for known in await dealers_of_brand(tx, tx.tenant_id):
        if known.code == dealer:
            return known.id
    raise UnknownDealer(f"There is no dealer {dealer!r}.", path=("dealer",))


async def save_items(
    tx: TenantTransaction, dealer_id: int, drafts: Sequence[ItemDraft], *, key: str
) -> list[DealerItem]:
    """Save items of a dealer, all or none, once, and return them.

    Locks the key, the version of dealers' terms, then the items by id. Raises InvalidItem (of what
    its agreements do not have, too), PriceTooLow, DocumentChanged, CommandConflict; then nothing
    has changed.
    """
    _check(drafts)

    async def work() -> list[DealerItem]:
        await raise_dealing_version(tx)
        skus = await skus_by_codes(tx, [part.sku_code for one in drafts for part in one.parts])
        await _check_terms(tx, dealer_id, drafts, skus)
        codes = [one.code for one in drafts]
        locked = await tx.fetch(SQL.lock_items, tx.tenant_id, dealer_id, codes)
        versions = {row["code"]: row["version"] for row in locked}
        ids = []
        for one in drafts:
            version = versions.get(one.code, 0)
            if one.compare_version not in (None, version):
                raise DocumentChanged(version)
            ids.append(await _save(tx, dealer_id, one))
        await _put_parts(tx, dealer_id, dict(zip(ids, drafts, strict=True)), skus)
        return await items_by_ids(tx, ids)

    return await apply_once(tx, key, ("save_items", dealer_id, drafts), list[DealerItem], work)


async def save_listings(
    tx: TenantTransaction, dealer_id: int, drafts: Sequence[ListingDraft], *, key: str
) -> list[DealerItem]:
    """Say where items of a dealer are offered, all or none, once; returns the items.

    Locks and raises as `save_items`, and UnknownItem, and InvalidItem for a shop of somebody else.
    """
    if not 0 < len(drafts) <= ITEMS_MAX:
        raise InvalidItem(f"Give 1 to {ITEMS_MAX:,} listings.", path=("listings",))

    async def work() -> list[DealerItem]:
        await raise_dealing_version(tx)
        shops = {
            code: shop.id
            for code, shop in (await active_shops(tx)).items()
            if shop.dealer_id == dealer_id
        }
        codes = [one.item for one in drafts]
        rows = await tx.fetch(SQL.lock_items, tx.tenant_id, dealer_id, codes)
        items = {one.code: one for one in await items_by_ids(tx, [row["id"] for row in rows])}
        least = await _least_prices(tx, dealer_id, list(items.values()))
        for index, one in enumerate(drafts):
            path = ("listings", index)
            if one.item not in items:
                raise UnknownItem(path=(*path, "item"))
            if one.shop not in shops:
                raise InvalidItem("The dealer has no such shop.", path=(*path, "shop"))
            item = items[one.item]
            price = item.price_minor if one.price_minor is None else one.price_minor
            if one.is_listed and price < least[item.id]:
                raise PriceTooLow(least[item.id], (*path, "priceMinor"))
            said = (dealer_id, one.title, one.price_minor, one.is_listed)
            await tx.execute(SQL.save_listing, tx.tenant_id, item.id, shops[one.shop], *said)
        return list(items.values())

    return await apply_once(tx, key, ("save_listings", dealer_id, drafts), list[DealerItem], work)


async def page_of_items(
    tx: TenantTransaction, after: int, limit: int, *, dealer_id: int | None = None
) -> list[DealerItem]:
    """Return up to `limit` items that the principal may see, with ids above `after`."""
    return await _items(tx, await tx.fetch(SQL.items, tx.tenant_id, after, dealer_id, limit))


async def items_by_ids(tx: TenantTransaction, ids: Sequence[int]) -> list[DealerItem]:
    """Return the items among the ids that the principal may see, by id."""
    return await _items(tx, await tx.fetch(SQL.items_by_ids, tx.tenant_id, ids))


async def items_sold(
    tx: TenantTransaction, dealer_ids: Sequence[int], codes: Sequence[str]
) -> list[DealerItem]:
    """Return the active items of dealers that are called so."""
    return await _items(tx, await tx.fetch(SQL.items_sold, tx.tenant_id, dealer_ids, codes))


async def listings_of_items(tx: TenantTransaction, ids: Sequence[int]) -> dict[int, list[Listing]]:
    """Return where items are offered, by item."""
    found: defaultdict[int, list[Listing]] = defaultdict(list)
    for row in await tx.fetch(SQL.listings_of_items, tx.tenant_id, ids):
        found[row["item_id"]].append(Listing(**row))
    return found


async def _items(tx: TenantTransaction, rows: Sequence[Record]) -> list[DealerItem]:
    parts: defaultdict[int, list[ItemPart]] = defaultdict(list)
    ids = [row["id"] for row in rows]
    for row in await tx.fetch(SQL.parts_of_items, tx.tenant_id, ids) if ids else ():
        parts[row["item_id"]].append(ItemPart(*row[1:]))
    return [
        DealerItem(**{**row, "pictures": tuple(row["pictures"]), "parts": tuple(parts[row["id"]])})
        for row in rows
    ]


async def _save(tx: TenantTransaction, dealer_id: int, one: ItemDraft) -> int:
    saved: int = await tx.fetch_value(
        SQL.save_item,
        tx.tenant_id,
        dealer_id,
        one.code,
        one.title,
        one.price_minor,
        list(one.pictures),
        one.is_active,
        tx.principal.subject,
    )
    return saved


async def _put_parts(
    tx: TenantTransaction,
    dealer_id: int,
    drafts: Mapping[int, ItemDraft],
    skus: Mapping[str, Sku],
) -> None:
    rows = [
        (item_id, skus[part.sku_code].id, part.sku_code, part.quantity)
        for item_id, one in drafts.items()
        for part in one.parts
    ]
    await tx.execute(SQL.delete_parts, tx.tenant_id, list(drafts))
    columns = map(list, zip(*rows, strict=True))
    await tx.execute(SQL.insert_parts, tx.tenant_id, dealer_id, *columns)


async def _terms(
    tx: TenantTransaction, dealer_id: int, skus: Mapping[str, Sku]
) -> DealerTerms | None:
    """Return what is agreed with a dealer today; None of one that nothing binds."""
    dealings, ids = Dealings(), {sku.id for sku in skus.values()}
    await dealings.read(tx, [dealer_id], ids, await today_of(tx))
    return dealings.of(dealer_id)


async def _check_terms(
    tx: TenantTransaction,
    dealer_id: int,
    drafts: Sequence[ItemDraft],
    skus: Mapping[str, Sku],
) -> None:
    """Refuse what does not exist, and what no agreement with the dealer has or prices so low."""
    terms = await _terms(tx, dealer_id, skus)
    for index, one in enumerate(drafts):
        for at, part in enumerate(one.parts):
            path = ("items", index, "parts", at, "sku")
            if part.sku_code not in skus:
                raise InvalidItem(f"There is no SKU {part.sku_code!r}.", path=path)
            sku = skus[part.sku_code]
            if terms is not None and not any(each.has(sku) for each in terms.agreements):
                raise InvalidItem(f"No agreement has {part.sku_code!r}.", path=path)
        least = _least(terms, one.parts, skus)
        if one.is_active and one.price_minor < least:
            raise PriceTooLow(least, ("items", index, "priceMinor"))


async def _least_prices(
    tx: TenantTransaction, dealer_id: int, items: Sequence[DealerItem]
) -> dict[int, int]:
    """Return the least that each item may cost, by item."""
    skus = await skus_by_codes(tx, [part.sku_code for one in items for part in one.parts])
    terms = await _terms(tx, dealer_id, skus)
    return {one.id: _least(terms, one.parts, skus) for one in items}


def _least(terms: DealerTerms | None, parts: Sequence[ItemPart], skus: Mapping[str, Sku]) -> int:
    if terms is None:
        return 0
    known = [(part, skus.get(part.sku_code)) for part in parts]
    prices = [(part, terms.prices.get(sku.id)) for part, sku in known if sku is not None]
    return sum(part.quantity * price.min_resale_minor for part, price in prices if price)


def _check(drafts: Sequence[ItemDraft]) -> None:
    if not 0 < len(drafts) <= ITEMS_MAX:
        raise InvalidItem(f"Give 1 to {ITEMS_MAX:,} items.", path=("items",))
    if len({one.code for one in drafts}) < len(drafts):
        raise InvalidItem("An item stands there twice.", path=("items",))
    for index, one in enumerate(drafts):
        path = ("items", index)
        for name, text in (("code", one.code), ("title", one.title)):
            if not 0 < len(text.strip()) <= len(text) <= TEXT_MAX:
                raise InvalidItem(f"{name} has 1 to {TEXT_MAX} characters.", path=(*path, name))
        if not 0 <= one.price_minor <= PRICE_MINOR_MAX:
            raise InvalidItem("A price is 0 or more.", path=(*path, "priceMinor"))
        if len(one.pictures) > PICTURES_MAX or any(len(p) > TEXT_MAX for p in one.pictures):
            raise InvalidItem(f"At most {PICTURES_MAX} pictures.", path=(*path, "pictures"))
        if not 0 < len(one.parts) <= PARTS_MAX:
            raise InvalidItem(f"An item has 1 to {PARTS_MAX} SKUs.", path=(*path, "parts"))
        if len({part.sku_code for part in one.parts}) < len(one.parts):
            raise InvalidItem("A SKU stands there twice.", path=(*path, "parts"))
        if not all(0 < part.quantity <= QUANTITY_MAX for part in one.parts):
            raise InvalidItem(
                f"1 to {QUANTITY_MAX:,} units of a SKU are in an item.", path=(*path, "parts")
            )
