"""Takes, conversions, expiries and orders at once over few units, in two processes."""

import asyncio
from random import Random

import pytest

from backend.db.errors import YipanError
from backend.orders.model import Held, Placed
from tests.catalogue import Connection
from tests.inventory.allotments.allotting import DEALERS, allot
from tests.inventory.earmarks.keeping import keep
from tests.inventory.pools.living import Living
from tests.orders.checks import assert_clean
from tests.orders.stock_holds.holding import (
    ask,
    convert,
    expire,
    extend,
    held,
    make_late,
    release,
    reserved,
)
from tests.world import draft, fresh_key, paid

CROWD = 100
STATES = "select state, count(*) from stock_hold group by state"
TWICE = """
    select cause_id from stock_movement
    where cause_kind = 'hold'
    group by cause_id, cause_kind
    having sum(reserved_delta) <> (case when (
        select state from stock_hold h where h.id = cause_id) = 'active'
        then (select sum(quantity) from stock_hold_part p where p.hold_id = cause_id) else 0 end)
"""
OWNERLESS = """
    select h.id from stock_hold h
    where (h.state = 'converted') <> (h.order_id is not null)
       or (h.order_id is not null
           and not exists (select from orders o where o.id = h.order_id))
"""


async def states(admin: Connection) -> dict[str, int]:
    """Return how many holds stand how."""
    return {row["state"]: row["count"] for row in await admin.fetch(STATES)}


async def assert_each_ended_once(admin: Connection) -> None:
    """What a hold took it gave back, once, and what was converted has its order."""
    assert await admin.fetch(TWICE) == []
    assert await admin.fetch(OWNERLESS) == []


async def test_a_hundred_take_ten_units(shops: Living, admin: Connection) -> None:
    async with shops.another() as other:
        await other.freshen()
        found = await asyncio.gather(*(ask((shops, other)[n % 2]) for n in range(CROWD)))
    assert sum(isinstance(one, Held) for one in found) == 10
    assert await reserved(admin) == 10
    await assert_each_ended_once(admin)


async def test_a_hundred_take_over_ten_holds(shops: Living, admin: Connection) -> None:
    holds = [held(await ask(shops)).hold_id for _ in range(10)]
    async with shops.another() as other:
        await other.freshen()
        found = await asyncio.gather(
            *(convert((shops, other)[n % 2], holds[n % 10], 1) for n in range(CROWD))
        )
    assert sum(isinstance(one, Placed) for one in found) == 10
    assert await states(admin) == {"converted": 10}
    await assert_each_ended_once(admin)


async def test_a_hundred_need_the_units_of_ten_that_are_over(
    shops: Living, admin: Connection
) -> None:
    holds = [held(await ask(shops)).hold_id for _ in range(10)]
    await make_late(admin, *holds)
    async with shops.another() as other:
        await other.freshen()
        buying = [
            (shops, other)[n % 2].runtime.intake.place(draft(), shops.brand) for n in range(CROWD)
        ]
        found = await asyncio.gather(*buying, expire(shops), expire(other))
    assert sum(isinstance(one, Placed) for one in found) == 10
    assert await states(admin) == {"expired": 10}
    await assert_each_ended_once(admin)


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_comes_at_once_adds_up(shops: Living, admin: Connection, seed: int) -> None:
    """With an earmark and allotments, whose units go back to where they came from."""
    random = Random(seed)
    await keep(shops, ("A", 4, "wh"))
    await shops.receive("far", 6)
    await allot(shops, "shop", 7)
    await allot(shops, DEALERS, 5)
    holds: list[tuple[int, str]] = []
    late: set[int] = set()

    async def act(live: Living) -> None:
        kinds = ["take"] * 4 + ["convert"] * 4 + ["buy", "pay", "release", "late", "expire"]
        kind, shop = random.choice([*kinds, "extend"]), random.choice(["shop", "dshop", "dshop2"])
        hold_id, of_shop = random.choice(holds) if holds else (0, shop)
        units = random.randint(1, 3)
        intake = live.runtime.intake
        if kind == "take":
            outcome = await ask(live, {"A": units}, shop=shop)
            if isinstance(outcome, Held):
                holds.append((outcome.hold_id, shop))
        elif kind == "convert":
            order = paid(fresh_key(), {"A": units}) if units > 2 else draft({"A": units})
            await convert(
                live, hold_id, units, shop=of_shop, is_paid=order.is_paid, external_id=fresh_key()
            )
        elif kind == "buy":
            await intake.place(draft({"A": units}, shop=shop), live.brand)
        elif kind == "pay":
            await intake.place(paid(fresh_key(), {"A": units}, shop=shop), live.brand)
        elif kind == "release":
            await release(live, hold_id)
        elif kind == "extend":
            await extend(live, hold_id, 60)
        elif kind == "late":
            late.add(hold_id)
        else:
            await expire(live)

    async with shops.another() as other:
        await other.freshen()
        for _ in range(8):
            acts = [act(random.choice([shops, other])) for _ in range(12)]
            for answer in await asyncio.gather(*acts, return_exceptions=True):
                assert answer is None or isinstance(answer, YipanError), answer
            await make_late(admin, *late)
        await other.runtime.settle()
    assert await reserved(admin) <= 16
    await assert_each_ended_once(admin)
    await assert_clean(shops.runtime, shops.world)
