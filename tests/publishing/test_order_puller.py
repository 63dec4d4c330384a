"""The orders of a platform: each paid one is placed once, and none is left behind."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from backend.channels.http_platform import HttpChannelStock
from backend.db.errors import DatabaseUnavailable
from backend.orders.model import OrderDraft, Outcome
from backend.publishing import publisher, shop_publisher
from loadtests.waiting import until
from tenants.principal import Principal
from tests.channels.marketplace import BUYER
from tests.orders.checks import assert_clean, level, second_runtime
from tests.publishing.scene import Scene, publishing

HOLDS = "select kind from order_hold order by 1"
LINES = """
    select sku_code, quantity, reserved, backordered, held, unit_price_minor
    from order_line order by order_id, line_no
"""


async def bought(scene: Scene, **quantities: int) -> str:
    """Let a buyer pay for units, and return the number of the order."""
    answer = await scene.shop.buy(paid=True, **quantities)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["number"])


async def placed(scene: Scene, count: int) -> list[Any]:
    """Wait for so many orders, and return them as they were ordered."""

    async def are_there() -> bool:
        return len(await scene.orders()) >= count

    await until(are_there)
    return sorted(await scene.orders(), key=lambda row: str(row["external_id"]))


async def lines(scene: Scene) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await scene.admin.fetch(LINES)]


async def test_a_purchase_becomes_a_placed_order(scene: Scene) -> None:
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()
        number = await bought(scene, A=2, B=1)
        (order,) = await placed(scene, 1)
        await scene.turns()
    assert (order["external_id"], order["status"], order["total_minor"]) == (
        number,
        "allocated",
        300,
    )
    assert (order["buyer_name"], order["buyer_phone"]) == (BUYER["name"], BUYER["phone"])
    assert (order["region_code"], order["address"]) == (BUYER["region_code"], BUYER["address"])
    assert await lines(scene) == [("A", 2, 2, 0, 0, 100), ("B", 1, 1, 0, 0, 100)]
    assert await scene.cursor() == "1"


async def test_the_platform_shows_what_is_left_after_its_own_sale(scene: Scene) -> None:
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()
        await bought(scene, A=10)
        assert (await scene.shop.shown())["A"] == 790
        await placed(scene, 1)
        await scene.caught_up()
    assert (await scene.shop.shown())["A"] == 792
    assert (await level(scene.runtime, scene.world, 1, "A")).reserved == 10
    await assert_clean(scene.runtime, scene.world)


async def test_an_order_that_nobody_paid_for_is_not_taken(scene: Scene) -> None:
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()
        number = (await scene.shop.buy(paid=False, A=1)).json()["number"]
        await scene.turns()
        assert await scene.orders() == []
        await scene.shop.call("POST", f"purchases/{number}/payment", headers={})
        (order,) = await placed(scene, 1)
    assert order["external_id"] == number


async def test_an_order_is_placed_once_although_its_page_is_read_again(
    scene: Scene, database_url: str, valkey_url: str
) -> None:
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()
        for _ in range(3):
            await bought(scene, A=1)
        await placed(scene, 3)
    await scene.admin.execute("update shop_connection set orders_cursor = ''")
    async with second_runtime(database_url, valkey_url) as other:
        async with publishing(other, scene.shop.http):
            await until(lambda: has_cursor(scene, "3"))
            await bought(scene, A=1)
            assert len(await placed(scene, 4)) == 4
        await assert_clean(other, scene.world)
    assert [line[2] for line in await lines(scene)] == [1, 1, 1, 1]


async def has_cursor(scene: Scene, cursor: str) -> bool:
    return await scene.cursor() == cursor


@pytest.mark.parametrize("kind", ["error500", "timeout", "timeout_after", "reset", "slow"])
async def test_no_order_is_lost_or_doubled_whatever_befalls_the_calls(
    scene: Scene, kind: str
) -> None:
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()
        await scene.shop.break_down(kind, share=5_000, seconds=1.0, milliseconds=100)
        numbers = []
        for _ in range(15):
            numbers.append(await bought(scene, A=1))
            await asyncio.sleep(0.05)
        orders = await placed(scene, len(numbers))
        await scene.turns()
        await scene.caught_up()
    assert [order["external_id"] for order in orders] == numbers
    assert len(await scene.orders()) == len(numbers)


async def test_all_pages_are_taken_without_a_pause(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HttpChannelStock, "orders_page_max", 2)
    monkeypatch.setattr(shop_publisher, "PULL_SECONDS", 3_600.0)
    await scene.shop.show(A=100)
    numbers = [await bought(scene, A=1) for _ in range(5)]
    async with publishing(scene.runtime, scene.shop.http):
        orders = await placed(scene, len(numbers))
        await until(lambda: has_cursor(scene, "5"))
    assert [order["external_id"] for order in orders] == numbers
    assert await scene.calls("orders") == 3


async def test_an_unknown_sku_becomes_a_hold_and_keeps_no_other_order_waiting(
    scene: Scene,
) -> None:
    await scene.shop.list_articles("Z")
    await scene.shop.show(Z=5)
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()
        await bought(scene, Z=1, A=1)
        await bought(scene, A=1)
        orders = await placed(scene, 2)
    assert [order["status"] for order in orders] == ["held", "allocated"]
    assert [row["kind"] for row in await scene.admin.fetch(HOLDS)] == ["sku_unknown"]
    assert (await lines(scene))[2] == ("A", 1, 1, 0, 0, 100)


async def test_what_was_sold_elsewhere_meanwhile_waits_for_stock(scene: Scene) -> None:
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()
        await scene.shop.break_down("error500", operation="push")
        await scene.sell("C", 7)
        await bought(scene, C=2)
        (order,) = await placed(scene, 1)
    assert order["status"] == "backordered"
    assert (await lines(scene))[-1] == ("C", 2, 0, 2, 0, 100)


# -------------------------------------------------------------------------- what is not durable


class HalfDone:
    """Places the first order of the first page, and then the database is away; once."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._place_many = scene.runtime.intake.place_many
        self.cursor_then: str | None = None

    async def __call__(self, drafts: Sequence[OrderDraft], who: Principal) -> list[Outcome]:
        if self.cursor_then is not None:
            return await self._place_many(drafts, who)
        await self._place_many(drafts[:1], who)
        self.cursor_then = await self._scene.cursor()
        raise DatabaseUnavailable


async def test_the_cursor_moves_on_only_when_all_orders_of_a_page_are_durable(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake = HalfDone(scene)
    monkeypatch.setattr(scene.runtime.intake, "place_many", intake)
    await scene.shop.show(A=100)
    numbers = [await bought(scene, A=1) for _ in range(3)]
    async with publishing(scene.runtime, scene.shop.http):
        orders = await placed(scene, 3)
        await until(lambda: has_cursor(scene, "3"))
    assert intake.cursor_then == ""
    assert [order["external_id"] for order in orders] == numbers
    assert len(await scene.orders()) == 3


async def test_who_no_longer_speaks_for_a_shop_moves_no_cursor_and_doubles_no_order(
    scene: Scene, database_url: str, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "RENEW_SECONDS", 3_600.0)
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()
        await scene.admin.execute("update shop_connection set owner = 'other'")
        await bought(scene, A=1)
        await placed(scene, 1)
        await scene.turns()
        assert await scene.cursor() == ""
    await scene.admin.execute("update shop_connection set owner = null, leased_until = null")
    async with (
        second_runtime(database_url, valkey_url) as other,
        publishing(other, scene.shop.http),
    ):
        await until(lambda: has_cursor(scene, "1"))
    assert len(await scene.orders()) == 1
