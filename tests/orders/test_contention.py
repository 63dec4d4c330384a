"""Many at once for few units, in two processes: never oversold, never undersold, nothing lost."""

import asyncio
from collections import Counter
from random import Random

import pytest

from backend.catalog.model import SkuDraft
from backend.channels import shops
from backend.db.errors import YipanError
from backend.inventory.change_stock import StockAdjust, StockReceive, change_stock
from backend.network.model import NodeDraft, NodeKind
from backend.orders.cancel_orders import cancel_order
from backend.orders.model import Placed
from backend.runtime import Runtime
from loadtests.fresh_brand import SHOP, BrandDraft, create_fresh_brand
from tests.catalogue import Connection
from tests.orders.checks import assert_clean, placed, second_runtime
from tests.world import SHANGHAI, World, draft, fresh_key, receive

UNITS = 50
BUYERS = 400
PARCELS = 30
TENANTS = 20
FLOOD = 3_000


async def test_400_buyers_get_50_units(
    runtime: Runtime, world: World, database_url: str, valkey_url: str
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", UNITS)
    async with second_runtime(database_url, valkey_url) as other:
        buying = [
            (runtime, other)[buyer % 2].intake.place(draft({"A": 1}), world.brand)
            for buyer in range(BUYERS)
        ]
        outcomes = await asyncio.gather(*buying)
    codes = Counter("placed" if isinstance(o, Placed) else o.code for o in outcomes)
    assert codes == {"placed": UNITS, "INSUFFICIENT_STOCK": BUYERS - UNITS}
    await assert_clean(runtime, world)


async def test_baskets_that_share_counters_are_whole_or_nothing(
    runtime: Runtime, world: World, database_url: str, valkey_url: str
) -> None:
    for sku, units in (("A", 30), ("B", 20), ("C", 25)):
        await receive(runtime.database, world.brand, "wh", sku, units)
    baskets = [{"A": 1, "B": 1}, {"B": 1, "C": 1}, {"A": 1, "C": 1}]
    async with second_runtime(database_url, valkey_url) as other:
        outcomes = await asyncio.gather(
            *(
                (runtime, other)[n % 2].intake.place(draft(baskets[n % 3]), world.brand)
                for n in range(150)
            )
        )
    done = [outcome for outcome in outcomes if isinstance(outcome, Placed)]
    assert all(line.reserved == 1 for outcome in done for line in outcome.lines)
    # 75 units in pairs: at least the scarcest SKU is sold out, or nobody could buy a pair more.
    assert 25 <= len(done) <= 37
    await assert_clean(runtime, world)


async def test_batches_that_look_up_at_once_find_what_is_there(
    runtime: Runtime, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shops, "CACHE_SECONDS", 0.0)
    await receive(runtime.database, world.brand, "wh", "A", BUYERS)
    buying = [runtime.intake.place(draft({"A": 1}), world.brand) for _ in range(BUYERS)]
    assert all(isinstance(outcome, Placed) for outcome in await asyncio.gather(*buying))


@pytest.mark.parametrize("seed", range(3))
async def test_a_random_history_adds_up(
    runtime: Runtime, world: World, database_url: str, valkey_url: str, seed: int
) -> None:
    random = Random(seed)
    orders: list[int] = []

    async def act(on: Runtime) -> None:
        kind = random.choice(["place"] * 5 + ["cancel", "cancel", "receive", "adjust"])
        sku, warehouse = random.choice("ABC"), random.choice(["wh", "store", "far"])
        if kind == "place":
            lines = {s: random.randint(1, 3) for s in random.sample("ABC", random.randint(1, 3))}
            paid = random.random() < 0.5
            outcome = await on.intake.place(
                draft(lines, external_id=fresh_key(), is_paid=paid), world.brand
            )
            if isinstance(outcome, Placed):
                orders.append(outcome.order_id)
        elif kind == "cancel" and orders:
            done = await cancel_order(
                on.database, world.brand, random.choice(orders), None, fresh_key()
            )
            await on.publish_counters(world.tenant_id, done.counters)
        elif kind in ("receive", "adjust"):
            command = (
                StockReceive(warehouse=warehouse, sku=sku, quantity=random.randint(1, 9))
                if kind == "receive"
                else StockAdjust(warehouse=warehouse, sku=sku, quantity=-1, reason="lost")
            )
            async with on.database.tenant_transaction(world.brand) as tx:
                levels = await change_stock(tx, command, fresh_key())
            await on.publish_levels(world.tenant_id, levels)

    async with second_runtime(database_url, valkey_url) as other:
        for _ in range(12):
            acts = [act(random.choice([runtime, other])) for _ in range(12)]
            for answer in await asyncio.gather(*acts, return_exceptions=True):
                assert answer is None or isinstance(answer, YipanError), answer
        await other.settle()
    await assert_clean(runtime, world)


async def test_a_nodes_capacity_is_taken_to_the_last_parcel_and_no_further(
    runtime: Runtime, world: World, admin: Connection, database_url: str, valkey_url: str
) -> None:
    await admin.execute(
        "update node set daily_capacity = $1 where id = $2", PARCELS, world.nodes["wh"]
    )
    await receive(runtime.database, world.brand, "wh", "A", BUYERS)
    await receive(runtime.database, world.brand, "wh", "B", BUYERS)
    async with second_runtime(database_url, valkey_url) as other:
        outcomes = await asyncio.gather(
            *(
                (runtime, other)[n % 2].intake.place(draft({"AB"[n % 2]: 1}), world.brand)
                for n in range(BUYERS)
            )
        )
    assert sum(isinstance(outcome, Placed) for outcome in outcomes) == PARCELS
    assert await admin.fetchval("select sum(taken) from node_capacity") == PARCELS
    await assert_clean(runtime, world)


async def test_many_tenants_with_one_order_each_are_all_served(
    runtime: Runtime, database_url: str, valkey_url: str
) -> None:
    node = NodeDraft(code="node", name="Node", kind=NodeKind.WAREHOUSE, region_code=SHANGHAI)
    sku = SkuDraft(code="A", name="A", weight_g=300)
    brands = []
    for number in range(TENANTS):
        base = BrandDraft(f"t{number}", f"T{number}", "CNY", "Asia/Shanghai", "direct")
        brand = await create_fresh_brand(runtime, base, [node], [sku])
        await receive(runtime.database, brand.principal, "node", "A", 1)
        brands.append(brand)
    async with second_runtime(database_url, valkey_url) as other:
        outcomes = await asyncio.gather(
            *(
                at.intake.place(draft({"A": 1}, shop=SHOP), brand.principal)
                for brand in brands
                for at in (runtime, other)
            )
        )
    assert sum(isinstance(outcome, Placed) for outcome in outcomes) == TENANTS


async def test_who_shops_while_another_floods_does_not_wait_for_the_flood(
    runtime: Runtime, world: World
) -> None:
    for who, units in ((world.brand, FLOOD), (world.other_brand, 1)):
        await receive(runtime.database, who, "wh", "A", units + 1)
        # Opening a brand's book takes its time: it is the waiting in line that is asked about.
        placed(await runtime.intake.place(draft({"A": 1}), who))
    flood = [
        asyncio.ensure_future(runtime.intake.place(draft({"A": 1}), world.brand))
        for _ in range(FLOOD)
    ]
    shopping = asyncio.ensure_future(runtime.intake.place(draft({"A": 1}), world.other_brand))
    assert isinstance(await shopping, Placed)
    answered = sum(order.done() for order in flood)
    await asyncio.gather(*flood)
    assert answered < FLOOD // 2
