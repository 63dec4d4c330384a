"""The publisher and the platform as a process: in the end it shows what the stock allows."""

import asyncio
import signal
import time

import httpx2
import pytest

from backend.inventory.pools.model import Sync
from backend.publishing import shop_publisher
from loadtests.waiting import until
from tests.channels.marketplace import Platform, Shopfront, platform_process
from tests.orders.checks import second_runtime
from tests.publishing.scene import Scene, Stored, publishing

STILL_SECONDS = 1.0
"""How long a platform is away."""
REFUSALS_MAX = 10
"""Calls that are refused for their rate until the rate is found; a busy machine needs some more."""


async def test_all_numbers_arrive_and_are_remembered(scene: Scene) -> None:
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()
        await until(lambda: scene.remembers(A=800, B=40, C=5))
    assert await scene.shop.shown() == {"A": 800, "B": 40, "C": 5}
    assert sorted(await scene.pushes()) == [("A", 800), ("B", 40), ("C", 5)]


async def test_a_sale_moves_exactly_the_numbers_that_change(scene: Scene) -> None:
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()
        before = await scene.pushes()
        await scene.sell("A", 100)
        await scene.caught_up()
        await scene.turns()
        assert (await scene.pushes())[len(before) :] == [("A", 720)]


async def test_a_sale_that_changes_no_number_is_not_pushed(scene: Scene) -> None:
    await scene.put_in_force(Sync(shop="shop", cap=30))
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up("C")
        before = await scene.pushes()
        await scene.sell("A", 100)
        await scene.turns()
        assert (dict(before)["A"], await scene.pushes()) == (30, before)


async def test_goods_that_come_and_go_are_shown(scene: Scene) -> None:
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()
        await scene.sell("C", 7)
        await scene.caught_up()
        assert "C" not in await scene.shop.shown()
        await scene.restock("C", 10)
        await scene.caught_up()
        assert (await scene.shop.shown())["C"] == 8


async def test_another_policy_is_followed_without_a_movement(scene: Scene) -> None:
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()
        await scene.put_in_force(Sync(shop="shop", buffer=10, cap=500))
        await until(lambda: shows(scene, A=500, B=30))
        assert await scene.shop.shown() == {"A": 500, "B": 30}


async def shows(scene: Scene, **quantities: int) -> bool:
    shown = await scene.shop.shown()
    return all(shown.get(code, 0) == quantity for code, quantity in quantities.items())


async def test_a_listing_that_the_platform_does_not_have_is_left_alone(
    scene: Scene, platform_url: str
) -> None:
    bare = Shopfront(platform_url, f"{scene.shop.code}-bare", scene.shop.http)
    await bare.open()
    await bare.list_articles("A", "B")
    await scene.connect(bare)
    scene.shop = bare
    async with publishing(scene.runtime, bare.http):
        await scene.caught_up("A", "B")
        before = await scene.calls("push")
        await scene.sell("C", 5)
        await scene.turns()
        assert await scene.calls("push") == before
    assert (await scene.stored())["C"] == Stored(5, None, False, True)
    assert await bare.shown() == {"A": 800, "B": 40}


# ------------------------------------------------------------------------------------- faults

FAULTS: dict[str, dict[str, int]] = {
    "error500": {},
    "timeout": {},
    "timeout_after": {},
    "reset": {},
    "slow": {"milliseconds": 200},
    "forget": {},
    "other_number": {},
    "silent_other_number": {},
}


@pytest.mark.parametrize("kind", FAULTS)
async def test_whatever_befalls_pushes_the_platform_is_right_in_the_end(
    scene: Scene, kind: str
) -> None:
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()
        await scene.shop.break_down(kind, operation="push", calls=2, **FAULTS[kind])
        await scene.sell("A", 100)
        await scene.restock("B", 30)
        await until(scene.shop.is_struck)
        await scene.caught_up()
        await until(lambda: scene.remembers(A=720, B=64, C=5))
        await scene.turns()
        assert await scene.shop.shown() == {"A": 720, "B": 64, "C": 5}


@pytest.mark.parametrize("kind", FAULTS)
async def test_numbers_that_move_all_the_time_are_right_in_the_end(scene: Scene, kind: str) -> None:
    async with publishing(scene.runtime, scene.shop.http):
        await scene.shop.break_down(kind, share=4_000, seconds=1.5, **FAULTS[kind])
        for _ in range(20):
            await scene.sell("A", 7)
            await scene.sell("B")
            await asyncio.sleep(0.05)
        await until(scene.shop.is_struck)
        await scene.caught_up()
    assert await scene.shop.shown() == {"A": 688, "B": 24, "C": 5}


async def test_a_number_that_was_lowered_and_forgotten_is_found_at_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.publishing.shop_numbers.SOLD_SECONDS", 3_600.0)
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()
        await scene.shop.break_down("forget", operation="push", calls=1)
        await scene.sell("A", 1_000)
        await until(scene.shop.is_struck)
        await scene.caught_up()
        assert "A" not in await scene.shop.shown()


async def test_what_somebody_else_has_changed_is_put_right(scene: Scene) -> None:
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()
        state = (await scene.shop.state())["listings"]
        await scene.shop.show(state["A"]["sequence"] + 1, A=5, B=999)
        assert not await scene.is_caught_up()
        await scene.caught_up()


async def test_a_platform_with_a_low_rate_is_caught_up_with_at_its_pace(
    scene: Scene, platform_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop_publisher, "PULL_SECONDS", 1.0)
    monkeypatch.setattr(shop_publisher, "READ_SECONDS", 2.0)
    narrow = Shopfront(platform_url, f"{scene.shop.code}-narrow", scene.shop.http)
    await narrow.open(calls_per_second=3)
    await narrow.list_articles("A", "B", "C")
    await scene.connect(narrow)
    scene.shop = narrow
    began = time.monotonic()
    async with publishing(scene.runtime, narrow.http):
        for _ in range(40):
            await scene.sell("A", 3)
            await asyncio.sleep(0.05)
        await scene.caught_up()
    state, refused = await narrow.state(), (await narrow.state())["refusals"]
    assert set(refused) == {"429"}
    assert refused["429"] <= REFUSALS_MAX
    answered = sum(state["calls"].values()) - refused["429"]
    assert answered <= 3 * (time.monotonic() - began + 1)
    assert len(state["pushes"]) < 20


# ----------------------------------------------------------------------------- away and back


def front(platform: Platform, http: httpx2.AsyncClient) -> Shopfront:
    return Shopfront(platform.url, "alone", http)


async def test_a_platform_that_stood_still_is_caught_up_with(scene: Scene) -> None:
    with platform_process("--rate", "1000") as platform:
        scene.shop = front(platform, scene.shop.http)
        await scene.shop.open()
        await scene.shop.list_articles("A", "B", "C")
        await scene.connect()
        async with publishing(scene.runtime, scene.shop.http):
            await scene.caught_up()
            platform.process.send_signal(signal.SIGSTOP)
            try:
                await scene.sell("A", 500)
                await asyncio.sleep(STILL_SECONDS)
                await scene.restock("A", 100)
            finally:
                platform.process.send_signal(signal.SIGCONT)
            await scene.caught_up()
            await scene.turns()
            assert (await scene.shop.shown())["A"] == 480


async def test_a_platform_that_lost_everything_is_told_again(scene: Scene) -> None:
    http = scene.shop.http
    with platform_process() as platform:
        scene.shop = front(platform, http)
        await scene.shop.open()
        await scene.shop.list_articles("A", "B", "C")
        await scene.connect()
        async with publishing(scene.runtime, http):
            await scene.caught_up()
            platform.process.kill()
            platform.process.wait()
            port = platform.url.rpartition(":")[2]
            with platform_process("--port", port):
                await scene.shop.open()
                await scene.shop.list_articles("A", "B", "C")
                await scene.caught_up()


async def test_a_shop_that_is_away_keeps_no_other_one_from_its_numbers(
    scene: Scene, platform_url: str
) -> None:
    other = Shopfront(platform_url, f"{scene.shop.code}-other", scene.shop.http)
    await other.open()
    await other.list_articles("A", "B", "C")
    await other.break_down("timeout")
    await scene.admin.execute(
        "insert into shop_connection"
        " (tenant_id, shop_id, kind, base_url, remote_shop, token, calls_per_second) "
        "select c.tenant_id, s.id, c.kind, c.base_url, $1, c.token, c.calls_per_second "
        "from shop_connection c join shop s on s.tenant_id = c.tenant_id and s.code = 'dshop'",
        other.code,
    )
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()
        await until(other.is_struck)
        await scene.sell("A", 100)
        await scene.caught_up()


async def test_a_refused_token_is_a_problem_for_a_person_until_a_new_one_is_given(
    scene: Scene,
) -> None:
    await scene.connect(token="wrong")
    async with publishing(scene.runtime, scene.shop.http):
        await until(lambda: problem(scene))
        assert "401" in str(await problem(scene))
        assert await scene.shop.shown() == {}
        before = (await scene.shop.state())["refusals"]
        await asyncio.sleep(STILL_SECONDS)
        assert (await scene.shop.state())["refusals"] == before
        await scene.connect()
        await scene.caught_up()
        assert await problem(scene) is None


async def problem(scene: Scene) -> str | None:
    return (await scene.connection()).problem


async def test_a_problem_that_the_platform_has_ended_is_taken_back(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, platform_url: str
) -> None:
    monkeypatch.setattr(shop_publisher, "REFUSED_SECONDS", 0.1)
    late = Shopfront(platform_url, f"{scene.shop.code}-late", scene.shop.http)
    await scene.connect(late)
    scene.shop = late
    async with publishing(scene.runtime, late.http):
        await until(lambda: problem(scene))
        assert "404" in str(await problem(scene))
        await late.open()
        await late.list_articles("A", "B", "C")
        await until(lambda: is_well(scene))


async def is_well(scene: Scene) -> bool:
    return await problem(scene) is None


# --------------------------------------------------------------------------- one after another


async def test_who_goes_on_does_not_push_everything_again(
    scene: Scene, database_url: str, valkey_url: str
) -> None:
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()
    before = await scene.pushes()
    async with second_runtime(database_url, valkey_url) as other:
        scene.runtime = other
        async with publishing(other, scene.shop.http):
            await scene.turns(3)
            assert await scene.pushes() == before
            await scene.sell("B", 10)
            await scene.caught_up()
            assert (await scene.pushes())[len(before) :] == [("B", 32)]


async def test_what_moved_while_nobody_published_is_pushed_by_who_goes_on(
    scene: Scene, database_url: str, valkey_url: str
) -> None:
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()
    before = await scene.pushes()
    await scene.sell("A", 1_000)
    async with second_runtime(database_url, valkey_url) as other:
        async with publishing(other, scene.shop.http):
            await scene.caught_up()
            await scene.turns()
        assert (await scene.pushes())[len(before) :] == [("A", 0)]


async def test_sales_of_another_process_are_published(
    scene: Scene, database_url: str, valkey_url: str
) -> None:
    async with (
        second_runtime(database_url, valkey_url) as other,
        publishing(other, scene.shop.http),
    ):
        await scene.caught_up()
        await scene.sell("A", 100)
        await scene.caught_up()
        assert (await scene.shop.shown())["A"] == 720
