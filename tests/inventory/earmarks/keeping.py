"""Opening, filling, emptying, closing and lending earmarks, and what PostgreSQL has of them."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from backend.db.pool import Database, TenantTransaction
from backend.inventory.earmarks import change_earmarks as cases
from backend.inventory.earmarks.change_earmarks import EarmarkChanged
from backend.inventory.earmarks.lend import lend_earmark
from backend.inventory.earmarks.model import EarmarkDraft, EarmarkKind, EarmarkLine
from backend.inventory.pools.model import Layout
from backend.network.regions.table import bundled_regions
from tenants.principal import Principal
from tests.catalogue import Connection
from tests.inventory.pools.layouts import share, supply
from tests.inventory.pools.living import Living
from tests.world import fresh_key

KEEPING = Layout(
    pools=(supply("online", "wh", "far"), supply("east", "wh")),
    shares=(share("online", "shop"), share("east", "dshop")),
)
"""Two shops of different pools, both of which Shanghai feeds; Beijing feeds but the first."""

KEPT = """
    select f.code, e.filled, e.unused, e.lent
    from earmark_level e
    join earmark m on m.tenant_id = e.tenant_id and m.id = e.earmark_id
    join functional_warehouse f on f.tenant_id = e.tenant_id and f.id = e.functional_warehouse_id
    join sku s on s.tenant_id = e.tenant_id and s.id = e.sku_id
    where m.code = $1 and s.code = $2
"""


class Kept(NamedTuple):
    """What an earmark has of a SKU in a functional warehouse."""

    filled: int
    unused: int
    lent: int = 0


Line = tuple[str, int] | tuple[str, int, str]
"""SKU, units and, where they are to lie, the functional warehouse."""
Act = Callable[[TenantTransaction, str], Awaitable[EarmarkChanged]]
"""What is done in a transaction, under an idempotency key."""


def lines_of(*lines: Line) -> list[EarmarkLine]:
    return [
        EarmarkLine(sku=line[0], quantity=line[1], warehouse=line[2] if len(line) == 3 else None)
        for line in lines
    ]


def draft_of(code: str = "promo", **changes: Any) -> EarmarkDraft:
    values: dict[str, Any] = {"name": code, "kind": EarmarkKind.PROMOTION, "pool": "online"}
    return EarmarkDraft(code=code, **(values | changes))


def opening(code: str = "promo", **changes: Any) -> Act:
    return lambda tx, key: cases.open_earmark(tx, draft_of(code, **changes), key=key)


def filling(*lines: Line, code: str = "promo") -> Act:
    return lambda tx, key: cases.fill_earmark(
        tx, code, lines_of(*lines), key=key, regions=bundled_regions()
    )


def dropping(*lines: Line, code: str = "promo") -> Act:
    return lambda tx, key: cases.drop_earmark(tx, code, lines_of(*lines), key=key)


def closing(code: str = "promo") -> Act:
    return lambda tx, key: cases.close_earmark(tx, code, key=key)


def lending(code: str = "promo") -> Act:
    return lambda tx, key: lend_earmark(tx, code, datetime.now(UTC), key=key)


async def act(
    database: Database, who: Principal, what: Act, key: str | None = None
) -> EarmarkChanged:
    """Do something in a transaction of its own."""
    async with database.tenant_transaction(who) as tx:
        return await what(tx, key or fresh_key())


async def told(live: Living, what: Act) -> EarmarkChanged:
    """Do something, tell everybody, and let the process look at what there is to sell from."""
    changed = await act(live.runtime.database, live.brand, what)
    await live.runtime.publish_levels(live.world.tenant_id, changed.levels)
    await live.freshen()
    return changed


async def keep(live: Living, *lines: Line, code: str = "promo", **changes: Any) -> int:
    """Open an earmark, fill it and tell everybody; returns its id."""
    await told(live, opening(code, **changes))
    return (await told(live, filling(*lines, code=code))).earmark.id


async def kept(admin: Connection, code: str = "promo", sku: str = "A") -> dict[str, Kept]:
    """Return what an earmark has of a SKU, by functional warehouse."""
    rows = await admin.fetch(KEPT, code, sku)
    return {row[0]: Kept(row[1], row[2], row[3]) for row in rows}


async def unused(admin: Connection, code: str = "promo", sku: str = "A") -> int:
    """Return how many units of a SKU an earmark keeps in all places."""
    return sum(place.unused for place in (await kept(admin, code, sku)).values())
