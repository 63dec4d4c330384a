"""An order takes only from what stands above its shop, in every attempt."""

import asyncio
from collections import Counter

import pytest

from backend.inventory.pools.model import Layout
from backend.network.model import WarehouseDraft
from backend.orders import sold_out
from backend.orders.model import Placed, Shortage
from tests.catalogue import Connection
from tests.inventory.pools.layouts import dispatch, put_in_force, share, supply
from tests.inventory.pools.living import Living
from tests.inventory.stock import figures
from tests.orders.checks import placed, refused
from tests.world import BEIJING, World, draft, paid, receive

DISJOINT = Layout(
    pools=(supply("east", "wh"), supply("north", "far")),
    shares=(share("east", "shop"), share("north", "dshop2")),
)
"""Two shops that have nothing in common."""
BUYERS = 60
UNITS = 10


@pytest.fixture(autouse=True)
def _looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is taken for sold out because it was a moment ago."""
    monkeypatch.setattr(sold_out, "MEMORY_SECONDS", 0.0)


async def reserved(admin: Connection, world: World) -> dict[str, int]:
    """Return what is reserved in Shanghai, Beijing and the store."""
    return {code: (await figures(admin, world, code)).reserved for code in ("wh", "far", "store")}


async def stale(live: Living, warehouse: str, units: int) -> None:
    """Put units where the process has not heard of them: only a last attempt can find them."""
    await live.listen()
    await receive(live.runtime.database, live.brand, warehouse, "A", units)


async def test_the_nearest_goods_are_passed_over_where_they_are_not_the_shops(
    live: Living, admin: Connection
) -> None:
    await live.receive("wh", 5)
    await live.receive("far", 5)
    await live.lay_out(DISJOINT)
    placed(await live.runtime.intake.place(draft({"A": 2}, region=BEIJING), live.brand))
    assert await reserved(admin, live.world) == {"wh": 2, "far": 0, "store": 0}


async def test_a_last_attempt_finds_what_is_above_the_shop(live: Living, admin: Connection) -> None:
    await live.lay_out(DISJOINT)
    await stale(live, "wh", 5)
    placed(await live.runtime.intake.place(draft({"A": 5}), live.brand))
    assert (await reserved(admin, live.world))["wh"] == 5


async def test_a_last_attempt_leaves_what_is_not_above_the_shop(
    live: Living, admin: Connection
) -> None:
    await live.lay_out(DISJOINT)
    await stale(live, "far", 5)
    await stale(live, "store", 5)
    refusal = await live.runtime.intake.place(draft({"A": 1}), live.brand)
    detail = refused(refusal, "INSUFFICIENT_STOCK").detail
    assert detail["lines"][0]["available"] == 0
    assert await reserved(admin, live.world) == {"wh": 0, "far": 0, "store": 0}


async def test_who_takes_what_is_there_takes_it_from_its_own(
    live: Living, admin: Connection
) -> None:
    await live.lay_out(DISJOINT)
    await live.receive("wh", 3)
    await live.receive("far", 5)
    order = draft({"A": 7}, shortage=Shortage.PARTIAL)
    (line,) = placed(await live.runtime.intake.place(order, live.brand)).lines
    assert (line.reserved, line.cancelled) == (3, 4)
    assert await reserved(admin, live.world) == {"wh": 3, "far": 0, "store": 0}


async def test_a_backorder_waits_for_goods_of_its_own_shop(live: Living, admin: Connection) -> None:
    await live.lay_out(DISJOINT)
    (line,) = placed(await live.runtime.intake.place(paid("e1", {"A": 4}), live.brand)).lines
    assert (line.reserved, line.backordered) == (0, 4)
    await stale(live, "far", 9)
    assert await live.runtime.allocator.allocate(live.world.tenant_id) == 0
    assert (await reserved(admin, live.world))["far"] == 0
    await live.receive("wh", 9)
    await live.runtime.allocator.allocate(live.world.tenant_id)
    await live.runtime.settle()
    assert await reserved(admin, live.world) == {"wh": 4, "far": 0, "store": 0}


async def test_a_backorder_follows_a_change_of_the_layout(live: Living, admin: Connection) -> None:
    await live.lay_out(DISJOINT)
    placed(await live.runtime.intake.place(paid("e1", {"A": 4}), live.brand))
    await stale(live, "far", 9)
    assert await live.runtime.allocator.allocate(live.world.tenant_id) == 0
    await live.lay_out(Layout(pools=(supply("all", "far"),), shares=(share("all", "shop"),)))
    assert await live.runtime.allocator.allocate(live.world.tenant_id) == 4
    assert await reserved(admin, live.world) == {"wh": 0, "far": 4, "store": 0}


async def test_a_shop_takes_through_every_pool_above_it(live: Living, admin: Connection) -> None:
    layout = Layout(
        pools=(supply("one", "wh"), supply("two", "far"), dispatch("both", "one", "two")),
        shares=(share("both", "shop", 100),),
    )
    await live.lay_out(layout)
    await live.receive("wh", 2)
    await live.receive("far", 2)
    await live.receive("store", 2)
    placed(await live.runtime.intake.place(draft({"A": 4}), live.brand))
    assert await reserved(admin, live.world) == {"wh": 2, "far": 2, "store": 0}


async def test_a_shop_whose_pool_is_empty_sells_nothing(live: Living, admin: Connection) -> None:
    empty = Layout(pools=(dispatch("empty"),), shares=(share("empty", "shop"),))
    await live.receive("wh", 5)
    await live.lay_out(empty)
    refusal = await live.runtime.intake.place(draft({"A": 1}), live.brand)
    refused(refusal, "INSUFFICIENT_STOCK")
    assert await reserved(admin, live.world) == {"wh": 0, "far": 0, "store": 0}


async def test_a_shop_without_a_share_leaves_goods_that_only_a_pool_names(
    live: Living, admin: Connection
) -> None:
    outlet = WarehouseDraft(node_id=live.world.nodes["wh"], code="outlet", purpose="outlet")
    await live.add_warehouse(outlet)
    named = Layout(pools=(supply("outlet", "outlet"),), shares=(share("outlet", "shop"),))
    await live.lay_out(named)
    await live.receive("outlet", 5)
    refusal = await live.runtime.intake.place(draft({"A": 1}, shop="dshop2"), live.brand)
    refused(refusal, "INSUFFICIENT_STOCK")
    placed(await live.runtime.intake.place(draft({"A": 5}), live.brand))
    assert (await figures(admin, live.world, "outlet")).reserved == 5


@pytest.mark.parametrize("processes", [1, 2])
async def test_shops_with_nothing_in_common_never_take_each_others_last_unit(
    live: Living, admin: Connection, processes: int
) -> None:
    await put_in_force(live.runtime.database, live.brand, DISJOINT)
    async with live.another() as other:
        await other.freshen()
        for code in ("wh", "far"):
            await live.receive(code, UNITS)
        doors = [live.runtime.intake, other.runtime.intake][:processes]
        buying = [
            doors[n // 2 % processes].place(
                draft({"A": 1}, shop=("shop", "dshop2")[n % 2]), live.brand
            )
            for n in range(BUYERS)
        ]
        outcomes = await asyncio.gather(*buying)
    sold = Counter(n % 2 for n, outcome in enumerate(outcomes) if isinstance(outcome, Placed))
    assert sold == {0: UNITS, 1: UNITS}
    assert await reserved(admin, live.world) == {"wh": UNITS, "far": UNITS, "store": 0}
