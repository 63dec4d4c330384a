"""Shops keep back what the rules of their channel say, and sell it only to who has paid."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from backend.catalog.model import SkuDraft
from backend.catalog.save_skus import save_skus
from backend.inventory.pools.explain import explain
from backend.inventory.pools.model import Layout
from backend.inventory.safety import shop_floors
from backend.inventory.safety.keep_back import keep_back, set_safety_rules
from backend.inventory.safety.model import SafetyDraft
from backend.inventory.safety.shop_floors import keep_back_of_shops, page_of_shop_floors
from backend.network.regions.table import bundled_regions
from backend.orders.errors import InsufficientStock
from backend.orders.find_orders import units_sold_by_shop
from backend.orders.model import OrderStatus
from tests.catalogue import Connection
from tests.inventory.pools.layouts import EXAMPLE, share, supply
from tests.inventory.pools.living import Living
from tests.orders.checks import placed, refused
from tests.refusals import refused as refusal
from tests.world import draft, fresh_key, paid

CHANNEL = "tmall"
KEEPS_3 = SafetyDraft(sku="A", channel=CHANNEL, units=3)


@pytest.fixture
async def selling(live: Living) -> Living:
    """10 in "wh", all of it offered by "shop" and "dshop"."""
    await live.lay_out(
        Layout(pools=(supply("all", "wh"),), shares=(share("all", "shop"), share("all", "dshop")))
    )
    await live.receive("wh", 10)
    return live


async def keep(live: Living, *drafts: SafetyDraft) -> int:
    """Set the rules, and let shops follow them; return how many floors changed."""
    database = live.runtime.database
    async with database.tenant_transaction(live.brand) as tx:
        await set_safety_rules(tx, drafts, key=fresh_key())
    return await follow(live)


async def follow(live: Living) -> int:
    """Let shops follow the rules there are; return how many floors changed."""
    database, now = live.runtime.database, datetime.now(UTC)
    changed = await keep_back_of_shops(database, live.world.system, now, units_sold_by_shop)
    await live.freshen()
    return changed


async def floors(live: Living, shop: str = "shop") -> list[tuple[int, str]]:
    async with live.runtime.database.tenant_transaction(live.brand, read_only=True) as tx:
        found = await page_of_shop_floors(tx, live.shop_ids[shop], 0, 100)
    return [(floor.units, floor.reason) for floor in found]


async def test_a_shop_does_not_offer_what_its_channel_keeps_back(selling: Living) -> None:
    assert await keep(selling, KEEPS_3) == 1
    assert (selling.shop("shop"), selling.shop("dshop")) == (7, 10)
    ((units, reason),) = await floors(selling)
    assert units == 3
    assert reason.endswith("3 units")
    assert await follow(selling) == 0
    assert await keep(selling) == 1
    assert (selling.shop("shop"), await floors(selling)) == (10, [])


async def test_all_processes_learn_of_it(selling: Living) -> None:
    async with selling.another() as other:
        await other.freshen()
        await keep(selling, KEEPS_3)
        await other.freshen()
        assert (other.shop("shop"), other.shop("dshop")) == (7, 10)


async def test_it_binds_at_sale_but_not_who_has_paid(selling: Living) -> None:
    await keep(selling, KEEPS_3)
    intake, brand = selling.runtime.intake, selling.brand
    refused(await intake.place(draft({"A": 8}), brand), InsufficientStock.code)
    placed(await intake.place(draft({"A": 7}), brand))
    refused(await intake.place(draft({"A": 1}), brand), InsufficientStock.code)
    found = placed(await intake.place(paid("o-1", {"A": 2}), brand))
    assert (found.status, found.lines[0].reserved) == (OrderStatus.ALLOCATED, 2)


async def test_a_ratio_does_not_bind_where_some_is_kept_back(selling: Living) -> None:
    half = share("all", "shop", 5_000)
    await selling.lay_out(Layout(pools=(supply("all", "wh"),), shares=(half,)))
    await keep(selling, KEEPS_3)
    assert selling.shop("shop") == 2
    intake, brand = selling.runtime.intake, selling.brand
    refused(await intake.place(draft({"A": 8}), brand), InsufficientStock.code)
    placed(await intake.place(draft({"A": 7}), brand))


async def test_an_old_run_does_not_undo_newer_rules(
    selling: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(selling, SafetyDraft(sku="A", channel=CHANNEL, units=2))
    changed, run = shop_floors._changed, asyncio.Event()

    async def late(*given: Any) -> Any:
        found = await changed(*given)
        monkeypatch.setattr(shop_floors, "_changed", changed)
        await keep(selling)
        run.set()
        return found

    async with selling.runtime.database.tenant_transaction(selling.brand) as tx:
        await set_safety_rules(tx, [SafetyDraft(sku="A", channel=CHANNEL, units=9)], key="9")
    monkeypatch.setattr(shop_floors, "_changed", late)
    await follow(selling)
    assert run.is_set()
    assert (selling.shop("shop"), await floors(selling)) == (10, [])


async def test_the_same_rules_again_change_nothing(selling: Living) -> None:
    assert await keep(selling, KEEPS_3) == 1
    assert await keep(selling, KEEPS_3) == 0


async def test_who_waits_gets_what_is_kept_back(selling: Living) -> None:
    await keep(selling, KEEPS_3)
    intake, brand = selling.runtime.intake, selling.brand
    first = placed(await intake.place(paid("o-1", {"A": 12}), brand))
    assert (first.lines[0].reserved, first.lines[0].backordered) == (10, 2)
    await selling.receive("wh", 3)
    await selling.runtime.settle()
    await selling.freshen()
    assert (selling.shop("shop"), selling.shop("dshop")) == (0, 1)


async def test_weeks_are_of_what_the_shop_sells(selling: Living) -> None:
    intake = selling.runtime.intake
    placed(await intake.place(draft({"A": 4}), selling.brand))
    assert await keep(selling, SafetyDraft(channel=CHANNEL, weeks_tenths=20)) == 1
    ((units, reason),) = await floors(selling)
    assert (units, reason.split(": ")[1]) == (2, "2.0 weeks, 4 sold in 28 days")
    assert (selling.shop("shop"), selling.shop("dshop")) == (4, 6)


async def test_the_most_specific_rule_of_a_channel_wins(selling: Living) -> None:
    async with selling.runtime.database.tenant_transaction(selling.brand) as tx:
        await save_skus(tx, [SkuDraft(code=code, name=code, category="TV") for code in "AB"])
    await selling.receive("wh", 10, "B")
    await keep(
        selling,
        KEEPS_3,
        SafetyDraft(category="TV", channel=CHANNEL, units=5),
        SafetyDraft(category="TV", channel="jd", units=9),
        SafetyDraft(category="TV", units=1),
    )
    assert (selling.shop("shop", "A"), selling.shop("shop", "B")) == (7, 5)


async def test_nodes_and_channels_keep_back_each_their_own(selling: Living) -> None:
    await keep(selling, KEEPS_3, SafetyDraft(sku="A", units=2))
    database, system = selling.runtime.database, selling.world.system
    levels = await keep_back(database, system, datetime.now(UTC))
    await selling.runtime.publish_levels(selling.world.tenant_id, levels)
    assert selling.shop("shop") == 5


async def test_the_derivation_shows_it(selling: Living) -> None:
    await selling.lay_out(EXAMPLE)
    await keep(selling, KEEPS_3)
    async with selling.runtime.database.tenant_transaction(selling.brand, read_only=True) as tx:
        found = await explain(
            tx, "A", "shop", as_of=None, time_zone="Asia/Shanghai", regions=bundled_regions()
        )
    assert [(step.flows_in, step.floor, step.number) for step in found.steps][-1] == (8, 3, 5)
    assert selling.shop("shop") == 5


@pytest.mark.parametrize(
    "bad",
    [
        SafetyDraft(sku="A", channel=CHANNEL, node="wh", units=1),
        SafetyDraft(channel=CHANNEL, units=1),
        SafetyDraft(sku="A", category="TV", channel=CHANNEL, units=1),
        SafetyDraft(sku="A", channel=CHANNEL),
    ],
)
async def test_a_bad_rule_is_not_kept(selling: Living, admin: Connection, bad: SafetyDraft) -> None:
    await keep(selling, KEEPS_3)
    database = selling.runtime.database
    async with (
        refusal(admin, "INVALID_SAFETY_RULE"),
        database.tenant_transaction(selling.brand) as tx,
    ):
        await set_safety_rules(tx, [bad], key=fresh_key())
