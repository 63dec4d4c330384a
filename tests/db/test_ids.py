"""Order ids: nobody gets one twice."""

import asyncio

import pytest

from backend.db.ids import BLOCK, OrderIds
from backend.db.pool import Database
from tests.catalogue import Connection


async def test_a_block_is_what_the_sequence_increments_by(admin: Connection) -> None:
    step = "select seqincrement from pg_sequence where seqrelid = 'order_id_block'::regclass"
    assert await admin.fetchval(step) == BLOCK


@pytest.mark.parametrize("count", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
async def test_as_many_as_asked_for_rising(database: Database, count: int) -> None:
    ids = await OrderIds(database).take(count)
    assert len(ids) == count
    assert ids == sorted(set(ids))


async def test_two_allocators_never_meet(database: Database) -> None:
    allocators = [OrderIds(database), OrderIds(database)]
    sizes = [1, 7, 100, BLOCK, 300]
    taken = await asyncio.gather(*(a.take(n) for n in sizes for a in (*allocators, *allocators)))
    ids = [order_id for part in taken for order_id in part]
    assert len(ids) == 4 * sum(sizes)
    assert len(set(ids)) == len(ids)


async def test_a_block_is_used_up_before_the_next(database: Database) -> None:
    allocator = OrderIds(database)
    first = await allocator.take(BLOCK - 1)
    assert await allocator.take(2) == [first[-1] + 1, first[-1] + 2]


async def test_ids_rise_from_call_to_call(database: Database) -> None:
    allocator = OrderIds(database)
    calls = [await allocator.take(100) for _ in range(6)]
    ids = [order_id for call in calls for order_id in call]
    assert ids == sorted(ids)
