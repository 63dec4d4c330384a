"""An earmark beside whatever else is tested: opened and filled, closed, and what it keeps."""

from backend.inventory.earmarks.change_earmarks import (
    EarmarkChanged,
    close_earmark,
    fill_earmark,
    open_earmark,
)
from backend.inventory.earmarks.model import EarmarkDraft, EarmarkKind, EarmarkLine
from tests.catalogue import Connection
from tests.inventory.pools.living import Living
from tests.world import fresh_key

PROMO = EarmarkDraft(code="promo", name="promo", kind=EarmarkKind.PROMOTION, pool="online")
UNUSED = """
    select coalesce(sum(e.unused), 0)::bigint from earmark_level e
    join sku s on s.tenant_id = e.tenant_id and s.id = e.sku_id where s.code = 'A'
"""


async def earmark(live: Living, warehouse: str, units: int) -> None:
    """Keep units of "A" for the pool "online"."""
    line = EarmarkLine(sku="A", quantity=units, warehouse=warehouse)
    async with live.runtime.database.tenant_transaction(live.brand) as tx:
        await open_earmark(tx, PROMO, key=fresh_key())
        changed = await fill_earmark(
            tx, PROMO.code, [line], key=fresh_key(), regions=live.runtime.regions
        )
    await _tell(live, changed)


async def close(live: Living) -> None:
    """Close the earmark."""
    async with live.runtime.database.tenant_transaction(live.brand) as tx:
        changed = await close_earmark(tx, PROMO.code, key=fresh_key())
    await _tell(live, changed)


async def _tell(live: Living, changed: EarmarkChanged) -> None:
    await live.runtime.publish_levels(live.world.tenant_id, changed.levels)
    await live.freshen()


async def unused(admin: Connection) -> int:
    """Return how many units of "A" earmarks keep."""
    return int(await admin.fetchval(UNUSED))
