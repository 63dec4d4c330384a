"""Phones without network: commands come late, twice, or after somebody else was there."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from backend.pickups.errors import PickupChanged
from backend.pickups.expire import expire_pickup
from backend.pickups.model import PickupDone, PickupStatus
from tests.catalogue import Connection
from tests.inventory.stock import figures
from tests.orders.checks import assert_clean
from tests.pickups.counter import Counter
from tests.refusals import refused

P = PickupStatus


async def test_commands_that_come_twice_apply_once(counter: Counter, admin: Connection) -> None:
    order = await counter.sold()
    code = ""
    for _ in range(2):
        first = await counter.accept(order, seen=1, key="phone-1")
        assert first.pickup.version == 2
    for _ in range(2):
        ready = await counter.make_ready(order, seen=2, key="phone-2")
        assert ready.pickup.version == 3
    code = await counter.code(order)
    for _ in range(2):
        done = await counter.hand_over(order, code, seen=3, key="phone-3")
        assert done.pickup.status is P.HANDED_OVER
    assert (await figures(admin, counter.world, "store")).on_hand == 2
    await assert_clean(counter.runtime, counter.world)


async def test_what_has_changed_is_refused_with_how_it_stands(
    counter: Counter, admin: Connection
) -> None:
    order = await counter.sold()
    await counter.accept(order)
    async with refused(admin, "PICKUP_CHANGED") as seen:
        await counter.make_ready(order, seen=1)
    assert isinstance(seen.error, PickupChanged)
    assert (seen.error.pickup.status, seen.error.pickup.version) == (P.ACCEPTED, 2)


async def test_two_phones_hand_over_one_order(counter: Counter) -> None:
    order = await counter.ready()
    token = await counter.token(order)
    results = await asyncio.gather(
        *(counter.hand_over(order, token) for _ in range(6)), return_exceptions=True
    )
    assert sum(isinstance(one, PickupDone) for one in results) == 1
    assert sum(isinstance(one, PickupChanged) for one in results) == 5
    await assert_clean(counter.runtime, counter.world)


async def test_what_is_kept_longer_meanwhile_does_not_expire(counter: Counter) -> None:
    order = await counter.ready()
    before = await counter.pickup(order)
    assert before.keep_until is not None
    await counter.keep(order, before.keep_until + timedelta(days=2))
    with pytest.raises(PickupChanged):
        await expire_pickup(
            counter.database, counter.world.tenant_id, order.order_id, before.keep_until
        )
    assert await counter.status(order) is P.READY


@pytest.mark.parametrize("other", ["reject", "move", "expire"])
async def test_a_hand_over_and_something_else_at_once(
    counter: Counter, admin: Connection, other: str
) -> None:
    order = await counter.ready()
    token = await counter.token(order)
    await admin.execute("update pickup set keep_until = clock_timestamp() - interval '1 s'")
    ways: dict[str, Callable[[], Awaitable[object]]] = {
        "reject": lambda: counter.reject(order),
        "move": lambda: counter.move(order, None),
        "expire": counter.expire,
    }
    handed, _ = await asyncio.gather(
        counter.hand_over(order, token), ways[other](), return_exceptions=True
    )
    status = await counter.status(order)
    assert (status is P.HANDED_OVER) == isinstance(handed, PickupDone)
    await assert_clean(counter.runtime, counter.world)
