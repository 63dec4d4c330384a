"""What a draft would change for the shops, before it is activated."""

from datetime import datetime

from backend.db.pool import TenantTransaction
from backend.inventory.pools.layouts import (
    LAYOUTS,
    compile_in_force,
    compile_layout,
)
from backend.inventory.pools.numbers import NumberChange, changes_between
from backend.network.regions.table import RegionTable


async def preview(
    tx: TenantTransaction, version: int, local: datetime, regions: RegionTable
) -> list[NumberChange]:
    """Return the numbers that would change if a version were activated now, the largest first.

    `local` is the time where the brand is. Nothing is changed. Raises UnknownLayout, and
    InvalidLayout where the version can no longer be used.
    """
    proposed = await LAYOUTS.get(tx, version)
    active = await LAYOUTS.active(tx)
    before = None if active is None else await compile_in_force(tx, active.document, regions)
    after = await compile_layout(tx, proposed.document, regions)
    return await changes_between(tx, before, after if after.vertex_count else None, local)
