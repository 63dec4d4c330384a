"""An order applies once, however often and from wherever it is given."""

import asyncio

import msgspec

from backend.orders.model import Placed
from backend.runtime import Runtime
from tests.orders.checks import assert_clean, facts, placed, refused, second_runtime
from tests.world import World, draft, paid, receive


async def test_the_same_key_gets_the_same_answer(runtime: Runtime, world: World) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    order = draft({"A": 2})
    first = await runtime.intake.place(order, world.brand)
    before = await facts(runtime, world)
    assert await runtime.intake.place(order, world.brand) == first
    assert await facts(runtime, world) == before


async def test_a_key_with_other_content_is_a_conflict(runtime: Runtime, world: World) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    order = draft({"A": 2})
    placed(await runtime.intake.place(order, world.brand))
    before = await facts(runtime, world)
    other = msgspec.structs.replace(order, remark="something else")
    refused(await runtime.intake.place(other, world.brand), "ORDER_CONFLICT")
    assert await facts(runtime, world) == before


async def test_an_external_id_with_other_content_is_a_conflict(
    runtime: Runtime, world: World
) -> None:
    placed(await runtime.intake.place(paid("e1", {"A": 1}), world.brand))
    before = await facts(runtime, world)
    refused(await runtime.intake.place(paid("e1", {"A": 2}), world.brand), "ORDER_CONFLICT")
    assert await facts(runtime, world) == before


async def test_two_processes_with_one_key_place_one_order(
    runtime: Runtime, world: World, database_url: str, valkey_url: str
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 50)
    orders = [draft({"A": 1}) for _ in range(20)]
    async with second_runtime(database_url, valkey_url) as other:
        here = asyncio.gather(*(runtime.intake.place(o, world.brand) for o in orders))
        there = asyncio.gather(*(other.intake.place(o, world.brand) for o in reversed(orders)))
        first, second = await here, await there
    assert first == list(reversed(second))
    assert (await facts(runtime, world)).orders == 20
    await assert_clean(runtime, world)


async def test_an_order_given_twice_in_one_batch_is_one(runtime: Runtime, world: World) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 50)
    order = draft({"A": 1})
    outcomes = await runtime.intake.place_many([order, order, order], world.brand)
    assert len({placed(outcome).order_id for outcome in outcomes}) == 1
    assert (await facts(runtime, world)).reserved == 1


async def test_an_accepted_order_is_answered_while_sold_out(runtime: Runtime, world: World) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 1)
    order = draft({"A": 1})
    first = await runtime.intake.place(order, world.brand)
    rush = [draft({"A": 1}) for _ in range(20)]
    outcomes = await asyncio.gather(
        *(runtime.intake.place(o, world.brand) for o in (*rush, order, *rush))
    )
    assert [o for o in outcomes if isinstance(o, Placed)] == [first]


async def test_the_key_of_a_refused_order_is_free_again(runtime: Runtime, world: World) -> None:
    order = draft({"A": 1})
    refused(await runtime.intake.place(order, world.brand), "INSUFFICIENT_STOCK")
    assert (await facts(runtime, world)).keys == 0
    await receive(runtime.database, world.brand, "wh", "A", 1)
    await asyncio.sleep(0.25)
    placed(await runtime.intake.place(order, world.brand))
