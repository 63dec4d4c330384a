"""What goes wrong between two looks, and what rules of others leave to give."""

import asyncio
from typing import Any

import pytest

from backend.catalog.model import SkuDraft
from backend.catalog.save_skus import save_skus
from backend.db.errors import DatabaseUnavailable
from backend.inventory.change_stock import StockSell
from backend.inventory.warehouses import create_warehouse
from backend.network.model import NodeDraft, NodeKind, WarehouseDraft
from backend.network.nodes import create_node
from backend.network.regions.table import bundled_regions
from backend.replenishment import alerts
from backend.replenishment import watch as watching
from backend.replenishment.alert_rules import set_alert_rules
from backend.replenishment.alerts import fire, page_of_alerts
from backend.replenishment.model import TransferState
from backend.replenishment.transfers import propose, send_proposed
from tests.inventory.allotments.allotting import allot
from tests.inventory.pools.layouts import EXAMPLE, when
from tests.inventory.stock import change
from tests.orders.checks import placed
from tests.replenishment.scene import NEWEST, Low, Watched, node_rule, rule
from tests.world import HANGZHOU, draft, fresh_key, receive

ZHEJIANG = str(HANGZHOU // 10_000 * 10_000)


async def till(watched: Watched, warehouse: str, units: int) -> None:
    command = StockSell(warehouse=warehouse, sku="A", quantity=units, receipt="r")
    levels = await change(watched.database, watched.world.brand, command)
    await watched.live.runtime.publish_levels(watched.world.tenant_id, levels)


async def two_low(watched: Watched, transfers: str) -> int:
    """Let two nodes want 9 of a third, which can spare 8; return the units of all transfers."""
    for warehouse, units in (("wh", 1), ("store", 1), ("far", 20)):
        await watched.live.receive(warehouse, units)
    wants = {"transfers": transfers, "clears_at": 10}
    await watched.set(
        node_rule(**wants),
        rule(code="store", scope="node", subject="store", **wants),
        rule(code="far", scope="node", subject="far", fires_below=10, clears_at=12),
    )
    await watched.look()
    return sum(one.quantity for one in await watched.transfers())


@pytest.mark.parametrize("transfers", ["propose", "automatic"])
async def test_who_gives_twice_does_not_run_low_of_both(watched: Watched, transfers: str) -> None:
    assert await two_low(watched, transfers) == 8


async def test_a_burst_that_sells_everything_is_told(watched: Watched) -> None:
    await watched.live.receive("wh", 6)
    await watched.set(node_rule(), rule(code="store", scope="node", subject="store"))
    assert await watched.look() == []
    placed(await watched.live.runtime.intake.place(draft({"A": 6}), watched.world.brand))
    assert await watched.look() == [Low("low", watched.world.nodes["wh"], "A", 0)]


async def test_a_transfer_that_could_not_leave_leaves_the_next_time(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    await watched.live.receive("wh", 2)
    await watched.live.receive("far", 20)
    await watched.set(node_rule(transfers="automatic"))

    async def dead(*_: object) -> None:
        monkeypatch.setattr(watching, "send_proposed", send_proposed)
        raise DatabaseUnavailable

    monkeypatch.setattr(watching, "send_proposed", dead)
    with pytest.raises(DatabaseUnavailable):
        await watched.look()
    await watched.look()
    assert [one.state for one in await watched.transfers()] == [TransferState.APPROVED]


@pytest.mark.parametrize("change", ["drop", "set"])
async def test_a_rule_that_goes_while_it_fires_leaves_no_alert(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    await watched.live.receive("wh", 4)
    await watched.set(node_rule())

    async def late(*given: Any) -> object:
        monkeypatch.setattr(alerts, "fire", fire)
        await (watched.drop("low") if change == "drop" else watched.set(node_rule(fires_below=3)))
        return await fire(*given)

    monkeypatch.setattr(alerts, "fire", late)
    await watched.look()
    assert await watched.look() == []


async def test_a_rule_waits_while_something_is_proposed_by_it(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    await watched.live.receive("wh", 2)
    await watched.live.receive("far", 20)
    await watched.set(node_rule(transfers="propose"))
    dropping: list[asyncio.Future[None]] = []

    async def meanwhile(*given: Any) -> list[int]:
        dropping.append(asyncio.ensure_future(watched.drop("low")))
        await asyncio.sleep(0.1)
        assert not dropping[0].done()
        return await propose(*given)

    monkeypatch.setattr(watching, "propose", meanwhile)
    await watched.watch.look()
    await dropping[0]
    assert await watched.look() == []
    assert [one.state for one in await watched.transfers()] == [TransferState.LAPSED]


async def test_what_a_process_does_not_know_it_does_not_clear(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    await watched.live.receive("wh", 2)
    await watched.set(node_rule(code="other", fires_below=1, clears_at=1))
    other, real = watched.another_watch(), alerts.open_alerts

    async def late(*given: Any) -> object:
        monkeypatch.setattr(alerts, "open_alerts", real)
        await watched.set(node_rule())
        await watched.look()
        return await real(*given)

    monkeypatch.setattr(alerts, "open_alerts", late)
    await other.look()
    assert [one.rule for one in await watched.low()] == ["low"]
    assert len(await watched.alerts()) == 1


async def test_a_new_sku_that_a_rule_names_is_looked_at_at_once(watched: Watched) -> None:
    await watched.live.receive("wh", 20)
    await watched.set(node_rule(where=when("sku.code", "in", "A", "N")))
    assert await watched.look() == []
    async with watched.database.tenant_transaction(watched.world.brand) as tx:
        ids = await save_skus(tx, [SkuDraft(code="N", name="N")])
    await watched.live.receive("wh", 2, "N")
    await watched.watch.look()
    assert [one.sku_id for one in await watched.alerts()] == [ids["N"]]


async def test_a_node_keeps_its_own_sales_once_whatever_parts_it_has(watched: Watched) -> None:
    second = WarehouseDraft(node_id=watched.world.nodes["far"], code="far2", rank=1)
    await watched.live.add_warehouse(second)
    await watched.live.freshen()
    for warehouse, units in (("far", 24), ("far2", 10), ("wh", 1)):
        await watched.live.receive(warehouse, units)
    await till(watched, "far", 14)
    await watched.set(node_rule(transfers="propose", fill_to=40, leave_days=28))
    await watched.look()
    assert sum(one.quantity for one in await watched.transfers()) == 6


async def test_the_brands_node_of_a_region_is_filled_up_beside_a_dealers(
    watched: Watched,
) -> None:
    dealer_id = watched.world.dealers["d1"]
    async with watched.database.tenant_transaction(watched.world.system) as tx:
        theirs = NodeDraft(
            code="dn2", name="dn2", kind=NodeKind.DEALER, region_code=HANGZHOU, dealer_id=dealer_id
        )
        node_id = await create_node(tx, theirs, bundled_regions())
        part = WarehouseDraft(node_id=node_id, code="dn2", dealer_id=dealer_id)
        await create_warehouse(tx, part)
    for warehouse, units in (("store", 1), ("dn2", 5), ("far", 40)):
        await watched.live.receive(warehouse, units)
    await till(watched, "dn2", 4)
    await watched.set(rule(scope="region", subject=ZHEJIANG, transfers="propose"))
    await watched.look()
    assert [one.quantity for one in await watched.transfers()] == [6]


async def test_a_brand_that_cannot_be_looked_at_does_not_stop_the_others(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, look = watched.world, watching.BrandWatch.look
    async with watched.database.tenant_transaction(world.other_brand) as tx:
        await set_alert_rules(tx, [node_rule()], key=fresh_key(), regions=bundled_regions())
    await receive(watched.database, world.other_brand, "wh", "A", 2)
    await watched.set(node_rule())

    async def fails(self: watching.BrandWatch, rules: list[Any]) -> None:
        if self._principal.tenant_id == world.tenant_id:
            raise RuntimeError("this brand is broken")
        await look(self, rules)

    monkeypatch.setattr(watching.BrandWatch, "look", fails)
    await watched.watch.look()
    async with watched.database.tenant_transaction(world.other_brand) as tx:
        assert len(await page_of_alerts(tx, NEWEST, 10, only_open=True)) == 1


async def test_a_sku_that_is_retired_stops_no_other(watched: Watched) -> None:
    for sku in "AB":
        await watched.live.receive("wh", 2, sku)
        await watched.live.receive("far", 20, sku)
    async with watched.database.tenant_transaction(watched.world.brand) as tx:
        await save_skus(tx, [SkuDraft(code="A", name="A", is_active=False)])
    await watched.set(node_rule(transfers="automatic"))
    await watched.look()
    assert [one.sku_id for one in await watched.transfers()] == [watched.world.skus["B"]]


@pytest.mark.parametrize("transfers", ["propose", "automatic"])
async def test_processes_that_plan_for_a_sku_at_once_give_no_unit_twice(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, transfers: str
) -> None:
    async def slowly(*given: Any) -> list[int]:
        ids = await propose(*given)
        await asyncio.sleep(0.2)
        return ids

    for warehouse, units in (("wh", 1), ("store", 1), ("far", 20)):
        await watched.live.receive(warehouse, units)
    wants: dict[str, Any] = {"transfers": transfers, "clears_at": 10}
    await watched.set(
        node_rule(**wants),
        rule(code="store", scope="node", subject="store", **wants),
        rule(code="far", scope="node", subject="far", fires_below=10, clears_at=12),
    )
    monkeypatch.setattr(watching, "propose", slowly)
    watches = [watched.another_watch() for _ in range(3)]
    await asyncio.gather(*(each.look() for each in watches))
    assert sum(one.quantity for one in await watched.transfers()) == 8


async def test_a_shop_that_may_sell_nothing_any_more_is_told(watched: Watched) -> None:
    await watched.live.lay_out(EXAMPLE)
    await watched.live.receive("wh", 100)
    await watched.set(rule(scope="shop"))
    assert await watched.look() == []
    await allot(watched.live, "shop", 0)
    shop_id = watched.live.shop_ids["shop"]
    assert await watched.look() == [Low("low", shop_id, "A", 0)]
