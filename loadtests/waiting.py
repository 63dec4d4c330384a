"""Waiting for what other processes bring about."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

LOOK_AGAIN_SECONDS = 0.02


async def until(condition: Callable[[], Awaitable[object] | object], seconds: float = 30) -> None:
    """Wait until a condition holds; raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            holds = condition()
            if inspect.isawaitable(holds):
                holds = await holds
            if holds:
                return
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
