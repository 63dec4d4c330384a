"""What a process offers follows the layout, the stock and the network, whoever changes them."""

import asyncio
from typing import Any

import pytest

from backend.db.pool import TenantTransaction
from backend.inventory.pools.layouts import active_version
from backend.inventory.pools.model import Layout
from backend.network.model import Condition, NodeDraft, NodeKind, WarehouseDraft
from backend.network.nodes import set_node_active
from backend.orders.model import Refused
from backend.routing import live_book
from backend.routing.model import PolicyDocument
from backend.routing.policies import active_policy
from tests.catalogue import Connection
from tests.inventory.pools.layouts import (
    EXAMPLE,
    Mode,
    Pool,
    dispatch,
    propose,
    put_in_force,
    share,
    supply,
    when,
)
from tests.inventory.pools.living import Living
from tests.network.drafts import add_node
from tests.orders.checks import placed
from tests.world import HANGZHOU, World, draft

CLOSE_SHOP = "update shop set is_active = false where tenant_id = $1 and code = $2"
INSPECT = """
    update functional_warehouse set condition = 'inspection' where tenant_id = $1 and code = $2
"""


def given(*pools: Pool, **shares: str) -> Layout:
    """Return a layout of pools, each named shop with all of a pool."""
    return Layout(
        pools=pools,
        shares=tuple(share(pool, shop) for shop, pool in shares.items()),
    )


WAREHOUSES = given(supply("own", where=when("node.kind", "in", "warehouse")), shop="own")
"""All sellable goods in warehouses, to one shop."""


# ------------------------------------------------------------------------- the layout


async def test_without_a_layout_there_are_no_pools(live: Living) -> None:
    await live.freshen()
    assert live.pools is None


async def test_an_activated_layout_is_seen_and_so_is_the_next(live: Living) -> None:
    await live.receive("wh", 10)
    await live.lay_out(EXAMPLE)
    assert (live.shop("shop"), live.shop("dshop"), live.shop("dshop2")) == (8, 6, None)
    await live.lay_out(given(supply("half", "wh", ratio_bp=5_000), dshop2="half"))
    assert (live.shop("shop"), live.shop("dshop"), live.shop("dshop2")) == (None, None, 5)


async def test_a_draft_changes_nothing(live: Living) -> None:
    await live.receive("wh", 10)
    await live.lay_out(EXAMPLE)
    await propose(live.runtime.database, live.brand, WAREHOUSES, 1)
    await live.freshen()
    assert (live.shop("shop"), live.shop("dshop")) == (8, 6)


async def test_a_layout_that_was_activated_elsewhere_is_seen(live: Living) -> None:
    await live.receive("wh", 10)
    async with live.another() as other:
        await other.lay_out(EXAMPLE)
        await live.freshen()
        assert live.shop("dshop") == 6


async def test_a_layout_is_looked_for_only_every_so_often(
    live: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 100.0
    monkeypatch.setattr(live_book, "FRESH_SECONDS", 1.0)
    monkeypatch.setattr(live_book, "now", lambda: seconds)
    await live.lay_out(EXAMPLE)
    await live.lay_out(WAREHOUSES)
    assert live.shop("dshop") == 0
    seconds = 101.0
    await live.freshen()
    assert live.shop("dshop") is None


# ------------------------------------------------------------------------- the stock


async def test_receipts_and_corrections_move_the_numbers(live: Living) -> None:
    await live.lay_out(EXAMPLE)
    await live.receive("wh", 100)
    assert (live.pool("online"), live.shop("shop")) == (100, 80)
    await live.adjust("wh", -50)
    assert (live.pool("online"), live.shop("shop")) == (50, 40)


async def test_less_than_nothing_counts_as_nothing(live: Living) -> None:
    await live.lay_out(given(supply("both", "wh", "far"), shop="both"))
    await live.receive("far", 7)
    await live.adjust("wh", -5)
    assert live.shop("shop") == 7


async def test_skus_have_numbers_of_their_own(live: Living) -> None:
    await live.lay_out(EXAMPLE)
    await live.receive("wh", 10, "A")
    await live.receive("wh", 20, "B")
    assert [live.shop("shop", sku) for sku in "ABC"] == [8, 16, 0]


async def test_orders_in_another_process_move_the_numbers(live: Living) -> None:
    await live.receive("wh", 100)
    await live.lay_out(EXAMPLE)
    async with live.another() as other:
        placed(await other.runtime.intake.place(draft({"A": 50}), live.brand))
        await live.becomes("shop", 40)


async def test_receipts_in_another_process_move_the_numbers(live: Living) -> None:
    await live.lay_out(EXAMPLE)
    async with live.another() as other:
        await other.receive("wh", 100)
        await live.becomes("shop", 80)


async def test_stock_that_was_there_before_counts_when_a_layout_begins_to_use_it(
    live: Living,
) -> None:
    await live.freshen()
    await live.add_warehouse(defective(live.world))
    await live.receive("outlet", 9)
    await live.lay_out(given(supply("outlet", "outlet"), shop="outlet"))
    assert live.shop("shop") == 9


# ------------------------------------------------------------------------- the network


def defective(world: World) -> WarehouseDraft:
    return WarehouseDraft(node_id=world.nodes["wh"], code="outlet", condition=Condition.DEFECTIVE)


async def test_a_new_functional_warehouse_joins_where_it_matches(live: Living) -> None:
    await live.receive("wh", 10)
    await live.lay_out(WAREHOUSES)
    await live.add_warehouse(WarehouseDraft(node_id=live.world.nodes["far"], code="far-2"))
    await live.add_warehouse(WarehouseDraft(node_id=live.world.nodes["store"], code="store-2"))
    await live.freshen()
    await live.receive("far-2", 5)
    await live.receive("store-2", 50)
    assert live.shop("shop") == 15


async def test_the_warehouse_of_a_new_node_joins_where_it_matches(live: Living) -> None:
    await live.lay_out(WAREHOUSES)
    node = NodeDraft(code="new", name="new", kind=NodeKind.WAREHOUSE, region_code=HANGZHOU)
    node_id = await add_node(live.runtime.database, live.brand, node)
    await live.add_warehouse(WarehouseDraft(node_id=node_id, code="new"))
    await live.freshen()
    await live.receive("new", 5)
    assert live.shop("shop") == 5


@pytest.mark.parametrize(
    ("attribute", "operator", "value", "units"),
    [
        ("warehouse.code", "starts_with", "w", 1),
        ("warehouse.condition", "equals", "good", 7),
        ("warehouse.purpose", "equals", "default", 7),
        ("node.code", "in", "far", 4),
        ("node.kind", "equals", "store", 2),
        ("node.region", "contains", "330106", 2),
        ("node.region", "contains", "330000", 2),
        ("node.region", "contains", "110000", 4),
        ("node.priority", "at_least", "100", 7),
        ("node.priority", "at_least", "101", 0),
        ("node.is_dealers", "equals", "false", 7),
    ],
)
async def test_where_asks_about_warehouse_and_node(
    live: Living, attribute: str, operator: str, value: str, units: int
) -> None:
    for code, received in (("wh", 1), ("store", 2), ("far", 4)):
        await live.receive(code, received)
    await live.lay_out(given(supply("all", where=when(attribute, operator, value)), shop="all"))
    assert live.shop("shop") == units


async def test_the_dealers_own_node_matches_as_the_dealers(live: Living) -> None:
    await live.receive("dealer-node", 8)
    where = when("node.is_dealers", "equals", "true")
    await live.lay_out(given(supply("dealers", where=where), dshop="dealers"))
    assert live.shop("dshop") == 8


def set_apart(world: World) -> list[WarehouseDraft]:
    """Return goods that only go where they are named: defective, reserved, another owner's."""
    node = world.nodes["wh"]
    return [
        defective(world),
        WarehouseDraft(node_id=node, code="live-show", purpose="live"),
        WarehouseDraft(node_id=node, code="dealers", dealer_id=world.dealers["d1"]),
    ]


@pytest.mark.parametrize("at", range(3), ids=["defective", "purpose", "owner"])
async def test_goods_that_are_set_apart_join_by_name_only(live: Living, at: int) -> None:
    apart = set_apart(live.world)[at]
    await live.add_warehouse(apart)
    await live.receive(apart.code, 5)
    everything = when("node.priority", "at_least", "0")
    await live.lay_out(
        given(
            supply("matched", where=everything),
            supply("named", apart.code),
            shop="matched",
            dshop="named",
        )
    )
    assert (live.shop("shop"), live.shop("dshop")) == (0, 5)


async def test_a_warehouse_both_named_and_matched_counts_once(live: Living) -> None:
    await live.receive("wh", 10)
    both = supply("both", "wh", where=when("node.code", "equals", "wh"))
    await live.lay_out(given(both, shop="both"))
    assert live.shop("shop") == 10


async def test_a_closed_node_gives_nothing_until_it_opens(live: Living) -> None:
    await live.receive("wh", 10)
    await live.lay_out(given(supply("named", "wh"), shop="named"))
    for is_active, units in ((False, 0), (True, 10)):
        async with live.runtime.database.tenant_transaction(live.brand) as tx:
            await set_node_active(tx, "wh", is_active)
        await live.freshen()
        assert live.shop("shop") == units


# ------------------------------------------------------------------------- modes


def mode(mode: Mode, first: dict[str, Any], second: dict[str, Any]) -> Layout:
    """Return a dispatch pool in a mode over "wh", given to "shop" and "dshop"."""
    return Layout(
        pools=(supply("all", "wh"), dispatch("given", "all", mode=mode)),
        shares=(
            share("given", "shop", **first),
            share("given", "dshop", **second),
        ),
    )


async def offered(live: Living, layout: Layout, *units: int) -> list[tuple[int | None, int | None]]:
    """Return what both shops may offer after each receipt."""
    await live.lay_out(layout)
    found = []
    for received in units:
        await live.receive("wh", received)
        found.append((live.shop("shop"), live.shop("dshop")))
    return found


async def test_shares_of_a_shared_pool_overlap(live: Living) -> None:
    layout = mode(Mode.SHARED, {"ratio_bp": 8_000}, {"ratio_bp": 6_000, "most": 50})
    assert await offered(live, layout, 10, 90) == [(8, 6), (80, 50)]


async def test_parts_of_a_pool_add_up_to_it_and_never_overlap(live: Living) -> None:
    layout = mode(Mode.PARTITIONED, {"ratio_bp": 7_000}, {"ratio_bp": 3_000})
    assert await offered(live, layout, 10, 3, 87) == [(7, 3), (9, 4), (70, 30)]


async def test_the_channel_of_the_first_rank_is_served_first(live: Living) -> None:
    layout = mode(Mode.CHANNEL_FIRST, {"rank": 1}, {"rank": 0, "most": 6})
    assert await offered(live, layout, 4, 6, 90) == [(0, 4), (4, 6), (94, 6)]


async def test_a_sale_takes_from_whoever_comes_last(live: Living) -> None:
    layout = mode(Mode.CHANNEL_FIRST, {"rank": 0, "most": 6}, {"rank": 1})
    assert await offered(live, layout, 10) == [(6, 4)]
    placed(await live.runtime.intake.place(draft({"A": 5}), live.brand))
    assert (live.shop("shop"), live.shop("dshop")) == (5, 0)


async def test_a_pool_that_is_given_in_turns_is_not_given_twice(live: Living) -> None:
    for turns in (Mode.CHANNEL_FIRST, Mode.DEPTH_FIRST, Mode.PARTITIONED):
        layout = mode(turns, {"ratio_bp": 5_000, "rank": 1}, {"ratio_bp": 5_000})
        await live.lay_out(layout)
        await live.receive("wh", 7)
        assert (live.shop("shop") or 0) + (live.shop("dshop") or 0) <= live.pool("given")


async def test_shops_of_the_same_depth_are_served_by_rank(live: Living) -> None:
    layout = mode(Mode.DEPTH_FIRST, {"rank": 1}, {"rank": 0, "most": 6})
    assert await offered(live, layout, 4, 6, 90) == [(0, 4), (4, 6), (94, 6)]


async def test_what_is_kept_back_is_taken_off_before_the_ratio(live: Living) -> None:
    pool = supply("kept", "wh", reserve=10, ratio_bp=5_000, most=30)
    assert await offered(live, given(pool, shop="kept"), 9, 2, 9, 180) == [
        (0, None),
        (0, None),
        (5, None),
        (30, None),
    ]


# ------------------------------------------------------------------------- what goes wrong


async def test_a_layout_that_can_no_longer_be_used_does_not_stop_orders(
    live: Living, admin: Connection
) -> None:
    await live.receive("far", 10)
    await put_in_force(live.runtime.database, live.brand, EXAMPLE)
    await admin.execute(INSPECT, live.world.tenant_id, "wh")
    await live.freshen()
    assert live.pools is None
    placed(await live.runtime.intake.place(draft({"A": 10}), live.brand))


async def test_a_repaired_layout_follows_one_that_could_not_be_used(
    live: Living, admin: Connection
) -> None:
    await live.receive("far", 10)
    await put_in_force(live.runtime.database, live.brand, EXAMPLE)
    await admin.execute(INSPECT, live.world.tenant_id, "wh")
    await live.freshen()
    await live.lay_out(WAREHOUSES)
    assert live.shop("shop") == 10


async def test_an_empty_layout_does_not_stop_orders(live: Living) -> None:
    await live.receive("wh", 5)
    await put_in_force(live.runtime.database, live.brand, Layout())
    placed(await live.runtime.intake.place(draft({"A": 5}), live.brand))


async def test_a_shop_that_closes_leaves_the_pools_of_the_others_as_they_are(
    live: Living, admin: Connection
) -> None:
    await live.receive("wh", 10)
    await live.receive("far", 10)
    await live.lay_out(EXAMPLE)
    await admin.execute(CLOSE_SHOP, live.world.tenant_id, "dshop")
    await live.add_warehouse(WarehouseDraft(node_id=live.world.nodes["far"], code="far-2"))
    await live.freshen()
    assert live.pools is not None
    assert live.shop("shop") == 8
    outcome = await live.runtime.intake.place(draft({"A": 15}), live.brand)
    assert isinstance(outcome, Refused)


async def test_a_layout_is_used_again_once_its_shop_is_open_again(
    live: Living, admin: Connection
) -> None:
    await put_in_force(live.runtime.database, live.brand, EXAMPLE)
    await admin.execute(CLOSE_SHOP, live.world.tenant_id, "dshop")
    await live.freshen()
    await admin.execute(CLOSE_SHOP.replace("false", "true"), live.world.tenant_id, "dshop")
    await live.freshen()
    assert live.pools is not None


async def test_the_shop_that_shows_most_is_served_first(live: Living) -> None:
    given_by_depth = dispatch("given", "east", mode=Mode.DEPTH_FIRST)
    shares = (
        share("given", "shop", most=6),
        share("given", "dshop", most=6, rank=1),
        share("north", "dshop"),
    )
    pools = (supply("east", "wh"), supply("north", "far"), given_by_depth)
    await live.lay_out(Layout(pools=pools, shares=shares))
    await live.receive("far", 50)
    await live.receive("wh", 10)
    assert (live.shop("shop"), live.shop("dshop")) == (4, 56)


async def test_what_moves_while_a_layout_is_read_is_not_lost(
    live: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = asyncio.Event()

    async def read_slowly(tx: TenantTransaction) -> tuple[PolicyDocument, int]:
        if await active_version(tx) and not heard.is_set():
            heard.set()
            await live.receive("wh", 90)
            await asyncio.sleep(0.3)
        return await active_policy(tx)

    await live.receive("wh", 10)
    await live.listen()
    monkeypatch.setattr("backend.routing.tenant_book.active_policy", read_slowly)
    await live.lay_out(EXAMPLE)
    assert live.shop("shop") == 80
