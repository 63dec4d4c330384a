"""A level with less than is reserved and kept: nothing is sold twice, and who may sell what is."""

import asyncio

import pytest

from backend.orders.model import Outcome, Placed
from tests.catalogue import Connection
from tests.inventory.earmarks.keeping import Kept, dropping, keep, kept, told
from tests.inventory.pools.living import Living
from tests.inventory.stock import Figures, figures
from tests.orders.checks import placed, refused
from tests.world import draft

BUYERS = 40


@pytest.fixture(params=[True, False], ids=["warm", "cold"])
async def short(shops: Living, request: pytest.FixtureRequest) -> Living:
    """10 in "wh", of which 2 are sold and "promo" keeps 6 for "shop"; then 4 are found missing."""
    if request.param:
        await shops.warm()
    await shops.receive("wh", 10)
    await keep(shops, ("A", 6, "wh"))
    placed(await buy(shops, 2, "dshop"))
    await shops.adjust("wh", -4)
    return shops


async def buy(live: Living, units: int, shop: str = "shop") -> Outcome:
    return await live.runtime.intake.place(draft({"A": units}, shop=shop), live.brand)


async def sell(live: Living, *shops: str) -> int:
    """Let many buyers come at once, to the shops by turns; how many got a unit."""
    places = [buy(live, 1, shops[n % len(shops)]) for n in range(BUYERS)]
    return sum(isinstance(outcome, Placed) for outcome in await asyncio.gather(*places))


async def test_an_earmark_may_be_used_for_no_more_than_is_there(
    short: Living, admin: Connection
) -> None:
    refused(await buy(short, 5), "INSUFFICIENT_STOCK")
    placed(await buy(short, 4))
    assert await figures(admin, short.world, "wh") == Figures(6, 6, 0, 2, version=5)
    refused(await buy(short, 1), "INSUFFICIENT_STOCK")


async def test_others_get_nothing_until_the_earmark_has_what_it_keeps(
    short: Living, admin: Connection
) -> None:
    refused(await buy(short, 1, "dshop"), "INSUFFICIENT_STOCK")
    await short.receive("wh", 2)
    refused(await buy(short, 1, "dshop"), "INSUFFICIENT_STOCK")
    await short.receive("wh", 1)
    placed(await buy(short, 1, "dshop"))
    placed(await buy(short, 6))
    assert (await figures(admin, short.world, "wh"))[:4] == (9, 9, 0, 0)


async def test_what_is_dropped_of_a_short_earmark_fills_the_gap_first(short: Living) -> None:
    await told(short, dropping(("A", 3)))
    refused(await buy(short, 2, "dshop"), "INSUFFICIENT_STOCK")
    placed(await buy(short, 1, "dshop"))
    placed(await buy(short, 3))


async def test_many_buyers_get_what_is_there(short: Living, admin: Connection) -> None:
    assert await sell(short, "shop", "dshop") == 4
    assert (await figures(admin, short.world, "wh"))[:4] == (6, 6, 0, 2)


@pytest.mark.parametrize("lost", [3, 6, 9])
async def test_of_two_earmarks_on_a_short_level_nothing_is_sold_twice(
    shops: Living, admin: Connection, lost: int
) -> None:
    await shops.receive("wh", 10)
    await keep(shops, ("A", 5, "wh"), code="old")
    await keep(shops, ("A", 5, "wh"), code="new", pool="east")
    await shops.adjust("wh", -lost)
    assert await sell(shops, "shop", "dshop") == 10 - lost
    found = await figures(admin, shops.world, "wh")
    assert (found.reserved, found.earmark_unused) == (10 - lost, lost)


async def test_two_earmarks_of_one_shop_are_used_for_no_more_than_is_there(
    shops: Living, admin: Connection
) -> None:
    await shops.receive("wh", 10)
    await keep(shops, ("A", 5, "wh"), code="old")
    await keep(shops, ("A", 5, "wh"), code="new")
    await shops.adjust("wh", -3)
    refused(await buy(shops, 8), "INSUFFICIENT_STOCK")
    placed(await buy(shops, 7))
    unused = [(await kept(admin, code))["wh"].unused for code in ("old", "new")]
    assert sum(unused) == 3


async def test_what_is_used_of_one_earmark_is_told_of_the_other(shops: Living) -> None:
    await shops.warm()
    await shops.receive("wh", 10)
    await keep(shops, ("A", 5, "wh"), code="old")
    await keep(shops, ("A", 5, "wh"), code="new", pool="east")
    await shops.adjust("wh", -4)
    async with shops.another() as other:
        await other.freshen()
        placed(await buy(shops, 1))
        await shops.freshen()
        await other.becomes("shop", 4)
        async with other.another() as fresh:
            await fresh.freshen()
            for shop in ("shop", "dshop"):
                assert shops.shop(shop) == fresh.shop(shop)
                await other.becomes(shop, fresh.shop(shop) or 0)


async def test_a_level_without_anything_keeps_nothing_that_can_be_used(
    shops: Living, admin: Connection
) -> None:
    await shops.receive("wh", 5)
    await keep(shops, ("A", 5, "wh"))
    await shops.adjust("wh", -9)
    refused(await buy(shops, 1), "INSUFFICIENT_STOCK")
    assert await kept(admin) == {"wh": Kept(5, 5)}
