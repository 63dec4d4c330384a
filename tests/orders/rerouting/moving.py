"""Orders that are given to other nodes, and what that comes to."""

from collections.abc import Mapping
from typing import Any

from backend.inventory.accuracy.model import ShortageCause
from backend.orders.model import Placed
from backend.orders.report_shortage import ShortPick, report_shortage
from backend.routing.model import PolicyDocument, Preset, Rerouting, Strategy
from backend.runtime import Runtime
from tests.catalogue import Connection
from tests.inventory.pools.living import Living
from tests.orders.strategies.routed import Routed
from tests.routing.policies import put_in_force, strategy
from tests.world import SHANGHAI, fresh_key

CHEAPEST = strategy(preset=Preset.COST)
SAVED = 900
"""A kilogram from Beijing to Shanghai costs 16.00, and 7.00 within Shanghai."""
FROM_FIVE = Rerouting(500)
FULFILMENTS = """
    select f.fulfilment_no, n.code, f.status from fulfilment f
    join node n on n.tenant_id = f.tenant_id and n.id = f.node_id
    where f.order_id = $1 order by 1
"""


class Moving:
    """A process with its brand."""

    def __init__(self, routed: Routed) -> None:
        self.routed = routed

    @property
    def live(self) -> Living:
        return self.routed.live

    async def by(self, rerouting: Rerouting | None = FROM_FIVE, *strategies: Strategy) -> None:
        """Route by strategies, the cheapest way if none is named, and reroute so."""
        runtime = self.live.runtime
        document = PolicyDocument(strategies or (CHEAPEST,), rerouting=rerouting)
        await put_in_force(runtime.database, self.live.brand, document)
        await self.live.freshen()

    async def order_from_far(self, lines: Mapping[str, int] | int = 1, **changes: Any) -> Placed:
        """Let an order be sent to Shanghai from Beijing, where alone there is stock."""
        for sku, units in ({"A": lines} if isinstance(lines, int) else lines).items():
            await self.routed.stock("far", units, sku)
        return await self.routed.order(lines, region=SHANGHAI, **changes)

    async def order_missed_in_shanghai(self) -> Placed:
        """Let an order that Shanghai did not find be sent from Beijing."""
        runtime, brand = self.live.runtime, self.live.brand
        await self.routed.stock("wh", 1)
        order = await self.routed.order(1)
        await self.routed.stock("far", 1)
        at, picks = (order.order_id, 1), [ShortPick(1, 1)]
        done = await report_shortage(
            runtime.database, brand, at, picks, ShortageCause.NOT_FOUND, fresh_key()
        )
        await runtime.publish_counters(self.live.world.tenant_id, done.counters)
        await runtime.settle()
        return order

    async def reroute(self, runtime: Runtime | None = None) -> int:
        """Look at all orders; returns how many were given to other nodes."""
        here = runtime or self.live.runtime
        await self.live.freshen()
        return await here.rerouter.reroute(await here.brands.get(self.live.world.tenant_id))


async def fulfilments(admin: Connection, order: Placed) -> list[tuple[int, str, str]]:
    """Return the numbers, nodes and states of an order's fulfilments."""
    rows = await admin.fetch(FULFILMENTS, order.order_id)
    return [(row["fulfilment_no"], row["code"], row["status"]) for row in rows]
