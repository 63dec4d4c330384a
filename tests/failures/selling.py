"""A crowd that buys while something breaks, and what must hold when it is over."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from backend.admission.valkey import ValkeyAway
from backend.audit.audit import audit
from backend.db.errors import DatabaseUnavailable
from backend.orders.errors import TooBusy
from backend.orders.model import OrderDraft, Outcome, Placed
from backend.runtime import Runtime, open_runtime
from loadtests.waiting import until
from tests.conftest import SECRET
from tests.orders.checks import facts
from tests.world import World, draft, receive

RETRY_SECONDS = 0.05
HEALED_SECONDS = 8.0
"""Bases catch up within 5 s, tokens are gone after 3 s and a round of the reaper."""
SELLABLE_SECONDS = 5.0


class Sale(NamedTuple):
    """Who got a unit and who did not."""

    placed: list[Placed]
    refused: int


@asynccontextmanager
async def processes(database_url: str, valkey_url: str, count: int) -> AsyncIterator[list[Runtime]]:
    """Some processes' parts on the same servers, the first with the background work."""
    if count == 0:
        yield []
        return
    opened = open_runtime(database_url, valkey_url, SECRET, with_maintenance=count == 1)
    async with processes(database_url, valkey_url, count - 1) as others, opened as runtime:
        yield [*others, runtime]


async def insist(runtime: Runtime, world: World, order: OrderDraft) -> Outcome:
    """Ask with the same key until there is an answer."""
    while True:
        try:
            outcome = await runtime.intake.place(order, world.brand)
        except DatabaseUnavailable:
            await asyncio.sleep(RETRY_SECONDS)
            continue
        if isinstance(outcome, Placed) or outcome.code != TooBusy.code:
            return outcome
        await asyncio.sleep(RETRY_SECONDS)


async def sell(
    runtimes: Sequence[Runtime],
    world: World,
    buyers: int,
    breaking: Callable[[], Awaitable[object]],
    *,
    seconds: float = 2.0,
) -> Sale:
    """Let buyers come over some seconds, each for one unit of "A"; half-way something breaks."""

    async def buy(number: int) -> Outcome:
        await asyncio.sleep(seconds * number / buyers)
        return await insist(runtimes[number % len(runtimes)], world, draft({"A": 1}))

    async def breaks() -> None:
        await asyncio.sleep(seconds / 2)
        await breaking()

    breaking_now = asyncio.create_task(breaks())
    outcomes = await asyncio.gather(*map(buy, range(buyers)))
    await breaking_now
    placed = [outcome for outcome in outcomes if isinstance(outcome, Placed)]
    return Sale(placed, len(outcomes) - len(placed))


async def assert_all_sold(
    runtime: Runtime, world: World, sale: Sale, units: int, *, commands: int = 1
) -> None:
    """Every unit is sold once, every order exists once, and one more unit can soon be sold.

    Besides the orders so many `commands` have claimed a key, and what was refused has none.
    """
    assert len({placed.order_id for placed in sale.placed}) == len(sale.placed) == units
    now = await facts(runtime, world)
    assert (now.orders, now.reserved, now.keys) == (units, units, units + commands)
    await assert_healed(runtime, world)
    await receive(runtime.database, world.brand, "wh", "A", 1)

    async def is_sold() -> bool:
        return isinstance(await insist(runtime, world, draft({"A": 1})), Placed)

    await until(is_sold, SELLABLE_SECONDS)
    await assert_healed(runtime, world)


async def assert_healed(runtime: Runtime, world: World) -> None:
    """Soon there is no old token, every base is its row's, and the audit finds nothing."""

    async def is_healed() -> bool:
        try:
            if await runtime.admission.stale(world.tenant_id, 0, 1):
                return False
            report = await audit(
                runtime.database, runtime.admission, runtime.counters, world.tenant_id
            )
        except ValkeyAway:
            return False
        return not report.differences

    await until(is_healed, HEALED_SECONDS)
