"""The numbers of the worked example, live: what is offered follows the layers, what is sold the
stock."""

from collections.abc import AsyncIterator

import pytest

from backend.channels.shops import active_shops
from backend.inventory.pools.model import Layout
from backend.orders.model import Placed, Refused
from backend.routing import live_book
from backend.routing.tenant_book import TenantBook
from backend.runtime import Runtime
from tests.inventory.pools.layouts import EXAMPLE, dispatch, put_in_force, share, supply
from tests.orders.checks import assert_clean, placed
from tests.world import World, draft, paid, receive


@pytest.fixture(autouse=True)
def _always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_book, "FRESH_SECONDS", 0.0)


@pytest.fixture
async def book(runtime: Runtime, world: World) -> AsyncIterator[TenantBook]:
    """The example in force, with 1,000 units in Shanghai; the book of the process."""
    await put_in_force(runtime.database, world.brand, EXAMPLE)
    await receive(runtime.database, world.brand, "wh", "A", 1_000)
    yield await fresh(runtime, world)
    await assert_clean(runtime, world)


async def fresh(runtime: Runtime, world: World) -> TenantBook:
    live = await runtime.books.open(world.tenant_id)
    await live.freshen()
    return live.book


async def numbers(book: TenantBook, runtime: Runtime, world: World) -> list[int | None]:
    """Online, East-China, the shop with 80 % and the one with 60 %."""
    assert book.pools is not None
    ids = await shop_ids(runtime, world)
    sku = world.skus["A"]
    pools = [book.pools.of_pool(sku, code) for code in ("online", "east-china")]
    return [*pools, *(book.pools.of_shop(sku, ids[code]) for code in ("shop", "dshop"))]


async def shop_ids(runtime: Runtime, world: World) -> dict[str, int]:
    async with runtime.database.tenant_transaction(world.system, read_only=True) as tx:
        return {code: shop.id for code, shop in (await active_shops(tx)).items()}


async def test_what_is_offered(book: TenantBook, runtime: Runtime, world: World) -> None:
    assert await numbers(book, runtime, world) == [1_000, 300, 800, 600]


async def test_a_sale_through_one_shop_moves_all_numbers(
    book: TenantBook, runtime: Runtime, world: World
) -> None:
    placed(await runtime.intake.place(draft({"A": 500}), world.brand))
    assert await numbers(book, runtime, world) == [500, 150, 400, 300]


async def test_shares_shape_what_is_offered_and_stock_decides_what_is_sold(
    book: TenantBook, runtime: Runtime, world: World
) -> None:
    placed(await runtime.intake.place(draft({"A": 500}), world.brand))
    placed(await runtime.intake.place(draft({"A": 400}, shop="dshop"), world.brand))
    assert await numbers(book, runtime, world) == [100, 30, 80, 60]


async def test_beyond_the_stock_an_order_is_refused_and_a_paid_one_waits(
    book: TenantBook, runtime: Runtime, world: World
) -> None:
    placed(await runtime.intake.place(draft({"A": 500}), world.brand))
    refusal = await runtime.intake.place(draft({"A": 501}, shop="dshop"), world.brand)
    assert isinstance(refusal, Refused)
    assert (refusal.code, refusal.detail["lines"][0]["available"]) == ("INSUFFICIENT_STOCK", 500)
    waiting = await runtime.intake.place(paid("e1", {"A": 501}, shop="dshop"), world.brand)
    assert isinstance(waiting, Placed)
    assert (waiting.lines[0].reserved, waiting.lines[0].backordered) == (500, 1)


async def test_a_shop_sells_from_its_own_pools_only(
    book: TenantBook, runtime: Runtime, world: World
) -> None:
    await receive(runtime.database, world.brand, "far", "A", 5_000)
    await fresh(runtime, world)
    refusal = await runtime.intake.place(draft({"A": 1_001}), world.brand)
    assert isinstance(refusal, Refused)
    assert refusal.code == "INSUFFICIENT_STOCK"
    assert await numbers(book, runtime, world) == [1_000, 300, 800, 600]


async def test_a_shop_without_a_share_sells_from_all_that_is_sellable(
    book: TenantBook, runtime: Runtime, world: World
) -> None:
    await receive(runtime.database, world.brand, "far", "A", 5)
    await fresh(runtime, world)
    order = draft({"A": 1_005}, shop="dshop2")
    taken = placed(await runtime.intake.place(order, world.brand))
    assert taken.lines[0].reserved == 1_005


async def test_a_diamond_counts_a_unit_once(
    book: TenantBook, runtime: Runtime, world: World
) -> None:
    diamond = Layout(
        pools=(
            supply("online", "wh"),
            supply("east-china", "wh", ratio_bp=3_000),
            dispatch("both", "online", "east-china"),
        ),
        shares=(share("both", "shop"), share("both", "dshop", 5_000)),
    )
    await put_in_force(runtime.database, world.brand, diamond)
    await fresh(runtime, world)
    assert book.pools is not None
    assert book.pools.of_pool(world.skus["A"], "both") == 1_000
    assert await numbers(book, runtime, world) == [1_000, 300, 1_000, 500]
