"""Waves that are released by themselves: each once a day, with what came before its time."""

import asyncio
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from backend.db.errors import WriteRefused
from backend.fulfilment.errors import InvalidFulfilmentInput
from backend.fulfilment.wave_times import (
    WaveTime,
    list_wave_times,
    release_due_waves,
    set_wave_times,
)
from backend.network.errors import UnknownNode
from backend.orders.model import OrderStatus, Placed
from tenants.principal import PermissionMissing
from tests.catalogue import Connection
from tests.fulfilment.working import Working
from tests.orders.checks import assert_clean
from tests.refusals import refused
from tests.world import fresh_key

S = OrderStatus
HERE = ZoneInfo("Asia/Shanghai")
TODAY = datetime.now(HERE).replace(hour=0, minute=0, second=0, microsecond=0)
TOMORROW = TODAY + timedelta(days=1)
TEN, FOUR = 10 * 60, 16 * 60


class Waving(Working):
    """A brand whose waves are released by themselves."""

    async def set(self, *times: WaveTime, at: datetime = TODAY, key: str = "") -> list[WaveTime]:
        async with self.runtime.database.tenant_transaction(self.world.brand) as tx:
            return await set_wave_times(tx, times, at, key or fresh_key())

    async def look(self, at: datetime) -> int:
        brand = await self.runtime.brands.get(self.world.tenant_id)
        return await release_due_waves(self.runtime.database, brand, at)

    async def status(self, order: Placed) -> OrderStatus:
        return (await self.standing(order)).status


@pytest.fixture
def waving(working: Working) -> Waving:
    return Waving(working.runtime, working.world)


def at(minute: int, day: datetime = TOMORROW) -> datetime:
    return day + timedelta(minutes=minute)


async def test_a_wave_is_released_when_its_time_has_come(waving: Waving) -> None:
    await waving.set(WaveTime(TEN))
    order = await waving.sold(3)
    assert await waving.look(at(TEN - 1)) == 0
    assert await waving.status(order) is S.ALLOCATED
    assert [await waving.look(at(TEN)), await waving.look(at(TEN + 1))] == [1, 0]
    assert await waving.status(order) is S.IN_FULFILMENT
    await assert_clean(waving.runtime, waving.world)


async def test_what_came_after_its_time_waits_for_the_next(waving: Waving) -> None:
    await waving.set(WaveTime(0), at=TODAY - timedelta(minutes=1))
    order = await waving.sold(3)
    assert await waving.look(at(5, TODAY)) == 0
    assert await waving.status(order) is S.ALLOCATED
    assert await waving.look(at(5)) == 1


async def test_each_time_is_one_of_every_day(waving: Waving) -> None:
    await waving.set(WaveTime(TEN), WaveTime(FOUR))
    await waving.sold(3)
    assert await waving.look(at(FOUR)) == 1
    await waving.sold(3)
    assert await waving.look(at(FOUR + 1)) == 0
    assert await waving.look(at(TEN, TOMORROW + timedelta(days=1))) == 1


async def test_of_several_processes_one_releases_it(waving: Waving) -> None:
    await waving.set(WaveTime(TEN))
    await waving.sold(3)
    released = await asyncio.gather(*(waving.look(at(TEN)) for _ in range(3)))
    assert max(released) == 1
    assert await waving.look(at(TEN + 1)) == 0
    await assert_clean(waving.runtime, waving.world)


async def test_a_time_may_be_of_one_location(waving: Waving, admin: Connection) -> None:
    store, far = waving.world.nodes["store"], waving.world.nodes["far"]
    order = await waving.sold(3)
    await waving.set(WaveTime(TEN, far))
    assert await waving.look(at(TEN)) == 0
    await waving.set(WaveTime(TEN, store))
    assert await waving.look(at(TEN)) == 1
    assert await waving.status(order) is S.IN_FULFILMENT
    assert await admin.fetchval("select node_id from wave") == store


async def test_a_time_that_is_over_is_one_from_tomorrow_on(waving: Waving) -> None:
    await waving.sold(3)
    await waving.set(WaveTime(TEN), at=at(TEN + 1))
    assert await waving.look(at(FOUR)) == 0
    assert await waving.look(at(TEN, TOMORROW + timedelta(days=1))) == 1


async def test_times_are_replaced_once_a_key(waving: Waving) -> None:
    key = fresh_key()
    times = [WaveTime(TEN), WaveTime(FOUR, waving.world.nodes["store"], with_waiting=True)]
    assert await waving.set(*times, key=key) == times
    assert await waving.set(WaveTime(FOUR)) == [WaveTime(FOUR)]
    assert await waving.set(*times, key=key) == times
    async with waving.runtime.database.tenant_transaction(waving.world.brand) as tx:
        assert await list_wave_times(tx) == [WaveTime(FOUR)]


async def test_what_is_no_time_is_refused(waving: Waving, admin: Connection) -> None:
    await waving.set(WaveTime(TEN))
    for times in (
        [WaveTime(-1)],
        [WaveTime(1_440)],
        [WaveTime(TEN), WaveTime(TEN)],
        [WaveTime(minute) for minute in range(501)],
    ):
        async with refused(admin, InvalidFulfilmentInput.code):
            await waving.set(*times)
    async with refused(admin, UnknownNode.code):
        await waving.set(WaveTime(TEN, 99))
    with pytest.raises((PermissionMissing, WriteRefused)):
        async with waving.runtime.database.tenant_transaction(waving.world.store) as tx:
            await set_wave_times(tx, [], TODAY, fresh_key())
