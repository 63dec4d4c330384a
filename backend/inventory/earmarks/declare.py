"""The declaration of stock (统一库存申报): all there is of some SKUs on one sheet, for an event."""

from collections.abc import Sequence

import msgspec

from backend.catalog.find_skus import sku_ids_by_codes
from backend.db.commands import apply_once
from backend.db.pool import TenantTransaction
from backend.inventory.earmarks.change_earmarks import EarmarkChanged, fill, open_new
from backend.inventory.earmarks.errors import InvalidEarmark
from backend.inventory.earmarks.model import LINES_MAX, EarmarkDraft, EarmarkLine
from backend.inventory.earmarks.queries import SQL
from backend.network.regions.table import RegionTable
from tenants.principal import Permission


class DeclaredSku(msgspec.Struct, frozen=True, kw_only=True):
    """All stock of a SKU, over everything that the principal may see; units."""

    sku: str
    on_hand: int
    reserved: int
    floor: int
    earmarked: int
    free: int
    """What can be kept for the event: free of sellable goods, level by level."""
    in_transit: int
    """On its way, or being moved from one node to another."""
    ordered: int
    """To come from purchase and production."""


async def declare(tx: TenantTransaction, skus: Sequence[str]) -> list[DeclaredSku]:
    """Return the sheet of some SKUs, in the order given; raises UnknownSku, InvalidEarmark."""
    if not 0 < len(skus) <= LINES_MAX:
        raise InvalidEarmark(f"A sheet has 1 to {LINES_MAX} SKUs.", path=("skus",))
    ids = await sku_ids_by_codes(tx, list(skus))
    rows = {
        row["sku_id"]: row
        for row in await tx.fetch(SQL.declared_stock, tx.tenant_id, list(ids.values()))
    }
    return [_declared(code, dict(rows[sku_id])) for code, sku_id in ids.items()]


async def earmark_declared(
    tx: TenantTransaction,
    draft: EarmarkDraft,
    lines: Sequence[EarmarkLine],
    *,
    key: str,
    regions: RegionTable,
) -> EarmarkChanged:
    """Open an earmark for an event and fill it from a sheet, all or nothing, once; returns it.

    Locks and raises as `open_earmark` and `fill_earmark` do.
    """
    tx.principal.require(Permission.STOCK_WRITE)

    async def work() -> EarmarkChanged:
        await open_new(tx, draft)
        return await fill(tx, draft.code, lines, regions)

    return await apply_once(tx, key, ("earmark_declared", draft, lines), EarmarkChanged, work)


def _declared(code: str, row: dict[str, int]) -> DeclaredSku:
    del row["sku_id"]
    return DeclaredSku(sku=code, **row)
