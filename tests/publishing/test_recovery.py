"""What is right again in the end after what happens seldom."""

import asyncio
from collections.abc import Iterable

import pytest

from backend.catalog.find_skus import codes_of_skus
from backend.db.errors import DatabaseUnavailable
from backend.db.pool import TenantTransaction
from backend.publishing import shop_numbers, shop_publisher
from loadtests.waiting import until
from tests.channels.marketplace import Shopfront
from tests.orders.checks import second_runtime
from tests.publishing.scene import Scene, publishing

WATCH_SECONDS = 2.0
PUSHES_MAX = 10
"""In that time, of a number that will be refused again: a quarter of what the pace allows."""


async def another_shop(scene: Scene, suffix: str, **more: int) -> Shopfront:
    """Return a new shop on the platform, with the same listings."""
    shop = Shopfront(scene.shop.url, f"{scene.shop.code}-{suffix}", scene.shop.http)
    await shop.open(**more)
    await shop.list_articles("A", "B", "C")
    return shop


async def test_a_publisher_outlives_a_connection_that_is_lost_while_it_asks_for_shops(
    scene: Scene,
) -> None:
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()
        async with scene.admin.transaction():
            await scene.admin.execute("lock table shop_connection in exclusive mode")
            await until(lambda: waiting_ends(scene))
        await scene.sell("A", 100)
        await scene.caught_up()


async def waiting_ends(scene: Scene) -> bool:
    """Break the connection of who waits for a lock; returns whether there was one."""
    return bool(
        await scene.admin.fetchval(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity "
            "where datname = current_database() and wait_event_type = 'Lock'"
        )
    )


async def test_looking_for_orders_keeps_no_number_waiting(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop_publisher, "PULL_SECONDS", 1.0)
    monkeypatch.setattr(shop_publisher, "READ_SECONDS", 2.0)
    scene.shop = await another_shop(scene, "narrow", calls_per_second=1)
    await scene.connect()
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()
        await scene.turns(3)
        await scene.sell("A", 100)
        await scene.caught_up()


async def test_a_shop_that_moves_to_another_platform_is_told_its_numbers_at_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop_numbers, "SOLD_SECONDS", 3_600.0)
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()
        scene.shop = await another_shop(scene, "moved")
        await scene.connect()
        await scene.caught_up()


async def test_a_shop_that_moves_to_another_platform_has_its_orders_taken_from_the_first(
    scene: Scene,
) -> None:
    await scene.shop.show(A=10)
    for _ in range(2):
        await scene.shop.buy(A=1)
    async with publishing(scene.runtime, scene.shop.http):
        await until(lambda: has_orders(scene, 2))
        scene.shop = await another_shop(scene, "moved")
        await scene.connect()
        await scene.shop.show(A=10)
        await scene.shop.buy(A=1)
        await until(lambda: has_orders(scene, 3), 5.0)


async def has_orders(scene: Scene, count: int) -> bool:
    return len(await scene.orders()) == count


async def test_skus_that_could_not_be_looked_up_are_published_later(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([DatabaseUnavailable()])

    async def look_up(tx: TenantTransaction, sku_ids: Iterable[int]) -> dict[int, str]:
        wanted = list(sku_ids)
        if wanted and (error := next(failures, None)) is not None:
            raise error
        return await codes_of_skus(tx, wanted)

    monkeypatch.setattr(shop_publisher, "codes_of_skus", look_up)
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()


async def test_a_drifted_number_is_put_right_by_who_goes_on(
    scene: Scene, database_url: str, valkey_url: str
) -> None:
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()
    await scene.admin.execute("update shown_number set drifted_at = now() where shown = 40")
    before = await scene.pushes()
    async with second_runtime(database_url, valkey_url) as other:
        async with publishing(other, scene.shop.http):
            await until(lambda: scene.remembers(A=800, B=40, C=5), 5.0)
        assert (await scene.pushes())[len(before) :] == [("B", 40)]


async def test_a_problem_that_is_over_is_taken_back_by_who_goes_on(
    scene: Scene, database_url: str, valkey_url: str
) -> None:
    scene.shop = Shopfront(scene.shop.url, f"{scene.shop.code}-late", scene.shop.http)
    await scene.connect()
    async with publishing(scene.runtime, scene.shop.http):
        await until(lambda: has_problem(scene))
    await scene.shop.open()
    await scene.shop.list_articles("A", "B", "C")
    async with (
        second_runtime(database_url, valkey_url) as other,
        publishing(other, scene.shop.http),
    ):
        await scene.caught_up()
        await scene.turns()
        assert not await has_problem(scene)


async def has_problem(scene: Scene) -> bool:
    return (await scene.connection()).problem is not None


@pytest.mark.parametrize("change", ["token = '令牌'", "base_url = 'https://'"])
async def test_a_way_that_no_connector_takes_is_a_problem_for_a_person(
    scene: Scene, change: str
) -> None:
    await scene.admin.execute(f"update shop_connection set {change}")  # noqa: S608
    async with publishing(scene.runtime, scene.shop.http):
        await until(lambda: has_problem(scene), 5.0)


async def test_an_article_that_is_listed_later_is_published(scene: Scene) -> None:
    bare = Shopfront(scene.shop.url, f"{scene.shop.code}-bare", scene.shop.http)
    await bare.open()
    await bare.list_articles("A", "B")
    scene.shop = bare
    await scene.connect()
    async with publishing(scene.runtime, bare.http):
        await scene.caught_up("A", "B")
        await scene.turns()
        await bare.list_articles("C")
        await scene.caught_up("C")


async def test_a_number_that_the_platform_refuses_is_not_pushed_without_pause(
    scene: Scene,
) -> None:
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()
        await scene.restock("A", 2_000_000)
        before = await scene.calls("push")
        await asyncio.sleep(WATCH_SECONDS)
        assert await scene.calls("push") - before <= PUSHES_MAX
