"""A brand with a past: what happened to it, and what other policies would have made of it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from backend.conditions.model import Comparison, Condition, Operator
from backend.inventory.change_stock import StockAdjust
from backend.network.regions.table import bundled_regions
from backend.orders.cancel_orders import CancelLine, cancel_order
from backend.orders.model import OrderDraft
from backend.orders.simulation.model import Difference, Simulation, SimulationResult
from backend.orders.simulation.runner import SimulationRunner
from backend.orders.simulation.simulations import (
    page_of_differences,
    simulation,
    start_simulation,
)
from backend.routing.model import Objective, Otherwise, PolicyDocument, Strategy
from backend.routing.policies import activate_policy, active_policy, propose_policy
from backend.runtime import Runtime
from tests.catalogue import Connection, contents
from tests.inventory.stock import change
from tests.orders.checks import placed
from tests.world import World, fresh_key, receive

BEFORE_ALL = datetime(2020, 1, 1, tzinfo=UTC)
NEAREST = Strategy(
    name="nearest",
    objectives=(Objective("distance"), Objective("split")),
    otherwise=Otherwise.BACKORDER,
)


def only(*codes: str) -> PolicyDocument:
    """Return a policy by which some nodes alone send, the nearest first."""
    nodes = Condition(test=Comparison("node.code", Operator.IN, codes))
    name = "only " + " ".join(codes)
    objectives = (Objective("distance"),)
    strategy = Strategy(
        name=name, nodes=nodes, objectives=objectives, otherwise=Otherwise.BACKORDER
    )
    return PolicyDocument((strategy,))


class Simulated(NamedTuple):
    """A simulation that is done."""

    simulation: Simulation
    differences: list[Difference]

    @property
    def result(self) -> SimulationResult:
        assert self.simulation.result is not None, self.simulation
        return self.simulation.result


class Past:
    """What happens to brand "acme"; every figure is what its own commands have left."""

    def __init__(self, runtime: Runtime, world: World, admin: Connection) -> None:
        self.runtime = runtime
        self.world = world
        self.admin = admin
        self.database = runtime.database
        self.runner = self.another_runner()

    def another_runner(self) -> SimulationRunner:
        return SimulationRunner(self.database, self.runtime.brands, bundled_regions())

    async def now(self) -> datetime:
        """Return the time on the clock that everything is stamped with."""
        found: datetime = await self.admin.fetchval("select clock_timestamp()")
        return found

    async def receive(self, warehouse: str, units: int, sku: str = "A") -> None:
        level = await receive(self.database, self.world.brand, warehouse, sku, units)
        await self.runtime.publish_levels(self.world.tenant_id, [level])

    async def adjust(self, warehouse: str, units: int, sku: str = "A") -> None:
        command = StockAdjust(warehouse=warehouse, sku=sku, quantity=units, reason="count")
        levels = await change(self.database, self.world.brand, command)
        await self.runtime.publish_levels(self.world.tenant_id, levels)

    async def place(self, draft: OrderDraft) -> int:
        return placed(await self.runtime.intake.place(draft, self.world.brand)).order_id

    async def cancel(self, order_id: int, units: int | None = None) -> None:
        lines = None if units is None else [CancelLine(1, units)]
        done = await cancel_order(self.database, self.world.brand, order_id, lines, fresh_key())
        await self.runtime.publish_counters(self.world.tenant_id, done.counters)

    async def shift(self, order_id: int, placed_at: datetime) -> None:
        """Let an order have been placed at another time."""
        moved = "update orders set placed_at = $2 where id = $1"
        await self.admin.execute(moved, order_id, placed_at)

    async def propose(self, document: PolicyDocument) -> int:
        """Keep a policy as a draft, and return its version."""
        async with self.database.tenant_transaction(self.world.brand) as tx:
            _, active = await active_policy(tx)
            saved = await propose_policy(
                tx,
                document,
                based_on=active,
                comment="",
                key=fresh_key(),
                regions=bundled_regions(),
            )
        return saved.version

    async def put_in_force(self, document: PolicyDocument) -> int:
        version = await self.propose(document)
        async with self.database.tenant_transaction(self.world.brand) as tx:
            await activate_policy(tx, version, key=fresh_key(), regions=bundled_regions())
        return version

    async def ask(
        self,
        candidate: int,
        baseline: int = 0,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Simulation:
        """Ask for a simulation, of the last hour unless something else is said."""
        until = until or await self.now()
        async with self.database.tenant_transaction(self.world.brand) as tx:
            return await start_simulation(
                tx,
                baseline=baseline,
                candidate=candidate,
                since=since or until - timedelta(hours=1),
                until=until,
                key=fresh_key(),
            )

    async def run(self, runner: SimulationRunner | None = None) -> bool:
        brand = await self.runtime.brands.get(self.world.tenant_id)
        return await (runner or self.runner).run_one(brand)

    async def look(self, asked: Simulation) -> Simulated:
        """Return what a simulation has come to."""
        async with self.database.tenant_transaction(self.world.brand, read_only=True) as tx:
            found = await simulation(tx, asked.id)
            differences = await page_of_differences(tx, asked.id, -1, 100)
        return Simulated(found, [one.difference for one in differences])

    async def simulate(self, candidate: int, baseline: int = 0, **period: datetime) -> Simulated:
        """Ask for a simulation, run it, and return what it came to; nothing else has changed."""
        await asyncio.gather(*self.runtime._background)  # who waits is given what came
        asked = await self.ask(candidate, baseline, **period)
        before = await self.everything()
        assert await self.run()
        assert await self.everything() == before
        return await self.look(asked)

    async def everything(self) -> dict[str, object]:
        """Return all rows there are, but for those of simulations."""
        found = await contents(self.admin)
        return {table: rows for table, rows in found.items() if "routing_simulation" not in table}

    def node_codes(self, nodes: tuple[int, ...]) -> list[str]:
        codes = {number: code for code, number in self.world.nodes.items()}
        return sorted(codes[node] for node in nodes)
