"""The lane of a tenant: nobody waits in it while nobody works."""

import asyncio
from collections.abc import Sequence

import pytest

from backend.orders.model import Answer, Refused
from backend.orders.understand import Submission
from backend.orders.work import Work
from backend.runtime import Runtime
from tests.world import World, draft

ANSWER = Refused("NO", "no")


async def test_an_order_that_comes_as_two_batches_end_at_once_is_answered(
    runtime: Runtime, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are over, and the loop has not said so yet: the order begins a batch of its own."""
    lane = await runtime.intake.lane(world.tenant_id)
    lingers = asyncio.Event()
    batches = 0

    async def process(batch: Sequence[Submission | Work]) -> None:
        nonlocal batches
        batches += 1
        for item in batch:
            item.future.set_result(ANSWER)
        if batches == 1:
            await lingers.wait()

    monkeypatch.setattr(lane, "_process", process)

    def submit() -> "asyncio.Future[Answer]":
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        lane.submit(Submission(draft(), world.brand, False, future))
        return future

    await submit()
    second = submit()
    lingers.set()
    await second
    assert await asyncio.wait_for(submit(), 5) == ANSWER
    await lane.drain()
