"""What is read of stock: pages without gaps, newest movements first, counters for admission."""

import pytest

from backend.admission.model import Base, capacity_counter, stock_counter
from backend.db.pool import Database
from backend.inventory import levels
from backend.inventory.counters import CounterReader
from backend.inventory.model import LevelKey
from backend.inventory.movement_types import MovementType
from backend.network.capacity import CapacityKey, create_capacities
from backend.network.model import NodeDraft, NodeKind
from backend.network.nodes import create_node
from backend.network.regions.table import bundled_regions
from tenants.brands import BrandDirectory
from tests.catalogue import Connection
from tests.inventory.stock import key_of, move, plant_earmark
from tests.world import SHANGHAI, World, receive

START = LevelKey(0, 0)
SMALL = NodeDraft(code="n", name="n", kind=NodeKind.STORE, region_code=SHANGHAI, daily_capacity=7)


async def stock(database: Database, world: World) -> list[LevelKey]:
    """Put every SKU into three warehouses; return the keys by SKU and warehouse."""
    places = ("wh", "far", "dealer-node")
    filled = [
        await receive(database, world.brand, place, sku, 1) for sku in "ABC" for place in places
    ]
    return sorted((level.key for level in filled), key=lambda key: (key.sku_id, key))


async def walk(database: Database, world: World, limit: int) -> list[LevelKey]:
    """Return what all pages of that size have together."""
    found: list[LevelKey] = []
    after = START
    async with database.tenant_transaction(world.brand, read_only=True) as tx:
        while page := await levels.page_of_levels(
            tx, sku_id=None, node_id=None, after=after, limit=limit
        ):
            assert len(page) <= limit
            assert not {level.key for level in page} & set(found)
            found += [level.key for level in page]
            after = found[-1]
    return found


async def test_pages_follow_without_gap(database: Database, world: World) -> None:
    keys = await stock(database, world)
    for limit in (1, 4, 9, 10):
        assert await walk(database, world, limit) == keys


async def test_a_page_is_of_what_was_asked_for(database: Database, world: World) -> None:
    await stock(database, world)
    sku_b, far = world.skus["B"], world.nodes["far"]
    async with database.tenant_transaction(world.brand, read_only=True) as tx:
        for sku_id, node_id, count in ((sku_b, None, 3), (None, far, 3), (sku_b, far, 1)):
            page = await levels.page_of_levels(
                tx, sku_id=sku_id, node_id=node_id, after=START, limit=99
            )
            assert len(page) == count
            assert all(sku_id in (None, level.sku_id) for level in page)
            assert all(node_id in (None, level.node_id) for level in page)


async def test_a_dealer_sees_its_own_stock(database: Database, world: World) -> None:
    keys = await stock(database, world)
    for who, count in ((world.dealer, 3), (world.other_dealer, 0), (world.group, 9)):
        async with database.tenant_transaction(who, read_only=True) as tx:
            assert len(await levels.levels_by_keys(tx, keys)) == count


async def test_the_newest_movements_come_first(
    database: Database, world: World, admin: Connection
) -> None:
    here, there = await key_of(admin, world, "wh"), await key_of(admin, world, "far")
    for units in (1, 2, 3):
        await move(database, world, (here, MovementType.RECEIVED, units))
    await move(database, world, (there, MovementType.RECEIVED, 9))
    async with database.tenant_transaction(world.brand, read_only=True) as tx:
        found = await levels.newest_movements(tx, [here, there], 2)
    assert {key: [row["quantity"] for row in rows] for key, rows in found.items()} == {
        here: [3, 2],
        there: [9],
    }


async def test_a_counter_is_what_is_free(
    database: Database, world: World, admin: Connection
) -> None:
    key = await key_of(admin, world, "wh")
    for kind, units in (("received", 9), ("reserved", 1), ("floor_set", 2)):
        await move(database, world, (key, MovementType(kind), units))
    mark = await plant_earmark(admin, world)
    await move(database, world, (key, MovementType.EARMARKED, 3), earmark_id=mark)
    reader, name = CounterReader(database, BrandDirectory(database)), stock_counter(*key)
    expected = [Base(name, 3, 4), Base(stock_counter(*key, mark), 3, 4)]
    assert await reader.read(world.tenant_id, [name, stock_counter(9, 9)]) == expected
    assert [b async for part in reader.all_counters(world.tenant_id) for b in part] == expected


async def test_capacities_are_counters_too(database: Database, world: World) -> None:
    brands = BrandDirectory(database)
    reader, today = CounterReader(database, brands), (await brands.get(world.tenant_id)).today()
    async with database.tenant_transaction(world.brand) as tx:
        node_id = await create_node(tx, SMALL, bundled_regions())
    name = capacity_counter(node_id, today)
    counters = [b async for part in reader.all_counters(world.tenant_id) for b in part]
    assert counters == [Base(name, 7, 0)]
    async with database.tenant_transaction(world.brand) as tx:
        await create_capacities(tx, [CapacityKey(node_id, today)])
    assert await reader.read(world.tenant_id, [name]) == [Base(name, 7, 1)]


async def test_what_moved_since_is_read_again(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.inventory.counters.SWEEP_OVERLAP", levels.SWEEP_OVERLAP * 0)
    reader = CounterReader(database, BrandDirectory(database))
    earlier = await receive(database, world.brand, "wh", "A", 1)
    moment = await reader.moment(world.tenant_id)
    first = [base async for part in reader.changed(world.tenant_id, None) for base in part]
    level = await receive(database, world.brand, "far", "A", 2)
    changed = [base async for part in reader.changed(world.tenant_id, moment) for base in part]
    assert first == [Base(stock_counter(*earlier.key), 1, 1)]
    assert changed == [Base(stock_counter(*level.key), 2, 1)]
