"""Setting and ending allotments."""

from collections.abc import Sequence

from backend.catalog.find_skus import sku_ids_by_codes
from backend.channels.errors import UnknownShop
from backend.channels.model import Shop
from backend.channels.shops import active_shops
from backend.db.commands import apply_once
from backend.db.pool import Record, TenantTransaction
from backend.inventory.allotments import model
from backend.inventory.allotments.counters import SQL
from backend.inventory.allotments.errors import (
    AllotmentChanged,
    InvalidAllotment,
    UnknownAllotment,
)
from backend.inventory.allotments.model import Allotment, AllotmentLine, AllotmentOwner
from backend.inventory.change_stock import check_reason
from backend.inventory.errors import InvalidQuantity
from backend.inventory.model import QUANTITY_MAX
from tenants.errors import UnknownDealer
from tenants.organisation import dealers_of_brand
from tenants.principal import Permission

Place = tuple[int | None, int | None]
"""Shop, and dealer: whose shop it is, or whose shops."""
Key = tuple[int, int | None, int | None]
"""SKU, shop, and dealer."""


async def set_allotments(
    tx: TenantTransaction, lines: Sequence[AllotmentLine], *, key: str
) -> list[Allotment]:
    """Set allotments, all or none, once, and return them.

    One may be set below what is taken: then nothing more is sold. Locks the key, then the
    allotments by id. Raises InvalidAllotment, InvalidQuantity, InvalidReason, UnknownSku,
    UnknownShop, UnknownDealer, AllotmentChanged, CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.STOCK_WRITE)
    _check(lines)

    async def work() -> list[Allotment]:
        places = await _Places.read(tx, lines)
        locked = await _lock(tx, places.keys)
        ids = [await _set(tx, lines[at], places.keys[at], locked, at) for at in places.order]
        return await allotments_by_ids(tx, ids)

    return await apply_once(tx, key, ("set_allotments", lines), list[Allotment], work)


async def end_allotments(
    tx: TenantTransaction, owners: Sequence[AllotmentOwner], *, key: str
) -> list[Allotment]:
    """Let allotments bound nothing any more, all or none, once, and return them.

    Locks and raises as `set_allotments`, and UnknownAllotment.
    """
    tx.principal.require(Permission.STOCK_WRITE)
    _check(owners)

    async def work() -> list[Allotment]:
        places = await _Places.read(tx, owners)
        locked = await _lock(tx, places.keys)
        ids = []
        for index in places.order:
            row = locked.get(places.keys[index])
            if row is None or not row["is_active"]:
                raise UnknownAllotment(path=("allotments", index))
            await tx.execute(SQL.end_allotment, tx.tenant_id, row["id"], tx.principal.subject)
            ids.append(row["id"])
        return await allotments_by_ids(tx, ids)

    return await apply_once(tx, key, ("end_allotments", owners), list[Allotment], work)


async def page_of_allotments(
    tx: TenantTransaction, after: int, limit: int, *, shop_id: int | None
) -> list[Allotment]:
    """Return up to `limit` allotments that the principal may see, with ids above `after`."""
    rows = await tx.fetch(SQL.allotments, tx.tenant_id, after, shop_id, limit)
    return [Allotment(**row) for row in rows]


async def allotments_by_ids(tx: TenantTransaction, ids: Sequence[int]) -> list[Allotment]:
    """Return the allotments, by id."""
    rows = await tx.fetch(SQL.allotments_by_ids, tx.tenant_id, ids)
    return [Allotment(**row) for row in rows]


class _Places:
    """Whose allotments are meant, and in which order new ones are made."""

    def __init__(self, keys: list[Key]) -> None:
        if len(set(keys)) < len(keys):
            raise InvalidAllotment("An allotment stands there twice.", path=("allotments",))
        self.keys = keys
        self.order = sorted(range(len(keys)), key=lambda at: [one or 0 for one in keys[at]])

    @classmethod
    async def read(cls, tx: TenantTransaction, owners: Sequence[AllotmentOwner]) -> "_Places":
        skus = await sku_ids_by_codes(tx, [owner.sku for owner in owners])
        shops = await active_shops(tx)
        dealers = {dealer.code: dealer.id for dealer in await dealers_of_brand(tx, tx.tenant_id)}
        places = [_place(owner, shops, dealers, index) for index, owner in enumerate(owners)]
        return cls([(skus[o.sku], *place) for o, place in zip(owners, places, strict=True)])


async def _lock(tx: TenantTransaction, keys: Sequence[Key]) -> dict[Key, Record]:
    """Lock those of the allotments that exist, in the order in which orders lock them."""
    columns = [list(column) for column in zip(*keys, strict=True)]
    rows = await tx.fetch(SQL.lock_allotments_of, tx.tenant_id, *columns)
    return {(row["sku_id"], row["shop_id"], row["dealer_id"]): row for row in rows}


def _place(
    owner: AllotmentOwner,
    shops: dict[str, Shop],
    dealers: dict[str, int],
    index: int,
) -> Place:
    if owner.shop is not None:
        if owner.shop not in shops:
            raise UnknownShop(path=("allotments", index, "shop"))
        shop = shops[owner.shop]
        return shop.id, shop.dealer_id
    assert owner.dealer is not None, "it was checked to be one or the other"
    if owner.dealer not in dealers:
        raise UnknownDealer(path=("allotments", index, "dealer"))
    return None, dealers[owner.dealer]


async def _set(
    tx: TenantTransaction, line: AllotmentLine, key: Key, locked: dict[Key, Record], index: int
) -> int:
    """Set one and return its id, or raise AllotmentChanged if it is at another version."""
    wanted, known = line.compare_version, locked.get(key)
    version = known["version"] if known else 0
    if wanted is None or wanted == version:
        found: int | None = await tx.fetch_value(
            SQL.set_allotment,
            tx.tenant_id,
            *key,
            line.quantity,
            line.reason.strip(),
            tx.principal.subject,
            wanted,
        )
        if found is not None:
            return found
        version = (await _lock(tx, [key]))[key]["version"]  # somebody has made it meanwhile
    raise AllotmentChanged(version, ("allotments", index, "compareVersion"))


def _check(lines: Sequence[AllotmentOwner]) -> None:
    if not 0 < len(lines) <= model.LINES_MAX:
        raise InvalidAllotment(f"Give 1 to {model.LINES_MAX} allotments.", path=("allotments",))
    for index, line in enumerate(lines):
        if (line.shop is None) == (line.dealer is None):
            raise InvalidAllotment(
                "An allotment is of a shop or of a dealer: name one of them.",
                path=("allotments", index),
            )
        if isinstance(line, AllotmentLine):
            if not 0 <= line.quantity <= QUANTITY_MAX:
                raise InvalidQuantity(
                    "An allotment is a whole number from 0 to 1,000,000,000.",
                    path=("allotments", index, "quantity"),
                )
            check_reason(line.reason, ("allotments", index, "reason"))
