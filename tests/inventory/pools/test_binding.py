"""A shop with a binding share sells no more than it is offered, though there be more in stock."""

import asyncio
from collections import Counter

import pytest

from backend.inventory.pools.model import Layout
from backend.orders import sold_out
from backend.orders.model import Placed, Shortage
from tests.catalogue import Connection
from tests.inventory.allotments.allotting import allot, buy, cancel, got, pay, standing
from tests.inventory.earmarks.keeping import keep, unused
from tests.inventory.pools.layouts import Mode, Pool, Rule, dispatch, share, supply, when
from tests.inventory.pools.living import Living
from tests.orders.checks import placed, refused
from tests.world import draft

SHORT = "INSUFFICIENT_STOCK"


def bound(*pools: Pool, to_shop: int = 5_000, to_dshop: int = 5_000) -> Layout:
    """Return a layout of which the last pool gives to "shop", bound, and to "dshop", not."""
    last = pools[-1].code
    return Layout(
        pools=pools,
        shares=(share(last, "shop", to_shop, binding=True), share(last, "dshop", to_dshop)),
    )


HALF = bound(supply("online", "wh", "far"))
PARTED = Layout(
    pools=(supply("all", "wh", "far"), dispatch("parts", "all", mode=Mode.PARTITIONED)),
    shares=(
        share("parts", "shop", 3_000, binding=True),
        share("parts", "dshop", 7_000, binding=True),
    ),
)


@pytest.fixture
async def stocked(live: Living, monkeypatch: pytest.MonkeyPatch) -> Living:
    """12 of "A" in "wh" and 8 in "far"."""
    monkeypatch.setattr(sold_out, "MEMORY_SECONDS", 0.0)
    await live.receive("wh", 12)
    await live.receive("far", 8)
    return live


async def test_what_is_offered_is_sold_and_no_more(stocked: Living) -> None:
    await stocked.lay_out(HALF)
    found = refused(await buy(stocked, 11), SHORT)
    assert found.detail["lines"] == [{"sku": "A", "requested": 11, "available": 10}]
    placed(await buy(stocked, 10))
    assert stocked.shop("shop") == 5
    refused(await buy(stocked, 6), SHORT)
    placed(await buy(stocked, 5))


async def test_others_are_not_bound(stocked: Living) -> None:
    await stocked.lay_out(HALF)
    placed(await buy(stocked, 20, "dshop"))
    refused(await buy(stocked, 1), SHORT)


async def test_without_it_stock_decides(stocked: Living) -> None:
    free = Layout(pools=HALF.pools, shares=(share("online", "shop", 5_000),))
    await stocked.lay_out(free)
    assert stocked.shop("shop") == 10
    placed(await buy(stocked, 11))
    placed(await buy(stocked, 9))
    refused(await buy(stocked, 1), SHORT)


async def test_a_layout_that_binds_no_more_lets_it_sell(stocked: Living) -> None:
    await stocked.lay_out(HALF)
    refused(await buy(stocked, 20), SHORT)
    await stocked.lay_out(Layout(pools=HALF.pools, shares=(share("online", "shop", 5_000),)))
    placed(await buy(stocked, 20))


async def test_partial_takes_what_is_offered(stocked: Living) -> None:
    await stocked.lay_out(HALF)
    order = draft({"A": 15}, shortage=Shortage.PARTIAL)
    (line,) = placed(await stocked.runtime.intake.place(order, stocked.brand)).lines
    assert (line.reserved, line.cancelled) == (10, 5)


async def test_who_has_paid_waits_until_more_is_offered(stocked: Living, admin: Connection) -> None:
    await stocked.runtime.settle()  # nothing is given by itself after this
    layout = bound(supply("online", "wh"))
    most = Layout(pools=layout.pools, shares=(share("online", "shop", most=4, binding=True),))
    await stocked.lay_out(most)
    order = await pay(stocked, 6)
    assert await got(admin, order) == (4, 2)
    await stocked.lay_out(Layout(pools=(supply("online", "wh", ratio_bp=0),), shares=most.shares))
    await stocked.runtime.allocator.allocate(stocked.world.tenant_id)
    assert await got(admin, order) == (4, 2)
    await stocked.lay_out(most)
    await stocked.runtime.allocator.allocate(stocked.world.tenant_id)
    assert await got(admin, order) == (6, 0)


async def test_parts_of_a_whole_are_sold_by_their_shops(stocked: Living) -> None:
    await stocked.lay_out(PARTED)
    refused(await buy(stocked, 7), SHORT)
    refused(await buy(stocked, 15, "dshop"), SHORT)
    placed(await buy(stocked, 14, "dshop"))
    assert (stocked.shop("shop"), stocked.shop("dshop")) == (1, 5)
    refused(await buy(stocked, 2), SHORT)


async def test_a_rank_leaves_the_rest_to_the_next(stocked: Living) -> None:
    ranked = Layout(
        pools=(supply("all", "wh", "far"), dispatch("core", "all", mode=Mode.CHANNEL_FIRST)),
        shares=(
            share("core", "shop", most=15, rank=0, binding=True),
            share("core", "dshop", rank=1, binding=True),
        ),
    )
    await stocked.lay_out(ranked)
    refused(await buy(stocked, 6, "dshop"), SHORT)
    placed(await buy(stocked, 5, "dshop"))
    refused(await buy(stocked, 1, "dshop"), SHORT)
    placed(await buy(stocked, 15))


async def test_the_deepest_is_given_first(stocked: Living) -> None:
    deep = Layout(
        pools=(
            supply("own", "far"),
            supply("all", "wh"),
            dispatch("clear", "all", mode=Mode.DEPTH_FIRST),
        ),
        shares=(
            share("clear", "shop", rank=0, binding=True),
            share("clear", "dshop", rank=1, binding=True),
            share("own", "dshop", binding=True),
        ),
    )
    await stocked.lay_out(deep)
    refused(await buy(stocked, 1), SHORT)
    placed(await buy(stocked, 20, "dshop"))


async def test_a_rule_binds_by_its_figures(stocked: Living) -> None:
    await stocked.receive("wh", 12, "B")
    few = Rule(when=when("sku.code", "equals", "A"), most=3)
    layout = Layout(
        pools=(supply("online", "wh"),),
        shares=(share("online", "shop", binding=True, rules=(few,)),),
    )
    await stocked.lay_out(layout)
    refused(await buy(stocked, 4), SHORT)
    placed(await buy(stocked, 3))
    placed(await buy(stocked, 12, "shop", "B"))


async def test_an_order_of_two_skus_is_bound_in_each(stocked: Living) -> None:
    await stocked.receive("wh", 4, "B")
    await stocked.lay_out(HALF)
    order = draft({"A": 3, "B": 3})
    found = refused(await stocked.runtime.intake.place(order, stocked.brand), SHORT)
    assert [line["sku"] for line in found.detail["lines"]] == ["B"]
    placed(await stocked.runtime.intake.place(draft({"A": 3, "B": 2}), stocked.brand))


async def test_orders_of_a_batch_see_what_those_before_took(stocked: Living) -> None:
    await stocked.lay_out(HALF)
    drafts = [draft({"A": 5}, shop=shop) for shop in ("shop", "dshop", "shop", "shop")]
    outcomes = await stocked.runtime.intake.place_many(drafts, stocked.brand)
    assert [isinstance(outcome, Placed) for outcome in outcomes[:3]] == [True, True, True]
    refused(outcomes[3], SHORT)


async def test_cancelling_lets_it_sell_again(stocked: Living) -> None:
    await stocked.lay_out(HALF)
    order = placed(await buy(stocked, 10))
    refused(await buy(stocked, 6), SHORT)
    await cancel(stocked, order.order_id)
    placed(await buy(stocked, 10))


async def test_an_allotment_bounds_it_as_well(stocked: Living, admin: Connection) -> None:
    await stocked.lay_out(HALF)
    await allot(stocked, "shop", 3)
    found = refused(await buy(stocked, 4), SHORT)
    assert found.detail["lines"][0]["available"] == 3
    await allot(stocked, "shop", 30)
    refused(await buy(stocked, 11), SHORT)
    placed(await buy(stocked, 10))
    assert await standing(admin) is not None


async def test_what_is_kept_for_its_pool_is_offered_whole(
    stocked: Living, admin: Connection
) -> None:
    await stocked.lay_out(bound(supply("online", "wh", ratio_bp=5_000), to_shop=10_000))
    await keep(stocked, ("A", 4, "wh"))
    assert stocked.shop("shop") == 8
    refused(await buy(stocked, 9), SHORT)
    placed(await buy(stocked, 8))
    assert await unused(admin) == 0


async def test_two_shops_at_once_sell_no_more_than_both_are_offered(stocked: Living) -> None:
    """Whoever comes first, each sells at most its part of what is there when its turn comes."""
    async with stocked.another() as other:
        await stocked.lay_out(PARTED)
        await other.freshen()
        outcomes = await asyncio.gather(
            *(
                (stocked, other)[buyer // 2 % 2].runtime.intake.place(
                    draft({"A": 6}, shop=("shop", "dshop")[buyer % 2]), stocked.brand
                )
                for buyer in range(16)
            )
        )
    sold = Counter(
        ("shop", "dshop")[buyer % 2]
        for buyer, outcome in enumerate(outcomes)
        if isinstance(outcome, Placed)
    )
    assert sold["shop"] <= 1
    assert 1 <= sold["dshop"] <= 2
    assert sum(isinstance(o, Placed) for o in outcomes) <= 3
