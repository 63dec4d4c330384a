"""Why a shop may offer so many: every step, now and in the past."""

from datetime import datetime, timedelta

import pytest

from backend.db.pool import Database
from backend.inventory.change_stock import StockTransfer
from backend.inventory.levels import database_time
from backend.inventory.pools.explain import Explanation, LinkStep, PoolStep, explain
from backend.inventory.pools.model import WHOLE_BP, Layer, Layout, Mode, Rule, Sync
from backend.network.nodes import set_node_active
from backend.network.regions.table import bundled_regions
from tenants.principal import Principal
from tests.catalogue import Connection, contents
from tests.inventory.pools.layouts import EXAMPLE, dispatch, put_in_force, share, supply, when
from tests.inventory.pools.living import Living
from tests.inventory.stock import change
from tests.orders.checks import placed
from tests.refusals import refused
from tests.world import World, draft

SHANGHAI_TIME = "Asia/Shanghai"
NEVER = when("sku.code", "equals", "nothing")
ALWAYS = when("sku.code", "equals", "A")


async def why(
    database: Database,
    who: Principal,
    shop: str = "shop",
    sku: str = "A",
    as_of: datetime | None = None,
    time_zone: str = SHANGHAI_TIME,
) -> Explanation:
    async with database.tenant_transaction(who, read_only=True) as tx:
        return await explain(
            tx, sku, shop, as_of=as_of, time_zone=time_zone, regions=bundled_regions()
        )


async def ask(live: Living, shop: str = "shop", as_of: datetime | None = None) -> Explanation:
    return await why(live.runtime.database, live.brand, shop, as_of=as_of)


async def moment(live: Living) -> datetime:
    """Return the time of the database; what happens next is later."""
    async with live.runtime.database.tenant_transaction(live.brand) as tx:
        return await database_time(tx)


def step(found: Explanation, code: str) -> PoolStep:
    (wanted,) = (step for step in found.steps if step.code == code)
    return wanted


LAYERED = Layout(
    pools=(
        supply("online", "wh", "far", reserve=20, ratio_bp=9_000),
        supply("east", "wh", ratio_bp=3_000, rules=(Rule(when=ALWAYS, most=10),)),
        dispatch("all", "online", "east", rules=(Rule(when=NEVER, ratio_bp=0),)),
        supply("elsewhere", "store"),
    ),
    shares=(
        share("all", "shop", 8_000, most=70, rules=(Rule(when=ALWAYS, reserve=5),)),
        share("elsewhere", "dshop"),
    ),
    syncs=(Sync(shop="shop", buffer=4, cap=60),),
)


@pytest.fixture
async def layered(live: Living) -> Living:
    """100 in Shanghai and 20 in Beijing, on their way over two layers."""
    await live.receive("wh", 100)
    await live.receive("far", 20)
    await live.receive("store", 7)
    await live.lay_out(LAYERED)
    return live


# ------------------------------------------------------------------------- the derivation


async def test_every_step_is_shown_in_the_order_of_the_flow(layered: Living) -> None:
    found = await ask(layered)
    codes = [step.code for step in found.steps]
    assert (set(codes[:2]), codes[2:]) == ({"online", "east"}, ["all", "shop"])
    assert [step.layer for step in found.steps] == [
        Layer.SUPPLY,
        Layer.SUPPLY,
        Layer.DISPATCH,
        None,
    ]


async def test_the_figures_of_every_link_are_shown(layered: Living) -> None:
    found = await ask(layered)
    (east,), (own,) = step(found, "east").links, step(found, "shop").links
    assert east == LinkStep(
        from_pools=(),
        from_warehouse_ids=(layered.world.nodes["wh"],),
        quantity=100,
        reserve=0,
        ratio_bp=3_000,
        most=10,
        is_ruled=True,
        flow=10,
    )
    assert (own.from_pools, own.reserve, own.most, own.is_ruled) == (("all",), 5, 70, True)


async def test_a_link_whose_rule_does_not_hold_is_not_ruled(layered: Living) -> None:
    found = await ask(layered)
    assert [link.is_ruled for link in step(found, "all").links] == [False, False]
    assert [link.is_ruled for link in step(found, "online").links] == [False]


def assert_adds_up(found: Explanation) -> None:
    """Assert that each link and each step follows from its own figures and those above it."""
    numbers = {step.code: step.number for step in found.steps}
    for each in found.steps:
        for link in each.links:
            let_through = max(0, link.quantity - link.reserve) * link.ratio_bp // WHOLE_BP
            assert link.flow == (let_through if link.most is None else min(let_through, link.most))
            if link.from_pools:
                assert link.quantity <= sum(numbers[code] for code in link.from_pools)
        assert each.flows_in == sum(link.flow for link in each.links)
        assert each.number == min(each.flows_in, each.bound) + each.earmarks
    assert found.number == found.steps[-1].number


async def test_the_steps_add_up_to_the_number(layered: Living) -> None:
    found = await ask(layered)
    assert_adds_up(found)
    # (120 - 20) * 90 % = 90 and 10 more of Shanghai; 80 % of the 95 beyond 5, at most 70.
    assert (step(found, "online").number, step(found, "all").number) == (90, 100)
    assert (found.number, found.shown) == (70, 60)


async def test_units_that_come_over_two_ways_are_counted_once(live: Living) -> None:
    await live.receive("wh", 100)
    pools = (supply("a", "wh"), supply("b", "wh"), dispatch("both", "a", "b"))
    await live.lay_out(Layout(pools=pools, shares=(share("both", "shop"),)))
    both = step(await ask(live), "both")
    assert (both.flows_in, both.bound, both.number) == (200, 100, 100)


async def test_only_what_stands_above_the_shop_is_shown(layered: Living) -> None:
    found = await ask(layered, "dshop")
    assert [step.code for step in found.steps] == ["elsewhere", "dshop"]
    assert [level.on_hand for level in found.levels] == [7]
    assert (found.number, found.sync, found.shown) == (7, None, 7)


async def test_the_answer_is_what_the_process_offers(layered: Living) -> None:
    for shop in ("shop", "dshop"):
        assert (await ask(layered, shop)).number == layered.shop(shop)


async def test_what_is_reserved_is_no_longer_offered(live: Living) -> None:
    await live.receive("wh", 10)
    await live.lay_out(EXAMPLE)
    placed(await live.runtime.intake.place(draft({"A": 5}), live.brand))
    found = await ask(live)
    assert [(level.on_hand, level.reserved) for level in found.levels] == [(10, 5)]
    assert (step(found, "online").number, found.number) == (5, 4)


@pytest.mark.parametrize("mode", [Mode.PARTITIONED, Mode.CHANNEL_FIRST])
async def test_a_pool_given_in_turns_or_parts_is_explained_as_it_is_offered(
    live: Living, mode: Mode
) -> None:
    await live.receive("wh", 11)
    given = dispatch("given", "all", mode=mode)
    shares = (share("given", "shop", 4_000, rank=1), share("given", "dshop", 6_000))
    await live.lay_out(Layout(pools=(supply("all", "wh"), given), shares=shares))
    numbers = [(await ask(live, shop)).number for shop in ("shop", "dshop")]
    assert numbers == [live.shop("shop"), live.shop("dshop")]


async def test_a_shop_without_a_share_has_no_number(layered: Living) -> None:
    found = await ask(layered, "dshop2")
    assert (found.number, found.shown, found.steps, found.levels) == (None, None, (), ())
    assert found.layout_version == 1


async def test_without_a_layout_there_is_no_number(live: Living) -> None:
    await live.receive("wh", 10)
    found = await ask(live)
    assert (found.number, found.layout_version, found.steps) == (None, 0, ())


async def test_nothing_is_changed_by_asking(layered: Living, admin: Connection) -> None:
    before = await contents(admin)
    await ask(layered)
    assert await contents(admin) == before


# ------------------------------------------------------------------------- the past


async def test_receipts_sales_and_transfers_since_are_undone(live: Living) -> None:
    await live.receive("wh", 100)
    await live.lay_out(EXAMPLE)
    times, expected = [await moment(live)], [80, 40, 48, 40]
    placed(await live.runtime.intake.place(draft({"A": 50}), live.brand))
    times.append(await moment(live))
    await live.receive("wh", 10)
    times.append(await moment(live))
    transfer = StockTransfer(source="wh", destination="far", sku="A", quantity=10)
    await change(live.runtime.database, live.brand, transfer)
    times.append(await moment(live))
    await live.receive("wh", 1_000)
    assert [(await ask(live, as_of=at)).number for at in times] == expected
    assert (await ask(live)).number == 840


async def test_the_levels_of_the_past_are_shown(live: Living) -> None:
    await live.receive("wh", 100)
    await live.lay_out(EXAMPLE)
    placed(await live.runtime.intake.place(draft({"A": 30}), live.brand))
    at = await moment(live)
    placed(await live.runtime.intake.place(draft({"A": 50}), live.brand))
    await live.adjust("wh", -7)
    (level,) = (await ask(live, as_of=at)).levels
    assert (level.on_hand, level.reserved) == (100, 30)
    assert (await ask(live, as_of=at)).at == at


async def test_the_layout_of_the_past_counts(live: Living) -> None:
    await live.receive("wh", 100)
    before = await moment(live)
    await live.lay_out(EXAMPLE)
    first = await moment(live)
    half = Layout(pools=(supply("half", "wh"),), shares=(share("half", "shop", 5_000),))
    await live.lay_out(half)
    found = [await ask(live, as_of=at) for at in (before, first, await moment(live))]
    assert [each.number for each in found] == [None, 80, 50]
    assert [each.layout_version for each in found] == [0, 1, 2]


async def test_rules_of_the_past_hold_by_the_time_of_the_brand(
    database: Database, world: World, live: Living
) -> None:
    await live.receive("wh", 100)
    at = await moment(live)
    hour = f"{at.hour:02}"
    now = Rule(when=when("time.of_day", "between", f"{hour}:00", f"{hour}:59"), ratio_bp=0)
    shares = (share("all", "shop", rules=(now,)),)
    await live.lay_out(Layout(pools=(supply("all", "wh"),), shares=shares))
    at = await moment(live)
    there = await why(database, world.brand, as_of=at, time_zone="UTC")
    elsewhere = await why(database, world.brand, as_of=at, time_zone=SHANGHAI_TIME)
    assert (there.number, elsewhere.number) == (0, 100)


# ------------------------------------------------------------------------- refusals


async def test_a_moment_without_its_time_zone_is_refused(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    async with refused(still_admin, "OUT_OF_RANGE") as refusal:
        await why(still, ready_world.brand, as_of=datetime(2026, 1, 1))
    assert getattr(refusal.error, "path", None) == ("asOf",)


async def test_the_future_is_not_known(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    async with still.tenant_transaction(ready_world.brand) as tx:
        later = await database_time(tx) + timedelta(minutes=1)
    async with refused(still_admin, "OUT_OF_RANGE") as refusal:
        await why(still, ready_world.brand, as_of=later)
    assert getattr(refusal.error, "path", None) == ("asOf",)


@pytest.mark.parametrize(
    ("sku", "shop", "code"),
    [("no", "shop", "UNKNOWN_SKU"), ("A", "no", "UNKNOWN_SHOP"), ("no", "no", "UNKNOWN_SKU")],
)
async def test_an_unknown_sku_or_shop_is_refused(
    still: Database, still_admin: Connection, ready_world: World, sku: str, shop: str, code: str
) -> None:
    async with refused(still_admin, code):
        await why(still, ready_world.brand, shop, sku)


async def test_a_closed_shop_is_unknown(
    database: Database, admin: Connection, world: World
) -> None:
    await put_in_force(database, world.brand, EXAMPLE)
    await admin.execute(
        "update shop set is_active = false where tenant_id = $1 and code = 'shop'", world.tenant_id
    )
    async with refused(admin, "UNKNOWN_SHOP"):
        await why(database, world.brand)


@pytest.mark.parametrize(("attribute", "least"), [("stock.nodes", "2"), ("stock.units", "12")])
async def test_a_rule_by_stock_is_explained_as_it_is_offered(
    live: Living, attribute: str, least: str
) -> None:
    await live.receive("wh", 10)
    await live.receive("far", 2)
    by_stock = Rule(when=when(attribute, "at_least", least), ratio_bp=5_000)
    shares = (share("all", "shop", rules=(by_stock,)),)
    await live.lay_out(Layout(pools=(supply("all", "wh"),), shares=shares))
    assert live.shop("shop") == 5
    assert (await ask(live)).number == 5


async def test_a_closed_node_is_left_out_of_the_answer(live: Living) -> None:
    await live.receive("wh", 10)
    await live.lay_out(EXAMPLE)
    async with live.runtime.database.tenant_transaction(live.brand) as tx:
        await set_node_active(tx, "wh", False)
    await live.freshen()
    assert live.shop("shop") == 0
    assert (await ask(live)).number == 0


async def test_sales_after_the_moment_do_not_count_for_its_rules(live: Living) -> None:
    await live.receive("wh", 1_000)
    seller = Rule(when=when("sales.units_per_day", "at_least", "2"), ratio_bp=0)
    shares = (share("all", "shop", rules=(seller,)),)
    await live.lay_out(Layout(pools=(supply("all", "wh"),), shares=shares))
    at = await moment(live)
    placed(await live.runtime.intake.place(draft({"A": 56}), live.brand))
    assert (await ask(live, as_of=at)).number == 1_000
