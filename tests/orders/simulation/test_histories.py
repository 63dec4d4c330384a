"""Histories by chance: under the policy that was in force they come out as they did."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from backend.inventory.change_stock import StockSell, StockTransfer
from backend.orders.model import Held, Placed
from backend.orders.normalise import NOWHERE
from backend.orders.simulation.model import SimulationResult
from backend.orders.stock_holds.model import HoldTerms, StockHoldKind
from backend.routing.model import PolicyDocument
from tests.inventory.stock import change
from tests.orders.simulation.scene import NEAREST, Past, only
from tests.world import BEIJING, GUANGZHOU, HANGZHOU, SHANGHAI, draft

STEPS = 60
WAREHOUSES = ("wh", "store", "far")
SKUS = ("A", "B")
REGIONS = (SHANGHAI, HANGZHOU, BEIJING, GUANGZHOU)
CART = HoldTerms(StockHoldKind.CART, 600)
REALLY = """
    select node_id, sum(quantity)::bigint as units, count(distinct order_id) as parcels
    from reservation where order_id = any($1::bigint[]) group by node_id
"""


class History:
    """What chance lets happen to a brand; nobody waits for stock."""

    def __init__(self, past: Past, seed: int, *, with_holds: bool) -> None:
        """What a hold kept, its order takes where it lies; simulated, it is planned anew."""
        self.past = past
        self._holds = 2 if with_holds else 0
        self.chance = Random(seed)
        self.orders: list[int] = []

    async def begin(self) -> None:
        for warehouse in WAREHOUSES:
            for sku in SKUS:
                await self.past.receive(warehouse, self.chance.randrange(4, 16), sku)

    async def go_on(self, steps: int) -> None:
        kinds: list[tuple[Callable[[], Awaitable[None]], int]] = [
            (self.place_some, 6),
            (self.receive, 2),
            (self.move, 1),
            (self.sell, 1),
            (self.cancel, 2),
            (self.hold_and_convert, self._holds),
        ]
        works, weights = zip(*kinds, strict=True)
        for work in self.chance.choices(works, weights, k=steps):
            await work()

    def _lines(self) -> dict[str, int]:
        skus = self.chance.sample(SKUS, self.chance.randint(1, len(SKUS)))
        return {sku: self.chance.randint(1, 3) for sku in skus}

    async def place_some(self) -> None:
        """Place up to five orders at once: they make one batch."""
        drafts = [
            draft(self._lines(), region=self.chance.choice(REGIONS))
            for _ in range(self.chance.randint(1, 5))
        ]
        place, brand = self.past.runtime.intake.place, self.past.world.brand
        found = await asyncio.gather(*(place(one, brand) for one in drafts))
        self.orders += [one.order_id for one in found if isinstance(one, Placed)]

    async def receive(self) -> None:
        units = self.chance.randint(1, 5)
        await self.past.receive(self.chance.choice(WAREHOUSES), units, self.chance.choice(SKUS))

    async def move(self) -> None:
        source, destination = self.chance.sample(WAREHOUSES, 2)
        command = StockTransfer(
            source=source, destination=destination, sku=self.chance.choice(SKUS), quantity=1
        )
        await self._try(command)

    async def sell(self) -> None:
        await self._try(StockSell(warehouse="store", sku=self.chance.choice(SKUS), quantity=1))

    async def _try(self, command: StockTransfer | StockSell) -> None:
        """Change stock, where there is any."""
        at = command.source if isinstance(command, StockTransfer) else command.warehouse
        free = await self.past.admin.fetchval(
            """select sum(on_hand - reserved) from stock_level l
               join functional_warehouse f on f.id = l.functional_warehouse_id
               join sku s on s.id = l.sku_id where f.code = $1 and s.code = $2""",
            at,
            command.sku,
        )
        if free:
            levels = await change(self.past.database, self.past.world.brand, command)
            await self.past.runtime.publish_levels(self.past.world.tenant_id, levels)

    async def cancel(self) -> None:
        if self.orders:
            order = self.orders.pop(self.chance.randrange(len(self.orders)))
            await self.past.cancel(order)

    async def hold_and_convert(self) -> None:
        """Keep units, and order them once others have had the chance to."""
        lines = self._lines()
        runtime, brand = self.past.runtime, self.past.world.brand
        found = await runtime.intake.take_hold(draft(lines, address=NOWHERE), CART, brand)
        if not isinstance(found, Held):
            return
        await self.place_some()
        order = await runtime.intake.place(draft(lines, hold=found.hold_id), brand)
        assert isinstance(order, Placed), order
        self.orders.append(order.order_id)


@pytest.mark.parametrize("seed", range(4))
async def test_what_was_in_force_comes_out_as_it_did(past: Past, seed: int) -> None:
    await past.put_in_force(PolicyDocument((NEAREST,)))
    history = History(past, seed, with_holds=False)
    await history.begin()
    await history.go_on(STEPS // 4)
    since = await past.now()
    await history.go_on(STEPS)
    period = "select id from orders where placed_at >= $1"
    ids = [row["id"] for row in await past.admin.fetch(period, since)]
    assert len(ids) > 15
    found = (await past.simulate(0, baseline=1, since=since)).result.baseline
    really = {row["node_id"]: tuple(row)[1:] for row in await past.admin.fetch(REALLY, ids)}
    planned = {one.node_id: (one.units, one.parcels) for one in found.nodes if one.parcels}
    assert planned == really
    assert (found.orders, found.whole, found.units_unplaced) == (len(ids), len(ids), 0)


@pytest.mark.parametrize("seed", range(2))
async def test_how_it_is_cut_into_pieces_and_batches_changes_nothing(
    past: Past, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    history = History(past, seed, with_holds=True)
    await history.begin()
    await history.go_on(STEPS)
    candidate, until = await past.propose(only("far", "store")), await past.now()
    results: Counter[SimulationResult] = Counter()
    for piece, batch in ((2_000, 200), (1, 1), (7, 3), (3, 200)):
        monkeypatch.setattr("backend.orders.simulation.history.PIECE", piece)
        monkeypatch.setattr("backend.orders.simulation.run_simulation.BATCH", batch)
        found = await past.simulate(candidate, until=until)
        results[found.result] += 1
    assert len(results) == 1
