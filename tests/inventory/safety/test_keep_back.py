"""Levels keep back what the rules say: what orders took, closed nodes, dropped rules."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from backend.catalog.model import SkuDraft
from backend.catalog.save_skus import save_skus
from backend.channels.shops import active_shops
from backend.db.pool import Database
from backend.inventory.change_stock import StockSell
from backend.inventory.model import Level
from backend.inventory.pools.live import SALES_WINDOW
from backend.inventory.safety import keep_back as cases
from backend.inventory.safety.keep_back import keep_back, set_safety_rules
from backend.inventory.safety.model import SafetyDraft
from backend.inventory.warehouses import create_warehouse
from backend.network.model import Condition, NodeKind, WarehouseDraft
from backend.network.nodes import create_legal_entity, set_node_active
from backend.orders.cancel_orders import CancelLine, cancel_order
from backend.orders.model import Placed
from backend.runtime import Runtime
from tests.catalogue import Connection
from tests.inventory.stock import Figures, change, figures, ledger
from tests.orders.checks import assert_clean, placed
from tests.world import World, draft, fresh_key, receive


def local() -> datetime:
    return datetime.now(UTC)


async def follow(
    database: Database, world: World, *drafts: SafetyDraft, later: timedelta = timedelta()
) -> list[Level]:
    """Set the rules and let stock follow them."""
    async with database.tenant_transaction(world.brand) as tx:
        await set_safety_rules(tx, drafts, key=fresh_key())
    moment = local() + later
    return await keep_back(database, world.system, moment, even_without_rules=True)


async def stock(database: Database, world: World, units: int = 10, *at: str) -> None:
    for warehouse in at or ("wh", "store", "far"):
        await receive(database, world.brand, warehouse, "A", units)


async def floors(admin: Connection, world: World, *at: str) -> list[int]:
    return [(await figures(admin, world, one)).floor for one in at or ("wh", "store", "far")]


async def test_each_node_keeps_back_by_the_rule_that_wins(
    database: Database, world: World, admin: Connection
) -> None:
    async with database.tenant_transaction(world.brand) as tx:
        await save_skus(tx, [SkuDraft(code="A", name="A", category="TV")])
    await stock(database, world)
    await receive(database, world.brand, "wh", "B", 10)
    changed = await follow(
        database,
        world,
        SafetyDraft(sku="A", node="far", units=5),
        SafetyDraft(category="TV", node_kind=NodeKind.STORE, units=4),
        SafetyDraft(category="TV", units=3),
        SafetyDraft(units=1),
    )
    assert await floors(admin, world) == [3, 4, 5]
    assert (await figures(admin, world, "wh", "B")).floor == 1
    assert len(changed) == 4


async def test_a_floor_is_a_movement_with_its_rule(
    database: Database, world: World, admin: Connection
) -> None:
    await stock(database, world, 10, "wh")
    (level,) = await follow(database, world, SafetyDraft(units=4))
    row = (await ledger(admin, world))[-1]
    assert (row.type, row.quantity, row.floor, row.on_hand) == ("floor_set", 4, 4, 0)
    assert (row.cause_kind, row.actor) == ("safety", world.system.subject)
    assert row.reason is not None
    assert row.reason.endswith(": 4 units")
    assert await figures(admin, world, "wh") == Figures(10, floor=4, version=2)
    assert level.signed_free == 6
    await follow(database, world, SafetyDraft(units=1))
    assert (await ledger(admin, world))[-1].quantity == -3


async def test_what_stays_the_same_is_no_movement(
    database: Database, world: World, admin: Connection
) -> None:
    await stock(database, world)
    assert len(await follow(database, world, SafetyDraft(units=4))) == 3
    before = await ledger(admin, world)
    assert await follow(database, world, SafetyDraft(units=4)) == []
    assert await ledger(admin, world) == before


async def test_a_dropped_rule_is_followed(
    database: Database, world: World, admin: Connection
) -> None:
    await stock(database, world)
    await follow(database, world, SafetyDraft(sku="A", units=4), SafetyDraft(units=2))
    await follow(database, world, SafetyDraft(units=2))
    assert await floors(admin, world) == [2, 2, 2]
    await follow(database, world)
    assert await floors(admin, world) == [0, 0, 0]
    assert (await ledger(admin, world))[-1].reason == "kept back elsewhere in the node, or nowhere"


async def test_without_rules_nothing_is_looked_at(database: Database, world: World) -> None:
    await stock(database, world)
    assert await keep_back(database, world.system, local()) == []


async def test_a_closed_node_keeps_nothing_back(
    database: Database, world: World, admin: Connection
) -> None:
    await stock(database, world)
    await follow(database, world, SafetyDraft(units=4))
    async with database.tenant_transaction(world.system) as tx:
        await set_node_active(tx, "store", is_active=False)
    await keep_back(database, world.system, local())
    assert await floors(admin, world) == [4, 0, 4]
    async with database.tenant_transaction(world.system) as tx:
        await set_node_active(tx, "store", is_active=True)
    await keep_back(database, world.system, local())
    assert await floors(admin, world) == [4, 4, 4]


async def test_of_a_nodes_warehouses_the_first_that_orders_take_from_keeps_back(
    database: Database, world: World, admin: Connection
) -> None:
    node_id = world.nodes["wh"]
    others = (
        WarehouseDraft(node_id=node_id, code="broken", condition=Condition.DEFECTIVE, rank=-9),
        WarehouseDraft(node_id=node_id, code="theirs", dealer_id=world.dealers["d1"], rank=-8),
        WarehouseDraft(node_id=node_id, code="second", purpose="event", rank=1),
    )
    async with database.tenant_transaction(world.system) as tx:
        for each in others:
            await create_warehouse(tx, each)
    at = ("broken", "theirs", "wh", "second")
    await stock(database, world, 10, *at)
    await follow(database, world, SafetyDraft(units=4))
    assert await floors(admin, world, *at) == [0, 0, 4, 0]
    async with database.tenant_transaction(world.system) as tx:
        entity = await create_legal_entity(tx, "le", "LE")
        first = WarehouseDraft(node_id=node_id, code="first", legal_entity_id=entity, rank=-1)
        await create_warehouse(tx, first)
    await stock(database, world, 10, "first")
    await keep_back(database, world.system, local())
    assert await floors(admin, world, "first", *at) == [4, 0, 0, 0, 0]


async def test_stock_is_followed_page_by_page(
    database: Database, world: World, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "LEVELS_A_PAGE", 2)
    for sku in "ABC":
        for at in ("wh", "store", "far"):
            await receive(database, world.brand, at, sku, 1)
    assert len(await follow(database, world, SafetyDraft(units=1))) == 9


# --------------------------------------------------------------------------------------- weeks


async def test_weeks_follow_what_orders_took_of_a_node(runtime: Runtime, world: World) -> None:
    database = runtime.database
    await stock(database, world, 100, "wh")
    sold = placed(await runtime.intake.place(draft({"A": 40}), world.brand))
    await runtime.intake.place(draft({"A": 9}, region=110105), world.brand)
    done = await cancel_order(database, world.brand, sold.order_id, [CancelLine(1, 21)], "k")
    await runtime.publish_counters(world.tenant_id, done.counters)
    levels = await follow(database, world, SafetyDraft(weeks_tenths=20))
    assert [level.floor for level in levels] == [14]
    await runtime.publish_levels(world.tenant_id, levels)
    assert not isinstance(await runtime.intake.place(draft({"A": 59}), world.brand), Placed)
    assert isinstance(await runtime.intake.place(draft({"A": 58}), world.brand), Placed)
    await assert_clean(runtime, world)


async def test_what_went_over_the_till_was_sold_too(database: Database, world: World) -> None:
    await stock(database, world, 100, "wh")
    await change(database, world.brand, StockSell(warehouse="wh", sku="A", quantity=28))
    levels = await follow(database, world, SafetyDraft(weeks_tenths=20))
    assert [level.floor for level in levels] == [14]


async def test_what_was_sold_long_ago_does_not_count(runtime: Runtime, world: World) -> None:
    await stock(runtime.database, world, 100, "wh")
    placed(await runtime.intake.place(draft({"A": 28}), world.brand))
    rule = SafetyDraft(weeks_tenths=10)
    (now_kept,) = await follow(runtime.database, world, rule)
    (later,) = await follow(
        runtime.database, world, rule, later=SALES_WINDOW + timedelta(minutes=1)
    )
    assert (now_kept.floor, later.floor) == (7, 0)
    await assert_clean(runtime, world)


# ------------------------------------------------------------------------------ numbers, at once


async def test_shops_are_offered_what_is_not_kept_back(runtime: Runtime, world: World) -> None:
    database = runtime.database
    await stock(database, world)
    live = await runtime.books.open(world.tenant_id)
    await live.freshen()
    await live.settled()
    async with database.tenant_transaction(world.brand, read_only=True) as tx:
        shop_id = (await active_shops(tx))["shop"].id
    offered = [live.book.offered(world.skus["A"], shop_id)]
    for units in (4, 12, 0):
        levels = await follow(database, world, SafetyDraft(units=units))
        await runtime.publish_levels(world.tenant_id, levels)
        offered.append(live.book.offered(world.skus["A"], shop_id))
    assert offered == [30, 18, 0, 30]
    await assert_clean(runtime, world)


async def test_among_orders_nothing_that_is_kept_back_is_sold(
    runtime: Runtime, world: World
) -> None:
    database = runtime.database
    await stock(database, world, 40, "wh")
    levels = await follow(database, world, SafetyDraft(units=10))
    await runtime.publish_levels(world.tenant_id, levels)
    buying = [runtime.intake.place(draft({"A": 1}), world.brand) for _ in range(60)]
    following = asyncio.gather(
        *(keep_back(database, world.system, local()) for _ in range(4)),
    )
    outcomes = await asyncio.gather(*buying)
    assert [levels for levels in await following if levels] == []
    assert sum(isinstance(outcome, Placed) for outcome in outcomes) == 30
    await assert_clean(runtime, world)


async def test_floors_that_several_set_at_once_are_set_once(
    runtime: Runtime, world: World, admin: Connection
) -> None:
    database = runtime.database
    await stock(database, world)
    async with database.tenant_transaction(world.brand) as tx:
        await set_safety_rules(tx, [SafetyDraft(units=4)], key="k")
    await asyncio.gather(*(keep_back(database, world.system, local()) for _ in range(6)))
    assert await floors(admin, world) == [4, 4, 4]
    assert sum(row.floor for row in await ledger(admin, world)) == 12
    await assert_clean(runtime, world)


async def test_the_upkeep_follows_the_rules(
    runtime: Runtime, world: World, admin: Connection
) -> None:
    database = runtime.database
    await stock(database, world)
    async with database.tenant_transaction(world.brand) as tx:
        await set_safety_rules(tx, [SafetyDraft(units=4)], key="k")
    await runtime.maintenance.keep_back()
    assert await floors(admin, world) == [4, 4, 4]
    await assert_clean(runtime, world)
