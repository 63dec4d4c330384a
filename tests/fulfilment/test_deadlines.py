"""Steps that last too long: warned of once, late once, and no more once they are taken."""

import asyncio

import pytest

from backend.fulfilment.deadlines import Deadline
from backend.network.model import NodeKind
from backend.orders.model import FulfilmentStatus, Placed
from tests.catalogue import Connection
from tests.fulfilment.timed import Timed
from tests.fulfilment.working import STEPS, Working
from tests.orders.checks import assert_clean
from tests.refusals import refused

F = FulfilmentStatus


@pytest.fixture
def timed(working: Working, admin: Connection) -> Timed:
    return Timed(working, admin)


STANDS = [(), *(STEPS[:number] for number in range(1, 6))]


@pytest.mark.parametrize("steps", STANDS, ids=lambda steps: steps[-1] if steps else "reserved")
async def test_each_step_is_warned_of_and_late_once(timed: Timed, steps: tuple[str, ...]) -> None:
    await timed.set(*(Deadline(status, 10, 30) for status in list(F)[:6]))
    order = await timed.sold(3)
    if steps:
        await timed.until(order, steps[-1])
    assert await timed.tell() == 0
    await timed.wait(11)
    assert [await timed.tell(), await timed.tell()] == [1, 0]
    await timed.wait(20)
    assert [await timed.tell(), await timed.tell()] == [1, 0]
    assert await timed.told() == ["warned", "late"]
    await assert_clean(timed.runtime, timed.world)


async def test_who_looks_late_hears_that_it_is_late_and_nothing_before(timed: Timed) -> None:
    await timed.set(Deadline(F.RELEASED, 10, 30))
    await timed.until(await timed.sold(3), "release")
    await timed.wait(31)
    assert await timed.tell() == 1
    assert await timed.told() == ["late"]


async def test_the_next_step_has_a_time_of_its_own(timed: Timed) -> None:
    await timed.set(Deadline(F.RELEASED, 10, 30), Deadline(F.PICKING, 10, 30))
    order = await timed.sold(3)
    key = await timed.until(order, "release")
    await timed.wait(31)
    await timed.tell()
    await timed.take("start", key)
    assert await timed.tell() == 0
    await timed.wait(11)
    await timed.tell()
    assert await timed.told() == ["late", "warned"]


async def test_a_kind_of_node_may_have_its_own_deadline(timed: Timed) -> None:
    await timed.set(Deadline(F.RELEASED, 60, 60), Deadline(F.RELEASED, 5, 5, NodeKind.STORE))
    await timed.until(await timed.sold(3), "release")
    await timed.wait(6)
    assert await timed.tell() == 1
    await timed.set(Deadline(F.RELEASED, 60, 60), Deadline(F.RELEASED, 5, 5, NodeKind.WAREHOUSE))
    await timed.until(await timed.sold(3), "release")
    await timed.wait(6)
    assert await timed.tell() == 0


async def test_what_waits_for_a_person_is_not_late_at_its_node(
    timed: Timed, admin: Connection
) -> None:
    await timed.set(Deadline(F.RESERVED, 5, 5))
    order = await timed.sold(3)
    await admin.execute("update orders set status = 'held' where id = $1", order.order_id)
    await timed.wait(6)
    assert await timed.tell() == 0


async def test_without_deadlines_nothing_is_late(timed: Timed) -> None:
    await timed.sold(3)
    await timed.wait(10_000)
    assert await timed.tell() == 0


async def test_two_workers_tell_once(timed: Timed) -> None:
    await timed.set(Deadline(F.RELEASED, 5, 5))
    orders: list[Placed] = [await timed.sold(1) for _ in range(5)]
    await timed.release()
    await timed.wait(6)
    told = await asyncio.gather(*(timed.tell() for _ in range(4)))
    assert (sum(told), len(await timed.told())) == (5, len(orders))


async def test_who_sets_them_at_once_sets_them_one_after_the_other(timed: Timed) -> None:
    await asyncio.gather(*(timed.set(Deadline(F.RELEASED, 5, minutes)) for minutes in range(5, 11)))
    assert await timed.admin.fetchval("select count(*) from step_deadline") == 1


@pytest.mark.parametrize(
    "deadlines",
    [
        [Deadline(F.DELIVERED, 1, 2)],
        [Deadline(F.CANCELLED, 1, 2)],
        [Deadline(F.PICKED, 0, 2)],
        [Deadline(F.PICKED, 3, 2)],
        [Deadline(F.PICKED, 1, 10**6)],
        [Deadline(F.PICKED, 1, 2)] * 2,
    ],
)
async def test_deadlines_that_make_no_sense_are_refused(
    timed: Timed, admin: Connection, deadlines: list[Deadline]
) -> None:
    async with refused(admin, "INVALID_FULFILMENT_INPUT"):
        await timed.set(*deadlines)
