"""Orders take what is kept for their shop first, then what is free, and nothing of others."""

import asyncio
from collections import Counter

import pytest

from backend.inventory.earmarks.errors import NotEnoughToEarmark
from backend.inventory.pools.model import Layout
from backend.orders import pipeline
from backend.orders.cancel_orders import CancelLine, cancel_order
from backend.orders.model import Outcome, Placed, Shortage
from tests.catalogue import Connection
from tests.inventory.earmarks.keeping import (
    Kept,
    act,
    closing,
    dropping,
    filling,
    keep,
    kept,
    told,
)
from tests.inventory.pools.layouts import dispatch, share, supply
from tests.inventory.pools.living import Living
from tests.inventory.stock import figures
from tests.orders.checks import placed, refused
from tests.world import World, draft, fresh_key, paid

BUYERS = 50
TAKEN = """
    select f.code, m.code, r.quantity, r.active
    from reservation r
    join functional_warehouse f on f.tenant_id = r.tenant_id and f.id = r.functional_warehouse_id
    left join earmark m on m.tenant_id = r.tenant_id and m.id = r.earmark_id
    where r.order_id = $1 order by r.reservation_no
"""
MOVED = """
    select v.type, m.code, v.quantity, v.reserved_delta, v.earmark_delta
    from stock_movement v
    left join earmark m on m.tenant_id = v.tenant_id and m.id = v.earmark_id
    where v.cause_kind = 'order' and v.cause_id = $1 order by v.id
"""
Row = tuple[object, ...]


@pytest.fixture(params=[True, False], ids=["warm", "cold"])
async def stocked(shops: Living, request: pytest.FixtureRequest) -> Living:
    """10 of "A" in "wh"; Valkey knows the counters, so that admission takes them, or does not."""
    await shops.receive("wh", 10)
    if request.param:
        await shops.warm()
    return shops


async def buy(live: Living, units: int, shop: str = "shop", sku: str = "A") -> Outcome:
    return await live.runtime.intake.place(draft({sku: units}, shop=shop), live.brand)


async def wait_for(live: Living, units: int, shop: str) -> Placed:
    """Let somebody who has paid have what there is, and wait for the rest."""
    order = paid(fresh_key(), {"A": units}, shop=shop)
    return placed(await live.runtime.intake.place(order, live.brand))


async def cancel(live: Living, order: Placed, units: int | None = None) -> None:
    """Cancel an order, or units of its first line, and tell everybody."""
    lines = None if units is None else [CancelLine(1, units)]
    runtime = live.runtime
    done = await cancel_order(runtime.database, live.brand, order.order_id, lines, fresh_key())
    await runtime.publish_counters(live.world.tenant_id, done.counters)


async def taken(admin: Connection, order: Placed) -> list[Row]:
    """Return warehouse, earmark, units and what is left of them of an order's reservations."""
    return [tuple(row) for row in await admin.fetch(TAKEN, order.order_id)]


async def moved(admin: Connection, order: Placed) -> list[Row]:
    """Return what an order moved: type, earmark, units, and its deltas."""
    return [tuple(row) for row in await admin.fetch(MOVED, order.order_id)]


async def standing(admin: Connection, world: World) -> tuple[int, int]:
    """Return what is reserved and what is kept in "wh"."""
    found = await figures(admin, world, "wh")
    return found.reserved, found.earmark_unused


# ------------------------------------------------------------------------- whose it is


async def test_a_shop_uses_what_is_kept_for_it_first(stocked: Living, admin: Connection) -> None:
    await keep(stocked, ("A", 4, "wh"))
    order = placed(await buy(stocked, 3))
    assert await taken(admin, order) == [("wh", "promo", 3, 3)]
    assert await moved(admin, order) == [("reserved", "promo", 3, 3, -3)]
    assert await kept(admin) == {"wh": Kept(4, 1)}
    assert await standing(admin, stocked.world) == (3, 1)


async def test_a_line_is_split_over_earmark_and_free_stock(
    stocked: Living, admin: Connection
) -> None:
    await keep(stocked, ("A", 4, "wh"))
    order = placed(await buy(stocked, 9))
    assert await taken(admin, order) == [("wh", "promo", 4, 4), ("wh", None, 5, 5)]
    assert await moved(admin, order) == [
        ("reserved", "promo", 4, 4, -4),
        ("reserved", None, 5, 5, 0),
    ]
    assert [line.reserved for line in order.lines] == [9]
    assert await standing(admin, stocked.world) == (9, 0)
    assert (await figures(admin, stocked.world, "wh")).version == 3


async def test_all_that_there_is_can_be_bought_and_no_more(stocked: Living) -> None:
    await keep(stocked, ("A", 4, "wh"))
    refused(await buy(stocked, 11), "INSUFFICIENT_STOCK")
    placed(await buy(stocked, 10))
    refused(await buy(stocked, 1), "INSUFFICIENT_STOCK")


async def test_another_shop_is_refused_although_units_lie_there(
    stocked: Living, admin: Connection
) -> None:
    await keep(stocked, ("A", 4, "wh"))
    found = refused(await buy(stocked, 7, "dshop"), "INSUFFICIENT_STOCK")
    assert found.detail["lines"][0]["available"] == 6
    placed(await buy(stocked, 6, "dshop"))
    refused(await buy(stocked, 1, "dshop"), "INSUFFICIENT_STOCK")
    assert await standing(admin, stocked.world) == (6, 4)
    placed(await buy(stocked, 4))


async def test_a_shop_without_a_share_leaves_what_is_kept(stocked: Living) -> None:
    await keep(stocked, ("A", 4, "wh"))
    refused(await buy(stocked, 7, "dshop2"), "INSUFFICIENT_STOCK")
    placed(await buy(stocked, 6, "dshop2"))


async def test_who_takes_what_is_there_leaves_what_is_kept_for_others(
    stocked: Living, admin: Connection
) -> None:
    await keep(stocked, ("A", 4, "wh"))
    order = draft({"A": 9}, shop="dshop", shortage=Shortage.PARTIAL)
    (line,) = placed(await stocked.runtime.intake.place(order, stocked.brand)).lines
    assert (line.reserved, line.cancelled) == (6, 3)
    assert await standing(admin, stocked.world) == (6, 4)


async def test_what_is_kept_for_a_pool_is_for_all_below_it(
    stocked: Living, admin: Connection
) -> None:
    layout = Layout(
        pools=(supply("online", "wh"), supply("east", "wh"), dispatch("both", "online", "east")),
        shares=(share("both", "shop"), share("east", "dshop")),
    )
    await stocked.lay_out(layout)
    await keep(stocked, ("A", 3, "wh"))
    await keep(stocked, ("A", 3, "wh"), code="lower", pool="both")
    refused(await buy(stocked, 5, "dshop"), "INSUFFICIENT_STOCK")
    order = placed(await buy(stocked, 7))
    assert await taken(admin, order) == [
        ("wh", "promo", 3, 3),
        ("wh", "lower", 3, 3),
        ("wh", None, 1, 1),
    ]


async def test_of_two_earmarks_on_a_level_the_older_is_used_first(
    stocked: Living, admin: Connection
) -> None:
    await keep(stocked, ("A", 3, "wh"), code="old")
    await keep(stocked, ("A", 3, "wh"), code="new")
    await keep(stocked, ("A", 2, "wh"), code="others", pool="east")
    order = placed(await buy(stocked, 4))
    assert await taken(admin, order) == [("wh", "old", 3, 3), ("wh", "new", 1, 1)]
    placed(await buy(stocked, 4, "dshop"))
    assert await kept(admin, "others") == {"wh": Kept(2, 0)}
    assert await standing(admin, stocked.world) == (8, 2)


async def test_goods_that_feed_no_pool_are_sold_through_their_earmark(
    stocked: Living, admin: Connection
) -> None:
    await stocked.receive("store", 5)
    await keep(stocked, ("A", 5, "store"), pool="east")
    order = placed(await buy(stocked, 15, "dshop"))
    assert sorted(await taken(admin, order), key=str) == [
        ("store", "promo", 5, 5),
        ("wh", None, 10, 10),
    ]


async def test_an_order_of_two_skus_takes_each_from_where_it_is(
    stocked: Living, admin: Connection
) -> None:
    await stocked.receive("wh", 2, "B")
    await keep(stocked, ("A", 4, "wh"))
    order = draft({"B": 2, "A": 5})
    done = placed(await stocked.runtime.intake.place(order, stocked.brand))
    assert sorted(await taken(admin, done), key=str) == [
        ("wh", "promo", 4, 4),
        ("wh", None, 1, 1),
        ("wh", None, 2, 2),
    ]


# ------------------------------------------------------------------------- which way


WAYS = {
    "admitted": ("commit_planned", "commit_finally"),
    "planned": ("commit_admitted", "commit_finally"),
}
"""Commits that an order does without; an unknown counter in Valkey is never admitted."""


@pytest.mark.parametrize("way", WAYS)
async def test_every_way_takes_level_and_earmark_together(
    shops: Living, admin: Connection, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    await shops.receive("wh", 10)
    if way == "admitted":
        await shops.warm()
    await keep(shops, ("A", 4, "wh"))
    for name in WAYS[way]:
        monkeypatch.setattr(pipeline, name, None)
    order = placed(await buy(shops, 6))
    assert await taken(admin, order) == [("wh", "promo", 4, 4), ("wh", None, 2, 2)]
    assert await kept(admin) == {"wh": Kept(4, 0)}
    assert await standing(admin, shops.world) == (6, 0)


# ------------------------------------------------------------------------- who waits


async def test_a_paid_order_of_another_shop_waits_until_the_earmark_closes(
    stocked: Living, admin: Connection
) -> None:
    await keep(stocked, ("A", 8, "wh"))
    (line,) = (await wait_for(stocked, 5, "dshop")).lines
    assert (line.reserved, line.backordered) == (2, 3)
    assert await stocked.runtime.allocator.allocate(stocked.world.tenant_id) == 0
    await told(stocked, closing())
    await stocked.runtime.settle()
    await stocked.runtime.allocator.allocate(stocked.world.tenant_id)
    assert await standing(admin, stocked.world) == (5, 0)


async def test_a_paid_order_gets_what_is_dropped(stocked: Living, admin: Connection) -> None:
    await keep(stocked, ("A", 8, "wh"))
    await wait_for(stocked, 5, "dshop")
    await told(stocked, dropping(("A", 1)))
    await stocked.runtime.settle()
    await stocked.runtime.allocator.allocate(stocked.world.tenant_id)
    assert await standing(admin, stocked.world) == (3, 7)


async def test_a_paid_order_gets_what_is_kept_for_its_shop(
    stocked: Living, admin: Connection
) -> None:
    await keep(stocked, ("A", 10, "wh"), pool="east")
    order = await wait_for(stocked, 5, "shop")
    assert order.lines[0].backordered == 5
    await stocked.runtime.settle()  # what looks for units for it does not find those in between
    await act(stocked.runtime.database, stocked.brand, dropping(("A", 3)))
    await keep(stocked, ("A", 3, "wh"), code="online")
    await stocked.runtime.allocator.allocate(stocked.world.tenant_id)
    await stocked.runtime.settle()
    assert sum(row[3] for row in await taken(admin, order)) == 3  # type: ignore[misc]
    assert await standing(admin, stocked.world) == (3, 7)


# ------------------------------------------------------------------------- who gives back


async def test_a_cancelled_order_gives_back_to_its_earmark(
    stocked: Living, admin: Connection
) -> None:
    await keep(stocked, ("A", 4, "wh"))
    order = placed(await buy(stocked, 6))
    await cancel(stocked, order)
    assert await kept(admin) == {"wh": Kept(4, 4)}
    assert await standing(admin, stocked.world) == (0, 4)
    assert ("released", "promo", 4, -4, 4) in await moved(admin, order)
    refused(await buy(stocked, 7, "dshop"), "INSUFFICIENT_STOCK")
    placed(await buy(stocked, 10))


async def test_units_of_a_line_are_given_back_to_all_first(
    stocked: Living, admin: Connection
) -> None:
    await keep(stocked, ("A", 4, "wh"))
    order = placed(await buy(stocked, 6))
    await cancel(stocked, order, 3)
    assert await taken(admin, order) == [("wh", "promo", 4, 3), ("wh", None, 2, 0)]
    assert await kept(admin) == {"wh": Kept(4, 1)}
    assert await standing(admin, stocked.world) == (3, 1)


async def test_an_order_gives_back_to_all_once_its_earmark_is_closed(
    stocked: Living, admin: Connection
) -> None:
    await keep(stocked, ("A", 4, "wh"))
    order = placed(await buy(stocked, 3))
    found = await told(stocked, closing())
    assert (found.earmark.filled, found.earmark.used, found.earmark.unused) == (3, 3, 0)
    await cancel(stocked, order)
    assert await standing(admin, stocked.world) == (0, 0)
    assert (await moved(admin, order))[-1] == ("released", None, 3, -3, 0)
    placed(await buy(stocked, 10, "dshop"))


async def test_what_an_order_gave_back_is_dropped(stocked: Living, admin: Connection) -> None:
    await keep(stocked, ("A", 4, "wh"))
    order = placed(await buy(stocked, 4))
    await cancel(stocked, order)
    await told(stocked, dropping(("A", 4)))
    assert await kept(admin) == {"wh": Kept(0, 0)}


# ------------------------------------------------------------------------- who has not heard


async def test_a_last_attempt_finds_what_was_dropped_elsewhere(
    stocked: Living, admin: Connection
) -> None:
    await keep(stocked, ("A", 10, "wh"))
    await stocked.listen()
    changed = await act(stocked.runtime.database, stocked.brand, dropping(("A", 4)))
    placed(await buy(stocked, 4, "dshop"))
    assert await standing(admin, stocked.world) == (4, 6)
    await stocked.runtime.publish_levels(stocked.world.tenant_id, changed.levels)


async def test_a_last_attempt_takes_as_free_what_was_kept_when_it_was_planned(
    stocked: Living, admin: Connection
) -> None:
    await keep(stocked, ("A", 4, "wh"))
    await stocked.listen()
    changed = await act(stocked.runtime.database, stocked.brand, dropping(("A", 3)))
    order = placed(await buy(stocked, 4))
    assert await taken(admin, order) == [("wh", "promo", 1, 1), ("wh", None, 3, 3)]
    await stocked.runtime.publish_levels(stocked.world.tenant_id, changed.levels)


async def test_a_last_attempt_finds_what_was_put_in_elsewhere(
    stocked: Living, admin: Connection
) -> None:
    await keep(stocked, ("A", 1, "wh"))
    await stocked.listen()
    changed = await act(stocked.runtime.database, stocked.brand, filling(("A", 9, "wh")))
    order = placed(await buy(stocked, 10))
    assert await taken(admin, order) == [("wh", "promo", 10, 10)]
    await stocked.runtime.publish_levels(stocked.world.tenant_id, changed.levels)


async def test_what_was_closed_elsewhere_is_sold_to_all(stocked: Living) -> None:
    await keep(stocked, ("A", 10, "wh"))
    await stocked.listen()
    changed = await act(stocked.runtime.database, stocked.brand, closing())
    placed(await buy(stocked, 6))
    placed(await buy(stocked, 4, "dshop"))
    await stocked.runtime.publish_levels(stocked.world.tenant_id, changed.levels)


# ------------------------------------------------------------------------- many at once


async def rush(live: Living, others: Living, units: int = 1) -> Counter[tuple[str, bool]]:
    """Let as many buyers of two shops come at once to two processes; count who got something."""
    shops = ["shop", "dshop"] * (BUYERS // 2)
    places = [buy((live, others)[n % 3 > 0], units, shop) for n, shop in enumerate(shops)]
    outcomes = await asyncio.gather(*places)
    return Counter(
        (shop, isinstance(outcome, Placed)) for shop, outcome in zip(shops, outcomes, strict=True)
    )


async def test_many_buyers_of_two_shops_get_what_is_theirs(
    stocked: Living, admin: Connection
) -> None:
    await stocked.receive("wh", 10)
    await keep(stocked, ("A", 12, "wh"))
    async with stocked.another() as other:
        await other.freshen()
        got = await rush(stocked, other)
    assert await standing(admin, stocked.world) == (20, 0)
    assert got["shop", True] + got["dshop", True] == 20
    assert got["shop", True] >= 12
    assert got["dshop", True] <= 8


async def test_what_is_kept_for_one_is_left_by_many_of_another(
    stocked: Living, admin: Connection
) -> None:
    await keep(stocked, ("A", 7, "wh"))
    places = [buy(stocked, 1, "dshop") for _ in range(BUYERS)]
    got = sum(isinstance(outcome, Placed) for outcome in await asyncio.gather(*places))
    assert got == 3
    assert await standing(admin, stocked.world) == (3, 7)


async def test_a_valkey_that_forgets_in_the_middle_sells_nothing_twice(
    stocked: Living, admin: Connection
) -> None:
    await stocked.receive("wh", 10)
    await keep(stocked, ("A", 12, "wh"))
    rushing = asyncio.gather(*(buy(stocked, 1, ("shop", "dshop")[n % 2]) for n in range(BUYERS)))
    await stocked.runtime.valkey.command("FLUSHALL")
    got = sum(isinstance(outcome, Placed) for outcome in await rushing)
    assert got == 20
    assert await standing(admin, stocked.world) == (20, 0)
    await stocked.warm()


async def test_an_earmark_that_moves_under_buyers_loses_nothing(
    stocked: Living, admin: Connection
) -> None:
    await stocked.receive("wh", 10)
    await keep(stocked, ("A", 12, "wh"))

    async def change() -> None:
        for what in (dropping(("A", 1)), filling(("A", 1, "wh"))) * 3:
            try:
                changed = await act(stocked.runtime.database, stocked.brand, what)
            except NotEnoughToEarmark:
                continue
            await stocked.runtime.publish_levels(stocked.world.tenant_id, changed.levels)

    async with stocked.another() as other:
        await other.freshen()
        _, got = await asyncio.gather(change(), rush(stocked, other))
    assert got["shop", True] + got["dshop", True] <= 20
    reserved, unused = await standing(admin, stocked.world)
    assert reserved == got["shop", True] + got["dshop", True]
    assert sum(at.unused for at in (await kept(admin)).values()) == unused
