"""Stock to come: whom it is promised to, when it is late or short, and what is received."""

from datetime import date
from typing import Any

import pytest

from backend.inventory.model import Level
from backend.inventory.supplies.errors import ReceiptTooLarge
from backend.inventory.supplies.model import Supply, SupplyDraft, SupplyKind
from backend.inventory.supplies.supplies import set_supplies
from backend.orders.cancel_orders import cancel_order
from backend.orders.find_orders import lines_of_orders
from backend.orders.model import Refused
from backend.orders.supplies.receive import SupplyReceived, receive_supply
from backend.runtime import Runtime
from tests.orders.checks import assert_clean, level, placed
from tests.world import World, draft, fresh_key, paid

SOON, LATER, LATEST = date(2030, 1, 10), date(2030, 2, 1), date(2030, 3, 1)


async def expect(runtime: Runtime, world: World, quantity: int, **changes: Any) -> Supply:
    """Keep a supply of A for "wh", and let promises follow."""
    values: dict[str, Any] = {
        "code": "PO-1",
        "line_no": 1,
        "kind": SupplyKind.PURCHASE,
        "warehouse": "wh",
        "sku": "A",
        "expected_on": SOON,
    }
    supply = SupplyDraft(**(values | changes), quantity=quantity)
    async with runtime.database.tenant_transaction(world.brand) as tx:
        (found,) = await set_supplies(tx, [supply], key=fresh_key())
    await runtime.allocator.allocate(world.tenant_id)
    return found


async def wait_for(runtime: Runtime, world: World, units: int) -> int:
    """Place a paid order for A, which waits, and let promises follow; returns its id."""
    order = placed(await runtime.intake.place(paid(fresh_key(), {"A": units}), world.brand))
    await runtime.allocator.allocate(world.tenant_id)
    return order.order_id


async def line(runtime: Runtime, world: World, order_id: int) -> Any:
    async with runtime.database.tenant_transaction(world.brand) as tx:
        return (await lines_of_orders(tx, [order_id]))[order_id][0]


async def take_in(runtime: Runtime, world: World, quantity: int) -> SupplyReceived:
    """Receive units of the supply; nobody has been told of them yet."""
    asked = ("PO-1", 1, quantity)
    return await receive_supply(
        runtime.database, world.brand, runtime.intake.ids, asked, key=fresh_key()
    )


async def stock(runtime: Runtime, world: World) -> Level:
    return await level(runtime, world, world.nodes["wh"], "A")


async def test_the_oldest_order_is_promised_the_earliest_supply(
    runtime: Runtime, world: World
) -> None:
    await expect(runtime, world, 5, code="PO-2", expected_on=LATER)
    await expect(runtime, world, 3)
    first, second, third = [await wait_for(runtime, world, units) for units in (2, 4, 3)]
    assert [(await line(runtime, world, one))["expected_on"] for one in (first, second, third)] == [
        SOON,
        LATER,
        None,
    ]


async def test_a_late_supply_tells_whom_it_hits(runtime: Runtime, world: World) -> None:
    await expect(runtime, world, 3)
    order_id = await wait_for(runtime, world, 3)
    await expect(runtime, world, 3, expected_on=LATEST)
    assert (await line(runtime, world, order_id))["expected_on"] == LATEST
    await expect(runtime, world, 5, code="PO-2", expected_on=LATER)
    assert (await line(runtime, world, order_id))["expected_on"] == LATER


async def test_what_is_received_is_kept_for_whom_it_was_promised_to(
    runtime: Runtime, world: World
) -> None:
    await expect(runtime, world, 3)
    order_id = await wait_for(runtime, world, 2)
    received = await take_in(runtime, world, 3)
    assert (received.kept, received.supply.outstanding) == (2, 0)
    # Nobody was told yet, and nothing is allocated: yet only one unit is there for others.
    assert isinstance(await runtime.intake.place(draft({"A": 2}), world.brand), Refused)
    await runtime.publish_levels(world.tenant_id, received.levels)
    await runtime.settle()
    after = await line(runtime, world, order_id)
    assert (after["reserved"], after["backordered"], after["expected_on"]) == (2, 0, None)
    placed(await runtime.intake.place(draft({"A": 1}), world.brand))
    assert (await stock(runtime, world))[4:6] == (3, 3)
    await assert_clean(runtime, world)


async def test_a_cancelled_order_gives_back_what_was_received_for_it(
    runtime: Runtime, world: World
) -> None:
    await expect(runtime, world, 3)
    order_id = await wait_for(runtime, world, 2)
    await take_in(runtime, world, 2)
    done = await cancel_order(runtime.database, world.brand, order_id, None, fresh_key())
    await runtime.publish_counters(world.tenant_id, done.counters)
    assert (await stock(runtime, world))[4:6] == (2, 0)
    await assert_clean(runtime, world)


async def test_no_more_is_received_than_is_to_come(runtime: Runtime, world: World) -> None:
    await expect(runtime, world, 3)
    await take_in(runtime, world, 2)
    before = await stock(runtime, world)
    with pytest.raises(ReceiptTooLarge):
        await take_in(runtime, world, 2)
    assert await stock(runtime, world) == before
