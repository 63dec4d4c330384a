"""Who waited for a level sees it, and what earmarks keep of it, as they stand then."""

from collections.abc import Sequence

import pytest

from backend.db.pool import Database
from backend.inventory.ledger import Take, lock_free, lock_free_of_skus, try_reserve
from backend.inventory.model import CauseKind, LevelKey, StockKey
from backend.inventory.movement_types import MovementType
from tests.catalogue import Connection
from tests.crowd import CROWD, settle, start
from tests.inventory.stock import figures, kept, key_of, move, plant_earmark
from tests.world import ACTOR, World, receive

USE = """
    with used as (update earmark_level set unused = unused - $1)
    update stock_level set earmark_unused = earmark_unused - $1, reserved = reserved + $1,
        version = version + 1
"""


class Ground:
    """Two levels of "A" with 8 units each, of which an earmark keeps 5."""

    def __init__(self, database: Database, world: World, keys: list[LevelKey], mark: int) -> None:
        self.database = database
        self.world = world
        self.keys = keys
        self.mark = mark

    async def take(self, *units: int, of_earmark: bool = True) -> bool:
        """Reserve units of each level in one go, or nothing."""
        mark = self.mark if of_earmark else None
        takes: Sequence[Take] = [
            (*key, count, 1, 1, mark, CauseKind.ORDER)
            for key, count in zip(self.keys, units, strict=False)
        ]
        try:
            async with self.database.tenant_transaction(self.world.system) as tx:
                if await try_reserve(tx, takes, ACTOR) is None:
                    raise _Undone
        except _Undone:
            return False
        return True

    async def look(self) -> list[tuple[int, int]]:
        """Lock both levels, and return what is free of each and of its earmark."""
        async with self.database.tenant_transaction(self.world.system) as tx:
            found = await lock_free(tx, self.keys)
        return [(found[StockKey(*k)].free, found[StockKey(*k, self.mark)].free) for k in self.keys]

    async def look_at_skus(self) -> list[tuple[int, int]]:
        """Return the same of every level of the SKU in the functional warehouses."""
        warehouses = [key.functional_warehouse_id for key in self.keys]
        async with self.database.tenant_transaction(self.world.system) as tx:
            found = await lock_free_of_skus(tx, [self.keys[0].sku_id], warehouses)
        return [(found[StockKey(*k)].free, found[StockKey(*k, self.mark)].free) for k in self.keys]


class _Undone(Exception):
    pass


@pytest.fixture
async def ground(database: Database, world: World, admin: Connection) -> Ground:
    keys = [await key_of(admin, world, code) for code in ("wh", "far")]
    mark = await plant_earmark(admin, world)
    for code, key in zip(("wh", "far"), keys, strict=True):
        await receive(database, world.brand, code, "A", 8)
        await move(database, world, (key, MovementType.EARMARKED, 5), earmark_id=mark)
    return Ground(database, world, keys, mark)


@pytest.mark.parametrize("used", [0, 3, 5])
async def test_a_crowd_takes_what_is_kept_and_no_more(
    ground: Ground, admin: Connection, used: int
) -> None:
    async with admin.transaction():
        await admin.execute(USE, used)
        tasks = await start(admin, [ground.take(1, 1) for _ in range(CROWD)])
    done, _ = await settle(tasks)
    assert sum(done) == 5 - used
    assert await kept(admin, ground.mark) == (10, 0, 0)
    for code in ("wh", "far"):
        assert (await figures(admin, ground.world, code))[:4] == (8, 5, 0, 0)


async def test_a_crowd_for_what_is_free_leaves_what_is_kept(
    ground: Ground, admin: Connection
) -> None:
    async with admin.transaction():
        await admin.execute(USE, 1)
        tasks = await start(admin, [ground.take(1, 1, of_earmark=n % 2 > 0) for n in range(CROWD)])
    done, _ = await settle(tasks)
    assert (sum(done[::2]), sum(done[1::2])) == (3, 4)
    assert (await figures(admin, ground.world, "wh"))[:4] == (8, 8, 0, 0)


async def test_who_gets_too_little_of_one_level_takes_nothing_of_another(
    ground: Ground, admin: Connection
) -> None:
    assert not await ground.take(5, 6)
    assert not await ground.take(6, 5)
    assert await kept(admin, ground.mark) == (10, 10, 0)
    assert await ground.take(5, 5)


@pytest.mark.parametrize("how", ["look", "look_at_skus"])
async def test_who_waited_for_a_lock_reads_what_stands_then(
    ground: Ground, admin: Connection, how: str
) -> None:
    async with admin.transaction():
        await admin.execute(USE, 2)
        tasks = await start(admin, [getattr(ground, how)()])
    done, _ = await settle(tasks)
    assert done == [[(3, 3), (3, 3)]]
