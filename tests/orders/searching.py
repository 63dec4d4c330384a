"""A brand whose orders are looked for."""

from typing import Any

from backend.orders.model import Placed
from backend.orders.search.find import BEGINNING, Key, OrderSearch, find_orders
from backend.orders.search.index import index_next
from backend.runtime import Runtime
from loadtests.waiting import until
from tenants.principal import Principal
from tests.fulfilment.working import Working
from tests.orders.checks import placed
from tests.world import World, draft, paid


class Searching(Working):
    """A brand whose orders are looked for."""

    def __init__(self, runtime: Runtime, world: World) -> None:
        super().__init__(runtime, world)
        self.orders: dict[int, dict[str, Any]] = {}

    async def index(self) -> None:
        """Index all there is."""
        while (await index_next(self.runtime.database, self.world.tenant_id)).has_more:
            pass

    async def indexed(self) -> None:
        """Index until the newest order is found: what runs meanwhile holds the log back."""
        newest = max(self.orders)

        async def is_found() -> bool:
            await self.index()
            found = await self.find(limit=1)
            return bool(found) and found[0] >= newest

        await until(is_found)

    async def place(self, who: Principal | None = None, **changes: Any) -> Placed:
        order = draft(**changes) if "external_id" not in changes else paid(**changes)
        found = placed(await self.runtime.intake.place(order, who or self.world.brand))
        self.orders[found.order_id] = {"draft": order, "status": found.status, "was": found.status}
        return found

    async def find(
        self, who: Principal | None = None, *, after: Key = BEGINNING, limit: int = 100, **like: Any
    ) -> list[int]:
        return [key[1] for key in await self.keys(who, after=after, limit=limit, **like)]

    async def keys(
        self, who: Principal | None = None, *, after: Key = BEGINNING, limit: int = 100, **like: Any
    ) -> list[Key]:
        async with self.runtime.database.tenant_transaction(who or self.world.brand) as tx:
            return (await find_orders(tx, OrderSearch(**like), after=after, limit=limit)).keys
