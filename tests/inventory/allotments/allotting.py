"""Setting and ending allotments, selling under them, and what PostgreSQL has of them."""

from typing import Any, NamedTuple

from backend.db.pool import Database
from backend.inventory.allotments import set_allotments as cases
from backend.inventory.allotments.model import Allotment, AllotmentAt, AllotmentLine, AllotmentOwner
from backend.inventory.counters import Counters
from backend.orders.cancel_orders import CancelLine, cancel_order
from backend.orders.model import Outcome, Placed
from backend.runtime import Runtime
from tenants.principal import Principal
from tests.catalogue import Connection
from tests.inventory.pools.living import Living
from tests.orders.checks import placed
from tests.world import draft, fresh_key, paid

STANDING = """
    select a.quantity, a.taken, a.is_active
    from allotment a
    join sku k on k.tenant_id = a.tenant_id and k.id = a.sku_id
    left join shop s on s.tenant_id = a.tenant_id and s.id = a.shop_id
    where k.code = $1 and coalesce(s.code, '') = $2
"""
DEALERS = ""
"""In the place of a shop: the allotment of all shops of dealer d1."""


class Standing(NamedTuple):
    """What an allotment has, and what is taken of it."""

    quantity: int
    taken: int
    is_active: bool = True


def owner_of(shop: str, sku: str = "A") -> AllotmentOwner:
    if shop == DEALERS:
        return AllotmentOwner(sku=sku, dealer="d1")
    return AllotmentOwner(sku=sku, shop=shop)


def line_of(shop: str, quantity: int, sku: str = "A", **changes: Any) -> AllotmentLine:
    owner = owner_of(shop, sku)
    return AllotmentLine(
        sku=sku, shop=owner.shop, dealer=owner.dealer, quantity=quantity, **changes
    )


async def set_(
    database: Database, who: Principal, *lines: AllotmentLine, key: str | None = None
) -> list[Allotment]:
    async with database.tenant_transaction(who) as tx:
        return await cases.set_allotments(tx, lines, key=key or fresh_key())


async def end_(
    database: Database, who: Principal, *owners: AllotmentOwner, key: str | None = None
) -> list[Allotment]:
    async with database.tenant_transaction(who) as tx:
        return await cases.end_allotments(tx, owners, key=key or fresh_key())


async def allot(live: Living, shop: str, quantity: int, sku: str = "A") -> Allotment:
    """Set an allotment, tell everybody, and let the process look at what there is."""
    found = await set_(live.runtime.database, live.brand, line_of(shop, quantity, sku))
    await tell(live, found)
    return found[0]


async def end(live: Living, shop: str, sku: str = "A") -> None:
    """End an allotment, tell everybody, and let the process look at what there is."""
    await tell(live, await end_(live.runtime.database, live.brand, owner_of(shop, sku)))


async def tell(live: Living, found: list[Allotment]) -> None:
    """Publish as the API does after the commit, and look."""
    counters = [AllotmentAt(one.id, one.quantity - one.taken, one.version) for one in found]
    await live.runtime.publish_counters(live.world.tenant_id, Counters(allotments=counters))
    await live.freshen()
    await live.runtime.settle()


async def standing(admin: Connection, shop: str = "shop", sku: str = "A") -> Standing | None:
    """Return what an allotment has, and what is taken of it."""
    row = await admin.fetchrow(STANDING, sku, shop)
    return Standing(*row) if row else None


async def buy(live: Living, units: int, shop: str = "shop", sku: str = "A") -> Outcome:
    return await live.runtime.intake.place(draft({sku: units}, shop=shop), live.brand)


async def pay(live: Living, units: int, shop: str = "shop", sku: str = "A") -> Placed:
    """Place a paid platform order."""
    order = paid(fresh_key(), {sku: units}, shop=shop)
    return placed(await live.runtime.intake.place(order, live.brand))


async def cancel(live: Living, order_id: int, units: int | None = None) -> None:
    """Cancel an order, or units of its first line; who waits is given what comes free."""
    lines = None if units is None else [CancelLine(1, units)]
    runtime: Runtime = live.runtime
    done = await cancel_order(runtime.database, live.brand, order_id, lines, fresh_key())
    await runtime.publish_counters(live.world.tenant_id, done.counters)
    await runtime.settle()


WAITS = """
    select sum(reserved)::bigint, sum(backordered)::bigint from order_line where order_id = $1
"""


async def got(admin: Connection, order: Placed) -> tuple[int, int]:
    """Return how many units an order has, and how many it waits for."""
    row = await admin.fetchrow(WAITS, order.order_id)
    assert row is not None
    return int(row[0]), int(row[1])
