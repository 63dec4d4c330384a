"""Creating and changing SKUs."""

from collections.abc import Sequence

import msgspec

from backend.catalog.errors import InvalidSku
from backend.catalog.find_skus import SQL
from backend.catalog.model import SkuDraft
from backend.db.pool import TenantTransaction
from tenants.principal import Permission

CODE_LENGTH_MAX = 64


async def save_skus(tx: TenantTransaction, drafts: Sequence[SkuDraft]) -> dict[str, int]:
    """Create the SKUs, or change those whose code exists; returns id by code.

    All or none. Raises InvalidSku for a bad code or a code given twice, OutOfRange for a negative
    weight or size.
    """
    tx.principal.require(Permission.CATALOG_WRITE)
    codes = [draft.code for draft in drafts]
    if len(set(codes)) < len(codes):
        raise InvalidSku("The same SKU code is given twice.")
    for index, draft in enumerate(drafts):
        code_is_good = draft.code == draft.code.strip() and 0 < len(draft.code) <= CODE_LENGTH_MAX
        if not code_is_good or not draft.name.strip():
            raise InvalidSku(path=("skus", index))
    rows = await tx.fetch(
        SQL.upsert_skus,
        tx.tenant_id,
        codes,
        [draft.name for draft in drafts],
        [draft.category for draft in drafts],
        [draft.product_line for draft in drafts],
        [draft.weight_g for draft in drafts],
        [draft.length_mm for draft in drafts],
        [draft.width_mm for draft in drafts],
        [draft.height_mm for draft in drafts],
        [draft.needs_installation for draft in drafts],
        [msgspec.json.encode(draft.attributes).decode() for draft in drafts],
        [draft.is_active for draft in drafts],
    )
    return {row["code"]: row["id"] for row in rows}
