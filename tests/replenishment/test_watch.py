"""What runs low is told once, where a rule says so, and units are moved there."""

import asyncio
from datetime import timedelta

import pytest

from backend.inventory.change_stock import StockSell
from backend.inventory.supplies.supplies import page_of_supplies
from backend.inventory.warehouses import create_warehouse
from backend.network.model import NodeDraft, NodeKind, WarehouseDraft
from backend.network.nodes import create_node, set_node_active
from backend.network.regions.table import bundled_regions
from backend.replenishment import watch as watching
from backend.replenishment.model import TransferState
from backend.replenishment.transfers import reject_transfer, send_proposed
from backend.replenishment.watch import StockWatch
from tests.catalogue import Connection
from tests.inventory.pools.layouts import EXAMPLE, when
from tests.inventory.stock import change
from tests.orders.checks import placed
from tests.replenishment.scene import Low, Watched, node_rule, rule
from tests.world import BEIJING, HANGZHOU, SHANGHAI, draft, fresh_key

EVENTS = "select type, payload from outbox where type not like 'order%' order by id"
EAST, ZHEJIANG = (str(code // 10_000 * 10_000) for code in (SHANGHAI, HANGZHOU))


def low(watched: Watched, value: int, node: str = "wh", sku: str = "A") -> Low:
    return Low("low", watched.world.nodes[node], sku, value)


async def till(watched: Watched, warehouse: str, units: int, sku: str = "A") -> None:
    """Sell over the till, so that the rate of sales is known."""
    command = StockSell(warehouse=warehouse, sku=sku, quantity=units, receipt="r")
    levels = await change(watched.database, watched.world.brand, command)
    await watched.live.runtime.publish_levels(watched.world.tenant_id, levels)


async def test_it_is_told_once_and_again_after_it_was_cleared(
    watched: Watched, admin: Connection
) -> None:
    await watched.live.receive("wh", 10)
    await watched.set(node_rule())
    assert await watched.look() == []
    await watched.live.adjust("wh", -6)
    assert await watched.look() == [low(watched, 4)]
    await watched.live.adjust("wh", -1)
    assert await watched.look() == [low(watched, 4)]
    await watched.live.receive("wh", 4)
    assert await watched.look() == [low(watched, 4)]  # 7: armed again at 8
    await watched.live.receive("wh", 1)
    assert await watched.look() == []
    await watched.live.adjust("wh", -4)
    assert await watched.look() == [low(watched, 4)]
    (_, first) = await watched.alerts()
    assert (first.fired_with, first.cleared_with) == (4, 8)
    types = [row["type"] for row in await admin.fetch(EVENTS)]
    assert types == ["stock.alert_fired", "stock.alert_cleared", "stock.alert_fired"]


async def test_orders_make_it_run_low(watched: Watched) -> None:
    await watched.live.receive("wh", 6)
    await watched.set(node_rule())
    assert await watched.look() == []
    placed(await watched.live.runtime.intake.place(draft({"A": 2}), watched.world.brand))
    assert await watched.look() == [low(watched, 4)]


async def test_processes_that_look_at_once_tell_it_once(
    watched: Watched, admin: Connection
) -> None:
    await watched.live.receive("wh", 2)
    await watched.live.receive("far", 20)
    await watched.set(node_rule(transfers="propose", fill_to=10))
    watches: list[StockWatch] = [watched.another_watch() for _ in range(4)]
    await asyncio.gather(*(watch.look() for watch in watches))
    assert len(await watched.alerts()) == len(await watched.transfers()) == 1
    assert len(await admin.fetch(EVENTS)) == 2


async def test_each_node_by_itself_and_a_region_together(watched: Watched) -> None:
    for warehouse, units in (("wh", 3), ("store", 3), ("far", 30)):
        await watched.live.receive(warehouse, units)
    await watched.set(
        rule(code="each", scope="node"),
        rule(code="east", scope="region", subject=EAST, fires_below=4, clears_at=4),
        rule(code="north", scope="region", subject=str(BEIJING), fires_below=31, clears_at=31),
    )
    nodes = watched.world.nodes
    assert await watched.look() == [
        Low("each", nodes["wh"], "A", 3),
        Low("each", nodes["store"], "A", 3),
        Low("east", int(EAST), "A", 3),
        Low("north", BEIJING, "A", 30),
    ]


async def test_a_shop_that_would_run_dry(watched: Watched) -> None:
    await watched.live.lay_out(EXAMPLE)
    await watched.live.receive("wh", 100)
    intake = watched.live.runtime.intake
    for _ in range(4):
        placed(await intake.place(draft({"A": 14}), watched.world.brand))
    await watched.set(
        rule(scope="shop", measure="days", fires_below=20, clears_at=30),
        rule(code="units", scope="shop", subject="dshop", fires_below=27, clears_at=30),
    )
    shops = watched.live.shop_ids
    # 44 are left: "shop" offers 35, at 2 a day; "dshop" 26, and has sold none.
    assert await watched.look() == [
        Low("low", shops["shop"], "A", 17),
        Low("units", shops["dshop"], "A", 26),
    ]


async def test_only_the_skus_that_a_rule_asks_about(watched: Watched) -> None:
    await watched.live.receive("wh", 2, "A")
    await watched.live.receive("wh", 2, "B")
    await watched.set(node_rule(where=when("sku.code", "in", "B", "C")))
    assert await watched.look() == [low(watched, 2, sku="B")]


async def test_a_rule_that_is_changed_or_dropped_begins_anew(
    watched: Watched, admin: Connection
) -> None:
    await watched.live.receive("wh", 4)
    await watched.live.receive("far", 20)
    await watched.set(node_rule(transfers="propose"))
    assert await watched.look() == [low(watched, 4)]
    await watched.set(node_rule(fires_below=3))
    assert await watched.low() == []
    assert await watched.look() == []
    (transfer,) = await watched.transfers()
    assert transfer.state is TransferState.LAPSED
    await watched.set(node_rule())
    assert await watched.look() == [low(watched, 4)]
    await watched.drop("low")
    assert await watched.look() == []
    types = [row["type"] for row in await admin.fetch(EVENTS)]
    assert types == [
        "stock.alert_fired",
        "transfer.proposed",
        "stock.alert_cleared",
        "transfer.decided",
        "stock.alert_fired",
        "stock.alert_cleared",
    ]


async def test_what_nobody_asks_about_any_more_is_cleared(watched: Watched) -> None:
    await watched.live.receive("wh", 4)
    await watched.set(node_rule(subject=None))
    assert await watched.look() == [low(watched, 4)]
    async with watched.database.tenant_transaction(watched.world.system) as tx:
        await set_node_active(tx, "wh", is_active=False)
    watched.watch = watched.another_watch()
    assert await watched.look() == []


# ------------------------------------------------------------------------------- transfers


async def test_a_proposal_fills_up_and_is_a_supply_when_approved(
    watched: Watched, admin: Connection
) -> None:
    await watched.live.receive("wh", 2)
    await watched.live.receive("far", 20)
    await watched.set(node_rule(transfers="propose", fill_to=10, transit_days=2))
    await watched.look()
    (transfer,) = await watched.transfers()
    assert (transfer.quantity, transfer.state) == (8, TransferState.PROPOSED)
    assert transfer.reason == "low: 2 units, below 5"
    done = await watched.approve(transfer.id)
    assert done.transfer.state is TransferState.APPROVED
    async with watched.database.tenant_transaction(watched.world.brand, read_only=True) as tx:
        (supply,) = await page_of_supplies(
            tx, (done.transfer.proposed_at.date(), 0), 10, only_open=True
        )
    assert (supply.id, supply.quantity) == (done.transfer.supply_id, 8)
    brand = await watched.live.runtime.brands.get(watched.world.tenant_id)
    assert supply.expected_on == brand.local_time().date() + timedelta(days=2)
    (level,) = done.levels
    assert level.on_hand == 12
    await watched.live.runtime.publish_levels(watched.world.tenant_id, done.levels)
    # What is on its way counts: nothing more is proposed, though it is still low.
    watched.watch = watched.another_watch()
    await watched.look()
    assert len(await watched.transfers()) == 1


async def test_by_rule_they_leave_at_once(watched: Watched) -> None:
    await watched.live.receive("wh", 2)
    await watched.live.receive("far", 20)
    await watched.set(node_rule(transfers="automatic"))
    await watched.look()
    (transfer,) = await watched.transfers()
    assert (transfer.state, transfer.quantity) == (TransferState.APPROVED, 6)
    assert transfer.decided_by == "system:replenishment"


async def test_who_gives_keeps_what_it_sells_and_what_its_rules_want(watched: Watched) -> None:
    await watched.live.receive("store", 20)
    await watched.live.receive("far", 40)
    await till(watched, "far", 14)  # 26 are left, at 1 every other day
    await watched.live.receive("wh", 1)
    await watched.set(
        node_rule(transfers="propose", fill_to=40, leave_days=28),
        rule(code="store", scope="node", subject="store", fires_below=5, clears_at=15),
    )
    await watched.look()
    found = {one.source_id: one.quantity for one in await watched.transfers()}
    assert sorted(found.values()) == [5, 12]


async def test_within_a_region_units_go_where_most_is_sold(watched: Watched) -> None:
    system = watched.world.system
    async with watched.database.tenant_transaction(system) as tx:
        other = NodeDraft(code="second", name="second", kind=NodeKind.STORE, region_code=HANGZHOU)
        node_id = await create_node(tx, other, bundled_regions())
        second = await create_warehouse(tx, WarehouseDraft(node_id=node_id, code="second"))
    await watched.live.receive("store", 1)
    await watched.live.receive("second", 5)
    await till(watched, "second", 4)
    await watched.live.receive("far", 40)
    await watched.set(rule(scope="region", subject=ZHEJIANG, transfers="propose"))
    await watched.look()
    (transfer,) = await watched.transfers()
    assert (transfer.destination_id, transfer.quantity) == (second, 6)


async def test_another_partys_goods_are_not_moved(watched: Watched) -> None:
    await watched.live.receive("wh", 1)
    await watched.live.receive("dealer-node", 50)
    await watched.set(node_rule(transfers="propose"))
    assert await watched.look() == [low(watched, 1)]
    assert await watched.transfers() == []


async def test_what_was_rejected_is_not_proposed_again(watched: Watched) -> None:
    await watched.live.receive("wh", 1)
    await watched.live.receive("far", 50)
    await watched.set(node_rule(transfers="propose"))
    await watched.look()
    (transfer,) = await watched.transfers()
    async with watched.database.tenant_transaction(watched.world.brand) as tx:
        done = await reject_transfer(tx, transfer.id, " no truck ", key=fresh_key())
    assert (done.transfer.state, done.transfer.note) == (TransferState.REJECTED, "no truck")
    watched.watch = watched.another_watch()
    await watched.look()
    assert len(await watched.transfers()) == 1


async def test_what_is_gone_when_it_should_leave_is_planned_anew(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    await watched.live.receive("wh", 1)
    await watched.live.receive("far", 50)

    async def too_late(*given: object) -> object:
        monkeypatch.setattr(watching, "send_proposed", send_proposed)
        await watched.live.adjust("far", -46)
        return await send_proposed(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(watching, "send_proposed", too_late)
    await watched.set(node_rule(transfers="automatic"))
    await watched.look()
    assert await watched.transfers() == []
    watched.watch = watched.another_watch()
    await watched.look()
    assert [one.quantity for one in await watched.transfers()] == [4]
