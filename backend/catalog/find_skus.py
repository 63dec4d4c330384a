"""Looking up SKUs by code and id, and the cache that the intake uses."""

from collections.abc import Iterable, Sequence

import msgspec

from backend.catalog.errors import UnknownSku
from backend.catalog.model import Sku
from backend.db.pool import Record, TenantTransaction
from backend.db.sql import load_queries

SQL = load_queries(__file__)

CACHE_SIZE_MAX = 200_000
"""SKUs a process remembers for a tenant, at about 0.5 kB each."""


def sku_from(row: Record) -> Sku:
    return Sku(**{**row, "attributes": msgspec.json.decode(row["attributes"])})


async def sku_id_by_code(tx: TenantTransaction, code: str) -> int:
    """Return the id of an active SKU; raises UnknownSku."""
    rows = await tx.fetch(SQL.skus_by_codes, tx.tenant_id, [code])
    if not rows:
        raise UnknownSku(code)
    return int(rows[0]["id"])


async def sku_ids_by_codes(tx: TenantTransaction, codes: Sequence[str]) -> dict[str, int]:
    """Return the ids of active SKUs by code, in the order given; raises UnknownSku."""
    rows = await tx.fetch(SQL.skus_by_codes, tx.tenant_id, list(codes))
    found = {row["code"]: int(row["id"]) for row in rows}
    for code in codes:
        if code not in found:
            raise UnknownSku(code)
    return {code: found[code] for code in codes}


async def skus_by_codes(tx: TenantTransaction, codes: Sequence[str]) -> dict[str, Sku]:
    """Return the active SKUs that exist among the codes."""
    rows = await tx.fetch(SQL.skus_by_codes, tx.tenant_id, list(codes))
    return {row["code"]: sku_from(row) for row in rows}


async def codes_of_skus(tx: TenantTransaction, ids: Sequence[int]) -> dict[int, str]:
    """Return the codes of the SKUs that exist among the ids."""
    rows = await tx.fetch(SQL.codes_of_skus, tx.tenant_id, ids)
    return {row["id"]: row["code"] for row in rows}


async def skus_by_ids(tx: TenantTransaction, ids: Sequence[int]) -> dict[int, Sku]:
    """Return the SKUs that exist among the ids."""
    rows = await tx.fetch(SQL.skus_by_ids, tx.tenant_id, ids)
    return {row["id"]: sku_from(row) for row in rows}


async def page_of_skus(tx: TenantTransaction, after: int, limit: int) -> list[Sku]:
    """Return up to `limit` SKUs with an id above `after`, by id."""
    return [sku_from(row) for row in await tx.fetch(SQL.page_of_skus, tx.tenant_id, after, limit)]


class SkuCache:
    """The active SKUs of one tenant by code, as far as they were asked for.

    A SKU that was deactivated may linger here: the commit looks again and forgets it.
    """

    def __init__(self) -> None:
        self._by_code: dict[str, Sku] = {}

    def known(self, codes: Iterable[str]) -> dict[str, Sku]:
        """Return those of the codes that are known here."""
        known = self._by_code
        return {code: known[code] for code in codes if code in known}

    async def fetch(self, tx: TenantTransaction, codes: Iterable[str]) -> dict[str, Sku]:
        """Read codes, remember what was found and return it."""
        rows = await tx.fetch(SQL.skus_by_codes, tx.tenant_id, list(codes))
        found = {row["code"]: sku_from(row) for row in rows}
        if len(self._by_code) > CACHE_SIZE_MAX:
            self._by_code.clear()
        self._by_code |= found
        return found

    def forget(self, sku_ids: set[int]) -> None:
        for code in [code for code, sku in self._by_code.items() if sku.id in sku_ids]:
            del self._by_code[code]
