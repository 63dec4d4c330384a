"""Tenants take turns, nobody's place is lost, and a line that is too long is refused."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from backend.turnstile import TooManyWaiting, Turnstile

Go = Callable[[str], Awaitable[None]]


class Crowd:
    """People who come through a turnstile, each staying until told to leave."""

    def __init__(self, turnstile: Turnstile) -> None:
        self._turnstile = turnstile
        self.inside: list[str] = []
        self.leave = asyncio.Event()

    def comes(self, tenant: str) -> asyncio.Task[None]:
        return asyncio.create_task(self._pass(tenant))

    async def _pass(self, tenant: str) -> None:
        async with self._turnstile.turn(tenant):
            self.inside.append(tenant)
            await self.leave.wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_no_more_than_the_limit_are_in_hand() -> None:
    crowd = Crowd(Turnstile(in_hand_max=3))
    tasks = [crowd.comes("a") for _ in range(10)]
    await settle()
    assert len(crowd.inside) == 3
    crowd.leave.set()
    await asyncio.gather(*tasks)
    assert len(crowd.inside) == 10


async def test_tenants_take_turns_however_long_the_others_line_is() -> None:
    crowd = Crowd(Turnstile(in_hand_max=1))
    tasks = [crowd.comes("flood") for _ in range(100)]
    await settle()
    tasks += [crowd.comes("b"), crowd.comes("b"), crowd.comes("c")]
    await settle()
    crowd.leave.set()
    await asyncio.gather(*tasks)
    assert crowd.inside[:6] == ["flood", "flood", "b", "c", "flood", "b"]


async def test_a_full_line_is_told_when_to_come_back_and_others_are_not() -> None:
    crowd = Crowd(Turnstile(in_hand_max=1, waiting_max=2))
    tasks = [crowd.comes("a") for _ in range(3)]
    await settle()
    with pytest.raises(TooManyWaiting) as refused:
        await crowd.comes("a")
    assert refused.value.retry_after_seconds > 0
    other = crowd.comes("b")
    crowd.leave.set()
    await asyncio.gather(*tasks, other)
    assert sorted(crowd.inside) == ["a", "a", "a", "b"]


@pytest.mark.parametrize("when", ["waiting", "called"])
async def test_who_gives_up_leaves_the_place_to_the_next(when: str) -> None:
    crowd = Crowd(Turnstile(in_hand_max=1))
    first, second, third = crowd.comes("a"), crowd.comes("a"), crowd.comes("a")
    await settle()
    if when == "called":
        first.cancel()
        await asyncio.sleep(0)
    second.cancel()
    crowd.leave.set()
    for task in (first, second):
        with suppress(asyncio.CancelledError):
            await task
    await asyncio.wait_for(third, 1)
    again = crowd.comes("b")
    await asyncio.wait_for(again, 1)


async def test_a_failure_inside_frees_the_place() -> None:
    turnstile = Turnstile(in_hand_max=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with turnstile.turn("a"):
                raise ZeroDivisionError
