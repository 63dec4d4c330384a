"""Finding earmarks."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from backend.db.pool import Record, TenantTransaction
from backend.db.sql import load_queries
from backend.inventory.earmarks.errors import EarmarkClosed, UnknownEarmark
from backend.inventory.earmarks.model import Earmark, EarmarkKind, Lending, OpenEarmark
from backend.inventory.model import FreeAt, Level, LevelKey

SQL = load_queries(__file__)

NEWEST = 2**63 - 1


async def open_earmarks(tx: TenantTransaction, as_of: datetime | None = None) -> list[OpenEarmark]:
    """Return the earmarks that are open, or were at a time, the oldest first."""
    rows = await tx.fetch(SQL.open_earmarks, tx.tenant_id, as_of)
    return [OpenEarmark(row["id"], row["pool"], tuple(row["warehouse_ids"])) for row in rows]


async def usable_of_sku(
    tx: TenantTransaction, sku_id: int, levels: Iterable[Level], as_of: datetime | None
) -> list[FreeAt]:
    """Return what earmarks may be used for of a SKU now, or might at a time; at version 0.

    `levels` are those of the SKU at that time.
    """
    unreserved = {level.key: max(0, level.on_hand - level.reserved) for level in levels}
    found = []
    for row in await tx.fetch(SQL.earmarked_of_sku, tx.tenant_id, sku_id, as_of):
        key = LevelKey(row["functional_warehouse_id"], sku_id)
        usable = min(row["unused"], unreserved.get(key, 0))
        found.append(FreeAt(*key, usable, 0, row["earmark_id"]))
    return found


async def lock_open_earmarks(tx: TenantTransaction, ids: Collection[int]) -> set[int]:
    """Return those of the earmarks that are open, and keep them so until the transaction ends.

    To be called before levels are locked.
    """
    if not ids:
        return set()
    rows = await tx.fetch(SQL.lock_open, tx.tenant_id, list(ids))
    return {row["id"] for row in rows}


async def lock_earmark(tx: TenantTransaction, code: str) -> OpenEarmark:
    """Lock an earmark against everybody who changes what it keeps, before levels are locked.

    Raises UnknownEarmark, EarmarkClosed.
    """
    row = await tx.fetch_row(SQL.lock_earmark, tx.tenant_id, code)
    if row is None:
        raise UnknownEarmark(f"There is no earmark {code!r}.")
    if row["closed_at"] is not None:
        raise EarmarkClosed
    return OpenEarmark(row["id"], row["pool"], tuple(row["warehouse_ids"]))


async def ended_earmarks(tx: TenantTransaction) -> list[str]:
    """Return the codes of open earmarks whose time is over."""
    return [row["code"] for row in await tx.fetch(SQL.ended, tx.tenant_id)]


async def lending_earmarks(tx: TenantTransaction) -> list[str]:
    """Return the codes of open earmarks that lend."""
    return [row["code"] for row in await tx.fetch(SQL.lending, tx.tenant_id)]


async def earmark_by_code(tx: TenantTransaction, code: str) -> Earmark:
    """Return an earmark; raises UnknownEarmark."""
    rows = await tx.fetch(SQL.earmarks, tx.tenant_id, NEWEST, code, 1, None)
    if not rows:
        raise UnknownEarmark(f"There is no earmark {code!r}.")
    return _earmark(rows[0])


async def page_of_earmarks(tx: TenantTransaction, below: int, limit: int) -> list[Earmark]:
    """Return up to `limit` earmarks, the newest first, with an id below one."""
    rows = await tx.fetch(SQL.earmarks, tx.tenant_id, below, None, limit, None)
    return [_earmark(row) for row in rows]


async def earmarks_by_ids(tx: TenantTransaction, ids: Sequence[int]) -> list[Earmark]:
    """Return the earmarks that the principal may see."""
    rows = await tx.fetch(SQL.earmarks, tx.tenant_id, NEWEST, None, len(ids), ids)
    return [_earmark(row) for row in rows]


async def earmark_levels_by_keys(
    tx: TenantTransaction, keys: Sequence[tuple[int, ...]]
) -> dict[tuple[int, ...], Record]:
    """Return what earmarks keep, by earmark, SKU and functional warehouse."""
    columns = [[key[at] for key in keys] for at in range(3)]
    rows = await tx.fetch(SQL.earmark_levels_by_keys, tx.tenant_id, *columns)
    return {(row["earmark_id"], row["sku_id"], row["functional_warehouse_id"]): row for row in rows}


async def page_of_earmark_levels(
    tx: TenantTransaction, earmark_id: int, after: LevelKey, limit: int
) -> list[Record]:
    """Return up to `limit` levels of an earmark, by SKU and functional warehouse, after a key."""
    return await tx.fetch(
        SQL.page_of_earmark_levels,
        tx.tenant_id,
        earmark_id,
        after.sku_id,
        after.functional_warehouse_id,
        limit,
    )


def _earmark(row: Record) -> Earmark:
    values = dict(row)
    keep_bp, keep_days = values.pop("lend_keep_bp"), values.pop("lend_keep_days")
    lending = None if keep_bp is None else Lending(keep_bp, keep_days)
    return Earmark(**{**values, "kind": EarmarkKind(row["kind"])}, lending=lending)
