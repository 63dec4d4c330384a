"""A node's day: what it takes is counted, never more than it can, and each day begins anew."""

import asyncio
from datetime import date, timedelta

import pytest
from msgspec.structs import replace

from backend.db.pool import Database
from backend.network.capacity import (
    CapacityAt,
    CapacityKey,
    CapacityMoved,
    capacities_of_day,
    create_capacities,
    lock_capacities,
    read_capacities,
    take_locked,
)
from backend.network.model import WarehouseDraft
from backend.network.nodes import DAILY_CAPACITY_MAX
from backend.routing import live_book
from backend.runtime import Runtime
from tenants.brands import Brand
from tests.catalogue import Connection, contents
from tests.crowd import CROWD, all_at_once
from tests.network.drafts import NOBODY, NODE, add_node, add_warehouse
from tests.orders.checks import assert_clean, placed
from tests.world import SHANGHAI, World, draft, receive

TODAY, TOMORROW = date(2030, 1, 31), date(2030, 2, 1)
LIMIT = 7


async def begin(database: Database, world: World, *days: date, limit: int = LIMIT) -> int:
    """Create a node with a capacity, and its counters of some days."""
    node_id = await add_node(database, world.brand, replace(NODE, daily_capacity=limit))
    async with database.tenant_transaction(world.system) as tx:
        await create_capacities(tx, [CapacityKey(node_id, day) for day in days])
    return node_id


async def take(database: Database, world: World, *taken: tuple[CapacityKey, int]) -> int:
    """Lock counters and take from them; return what is free of the first."""
    async with database.tenant_transaction(world.system) as tx:
        await lock_capacities(tx, [key for key, _ in taken])
        return (await take_locked(tx, dict(taken)))[taken[0][0]].free


async def read(database: Database, world: World, *keys: CapacityKey) -> list[CapacityAt]:
    async with database.tenant_transaction(world.system, read_only=True) as tx:
        return sorted(await read_capacities(tx, keys))


async def test_a_day_that_has_not_begun_is_free(database: Database, world: World) -> None:
    node_id = await begin(database, world)
    async with database.tenant_transaction(world.system, read_only=True) as tx:
        assert await capacities_of_day(tx, TODAY) == [CapacityAt(node_id, TODAY, LIMIT, 0)]
    assert await read(database, world, CapacityKey(node_id, TODAY)) == []


async def test_a_day_begins_with_all_that_the_node_can(database: Database, world: World) -> None:
    node_id = await begin(database, world, TODAY)
    expected = [CapacityAt(node_id, TODAY, LIMIT, 1)]
    async with database.tenant_transaction(world.system) as tx:
        assert await capacities_of_day(tx, TODAY) == expected
        keys = [CapacityKey(node_id, TODAY), CapacityKey(node_id, TOMORROW)]
        assert list((await lock_capacities(tx, keys)).values()) == expected
        assert await lock_capacities(tx, []) == {}
    assert await read(database, world, *keys) == expected


async def test_a_day_begins_once(database: Database, world: World, admin: Connection) -> None:
    node_id = await begin(database, world, TODAY)
    key = CapacityKey(node_id, TODAY)
    await take(database, world, (key, 2))
    before = await contents(admin)
    async with database.tenant_transaction(world.system) as tx:
        await create_capacities(tx, [key, key, CapacityKey(NOBODY, TODAY)])
    assert await contents(admin) == before


async def test_a_node_without_a_capacity_takes_more_than_there_are(
    database: Database, world: World
) -> None:
    key = CapacityKey(world.nodes["wh"], TODAY)
    async with database.tenant_transaction(world.system) as tx:
        assert await capacities_of_day(tx, TODAY) == []
        await create_capacities(tx, [key])
    assert await read(database, world, key) == [CapacityAt(*key, DAILY_CAPACITY_MAX, 1)]


async def test_what_is_taken_is_given_back(database: Database, world: World) -> None:
    node_id = await begin(database, world, TODAY, TOMORROW)
    today, tomorrow = CapacityKey(node_id, TODAY), CapacityKey(node_id, TOMORROW)
    assert await take(database, world, (today, 5)) == 2
    assert await take(database, world, (today, -3), (tomorrow, LIMIT)) == 5
    assert await take(database, world, (today, 5)) == 0
    assert await read(database, world, tomorrow, today, today) == [
        CapacityAt(*today, 0, 4),
        CapacityAt(*tomorrow, 0, 2),
    ]


async def test_nothing_taken_is_no_change(database: Database, world: World) -> None:
    async with database.tenant_transaction(world.system) as tx:
        assert await take_locked(tx, {}) == {}


@pytest.mark.parametrize("parcels", [6, LIMIT + 1])
async def test_more_than_is_free_is_not_taken(
    database: Database, world: World, admin: Connection, parcels: int
) -> None:
    node_id = await begin(database, world, TODAY, TOMORROW)
    today, tomorrow = CapacityKey(node_id, TODAY), CapacityKey(node_id, TOMORROW)
    await take(database, world, (today, 2))
    before = await contents(admin)
    with pytest.raises(CapacityMoved):
        await take(database, world, (tomorrow, 1), (today, parcels))
    assert await contents(admin) == before


async def take_if_free(database: Database, world: World, key: CapacityKey) -> int:
    """Take one parcel where there is room for it; return how many were taken."""
    async with database.tenant_transaction(world.system) as tx:
        locked = await lock_capacities(tx, [key])
        parcels = min(1, locked[key].free)
        await take_locked(tx, {key: parcels} if parcels else {})
        return parcels


async def test_parcels_at_once_fill_a_day_and_no_more(
    database: Database, world: World, admin: Connection
) -> None:
    key = CapacityKey(await begin(database, world, TODAY), TODAY)
    works = (take_if_free(database, world, key) for _ in range(CROWD))
    done, _ = await all_at_once(admin, works, "node_capacity")
    assert sorted(done) == [0] * (CROWD - LIMIT) + [1] * LIMIT
    assert await read(database, world, key) == [CapacityAt(*key, 0, 1 + LIMIT)]


async def test_a_day_begins_once_for_many_at_once(database: Database, world: World) -> None:
    key = CapacityKey(await begin(database, world), TODAY)

    async def create() -> None:
        async with database.tenant_transaction(world.system) as tx:
            await create_capacities(tx, [key])

    await asyncio.gather(*(create() for _ in range(CROWD)))
    assert await read(database, world, key) == [CapacityAt(*key, LIMIT, 1)]


async def test_orders_of_the_next_day_find_the_node_free(
    runtime: Runtime, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_book, "FRESH_SECONDS", 0.0)
    near = replace(NODE, region_code=SHANGHAI, priority=1, daily_capacity=1)
    node_id = await add_node(runtime.database, world.brand, near)
    await add_warehouse(runtime.database, world.brand, WarehouseDraft(node_id=node_id, code="new"))
    for warehouse in ("new", "far"):
        await receive(runtime.database, world.brand, warehouse, "A", 9)
    start = (await runtime.brands.get(world.tenant_id)).local_time()
    day = start.date()
    for later in range(3):
        monkeypatch.setattr(Brand, "local_time", lambda _, at=start + timedelta(later): at)
        for _ in range(2):
            placed(await runtime.intake.place(draft({"A": 1}), world.brand))
    days = [CapacityKey(node_id, day + timedelta(later)) for later in range(3)]
    assert [at.free for at in await read(runtime.database, world, *days)] == [0, 0, 0]
    await assert_clean(runtime, world)


async def test_orders_find_the_new_day_as_soon_as_the_clock_was_set(
    runtime: Runtime, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = replace(NODE, region_code=SHANGHAI, priority=1, daily_capacity=1)
    node_id = await add_node(runtime.database, world.brand, near)
    await add_warehouse(runtime.database, world.brand, WarehouseDraft(node_id=node_id, code="new"))
    for warehouse in ("new", "far"):
        await receive(runtime.database, world.brand, warehouse, "A", 9)
    start = (await runtime.brands.get(world.tenant_id)).local_time()
    for later in range(3):
        monkeypatch.setattr(Brand, "local_time", lambda _, at=start + timedelta(later): at)
        runtime.books.expire()
        placed(await runtime.intake.place(draft({"A": 1}), world.brand))
    days = [CapacityKey(node_id, start.date() + timedelta(later)) for later in range(3)]
    assert [at.free for at in await read(runtime.database, world, *days)] == [0, 0, 0]
