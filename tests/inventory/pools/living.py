"""A layout in force in one process, and what is offered under it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from backend.channels.shops import active_shops
from backend.inventory.change_stock import StockAdjust
from backend.inventory.pools.live import LivePools
from backend.inventory.pools.model import Layout
from backend.inventory.warehouses import create_warehouse
from backend.network.model import WarehouseDraft
from backend.routing import live_book
from backend.runtime import Runtime
from loadtests.waiting import until
from tenants.principal import Principal
from tests.inventory.pools.layouts import put_in_force
from tests.inventory.stock import change
from tests.orders.checks import assert_clean, second_runtime
from tests.world import World, receive


class Living:
    """One process, with the layouts and stock of brand "acme"."""

    def __init__(
        self, runtime: Runtime, world: World, shop_ids: dict[str, int], urls: tuple[str, str]
    ) -> None:
        self.runtime = runtime
        self.world = world
        self.shop_ids = shop_ids
        self._urls = urls

    @property
    def brand(self) -> Principal:
        return self.world.brand

    @property
    def pools(self) -> LivePools | None:
        """The pools as the process knows them, however old."""
        opened = self.runtime.books.opened(self.world.tenant_id)
        return None if opened is None else opened.pools

    @asynccontextmanager
    async def another(self) -> AsyncIterator["Living"]:
        """Open another process on the same servers; this one hears it."""
        async with second_runtime(*self._urls) as runtime:
            await self.listen()
            yield Living(runtime, self.world, self.shop_ids, self._urls)

    async def listen(self) -> None:
        """Hear other processes, and have read all that was announced before."""
        await until(lambda: self.runtime.announcements.hearing is not None)
        await self.freshen()

    async def warm(self) -> None:
        """Have the brand's counters warm; an order that found them cold may be at it."""
        await until(lambda: self.runtime.admission.ensure_warm(self.world.tenant_id))

    async def becomes(self, shop: str, units: int) -> None:
        """Wait until a shop may offer so many, without looking anything up."""
        await until(lambda: self.shop(shop) == units)

    async def freshen(self) -> None:
        """Let the process look at what may have changed.

        What looks for waiting orders beside it may look at what was before: settle first.
        """
        live = await self.runtime.books.open(self.world.tenant_id)
        await live.settled()
        await live.freshen()
        await live.settled()

    async def lay_out(self, layout: Layout) -> None:
        """Put a layout in force, and let the process see it."""
        await put_in_force(self.runtime.database, self.brand, layout)
        await self.freshen()

    async def receive(self, warehouse: str, units: int, sku: str = "A") -> None:
        """Put units into a functional warehouse, and tell everybody."""
        level = await receive(self.runtime.database, self.brand, warehouse, sku, units)
        await self.runtime.publish_levels(self.world.tenant_id, [level])

    async def adjust(self, warehouse: str, units: int, sku: str = "A") -> None:
        """Correct a level by units of either sign, and tell everybody."""
        command = StockAdjust(warehouse=warehouse, sku=sku, quantity=units, reason="count")
        levels = await change(self.runtime.database, self.brand, command)
        await self.runtime.publish_levels(self.world.tenant_id, levels)

    async def add_warehouse(self, draft: WarehouseDraft) -> int:
        async with self.runtime.database.tenant_transaction(self.brand) as tx:
            return await create_warehouse(tx, draft)

    def shop(self, code: str, sku: str = "A") -> int | None:
        """Return what a shop may offer."""
        assert self.pools is not None, "no layout is in force"
        return self.pools.of_shop(self.world.skus[sku], self.shop_ids[code])

    def pool(self, code: str, sku: str = "A") -> int:
        """Return what a pool may offer."""
        assert self.pools is not None, "no layout is in force"
        return self.pools.of_pool(self.world.skus[sku], code)


async def living(runtime: Runtime, world: World, *urls: str) -> Living:
    """Return a process at the addresses of its PostgreSQL and Valkey."""
    database_url, valkey_url = urls
    async with runtime.database.tenant_transaction(world.system, read_only=True) as tx:
        ids = {code: shop.id for code, shop in (await active_shops(tx)).items()}
    return Living(runtime, world, ids, (database_url, valkey_url))


@pytest.fixture
async def live(
    runtime: Runtime,
    world: World,
    database_url: str,
    valkey_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Living]:
    """A process that looks at layout and rules whenever it is asked to; its books add up."""
    monkeypatch.setattr(live_book, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(live_book, "RULES_SECONDS", 0.0)
    yield await living(runtime, world, database_url, valkey_url)
    await assert_clean(runtime, world)
