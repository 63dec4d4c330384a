"""Orders take from the allotments of their shop and its dealer, up to the last unit."""

import pytest
from msgspec.structs import replace

from backend.inventory.allotments.book import AllotmentBook
from backend.orders import commit, pipeline
from backend.orders.model import LineDraft, OrderStatus, Shortage
from tests.catalogue import Connection
from tests.inventory.allotments.allotting import (
    DEALERS,
    Standing,
    allot,
    buy,
    cancel,
    end,
    got,
    line_of,
    pay,
    set_,
    standing,
)
from tests.inventory.pools.living import Living
from tests.orders.checks import placed, refused
from tests.world import draft

SHORT = "INSUFFICIENT_STOCK"
TAKEN_OF = "select allotment_ids from reservation where order_id = $1"


@pytest.fixture
async def stocked(shops: Living) -> Living:
    """20 of "A" in "wh" and 20 in "far"."""
    await shops.receive("wh", 20)
    await shops.receive("far", 20)
    return shops


@pytest.fixture(params=[True, False], ids=["warm", "cold"])
async def either(stocked: Living, request: pytest.FixtureRequest) -> Living:
    """The same; Valkey knows the counters, so that admission takes them, or does not."""
    if request.param:
        await stocked.warm()
    return stocked


# ------------------------------------------------------------------------------ the limit


async def test_orders_are_taken_up_to_the_limit(either: Living, admin: Connection) -> None:
    one = await allot(either, "shop", 5)
    order = placed(await buy(either, 3))
    assert await standing(admin) == Standing(5, 3)
    assert await admin.fetchval(TAKEN_OF, order.order_id) == [one.id]
    found = refused(await buy(either, 3), SHORT)
    assert found.detail["lines"] == [{"sku": "A", "requested": 3, "available": 2}]
    placed(await buy(either, 2))
    refused(await buy(either, 1), SHORT)
    assert await standing(admin) == Standing(5, 5)


async def test_nobody_else_is_bounded(stocked: Living, admin: Connection) -> None:
    await allot(stocked, "shop", 0)
    await stocked.receive("wh", 1, "B")
    refused(await buy(stocked, 1), SHORT)
    order = placed(await buy(stocked, 30, "dshop"))
    placed(await buy(stocked, 1, "shop", "B"))
    assert await admin.fetchval(TAKEN_OF, order.order_id) is None


async def test_who_is_bounded_is_bounded_by_stock_too(stocked: Living) -> None:
    await allot(stocked, "shop", 100)
    found = refused(await buy(stocked, 41), SHORT)
    assert found.detail["lines"][0]["available"] == 40
    placed(await buy(stocked, 40))


async def test_partial_takes_what_is_left(stocked: Living, admin: Connection) -> None:
    await allot(stocked, "shop", 3)
    order = draft({"A": 9}, shortage=Shortage.PARTIAL)
    (line,) = placed(await stocked.runtime.intake.place(order, stocked.brand)).lines
    assert (line.reserved, line.cancelled) == (3, 6)
    order = draft({"A": 9}, shortage=Shortage.PARTIAL)
    refused(await stocked.runtime.intake.place(order, stocked.brand), SHORT)
    assert await standing(admin) == Standing(3, 3)


async def test_one_sku_beyond_its_allotment_refuses_the_whole_order(
    stocked: Living, admin: Connection
) -> None:
    await stocked.receive("wh", 9, "B")
    await allot(stocked, "shop", 3)
    await allot(stocked, "shop", 9, "B")
    order = draft({"B": 2, "A": 4})
    found = refused(await stocked.runtime.intake.place(order, stocked.brand), SHORT)
    assert [line["sku"] for line in found.detail["lines"]] == ["A"]
    assert await standing(admin, "shop", "B") == Standing(9, 0)
    placed(await stocked.runtime.intake.place(draft({"B": 2, "A": 3}), stocked.brand))
    assert await standing(admin, "shop", "B") == Standing(9, 2)


async def test_a_sku_twice_in_an_order_counts_together(stocked: Living, admin: Connection) -> None:
    await allot(stocked, "shop", 5)
    twice = (LineDraft("A", 3, 100), LineDraft("A", 3, 100))
    found = refused(
        await stocked.runtime.intake.place(replace(draft(), lines=twice), stocked.brand), SHORT
    )
    assert found.detail["lines"][0] == {"sku": "A", "requested": 6, "available": 5}
    twice = (LineDraft("A", 3, 100), LineDraft("A", 2, 100))
    done = placed(await stocked.runtime.intake.place(replace(draft(), lines=twice), stocked.brand))
    assert [line.reserved for line in done.lines] == [3, 2]
    assert await standing(admin) == Standing(5, 5)
    await cancel(stocked, done.order_id)
    assert await standing(admin) == Standing(5, 0)


async def test_lowered_below_what_is_taken_nothing_more_is_sold(
    either: Living, admin: Connection
) -> None:
    await allot(either, "shop", 9)
    order = placed(await buy(either, 5))
    await allot(either, "shop", 3)
    refused(await buy(either, 1), SHORT)
    await cancel(either, order.order_id, 2)
    refused(await buy(either, 1), SHORT)
    await cancel(either, order.order_id, 1)
    placed(await buy(either, 1))
    assert await standing(admin) == Standing(3, 3)


async def test_cancelling_gives_back_to_the_one_it_was_taken_of(
    stocked: Living, admin: Connection
) -> None:
    before = placed(await buy(stocked, 4))
    await allot(stocked, "shop", 5)
    order = placed(await buy(stocked, 5))
    await cancel(stocked, before.order_id)
    assert await standing(admin) == Standing(5, 5)
    await cancel(stocked, order.order_id, 2)
    assert await standing(admin) == Standing(5, 3)
    refused(await buy(stocked, 3), SHORT)
    placed(await buy(stocked, 2))


# ------------------------------------------------------------------------------ shop and dealer


async def test_shop_and_dealer_bound_an_order_together(either: Living, admin: Connection) -> None:
    await allot(either, "dshop", 6)
    await allot(either, DEALERS, 4)
    found = refused(await buy(either, 5, "dshop"), SHORT)
    assert found.detail["lines"][0]["available"] == 4
    order = placed(await buy(either, 4, "dshop"))
    assert await standing(admin, "dshop") == Standing(6, 4)
    assert await standing(admin, DEALERS) == Standing(4, 4)
    await allot(either, DEALERS, 9)
    refused(await buy(either, 3, "dshop"), SHORT)
    placed(await buy(either, 2, "dshop"))
    await cancel(either, order.order_id)
    assert await standing(admin, "dshop") == Standing(6, 2)
    assert await standing(admin, DEALERS) == Standing(9, 2)


async def test_a_dealers_allotment_is_for_its_shops_only(stocked: Living) -> None:
    await allot(stocked, DEALERS, 0)
    refused(await buy(stocked, 1, "dshop"), SHORT)
    placed(await buy(stocked, 1, "shop"))
    placed(await buy(stocked, 1, "dshop2"))


async def test_a_shop_without_a_share_is_bounded(stocked: Living, admin: Connection) -> None:
    await allot(stocked, "dshop2", 2)
    refused(await buy(stocked, 3, "dshop2"), SHORT)
    placed(await buy(stocked, 2, "dshop2"))
    assert await standing(admin, "dshop2") == Standing(2, 2)


# ------------------------------------------------------------------------------ who waits


async def test_who_has_paid_waits_and_is_given_the_rest_when_it_is_raised(
    either: Living, admin: Connection
) -> None:
    await allot(either, "shop", 3)
    order = await pay(either, 5)
    assert order.status is OrderStatus.PARTIALLY_ALLOCATED
    assert await got(admin, order) == (3, 2)
    await either.runtime.allocator.allocate(either.world.tenant_id)
    assert await got(admin, order) == (3, 2)
    await allot(either, "shop", 4)
    assert await got(admin, order) == (4, 1)
    await allot(either, "shop", 9)
    assert await got(admin, order) == (5, 0)
    assert await standing(admin) == Standing(9, 5)


async def test_who_has_paid_is_given_what_another_order_gives_back(
    stocked: Living, admin: Connection
) -> None:
    await allot(stocked, "shop", 3)
    first = placed(await buy(stocked, 3))
    order = await pay(stocked, 2)
    assert order.status is OrderStatus.BACKORDERED
    await cancel(stocked, first.order_id, 1)
    assert await got(admin, order) == (1, 1)
    await cancel(stocked, first.order_id)
    assert await got(admin, order) == (2, 0)
    assert await standing(admin) == Standing(3, 2)


async def test_the_oldest_is_given_first(stocked: Living, admin: Connection) -> None:
    await allot(stocked, "shop", 0)
    orders = [await pay(stocked, 2) for _ in range(3)]
    await allot(stocked, "shop", 3)
    assert [await got(admin, order) for order in orders] == [(2, 0), (1, 1), (0, 2)]


async def test_who_waits_for_an_allotment_keeps_nobody_else_waiting(
    stocked: Living, admin: Connection
) -> None:
    await allot(stocked, "shop", 0)
    order = await pay(stocked, 40)
    placed(await buy(stocked, 40, "dshop"))
    assert await got(admin, order) == (0, 40)


async def test_who_waits_is_given_the_rest_when_it_ends(stocked: Living, admin: Connection) -> None:
    await allot(stocked, "shop", 1)
    order = await pay(stocked, 5)
    await end(stocked, "shop")
    await stocked.runtime.allocator.allocate(stocked.world.tenant_id)
    assert await got(admin, order) == (5, 0)
    assert await standing(admin) == Standing(1, 1, is_active=False)


# ------------------------------------------------------------------------------ ended ones


async def test_an_ended_one_bounds_nothing(stocked: Living, admin: Connection) -> None:
    await allot(stocked, "shop", 2)
    order = placed(await buy(stocked, 2))
    await end(stocked, "shop")
    placed(await buy(stocked, 9))
    assert await standing(admin) == Standing(2, 2, is_active=False)
    await cancel(stocked, order.order_id)
    assert await standing(admin) == Standing(2, 0, is_active=False)


async def test_one_that_begins_again_counts_what_it_counted(
    stocked: Living, admin: Connection
) -> None:
    await allot(stocked, "shop", 2)
    placed(await buy(stocked, 2))
    await end(stocked, "shop")
    placed(await buy(stocked, 9))
    await allot(stocked, "shop", 3)
    refused(await buy(stocked, 2), SHORT)
    placed(await buy(stocked, 1))
    assert await standing(admin) == Standing(3, 3)


# ------------------------------------------------------------------------------ which way


WAYS = {
    "admitted": ("commit_planned", "commit_finally"),
    "planned": ("commit_admitted", "commit_finally"),
}
"""Commits that an order does without; an unknown counter in Valkey is never admitted."""


@pytest.mark.parametrize("way", WAYS)
async def test_every_way_takes_from_the_allotment(
    shops: Living, admin: Connection, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    await shops.receive("wh", 10)
    if way == "admitted":
        await shops.warm()
    await allot(shops, "dshop", 6)
    await allot(shops, DEALERS, 6)
    for name in WAYS[way]:
        monkeypatch.setattr(pipeline, name, None)
    placed(await buy(shops, 6, "dshop"))
    assert await standing(admin, "dshop") == await standing(admin, DEALERS) == Standing(6, 6)


async def test_orders_of_one_batch_share_what_is_left(stocked: Living, admin: Connection) -> None:
    await allot(stocked, "shop", 5)
    drafts = [draft({"A": units}) for units in (3, 4, 2, 1)]
    outcomes = await stocked.runtime.intake.place_many(drafts, stocked.brand)
    for outcome, is_whole in zip(outcomes, (True, False, True, False), strict=True):
        placed(outcome) if is_whole else refused(outcome, SHORT)
    assert await standing(admin) == Standing(5, 5)


async def test_nothing_is_refused_for_what_another_shop_is_out_of(stocked: Living) -> None:
    await allot(stocked, "shop", 0)
    outcomes = await stocked.runtime.intake.place_many(
        [draft(), draft({"A": 40}, shop="dshop"), draft()], stocked.brand
    )
    refused(outcomes[0], SHORT)
    placed(outcomes[1])
    refused(outcomes[2], SHORT)


async def test_one_that_is_learnt_of_in_the_middle_counts_from_the_next_batch_on(
    stocked: Living, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is in its last attempt, and has locked what it knew of."""
    await allot(stocked, DEALERS, 3)
    look_again = commit._look_again

    async def learn_and_look(*given: object) -> object:
        monkeypatch.setattr(commit, "_look_again", look_again)
        await set_(stocked.runtime.database, stocked.brand, line_of("dshop", 9))
        await stocked.freshen()
        return await look_again(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(commit, "_look_again", learn_and_look)
    order = draft({"A": 4}, shop="dshop", shortage=Shortage.PARTIAL)
    (line,) = placed(await stocked.runtime.intake.place(order, stocked.brand)).lines
    assert line.reserved == 3
    assert await standing(admin, DEALERS) == Standing(3, 3)
    assert await standing(admin, "dshop") == Standing(9, 0)


# ------------------------------------------------------------------------------ without Valkey


async def test_valkey_that_lost_everything_costs_no_unit(
    stocked: Living, admin: Connection
) -> None:
    await stocked.warm()
    await allot(stocked, "shop", 5)
    placed(await buy(stocked, 3))
    await stocked.runtime.valkey.command("FLUSHALL")
    refused(await buy(stocked, 3), SHORT)
    placed(await buy(stocked, 1))
    await stocked.warm()
    placed(await buy(stocked, 1))
    refused(await buy(stocked, 1), SHORT)
    assert await standing(admin) == Standing(5, 5)


async def test_a_book_that_knows_too_much_is_put_right_by_the_commit(
    stocked: Living, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await allot(stocked, "shop", 3)
    monkeypatch.setattr(AllotmentBook, "left", lambda *_: 100)
    placed(await buy(stocked, 2))
    refused(await buy(stocked, 2), SHORT)
    placed(await buy(stocked, 1))
    assert await standing(admin) == Standing(3, 3)
