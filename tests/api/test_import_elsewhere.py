"""Orders that another process imports reach whoever may see them, at once, and nobody else."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from backend.events import log
from backend.runtime import Runtime
from tenants.principal import Principal
from tests.api.client import Api
from tests.api.test_entrances import ids, record
from tests.cli.running import end_of, start
from tests.conftest import SECRET
from tests.orders.checks import assert_clean
from tests.world import World, receive

NEVER_SECONDS = 3_600.0
"""Between two looks of a subscriber that nobody wakes: whoever hears of an order was told."""


class Follower(NamedTuple):
    """Who follows the events, and the shops whose orders they see."""

    who: Principal
    events: AsyncIterator[dict[str, Any]]
    shops: set[str]

    async def heard(self, count: int) -> set[str]:
        """Return the next orders that were placed."""
        found: set[str] = set()
        while len(found) < count:
            event = await asyncio.wait_for(anext(self.events), 10)
            if event["type"] == "order.placed":
                found.add(event["orderId"])
        return found


@pytest.fixture
async def followers(
    world: World, api: Api, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[list[Follower]]:
    monkeypatch.setattr(log, "POLL_SECONDS", NEVER_SECONDS)
    sees: dict[Principal, set[str]] = {
        world.brand: {"shop", "dshop"},
        world.group: {"shop", "dshop"},
        world.dealer: {"dshop"},
        world.other_dealer: set(),
        world.other_brand: set(),
    }
    async with AsyncExitStack() as stack:
        yield [
            Follower(who, await stack.enter_async_context(api.subscribed(who)), shops)
            for who, shops in sees.items()
        ]


@pytest.fixture
async def imported(
    runtime: Runtime,
    world: World,
    followers: list[Follower],
    database_url: str,
    valkey_url: str,
    tmp_path: Path,
) -> dict[str, str]:
    """The ids of two orders, by shop, that processes of their own import while all follow."""
    assert followers
    await receive(runtime.database, world.brand, "wh", "A", 5)
    settings = {"database_url": database_url, "valkey_url": valkey_url, "jwt_secret": SECRET}
    processes = {}
    for shop in ("shop", "dshop"):
        (tmp_path / shop).write_bytes(record(shop))
        words = ("import", shop, "--brand", "acme", "--answers", f"{shop}-answers")
        processes[shop] = start(tmp_path, *words, **settings)
    for process in processes.values():
        finished = await asyncio.to_thread(end_of, process)
        assert finished.status == 0, finished
    answers = {shop: (tmp_path / f"{shop}-answers").read_bytes() for shop in processes}
    return {shop: json.loads(answer)["orderId"] for shop, answer in answers.items()}


async def test_an_imported_order_reaches_its_owners_alone(
    runtime: Runtime,
    world: World,
    api: Api,
    followers: list[Follower],
    imported: dict[str, str],
) -> None:
    for follower in followers:
        expected = {imported[shop] for shop in follower.shops}
        assert await follower.heard(len(expected)) == expected
        assert set(await ids(api, follower.who)) == expected
    for stranger in [follower for follower in followers if not follower.shops]:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stranger.events), 0.1)
    await assert_clean(runtime, world)
