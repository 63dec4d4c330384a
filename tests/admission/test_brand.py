"""A brand's warm-up knows every level and what its nodes still take today, as PostgreSQL does."""

from datetime import timedelta

import pytest

from backend.admission.model import ADMITTED, Base, Request, Take, capacity_counter, stock_counter
from backend.admission.reaper import reap
from backend.inventory import levels
from backend.network.capacity import CapacityKey, create_capacities, take_locked
from backend.network.model import NodeDraft, NodeKind
from backend.network.nodes import create_node
from backend.network.regions.table import bundled_regions
from backend.runtime import Runtime
from tests.orders.checks import assert_clean
from tests.world import SHANGHAI, World, receive


async def limited_node(runtime: Runtime, world: World, code: str, capacity: int) -> int:
    """Create a node that takes so many parcels a day."""
    node = NodeDraft(
        code=code,
        name=code,
        kind=NodeKind.WAREHOUSE,
        region_code=SHANGHAI,
        daily_capacity=capacity,
    )
    async with runtime.database.tenant_transaction(world.system) as tx:
        return await create_node(tx, node, bundled_regions())


async def test_the_first_warm_up_fills_every_level(
    runtime: Runtime, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(levels, "CHUNK", 2)
    stock = {("wh", "A"): 3, ("wh", "B"): 5, ("store", "A"): 7, ("far", "C"): 1, ("wh", "C"): 2}
    received = [
        await receive(runtime.database, world.brand, where, sku, units)
        for (where, sku), units in stock.items()
    ]
    assert await runtime.admission.ensure_warm(world.tenant_id)
    names = [stock_counter(at.functional_warehouse_id, at.sku_id) for at in received]
    looked = await runtime.admission.look(world.tenant_id, names)
    assert looked == [
        (units, at.version, 0) for units, at in zip(stock.values(), received, strict=True)
    ]
    await assert_clean(runtime, world)


async def test_the_first_warm_up_fills_todays_capacities(runtime: Runtime, world: World) -> None:
    fresh = await limited_node(runtime, world, "fresh", 9)
    used = await limited_node(runtime, world, "used", 9)
    today = (await runtime.brands.get(world.tenant_id)).today()
    key = CapacityKey(used, today)
    async with runtime.database.tenant_transaction(world.system) as tx:
        await create_capacities(tx, [key])
        taken = (await take_locked(tx, {key: 4}))[key]
    assert await runtime.admission.ensure_warm(world.tenant_id)
    days = [(fresh, today), (used, today), (used, today + timedelta(1)), (world.nodes["wh"], today)]
    names = [capacity_counter(*day) for day in days]
    looked = await runtime.admission.look(world.tenant_id, names)
    assert looked == [(9, 0, 0), (5, taken.version, 0), None, None]


async def test_brands_are_warmed_one_by_one(runtime: Runtime, world: World) -> None:
    level = await receive(runtime.database, world.brand, "wh", "A", 3)
    name = stock_counter(level.functional_warehouse_id, level.sku_id)
    assert await runtime.admission.ensure_warm(world.other_tenant_id)
    assert await runtime.admission.look(world.other_tenant_id, [name]) == [None]
    tenants = [world.tenant_id, world.other_tenant_id]
    assert await runtime.admission.ensure_used(tenants) == [world.other_tenant_id]


async def test_the_reaper_reads_postgresql_anew(runtime: Runtime, world: World) -> None:
    first = await receive(runtime.database, world.brand, "wh", "A", 3)
    assert await runtime.admission.ensure_warm(world.tenant_id)
    name = stock_counter(first.functional_warehouse_id, first.sku_id)
    request = Request("left behind", [Take(name, 2)])
    assert await runtime.admission.admit(world.tenant_id, [request]) == [ADMITTED]
    level = await receive(runtime.database, world.brand, "wh", "A", 4)
    read = runtime.counters.read
    assert await reap(runtime.admission, world.tenant_id, read, age_seconds=-1.0) == 1
    assert await runtime.admission.look(world.tenant_id, [name]) == [(7, level.version, 0)]


async def test_a_counter_that_is_no_more_keeps_no_token(runtime: Runtime, world: World) -> None:
    assert await runtime.admission.ensure_warm(world.tenant_id)
    gone = stock_counter(10**9, 10**9)
    await runtime.admission.finish(world.tenant_id, [], [Base(gone, 5, 1)])
    request = Request("left behind", [Take(gone, 2)])
    assert await runtime.admission.admit(world.tenant_id, [request]) == [ADMITTED]
    read = runtime.counters.read
    assert await reap(runtime.admission, world.tenant_id, read, age_seconds=-1.0) == 1
    assert await runtime.admission.look(world.tenant_id, [gone]) == [(5, 1, 0)]
