"""A crowd for the last units of an allotment, in two processes."""

import asyncio
from collections import Counter

from backend.orders.model import Placed
from tests.catalogue import Connection
from tests.inventory.allotments.allotting import (
    DEALERS,
    Standing,
    allot,
    cancel,
    line_of,
    set_,
    standing,
    tell,
)
from tests.inventory.pools.living import Living
from tests.orders.checks import assert_clean
from tests.world import draft, paid

BUYERS = 100
UNITS = 30


async def crowd(
    live: Living, other: Living, *shops: str, buyers: int = BUYERS, units: int = 1
) -> Counter[str]:
    """Let buyers of shops in turn order, in both processes in turn; returns who got what."""
    asked = [shops[buyer // 2 % len(shops)] for buyer in range(buyers)]
    outcomes = await asyncio.gather(
        *(
            (live, other)[buyer % 2].runtime.intake.place(
                draft({"A": units}, shop=shop), live.brand
            )
            for buyer, shop in enumerate(asked)
        )
    )
    return Counter(
        shop if isinstance(outcome, Placed) else outcome.code
        for shop, outcome in zip(asked, outcomes, strict=True)
    )


async def test_a_hundred_buyers_get_what_a_shop_may_sell(shops: Living, admin: Connection) -> None:
    await shops.receive("wh", BUYERS)
    await shops.receive("far", BUYERS)
    async with shops.another() as other:
        await allot(shops, "shop", UNITS)
        await other.freshen()
        found = await crowd(shops, other, "shop")
    assert found == {"shop": UNITS, "INSUFFICIENT_STOCK": BUYERS - UNITS}
    assert await standing(admin) == Standing(UNITS, UNITS)
    await assert_clean(shops.runtime, shops.world)


async def test_orders_of_several_units_leave_less_than_one_of_them_wants(
    shops: Living, admin: Connection
) -> None:
    await shops.receive("wh", 3 * BUYERS)
    async with shops.another() as other:
        await allot(shops, "shop", UNITS + 2)
        await other.freshen()
        found = await crowd(shops, other, "shop", units=3)
    assert found["shop"] == UNITS // 3
    assert await standing(admin) == Standing(UNITS + 2, UNITS)


async def test_two_shops_sell_each_its_own_of_the_same_stock(
    shops: Living, admin: Connection
) -> None:
    await shops.receive("wh", UNITS)
    async with shops.another() as other:
        await allot(shops, "shop", 10)
        await allot(shops, DEALERS, 15)
        await allot(shops, "dshop", 99)
        await other.freshen()
        found = await crowd(shops, other, "shop", "dshop")
    assert found == {"shop": 10, "dshop": 15, "INSUFFICIENT_STOCK": BUYERS - 25}
    assert await standing(admin, "dshop") == Standing(99, 15)


async def test_stock_that_ends_first_is_sold_to_the_last_unit(
    shops: Living, admin: Connection
) -> None:
    await shops.receive("wh", 12)
    async with shops.another() as other:
        await allot(shops, "shop", 10)
        await allot(shops, "dshop", 10)
        await other.freshen()
        found = await crowd(shops, other, "shop", "dshop")
    assert found["shop"] + found["dshop"] == 12
    assert found["INSUFFICIENT_STOCK"] == BUYERS - 12


async def test_paid_orders_cancellations_and_changes_add_up(
    shops: Living, admin: Connection
) -> None:
    await shops.receive("wh", BUYERS)
    async with shops.another() as other:
        await allot(shops, "shop", 10)
        await other.freshen()
        both = (shops, other)
        first = await asyncio.gather(
            *(both[n % 2].runtime.intake.place(paid(f"x{n}"), shops.brand) for n in range(20))
        )
        orders = [outcome.order_id for outcome in first if isinstance(outcome, Placed)]

        async def lower_and_raise() -> None:
            for quantity in (5, 12, 14):
                found = await set_(other.runtime.database, shops.brand, line_of("shop", quantity))
                await tell(other, found)

        await asyncio.gather(
            lower_and_raise(), *(cancel(both[n % 2], order) for n, order in enumerate(orders[:5]))
        )
        await other.runtime.settle()
        for live in both:
            await live.freshen()
            await live.runtime.allocator.allocate(shops.world.tenant_id)
    assert len(orders) == 20
    assert await standing(admin) == Standing(14, 14)
    await assert_clean(shops.runtime, shops.world)
