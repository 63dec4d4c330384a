"""A brand whose numbers are published: what it may offer, and what a platform shows of it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx2

from backend.inventory.pools.model import Layout, Sync
from backend.publishing.model import Connection
from backend.runtime import Runtime
from loadtests.waiting import until
from tests.catalogue import Connection as Admin
from tests.channels.marketplace import TOKEN, Shopfront
from tests.inventory.pools.layouts import dispatch, put_in_force, share, supply
from tests.orders.checks import placed
from tests.publishing.reaching import connect, listed
from tests.world import World, draft, receive

CATCH_UP_SECONDS = 15.0
"""Far longer than any platform of a test takes to be caught up with."""
STOCK = {"A": 1_000, "B": 50, "C": 7}
SHARE_BP = 8_000
"""What the shop may offer of the stock: 800, 40 and 5 units."""
LAYOUT = Layout(
    pools=(supply("online", "wh"), dispatch("consumers", "online")),
    shares=(share("consumers", "shop", SHARE_BP),),
)
STORED = """
    select k.code, n.wanted, n.shown, n.drifted_at is not null as is_drifted, n.is_unlisted
    from shown_number n join sku k on k.tenant_id = n.tenant_id and k.id = n.sku_id order by 1
"""


class Stored(NamedTuple):
    """What is remembered of a number."""

    wanted: int
    shown: int | None
    is_drifted: bool
    is_unlisted: bool


@asynccontextmanager
async def publishing(runtime: Runtime, http: httpx2.AsyncClient) -> AsyncIterator[None]:
    """The publisher of a process works while the block does."""
    running = asyncio.create_task(runtime.publisher.run(http))
    try:
        yield
    finally:
        runtime.publisher.stop()
        await running


class Scene:
    """The brand's stock in one process, and its shop "shop" on a platform."""

    def __init__(self, runtime: Runtime, world: World, shop: Shopfront, admin: Admin) -> None:
        self.runtime = runtime
        self.world = world
        self.shop = shop
        self.admin = admin
        self._turn = asyncio.Lock()
        """Of those who look while the publisher works: the connection takes one at a time."""

    async def prepare(self) -> None:
        """Put stock, a layout and the way to the platform."""
        for sku, quantity in STOCK.items():
            await receive(self.runtime.database, self.world.brand, "wh", sku, quantity)
        await self.put_in_force()
        await self.connect()

    async def put_in_force(self, *syncs: Sync) -> None:
        layout = Layout(pools=LAYOUT.pools, shares=LAYOUT.shares, syncs=syncs)
        await put_in_force(self.runtime.database, self.world.brand, layout)

    async def connect(self, shop: Shopfront | None = None, token: str = TOKEN) -> None:
        at = shop or self.shop
        access = {"base_url": at.url, "remote_shop": at.code, "token": token}
        await connect(self.runtime.database, self.world.brand, **access)

    async def connection(self) -> Connection:
        (found,) = await listed(self.runtime.database, self.world.brand)
        return found

    async def sell(self, sku: str, quantity: int = 1) -> None:
        """Sell elsewhere: the platform does not know of it yet."""
        placed(await self.runtime.intake.place(draft({sku: quantity}), self.world.brand))

    async def restock(self, sku: str, quantity: int) -> None:
        level = await receive(self.runtime.database, self.world.brand, "wh", sku, quantity)
        await self.runtime.publish_levels(self.world.tenant_id, [level])

    async def offered(self) -> dict[str, int]:
        """Return what the stock allows the shop to show, by listing, computed from the levels."""
        rows = await self.admin.fetch(
            "select k.code, sum(l.on_hand - l.reserved)::bigint as free from stock_level l "
            "join sku k on k.tenant_id = l.tenant_id and k.id = l.sku_id "
            "where l.tenant_id = $1 group by 1",
            self.world.tenant_id,
        )
        return {row["code"]: max(0, row["free"] * SHARE_BP // 10_000) for row in rows}

    async def is_caught_up(self, *listings: str) -> bool:
        """Whether the platform shows what the stock allows, of all listings or of some."""
        shown, offered = await self.shop.shown(), await self.offered()
        return all(shown.get(code, 0) == offered[code] for code in listings or offered)

    async def caught_up(self, *listings: str) -> None:
        async with asyncio.timeout(CATCH_UP_SECONDS):
            await until(lambda: self.is_caught_up(*listings))

    async def pushes(self) -> list[tuple[str, int]]:
        """Return listing and stored number of every push that the platform accepted."""
        return [(one["listing"], one["stored"]) for one in (await self.shop.state())["pushes"]]

    async def turns(self, count: int = 2) -> None:
        """Wait until the publisher has looked for orders so many times more."""
        before = await self.calls("orders")

        async def is_so_far() -> bool:
            return await self.calls("orders") >= before + count

        await until(is_so_far)

    async def calls(self, operation: str) -> int:
        return int((await self.shop.state())["calls"].get(operation, 0))

    async def stored(self) -> dict[str, Stored]:
        rows = await self.admin.fetch(STORED)
        return {row["code"]: Stored(*list(row)[1:]) for row in rows}

    async def remembers(self, **shown: int) -> bool:
        """Whether it is stored that numbers are shown as they shall."""
        stored = await self.stored()
        return all(stored.get(code) == Stored(n, n, False, False) for code, n in shown.items())

    async def orders(self) -> Sequence[Any]:
        async with self._turn:
            return await self.admin.fetch("select * from orders where external_id is not null")

    async def cursor(self) -> str:
        async with self._turn:
            return str(await self.admin.fetchval("select orders_cursor from shop_connection"))
