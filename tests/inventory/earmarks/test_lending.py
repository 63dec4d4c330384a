"""What an earmark does not need is lent to all; new stock repays it before anybody gets any."""

import asyncio

import pytest

from backend.inventory.change_stock import StockTransfer
from backend.inventory.earmarks.model import Lending
from backend.inventory.movement_types import MovementType
from backend.orders.model import Outcome, Placed
from tests.catalogue import Connection
from tests.crowd import settle, start
from tests.inventory.earmarks.keeping import (
    Kept,
    act,
    closing,
    dropping,
    filling,
    keep,
    kept,
    lending,
    told,
)
from tests.inventory.pools.living import Living
from tests.inventory.stock import Figures, change, figures, key_of, ledger, move
from tests.orders.checks import placed, refused
from tests.world import draft

HALF = Lending(5_000)
ALL = Lending(0)


@pytest.fixture
async def stocked(shops: Living) -> Living:
    """20 of "A" in "wh", 8 in "far"."""
    await shops.receive("wh", 20)
    await shops.receive("far", 8)
    return shops


async def buy(live: Living, units: int, shop: str = "dshop", sku: str = "A") -> Outcome:
    return await live.runtime.intake.place(draft({sku: units}, shop=shop), live.brand)


# ------------------------------------------------------------------------------ what is kept


@pytest.mark.parametrize(
    ("keep_bp", "lent"),
    [(0, 15), (1, 15), (666, 15), (667, 14), (5_000, 8), (9_999, 1), (10_000, 0)],
)
async def test_a_share_of_what_was_put_in_is_kept_rounded_down(
    stocked: Living, admin: Connection, keep_bp: int, lent: int
) -> None:
    await keep(stocked, ("A", 15, "wh"), lending=Lending(keep_bp))
    found = await told(stocked, lending())
    assert (found.earmark.filled, found.earmark.lent) == (15, lent)
    assert await kept(admin) == {"wh": Kept(15, 15 - lent, lent)}
    assert (await figures(admin, stocked.world, "wh")).earmark_unused == 15 - lent


async def test_lent_units_are_free_to_all(stocked: Living, admin: Connection) -> None:
    await keep(stocked, ("A", 16, "wh"), lending=HALF)
    refused(await buy(stocked, 5), "INSUFFICIENT_STOCK")
    await told(stocked, lending())
    line = (await ledger(admin, stocked.world))[-1]
    assert line[:9] == ("wh", "earmark_lent", 8, 0, 0, 0, -8, 3, "earmark")
    placed(await buy(stocked, 12))
    refused(await buy(stocked, 1), "INSUFFICIENT_STOCK")
    placed(await buy(stocked, 8, "shop"))


async def test_what_is_used_counts_as_put_in(stocked: Living, admin: Connection) -> None:
    await keep(stocked, ("A", 16, "wh"), lending=HALF)
    placed(await buy(stocked, 6, "shop"))
    await told(stocked, lending())
    assert await kept(admin) == {"wh": Kept(16, 8, 2)}
    placed(await buy(stocked, 4, "shop"))
    await told(stocked, lending())
    assert await kept(admin) == {"wh": Kept(16, 4, 2)}


async def test_lending_twice_lends_once(stocked: Living, admin: Connection) -> None:
    await keep(stocked, ("A", 16, "wh"), lending=HALF)
    await told(stocked, lending())
    found = await told(stocked, lending())
    assert (found.levels, found.earmark.lent) == ([], 8)


async def test_what_is_kept_stays_where_most_is(stocked: Living, admin: Connection) -> None:
    await keep(stocked, ("A", 12, "wh"), ("A", 8, "far"), lending=HALF)
    await told(stocked, lending())
    assert await kept(admin) == {"wh": Kept(12, 10, 2), "far": Kept(8, 0, 8)}


async def test_skus_are_lent_each_by_itself(stocked: Living, admin: Connection) -> None:
    await stocked.receive("wh", 5, "B")
    await keep(stocked, ("A", 10, "wh"), ("B", 4, "wh"), lending=HALF)
    await told(stocked, lending())
    assert await kept(admin) == {"wh": Kept(10, 5, 5)}
    assert await kept(admin, sku="B") == {"wh": Kept(4, 2, 2)}


@pytest.mark.parametrize(
    ("keep_bp", "days", "unused"),
    [(0, 7, 3), (0, 14, 7), (0, 28, 14), (5_000, 7, 8), (5_000, 28, 14), (0, 3_650, 16)],
)
async def test_days_of_sales_are_kept_if_they_are_more(
    stocked: Living, admin: Connection, keep_bp: int, days: int, unused: int
) -> None:
    await stocked.receive("wh", 14)
    placed(await buy(stocked, 14))
    await keep(stocked, ("A", 16, "wh"), lending=Lending(keep_bp, days))
    await told(stocked, lending())
    assert (await kept(admin))["wh"] == Kept(16, unused, 16 - unused)


# --------------------------------------------------------------------------------- who repays


async def test_new_stock_repays_first(stocked: Living, admin: Connection) -> None:
    await keep(stocked, ("A", 16, "wh"), lending=HALF)
    await told(stocked, lending())
    placed(await buy(stocked, 12))
    await stocked.receive("wh", 5)
    assert await kept(admin) == {"wh": Kept(16, 13, 3)}
    refused(await buy(stocked, 1), "INSUFFICIENT_STOCK")
    kinds = [
        (line.type, line.quantity, line.earmark) for line in await ledger(admin, stocked.world)
    ]
    assert kinds[-2:] == [("received", 5, 0), ("earmark_repaid", 5, 5)]
    await stocked.receive("wh", 5)
    assert await kept(admin) == {"wh": Kept(16, 16)}
    placed(await buy(stocked, 2))
    placed(await buy(stocked, 16, "shop"))


async def test_the_older_earmark_is_repaid_first(stocked: Living, admin: Connection) -> None:
    for code in ("old", "new"):
        await keep(stocked, ("A", 10, "wh"), code=code, lending=HALF)
    for code in ("new", "old"):
        await told(stocked, lending(code))
    await stocked.receive("wh", 7)
    assert await kept(admin, "old") == {"wh": Kept(10, 10)}
    assert await kept(admin, "new") == {"wh": Kept(10, 7, 3)}
    assert (await figures(admin, stocked.world, "wh"))[:4] == (27, 0, 0, 17)


async def test_what_is_moved_in_repays_and_what_is_found_does_not(
    stocked: Living, admin: Connection
) -> None:
    await keep(stocked, ("A", 16, "wh"), lending=HALF)
    await told(stocked, lending())
    await stocked.adjust("wh", 3)
    assert await kept(admin) == {"wh": Kept(16, 8, 8)}
    transfer = StockTransfer(source="far", destination="wh", sku="A", quantity=3)
    levels = await change(stocked.runtime.database, stocked.brand, transfer)
    await stocked.runtime.publish_levels(stocked.world.tenant_id, levels)
    assert await kept(admin) == {"wh": Kept(16, 11, 5)}


async def test_what_is_returned_repays(stocked: Living, admin: Connection) -> None:
    await keep(stocked, ("A", 16, "wh"), lending=HALF)
    await told(stocked, lending())
    key = await key_of(admin, stocked.world, "wh")
    returned = (key, MovementType.RETURNED, 2)
    await move(stocked.runtime.database, stocked.world, returned, returned)
    assert await kept(admin) == {"wh": Kept(16, 12, 4)}
    await stocked.receive("wh", 1)
    assert await kept(admin) == {"wh": Kept(16, 13, 3)}


async def test_new_stock_elsewhere_repays_nothing(stocked: Living, admin: Connection) -> None:
    await keep(stocked, ("A", 16, "wh"), lending=HALF)
    await told(stocked, lending())
    await stocked.receive("far", 9)
    await stocked.receive("wh", 9, "B")
    assert await kept(admin) == {"wh": Kept(16, 8, 8)}


async def test_what_is_lent_cannot_be_dropped(stocked: Living, admin: Connection) -> None:
    await keep(stocked, ("A", 16, "wh"), lending=ALL)
    await told(stocked, lending())
    await told(stocked, filling(("A", 2, "wh")))
    await told(stocked, dropping(("A", 2)))
    assert await kept(admin) == {"wh": Kept(16, 0, 16)}


async def test_closing_forgives_what_is_lent(stocked: Living, admin: Connection) -> None:
    await keep(stocked, ("A", 16, "wh"), lending=HALF)
    await told(stocked, lending())
    placed(await buy(stocked, 1, "shop"))
    found = await told(stocked, closing())
    assert (found.earmark.filled, found.earmark.lent, found.earmark.used) == (1, 0, 1)
    await stocked.receive("wh", 5)
    assert await kept(admin) == {"wh": Kept(1, 0)}
    assert await figures(admin, stocked.world, "wh") == Figures(25, 1, 0, 0, version=6)


async def test_what_is_given_back_may_be_lent(stocked: Living, admin: Connection) -> None:
    await keep(stocked, ("A", 16, "wh"), lending=ALL)
    await told(stocked, lending())
    await told(stocked, filling(("A", 1, "wh")))
    await told(stocked, lending())
    assert await kept(admin) == {"wh": Kept(17, 0, 17)}


# ------------------------------------------------------------------------------- at once


async def test_who_lends_while_others_sell_takes_nothing_from_them(
    stocked: Living, admin: Connection
) -> None:
    await keep(stocked, ("A", 20, "wh"), lending=ALL)
    works = [act(stocked.runtime.database, stocked.brand, lending()) for _ in range(3)]
    async with admin.transaction():
        await admin.execute("select from stock_level for update")
        buying = [asyncio.create_task(buy(stocked, 20, shop)) for shop in ("shop", "dshop")]
        tasks = await start(admin, works)
    done, codes = await settle(tasks)
    outcomes = [isinstance(outcome, Placed) for outcome in await asyncio.gather(*buying)]
    assert codes == []
    assert (await figures(admin, stocked.world, "wh")).reserved == 20 * sum(outcomes) <= 20
    for found in done:
        await stocked.runtime.publish_levels(stocked.world.tenant_id, found.levels)


# ------------------------------------------------------------------------------- by the hour


async def test_all_that_lend_are_lent_by_the_maintenance(
    stocked: Living, admin: Connection
) -> None:
    await keep(stocked, ("A", 4, "wh"), code="lends", lending=ALL)
    await keep(stocked, ("A", 4, "far"), code="lends too", lending=HALF)
    await keep(stocked, ("A", 4, "wh"), code="keeps")
    await keep(stocked, ("A", 4, "wh"), code="closed", lending=ALL)
    await told(stocked, closing("closed"))
    await stocked.runtime.maintenance.lend()
    assert await kept(admin, "lends") == {"wh": Kept(4, 0, 4)}
    assert await kept(admin, "lends too") == {"far": Kept(4, 2, 2)}
    assert await kept(admin, "keeps") == {"wh": Kept(4, 4)}
    placed(await buy(stocked, 16))
