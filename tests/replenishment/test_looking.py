"""A look sees what is new, whatever failed before, and however much there is."""

import asyncio
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any

import pytest

from backend.catalog.model import SkuDraft
from backend.catalog.save_skus import save_skus
from backend.channels.model import ShopDraft
from backend.channels.shops import create_shop
from backend.db.errors import DatabaseUnavailable
from backend.inventory.model import LevelKey
from backend.inventory.movement_types import MovementType
from backend.inventory.warehouses import create_warehouse
from backend.network.model import NodeDraft, NodeKind, WarehouseDraft
from backend.network.nodes import create_node, set_node_active
from backend.network.regions.table import bundled_regions
from backend.replenishment import alerts
from backend.replenishment import watch as watching
from backend.replenishment.alert_rules import set_alert_rules
from backend.replenishment.model import StockAlert
from tests.catalogue import Connection
from tests.inventory.pools.layouts import EXAMPLE, when
from tests.inventory.stock import key_of, move
from tests.replenishment.scene import LISTED, NEWEST, Watched, node_rule, rule
from tests.world import HANGZHOU, fresh_key, receive

EVENTS = "select type, count(*) from outbox where type not like 'order%' group by type"
MANY = 2_500
Call = Callable[..., Awaitable[Any]]


def fails(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, after: int = 0) -> None:
    """Let a function fail once, after it was called some times."""
    real: Call = getattr(module, name)
    calls = iter(range(after))

    async def failing(*given: Any, **named: Any) -> Any:
        if next(calls, None) is not None:
            return await real(*given, **named)
        monkeypatch.setattr(module, name, real)
        raise DatabaseUnavailable

    monkeypatch.setattr(module, name, failing)


async def events(admin: Connection) -> dict[str, int]:
    """Return how many events of each type there are."""
    return {row[0]: row[1] for row in await admin.fetch(EVENTS)}


async def new_skus(watched: Watched, *codes: str) -> dict[str, int]:
    async with watched.database.tenant_transaction(watched.world.system) as tx:
        return await save_skus(tx, [SkuDraft(code=code, name=code) for code in codes])


async def of_sku(watched: Watched, sku_id: int) -> list[StockAlert]:
    """Let the process look, and return the open alerts of a SKU."""
    await watched.watch.look()
    return [one for one in await watched.alerts(only_open=True) if one.sku_id == sku_id]


# ------------------------------------------------------------------------------ what is new


async def test_a_sku_that_is_created_later(watched: Watched) -> None:
    await watched.live.receive("wh", 20)
    await watched.set(node_rule())
    assert await watched.look() == []
    new = (await new_skus(watched, "new"))["new"]
    assert await of_sku(watched, new) == []
    await watched.live.receive("wh", 2, "new")
    assert [one.fired_with for one in await of_sku(watched, new)] == [2]


async def test_a_sku_that_meets_a_condition_later(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "FULL_SECONDS", 0.0)
    await watched.live.receive("wh", 20)
    await watched.set(node_rule(where=when("sku.code", "in", "new")))
    assert await watched.look() == []
    new = (await new_skus(watched, "new"))["new"]
    await watched.live.receive("wh", 2, "new")
    assert [one.fired_with for one in await of_sku(watched, new)] == [2]


async def test_a_node_that_is_opened_later(watched: Watched) -> None:
    await watched.live.receive("wh", 20)
    await watched.set(rule(scope="node"))
    assert await watched.look() == []
    draft = NodeDraft(code="second", name="second", kind=NodeKind.STORE, region_code=HANGZHOU)
    async with watched.database.tenant_transaction(watched.world.system) as tx:
        node_id = await create_node(tx, draft, bundled_regions())
        await create_warehouse(tx, WarehouseDraft(node_id=node_id, code="second"))
    await watched.live.freshen()
    await watched.live.receive("second", 3)
    assert [(one.subject, one.value) for one in await watched.look()] == [(node_id, 3)]


async def test_a_shop_that_is_opened_later(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    await watched.live.receive("wh", 4)
    await watched.set(rule(scope="shop"))
    monkeypatch.setattr(watching, "FULL_SECONDS", 0.0)
    before = {one.subject for one in await watched.look()}
    async with watched.database.tenant_transaction(watched.world.system) as tx:
        shop_id = await create_shop(tx, ShopDraft("late", "Late", "tmall"))
    assert {one.subject for one in await watched.look()} - before == {shop_id}


async def test_a_layout_that_is_activated_in_between(watched: Watched) -> None:
    await watched.live.receive("wh", 30)
    await watched.set(rule(scope="shop", subject="shop", fires_below=25, clears_at=28))
    assert await watched.look() == []
    await watched.live.lay_out(EXAMPLE)
    assert [one.value for one in await watched.look()] == [24]  # 80 % of it
    await watched.live.receive("wh", 5)
    assert await watched.look() == []


async def test_rules_that_are_set_and_dropped_between_looks(watched: Watched) -> None:
    await watched.live.receive("wh", 2)
    assert await watched.look() == []
    await watched.set(node_rule())
    assert len(await watched.look()) == 1
    await watched.drop("low")
    assert await watched.look() == []
    await watched.live.receive("wh", 1)
    await watched.set(node_rule())
    assert [one.value for one in await watched.look()] == [3]


async def test_each_brand_is_looked_at_by_its_own_rules(watched: Watched) -> None:
    other = watched.world.other_brand
    await watched.live.receive("wh", 2)
    await receive(watched.database, other, "wh", "A", 3)
    async with watched.database.tenant_transaction(other) as tx:
        await set_alert_rules(tx, [node_rule()], key=fresh_key(), regions=bundled_regions())
    assert await watched.look() == []
    async with watched.database.tenant_transaction(other, read_only=True) as tx:
        (alert,) = await alerts.page_of_alerts(tx, NEWEST, LISTED, only_open=True)
    assert alert.fired_with == 3


# ----------------------------------------------------------------------------- what has failed


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (watching, "read_ground"),
        (watching, "read_sales"),
        (alerts, "open_alerts"),
        (alerts, "clear"),
        (alerts, "fire"),
        (watching, "propose"),
    ],
)
async def test_what_failed_is_looked_at_again(
    watched: Watched,
    admin: Connection,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    name: str,
) -> None:
    await watched.live.receive("wh", 2)
    await watched.live.receive("far", 20)
    await watched.live.receive("wh", 2, "B")
    await watched.set(node_rule(code="once", where=when("sku.code", "in", "B")))
    await watched.look()
    await watched.live.receive("wh", 20, "B")
    await watched.set(node_rule(transfers="propose", where=when("sku.code", "in", "A")))
    watched.watch = watched.another_watch()
    fails(monkeypatch, module, name)
    with pytest.raises(DatabaseUnavailable):
        await watched.look()
    assert [(one.rule, one.value) for one in await watched.look()] == [("low", 2)]
    assert await events(admin) == {
        "stock.alert_fired": 2,
        "stock.alert_cleared": 1,
        "transfer.proposed": 1,
    }


async def test_what_moved_before_a_look_failed_is_not_forgotten(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    await watched.live.receive("wh", 20)
    await watched.set(node_rule())
    assert await watched.look() == []
    await watched.live.adjust("wh", -18)
    fails(monkeypatch, alerts, "open_alerts")
    with pytest.raises(DatabaseUnavailable):
        await watched.look()
    await watched.live.receive("wh", 1, "B")
    assert [one.value for one in await watched.look()] == [2, 1]


@pytest.mark.parametrize("after", [1, 2])
async def test_of_what_was_told_in_part_the_rest_is_told(
    watched: Watched, admin: Connection, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr(watching, "ALERTS_A_TRANSACTION", 1)
    for sku in ("A", "B", "C"):
        await watched.live.receive("wh", 2, sku)
        await watched.live.receive("far", 20, sku)
    await watched.set(node_rule(transfers="propose"))
    fails(monkeypatch, alerts, "fire", after)
    with pytest.raises(DatabaseUnavailable):
        await watched.look()
    assert len(await watched.low()) == after
    assert len(await watched.look()) == 3
    assert await events(admin) == {"stock.alert_fired": 3, "transfer.proposed": 3}


async def test_a_look_that_is_cancelled_is_done_again(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    await watched.live.receive("wh", 2)
    await watched.set(node_rule())
    begun = asyncio.Event()

    async def endless(*_: Any) -> Any:
        begun.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr(alerts, "fire", endless)
        looking = asyncio.create_task(watched.watch.look())
        await begun.wait()
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking
    assert [one.value for one in await watched.look()] == [2]


# ------------------------------------------------------------------------------------- much


async def test_thousands_that_run_low_in_one_look_are_told_once_each(
    watched: Watched, admin: Connection
) -> None:
    ids = (await new_skus(watched, *(f"n{n}" for n in range(MANY)))).values()
    home, _ = await key_of(admin, watched.world, "wh")
    received = ((LevelKey(home, sku_id), MovementType.RECEIVED, 1) for sku_id in ids)
    await move(watched.database, watched.world, *received)
    await watched.set(node_rule())
    await watched.watch.look()
    await asyncio.gather(*(watched.another_watch().look() for _ in range(2)))
    assert await events(admin) == {"stock.alert_fired": MANY}
    async with watched.database.tenant_transaction(watched.world.system) as tx:
        await set_node_active(tx, "wh", is_active=False)
    await asyncio.gather(*(watched.another_watch().look() for _ in range(2)))
    assert await events(admin) == {"stock.alert_fired": MANY, "stock.alert_cleared": MANY}


async def test_one_alert_has_a_handful_of_proposals(watched: Watched) -> None:
    async with watched.database.tenant_transaction(watched.world.system) as tx:
        for n in range(7):
            draft = NodeDraft(code=f"n{n}", name="n", kind=NodeKind.STORE, region_code=HANGZHOU)
            node_id = await create_node(tx, draft, bundled_regions())
            await create_warehouse(tx, WarehouseDraft(node_id=node_id, code=f"n{n}"))
    await watched.live.freshen()
    for n in range(7):
        await watched.live.receive(f"n{n}", n + 1)
    await watched.live.receive("wh", 1)
    await watched.set(node_rule(transfers="propose", fill_to=100))
    await watched.look()
    assert [one.quantity for one in await watched.transfers()] == [3, 4, 5, 6, 7]
