"""Earmarks are opened, filled, emptied and closed; what is kept is never more than there is."""

import asyncio
from datetime import UTC, datetime

import pytest

from backend.db.errors import YipanError
from backend.inventory.change_stock import StockTransfer
from backend.inventory.earmarks.model import EarmarkKind, Lending
from backend.inventory.pools.model import Layout
from backend.maintenance import Maintenance
from backend.orders.model import Placed
from tests.catalogue import Connection, contents
from tests.crowd import all_at_once
from tests.inventory.earmarks.keeping import (
    KEEPING,
    Act,
    Kept,
    act,
    closing,
    dropping,
    filling,
    keep,
    kept,
    lending,
    opening,
    told,
)
from tests.inventory.pools.layouts import put_in_force, supply
from tests.inventory.pools.living import Living
from tests.inventory.stock import Figures, change, figures, ledger
from tests.world import draft, fresh_key

RIVALS = 8
PAST = datetime(2020, 1, 1, tzinfo=UTC)
FUTURE = datetime(2090, 1, 1, tzinfo=UTC)


@pytest.fixture
async def stocked(shops: Living) -> Living:
    """10 of "A" in "wh", 4 in "far" and 6 in "store", which feeds no pool."""
    for warehouse, units in (("wh", 10), ("far", 4), ("store", 6)):
        await shops.receive(warehouse, units)
    return shops


# ------------------------------------------------------------------------------------- one


async def test_an_earmark_is_opened_empty(stocked: Living) -> None:
    what = opening(kind=EarmarkKind.REGION, ends_at=FUTURE, lending=Lending(2_000, 7))
    found = await told(stocked, what)
    earmark = found.earmark
    assert found.levels == []
    assert (earmark.code, earmark.kind, earmark.pool) == ("promo", EarmarkKind.REGION, "online")
    assert (earmark.ends_at, earmark.lending) == (FUTURE, Lending(2_000, 7))
    assert (earmark.filled, earmark.unused, earmark.lent, earmark.used) == (0, 0, 0, 0)
    assert (earmark.opened_by, earmark.closed_by) == (stocked.brand.subject, None)


async def test_what_is_kept_is_no_longer_free(stocked: Living, admin: Connection) -> None:
    await keep(stocked, ("A", 7, "wh"))
    assert await figures(admin, stocked.world, "wh") == Figures(10, 0, 0, 7, version=2)
    assert await kept(admin) == {"wh": Kept(7, 7)}
    line = (await ledger(admin, stocked.world))[-1]
    assert line[:9] == ("wh", "earmarked", 7, 0, 0, 0, 7, 2, "earmark")
    rest = StockTransfer(source="wh", destination="far", sku="A", quantity=4)
    with pytest.raises(YipanError):
        await change(stocked.runtime.database, stocked.brand, rest)


async def test_an_earmark_may_take_all_that_is_free(stocked: Living, admin: Connection) -> None:
    await keep(stocked, ("A", 10, "wh"))
    assert await kept(admin) == {"wh": Kept(10, 10)}


@pytest.mark.parametrize(
    ("units", "places"),
    [
        (3, {"wh": Kept(3, 3)}),
        (12, {"wh": Kept(10, 10), "far": Kept(2, 2)}),
        (14, {"wh": Kept(10, 10), "far": Kept(4, 4)}),
    ],
)
async def test_without_a_warehouse_most_is_taken_where_most_is_free(
    stocked: Living, admin: Connection, units: int, places: dict[str, Kept]
) -> None:
    await keep(stocked, ("A", units))
    assert await kept(admin) == places


async def test_lines_take_after_one_another(stocked: Living, admin: Connection) -> None:
    await keep(stocked, ("A", 7, "wh"), ("A", 5))
    assert await kept(admin) == {"wh": Kept(8, 8), "far": Kept(4, 4)}


async def test_a_warehouse_that_feeds_no_pool_is_taken_from_by_name(
    stocked: Living, admin: Connection
) -> None:
    await keep(stocked, ("A", 6, "store"))
    assert await kept(admin) == {"store": Kept(6, 6)}


async def test_an_earmark_is_filled_again_and_emptied(stocked: Living, admin: Connection) -> None:
    await keep(stocked, ("A", 7, "wh"), ("A", 3, "far"))
    await told(stocked, filling(("A", 2, "wh")))
    await told(stocked, dropping(("A", 1, "far"), ("A", 4)))
    assert await kept(admin) == {"wh": Kept(5, 5), "far": Kept(2, 2)}
    assert (await figures(admin, stocked.world, "wh")).earmark_unused == 5
    found = await told(stocked, dropping(("A", 7)))
    assert (found.earmark.filled, found.earmark.unused) == (0, 0)


async def test_a_closed_earmark_gives_all_back(stocked: Living, admin: Connection) -> None:
    await keep(stocked, ("A", 7, "wh"), ("A", 3, "far"))
    found = await told(stocked, closing())
    assert (found.earmark.unused, found.earmark.closed_by) == (0, stocked.brand.subject)
    assert found.earmark.closed_at is not None
    for warehouse in ("wh", "far"):
        assert (await figures(admin, stocked.world, warehouse)).earmark_unused == 0


async def test_an_empty_earmark_is_closed(stocked: Living) -> None:
    await told(stocked, opening())
    found = await told(stocked, closing())
    assert (found.levels, found.earmark.filled) == ([], 0)


async def test_a_pool_may_go_once_its_earmark_is_closed(stocked: Living) -> None:
    await keep(stocked, ("A", 3))
    await told(stocked, closing())
    layout = Layout(pools=(supply("other", "wh"),))
    await put_in_force(stocked.runtime.database, stocked.brand, layout)


async def test_a_pool_that_the_new_layout_has_too_keeps_its_earmark(
    stocked: Living, admin: Connection
) -> None:
    await keep(stocked, ("A", 3, "wh"))
    await stocked.lay_out(Layout(pools=(supply("online", "far"),), shares=KEEPING.shares[:1]))
    assert await kept(admin) == {"wh": Kept(3, 3)}
    assert stocked.pool("online") == 4 + 3


# ------------------------------------------------------------------------------------ once


@pytest.mark.parametrize(
    "what",
    [opening("new"), filling(("A", 2)), dropping(("A", 2)), closing(), lending()],
    ids=["open", "fill", "drop", "close", "lend"],
)
async def test_the_same_key_does_it_once(stocked: Living, admin: Connection, what: Act) -> None:
    await keep(stocked, ("A", 5), lending=Lending(2_000))
    key, database = fresh_key(), stocked.runtime.database
    first = await act(database, stocked.brand, what, key)
    before = await contents(admin)
    assert await act(database, stocked.brand, what, key) == first
    assert await contents(admin) == before
    await stocked.runtime.publish_levels(stocked.world.tenant_id, first.levels)


async def test_a_lost_answer_is_given_again_after_the_earmark_was_closed(stocked: Living) -> None:
    await told(stocked, opening())
    key, database = fresh_key(), stocked.runtime.database
    first = await act(database, stocked.brand, filling(("A", 2)), key)
    await told(stocked, closing())
    assert await act(database, stocked.brand, filling(("A", 2)), key) == first


# ----------------------------------------------------------------------------- at once


async def test_many_fill_at_once_and_there_is_never_more_than_there_was(
    stocked: Living, admin: Connection
) -> None:
    await told(stocked, opening())
    works = [
        act(stocked.runtime.database, stocked.brand, filling(("A", 3, "wh"))) for _ in range(RIVALS)
    ]
    done, codes = await all_at_once(admin, works, "earmark")
    assert (len(done), codes) == (3, ["NOT_ENOUGH_TO_EARMARK"] * (RIVALS - 3))
    assert await kept(admin) == {"wh": Kept(9, 9)}
    await stocked.runtime.publish_levels(stocked.world.tenant_id, done[-1].levels)


async def test_two_earmarks_are_filled_at_once(stocked: Living, admin: Connection) -> None:
    for code in ("one", "two"):
        await told(stocked, opening(code))
    works = [
        act(stocked.runtime.database, stocked.brand, filling(("A", 6, "wh"), code=code))
        for code in ("one", "two")
    ]
    done, codes = await all_at_once(admin, works)
    assert (len(done), codes) == (1, ["NOT_ENOUGH_TO_EARMARK"])
    await stocked.runtime.publish_levels(stocked.world.tenant_id, done[0].levels)


async def test_of_two_managers_who_close_one_is_refused(stocked: Living, admin: Connection) -> None:
    await keep(stocked, ("A", 5, "wh"))
    works = [act(stocked.runtime.database, stocked.brand, closing()) for _ in range(2)]
    done, codes = await all_at_once(admin, works, "earmark")
    assert (len(done), codes) == (1, ["EARMARK_CLOSED"])
    assert (await figures(admin, stocked.world, "wh")).earmark_unused == 0
    await stocked.runtime.publish_levels(stocked.world.tenant_id, done[0].levels)


async def test_who_fills_while_another_closes_fills_first_or_not_at_all(
    stocked: Living, admin: Connection
) -> None:
    await keep(stocked, ("A", 5, "wh"))
    works = [
        act(stocked.runtime.database, stocked.brand, what)
        for what in (closing(), filling(("A", 1, "wh")), dropping(("A", 1)))
    ]
    done, codes = await all_at_once(admin, works, "earmark")
    assert len(done) + len(codes) == 3
    assert set(codes) <= {"EARMARK_CLOSED"}
    assert (await figures(admin, stocked.world, "wh")).earmark_unused == 0
    for found in done:
        await stocked.runtime.publish_levels(stocked.world.tenant_id, found.levels)


async def test_fillings_and_orders_share_what_there_is(stocked: Living, admin: Connection) -> None:
    await told(stocked, opening())
    intake, database = stocked.runtime.intake, stocked.runtime.database

    async def fill() -> int:
        try:
            found = await act(database, stocked.brand, filling(("A", 1, "wh")))
        except YipanError:
            return 0
        await stocked.runtime.publish_levels(stocked.world.tenant_id, found.levels)
        return 1

    async def buy() -> int:
        return isinstance(await intake.place(draft({"A": 1}, shop="dshop"), stocked.brand), Placed)

    bought = asyncio.gather(*(buy() for _ in range(15)))
    filled = sum(await asyncio.gather(*(fill() for _ in range(15))))
    sold = sum(await bought)
    found = await figures(admin, stocked.world, "wh")
    assert (found.earmark_unused, found.reserved) == (filled, sold)
    assert filled + sold == 10


# ----------------------------------------------------------------------------- the end


def maintenance(live: Living) -> Maintenance:
    return live.runtime.maintenance


async def test_an_earmark_is_closed_when_its_time_is_over(
    stocked: Living, admin: Connection
) -> None:
    await keep(stocked, ("A", 5, "wh"), code="ended", ends_at=PAST)
    await keep(stocked, ("A", 2, "wh"), code="lasts", ends_at=FUTURE)
    await keep(stocked, ("A", 1, "wh"), code="endless")
    await maintenance(stocked).close_earmarks()
    assert (await figures(admin, stocked.world, "wh")).earmark_unused == 3
    rows = await admin.fetch("select code, closed_by from earmark where closed_at is not null")
    assert [tuple(row) for row in rows] == [("ended", "system:earmarks")]
    await maintenance(stocked).close_earmarks()


async def test_what_ended_is_sold_to_all(stocked: Living) -> None:
    await keep(stocked, ("A", 10, "wh"), ends_at=PAST)
    refusal = await stocked.runtime.intake.place(draft({"A": 10}, shop="dshop"), stocked.brand)
    assert not isinstance(refusal, Placed)
    await maintenance(stocked).close_earmarks()
    await stocked.freshen()
    outcome = await stocked.runtime.intake.place(draft({"A": 10}, shop="dshop"), stocked.brand)
    assert isinstance(outcome, Placed)
