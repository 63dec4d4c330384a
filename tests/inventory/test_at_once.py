"""Many writers at one level: nothing is lost, nothing waits for ever, the ledger adds up."""

import asyncio

from backend.db.pool import Database
from backend.inventory.change_stock import StockReceive, StockSet, StockTransfer
from backend.inventory.ledger import lock_levels
from tests.catalogue import Connection
from tests.crowd import CROWD, all_at_once, all_wait, settle, start
from tests.inventory.stock import Figures, change, figures, key_of, ledger, sums
from tests.world import World, receive

HOLD_OF_WAREHOUSE = "select from stock_level where functional_warehouse_id = $1 for update"
ONE = StockReceive(warehouse="wh", sku="A", quantity=1)


async def assert_adds_up(admin: Connection, world: World, *warehouses: str) -> None:
    for warehouse in warehouses:
        found = await figures(admin, world, warehouse)
        assert found[:4] == await sums(admin, world, warehouse)


async def test_receipts_at_a_level_that_is_not_there_yet(
    database: Database, world: World, admin: Connection
) -> None:
    receipts = (change(database, world.brand, ONE) for _ in range(CROWD))
    done = await asyncio.gather(*receipts)
    assert sorted(levels[0].version for levels in done) == list(range(1, CROWD + 1))
    assert await figures(admin, world, "wh") == Figures(CROWD, version=CROWD)
    await assert_adds_up(admin, world, "wh")


async def test_the_versions_of_a_level_have_no_gap(
    database: Database, world: World, admin: Connection
) -> None:
    await receive(database, world.brand, "wh", "A", 1)
    await all_at_once(admin, (change(database, world.brand, ONE) for _ in range(CROWD)))
    versions = [row.version for row in await ledger(admin, world)]
    assert sorted(versions) == list(range(1, CROWD + 2))


async def test_of_writers_who_saw_the_same_one_wins(
    database: Database, world: World, admin: Connection
) -> None:
    await receive(database, world.brand, "wh", "A", 5)
    writes = [
        StockSet(warehouse="wh", sku="A", on_hand=100 + n, compare_version=1) for n in range(CROWD)
    ]
    done, codes = await all_at_once(admin, (change(database, world.brand, w) for w in writes))
    assert codes == ["STOCK_CHANGED"] * (CROWD - 1)
    assert await figures(admin, world, "wh") == Figures(done[0][0].on_hand, version=2)
    await assert_adds_up(admin, world, "wh")


async def test_among_receipts_a_writer_wins_at_most_once(
    database: Database, world: World, admin: Connection
) -> None:
    await receive(database, world.brand, "wh", "A", 5)
    write = StockSet(warehouse="wh", sku="A", on_hand=100, compare_on_hand=5)
    commands = [write if n % 2 == 0 else ONE for n in range(CROWD)]
    _, codes = await all_at_once(admin, (change(database, world.brand, c) for c in commands))
    wins = CROWD // 2 - len(codes)
    # Who wins came first: what is received before changes what was compared with.
    assert wins in (0, 1)
    expected = (100 if wins else 5) + CROWD // 2
    assert (await figures(admin, world, "wh")).on_hand == expected
    await assert_adds_up(admin, world, "wh")


async def test_transfers_in_opposite_directions_conserve_units(
    database: Database, world: World, admin: Connection
) -> None:
    for warehouse in ("wh", "far"):
        await receive(database, world.brand, warehouse, "A", 3)
    ways = [("wh", "far"), ("far", "wh")] * (CROWD // 2)
    moves = [StockTransfer(source=a, destination=b, sku="A", quantity=2) for a, b in ways]
    async with admin.transaction():
        await admin.execute(HOLD_OF_WAREHOUSE, (await key_of(admin, world, "far"))[0])
        # "wh" comes free first: whoever began there waits for "far", where others may have begun.
        async with database.tenant_transaction(world.system) as tx:
            await lock_levels(tx, [await key_of(admin, world, "wh")])
            tasks = await start(admin, (change(database, world.brand, m) for m in moves))
        await all_wait(admin, CROWD)
    done, codes = await settle(tasks)
    assert set(codes) <= {"NOT_ENOUGH_TO_MOVE"}
    assert len(done) > 1
    here, there = [await figures(admin, world, warehouse) for warehouse in ("wh", "far")]
    assert here.on_hand + there.on_hand == 6
    await assert_adds_up(admin, world, "wh", "far")
