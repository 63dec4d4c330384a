"""What is kept for a pool is offered by it and below it: in each process, now and in the past."""

from collections.abc import Iterable
from datetime import datetime

import pytest

from backend.inventory.allotments.book import AllotmentBook
from backend.inventory.earmarks.model import Lending
from backend.inventory.earmarks.queries import open_earmarks
from backend.inventory.levels import free_of_all_levels
from backend.inventory.pools.layouts import LAYOUTS, compile_in_force
from backend.inventory.pools.model import Layout, Rule
from backend.inventory.pools.numbers import Bounds, ground_of, pools_on
from backend.inventory.pools.preview import preview
from backend.inventory.safety.model import ShopFloorBook
from backend.network.regions.table import bundled_regions
from backend.orders.cancel_orders import cancel_order
from tests.catalogue import Connection
from tests.inventory.earmarks.keeping import (
    KEEPING,
    Act,
    closing,
    dropping,
    filling,
    keep,
    lending,
    opening,
    told,
)
from tests.inventory.pools.layouts import dispatch, propose, share, supply, when
from tests.inventory.pools.living import Living
from tests.inventory.pools.test_explain import ask, moment, step
from tests.orders.checks import placed, refused
from tests.world import draft, fresh_key

NOON = datetime(2026, 11, 11, 12)
Numbers = dict[str, int | None]
"""By the codes of pools and shops."""

RATIOS = Layout(
    pools=(
        supply("online", "wh", "far"),
        supply("east", "wh", ratio_bp=5_000),
        dispatch("near", "east"),
    ),
    shares=(share("online", "shop", 8_000), share("near", "dshop", 5_000)),
)


def numbers(live: Living) -> Numbers:
    """Return what pools and shops may offer, as the process has it."""
    assert live.pools is not None
    pools: Iterable[str] = live.pools.layout.vertex_of_pool
    found: Numbers = {code: live.pool(code) for code in pools}
    return found | {code: live.shop(code) for code in ("shop", "dshop")}


async def computed(live: Living) -> Numbers:
    """Return the same, computed anew from what PostgreSQL has."""
    async with live.runtime.database.tenant_transaction(live.brand, read_only=True) as tx:
        active = await LAYOUTS.active(tx)
        assert active is not None
        layout = await compile_in_force(tx, active.document, bundled_regions())
        assert layout is not None
        levels = [level async for chunk in free_of_all_levels(tx) for level in chunk]
        ground = ground_of([layout], await open_earmarks(tx), levels)
        bounds = Bounds(AllotmentBook(), ShopFloorBook(), {})
        pools = await pools_on(tx, layout, ground, NOON, bounds)
    sku_id = live.world.skus["A"]
    found: Numbers = {code: pools.of_pool(sku_id, code) for code in layout.vertex_of_pool}
    return found | {code: pools.of_shop(sku_id, live.shop_ids[code]) for code in ("shop", "dshop")}


@pytest.fixture
async def offering(shops: Living) -> Living:
    """100 in "wh" and 20 in "far" under layouts with ratios."""
    await shops.lay_out(RATIOS)
    await shops.receive("wh", 100)
    await shops.receive("far", 20)
    return shops


async def test_what_is_kept_is_offered_whole_after_the_ratios(offering: Living) -> None:
    before = {"online": 120, "east": 50, "near": 50, "shop": 96, "dshop": 25}
    assert numbers(offering) == before
    await keep(offering, ("A", 40, "wh"), pool="east")
    kept = {"online": 80, "east": 30 + 40, "near": 30 + 40, "shop": 64, "dshop": 15 + 40}
    assert numbers(offering) == kept
    await told(offering, closing())
    assert numbers(offering) == before


async def test_what_is_kept_for_a_lower_pool_is_not_offered_above_it(offering: Living) -> None:
    await keep(offering, ("A", 40, "wh"), pool="near")
    assert numbers(offering) == {"online": 80, "east": 30, "near": 70, "shop": 64, "dshop": 55}


async def test_every_step_gives_the_numbers_of_a_new_computation(offering: Living) -> None:
    steps: list[Act] = [
        opening(pool="east", lending=Lending(5_000)),
        filling(("A", 30, "wh")),
        opening("second", pool="near"),
        filling(("A", 10), ("A", 5, "far"), code="second"),
        lending(),
        dropping(("A", 3), code="second"),
        filling(("A", 7, "wh")),
        closing(),
    ]
    async with offering.another() as other:
        await other.freshen()
        for what in steps:
            await told(offering, what)
            await other.freshen()
            order = draft({"A": 3}, shop="dshop")
            placed(await other.runtime.intake.place(order, offering.brand))
            await offering.receive("wh", 2)
            expected = await computed(offering)
            for code in ("shop", "dshop"):
                await offering.becomes(code, expected[code] or 0)
                await other.becomes(code, expected[code] or 0)
            assert numbers(offering) == numbers(other) == expected


async def test_orders_and_cancellations_move_the_numbers(offering: Living) -> None:
    await keep(offering, ("A", 4, "wh"), pool="near")
    before = numbers(offering)
    order = placed(
        await offering.runtime.intake.place(draft({"A": 6}, shop="dshop"), offering.brand)
    )
    assert numbers(offering) == await computed(offering)
    assert offering.shop("dshop") == 94 * 25 // 100
    runtime = offering.runtime
    done = await cancel_order(runtime.database, offering.brand, order.order_id, None, fresh_key())
    await runtime.publish_counters(offering.world.tenant_id, done.counters)
    assert numbers(offering) == before == await computed(offering)


async def test_a_shortage_takes_from_what_is_kept(offering: Living) -> None:
    await keep(offering, ("A", 40, "wh"), pool="east")
    await offering.adjust("wh", -75)
    assert offering.pool("east") == 25
    assert numbers(offering) == await computed(offering)


@pytest.mark.parametrize(
    ("attribute", "most", "number"),
    [("stock.units", "60", 7), ("stock.units", "59", 60), ("stock.nodes", "1", 7)],
)
async def test_rules_ask_about_what_is_free_to_all(
    shops: Living, attribute: str, most: str, number: int
) -> None:
    few = Rule(when=when(attribute, "at_most", most), most=7)
    await shops.lay_out(
        Layout(pools=(supply("all", "wh", "far", rules=(few,)),), shares=(share("all", "shop"),))
    )
    await shops.receive("wh", 100)
    await shops.receive("far", 5)
    await keep(shops, ("A", 40, "wh"), ("A", 5, "far"), pool="all")
    assert shops.shop("shop") == number + 45
    assert (await ask(shops)).number == number + 45


@pytest.mark.parametrize(("pool", "number"), [("all", 7), ("other", 60)])
async def test_rules_ask_about_what_an_event_keeps(shops: Living, pool: str, number: int) -> None:
    event = Rule(when=when("stock.kept_for", "contains", pool), most=7)
    pools = (supply("all", "wh", rules=(event,)), supply("other", "far"))
    await shops.lay_out(Layout(pools=pools, shares=(share("all", "shop"),)))
    await shops.receive("wh", 100)
    await keep(shops, ("A", 40, "wh"), pool="all")
    assert shops.shop("shop") == number + 40
    assert (await ask(shops)).number == number + 40


# --------------------------------------------------------------------------------- why


async def test_an_explanation_shows_what_is_kept(offering: Living) -> None:
    await keep(offering, ("A", 40, "wh"), pool="east")
    found = await ask(offering, "dshop")
    assert found.number == 55
    assert [step(found, code).earmarks for code in ("east", "near")] == [40, 40]
    assert (await ask(offering, "shop")).number == 64


async def test_the_past_has_what_was_kept_then(offering: Living) -> None:
    moments, seen = [await moment(offering)], [offering.shop("dshop")]
    steps: list[Act] = [
        opening(pool="near", lending=Lending(5_000)),
        filling(("A", 40, "wh")),
        dropping(("A", 10)),
        lending(),
        closing(),
    ]
    for what in steps:
        await told(offering, what)
        if len(moments) == 3:
            order = draft({"A": 7}, shop="dshop")
            placed(await offering.runtime.intake.place(order, offering.brand))
        moments.append(await moment(offering))
        seen.append(offering.shop("dshop"))
    then = [(await ask(offering, "dshop", as_of=at)).number for at in moments]
    assert then == seen
    assert len(set(seen)) == 5


# ----------------------------------------------------------------------------- what if


async def test_a_preview_counts_what_is_kept(offering: Living) -> None:
    await keep(offering, ("A", 40, "wh"), pool="online")
    assert offering.pools is not None
    database, version = offering.runtime.database, offering.pools.version
    proposed = await propose(database, offering.brand, KEEPING, version)
    async with database.tenant_transaction(offering.brand, read_only=True) as tx:
        found = await preview(tx, proposed.version, NOON, bundled_regions())
    shops = {offering.shop_ids[code]: code for code in ("shop", "dshop")}
    assert {shops[change.shop_id]: (change.before, change.after) for change in found} == {
        "shop": (64 + 40, 80 + 40),
        "dshop": (15, 60),
    }


async def test_a_closed_node_offers_nothing_that_it_keeps(
    offering: Living, admin: Connection
) -> None:
    await keep(offering, ("A", 40, "wh"), pool="online")
    await admin.execute("update node set is_active = false where code = 'wh'")
    await offering.freshen()
    assert numbers(offering) == {"online": 20, "east": 0, "near": 0, "shop": 16, "dshop": 0}
    assert numbers(offering) == await computed(offering)
    assert (await ask(offering, "shop")).number == 16
    order = draft({"A": 21}, shop="shop")
    refused(await offering.runtime.intake.place(order, offering.brand), "INSUFFICIENT_STOCK")


async def test_without_a_layout_in_force_nothing_that_is_kept_is_sold(
    offering: Living, admin: Connection
) -> None:
    await keep(offering, ("A", 40, "wh"), pool="online")
    await admin.execute("update pool_layout set status = 'archived'")
    await offering.freshen()
    assert offering.pools is None
    order = draft({"A": 81}, shop="shop")
    refused(await offering.runtime.intake.place(order, offering.brand), "INSUFFICIENT_STOCK")
    order = draft({"A": 80}, shop="shop")
    placed(await offering.runtime.intake.place(order, offering.brand))
