"""Orders that take over a hold: on all stock plus what is kept for them, once, whole or not."""

import asyncio

import pytest

from backend.inventory.pools.model import Layout
from backend.orders.cancel_orders import cancel_order
from backend.orders.model import AddressDraft, Placed, Shortage
from tests.catalogue import Connection, contents
from tests.inventory.allotments.allotting import (
    DEALERS,
    Standing,
    allot,
    buy,
    end,
    got,
    pay,
    standing,
)
from tests.inventory.earmarks.keeping import closing, keep, told, unused
from tests.inventory.pools.layouts import share, supply
from tests.inventory.pools.living import Living
from tests.orders.checks import placed, refused
from tests.orders.stock_holds.holding import (
    State,
    ask,
    convert,
    expire,
    held,
    make_late,
    release,
    reserved,
    state,
    take,
)
from tests.world import draft, fresh_key, paid

SHORT = "INSUFFICIENT_STOCK"
ACTIVE_10 = State("active", None, 10)
PLACES = """
    select f.code, r.quantity, r.earmark_id is not null as is_earmarked
    from reservation r
    join functional_warehouse f on f.tenant_id = r.tenant_id and f.id = r.functional_warehouse_id
    where r.order_id = $1 order by r.reservation_no
"""


async def test_the_same_lines_take_it_over(shops: Living, admin: Connection) -> None:
    hold_id = await take(shops, 10)
    refused(await buy(shops, 1), SHORT)
    order = placed(await convert(shops, hold_id, 10))
    assert await state(admin, hold_id) == State("converted", order.order_id, 10)
    assert await got(admin, order) == (10, 0)
    assert (await reserved(admin), shops.shop("shop")) == (10, 0)


async def test_what_fewer_lines_leave_is_free_at_once(shops: Living, admin: Connection) -> None:
    hold_id = await take(shops, 10)
    order = placed(await convert(shops, hold_id, 7))
    assert await state(admin, hold_id) == State("converted", order.order_id, 10)
    assert (await reserved(admin), shops.shop("shop")) == (7, 3)
    placed(await buy(shops, 3, "dshop"))


async def test_more_lines_take_of_what_is_free(shops: Living, admin: Connection) -> None:
    hold_id = await take(shops, 6)
    order = placed(await convert(shops, hold_id, 9))
    assert await state(admin, hold_id) == State("converted", order.order_id, 6)
    assert await reserved(admin) == 9


async def test_a_conversion_that_is_refused_leaves_the_hold(
    shops: Living, admin: Connection
) -> None:
    hold_id = await take(shops, 10)
    before = await contents(admin)
    found = refused(await convert(shops, hold_id, 11), SHORT)
    assert found.detail["lines"] == [{"sku": "A", "requested": 11, "available": 10}]
    refused(await convert(shops, hold_id, {"A": 10, "B": 1}), SHORT)
    assert await contents(admin) == before
    placed(await convert(shops, hold_id, 10))


async def test_a_partial_order_takes_it_over_and_what_is_free(
    shops: Living, admin: Connection
) -> None:
    hold_id = await take(shops, 6)
    order = placed(await convert(shops, hold_id, 12, shortage=Shortage.PARTIAL))
    assert [(line.reserved, line.cancelled) for line in order.lines] == [(10, 2)]
    assert await state(admin, hold_id) == State("converted", order.order_id, 6)


async def test_other_goods_let_it_go(shops: Living, admin: Connection) -> None:
    await shops.receive("wh", 2, "B")
    hold_id = await take(shops, 10)
    order = placed(await convert(shops, hold_id, {"B": 2}))
    assert await state(admin, hold_id) == State("converted", order.order_id, 10)
    assert (await reserved(admin), await reserved(admin, "B")) == (0, 2)
    placed(await buy(shops, 10))


async def test_a_better_place_may_serve_it(shops: Living, admin: Connection) -> None:
    """The order is planned anew: it need not come from where its units were kept."""
    hold_id = await take(shops, 10)
    await shops.receive("far", 10)
    order = placed(await convert(shops, hold_id, 10, region=110105))
    rows = await admin.fetch(PLACES, order.order_id)
    assert [row["code"] for row in rows] == ["far"]
    placed(await buy(shops, 10))


async def test_a_hold_is_taken_over_once(shops: Living, admin: Connection) -> None:
    hold_id = await take(shops, 6)
    first = placed(await convert(shops, hold_id, 6))
    second = placed(await convert(shops, hold_id, 4))
    refused(await convert(shops, hold_id, 1), SHORT)
    assert await state(admin, hold_id) == State("converted", first.order_id, 6)
    done = await cancel_order(
        shops.runtime.database, shops.brand, first.order_id, None, fresh_key()
    )
    await shops.runtime.publish_counters(shops.world.tenant_id, done.counters)
    assert await reserved(admin) == 4
    assert second.order_id != first.order_id


async def test_the_same_order_again_is_the_same(shops: Living, admin: Connection) -> None:
    hold_id, key = await take(shops, 10), fresh_key()
    first = placed(await convert(shops, hold_id, 10, idempotency_key=key))
    assert await convert(shops, hold_id, 10, idempotency_key=key) == first
    refused(
        await shops.runtime.intake.place(draft({"A": 10}, idempotency_key=key), shops.brand),
        "ORDER_CONFLICT",
    )
    assert await reserved(admin) == 10


# ------------------------------------------------------------------------------ a batch


async def both(shops: Living, hold_id: int, *units: int, is_paid: bool = False) -> list[object]:
    """Let several orders of one batch name the same hold."""
    drafts = [
        paid(fresh_key(), {"A": n}, hold=hold_id) if is_paid else draft({"A": n}, hold=hold_id)
        for n in units
    ]
    return list(await shops.runtime.intake.place_many(drafts, shops.brand))


async def test_of_two_in_a_batch_the_first_takes_it_over(shops: Living, admin: Connection) -> None:
    hold_id = await take(shops, 10)
    first, second = await both(shops, hold_id, 10, 10)
    order = placed(first)  # type: ignore[arg-type]
    found = refused(second, SHORT)  # type: ignore[arg-type]
    assert found.detail["lines"] == [{"sku": "A", "requested": 10, "available": 0}]
    assert await state(admin, hold_id) == State("converted", order.order_id, 10)
    assert await reserved(admin) == 10


async def test_of_two_in_a_batch_who_is_refused_leaves_it_to_the_next(
    shops: Living, admin: Connection
) -> None:
    hold_id = await take(shops, 10)
    first, second = await both(shops, hold_id, 11, 10)
    refused(first, SHORT)  # type: ignore[arg-type]
    order = placed(second)  # type: ignore[arg-type]
    assert await state(admin, hold_id) == State("converted", order.order_id, 10)


async def test_what_the_first_leaves_the_second_has_once(shops: Living, admin: Connection) -> None:
    hold_id = await take(shops, 10)
    first, second, third = await both(shops, hold_id, 4, 7, 6)
    order = placed(first)  # type: ignore[arg-type]
    refused(second, SHORT)  # type: ignore[arg-type]
    placed(third)  # type: ignore[arg-type]
    assert await state(admin, hold_id) == State("converted", order.order_id, 10)
    assert await reserved(admin) == 10


async def test_who_has_paid_is_not_refused_for_a_hold_that_another_took(
    shops: Living, admin: Connection
) -> None:
    hold_id = await take(shops, 10)
    first, second = await both(shops, hold_id, 8, 8, is_paid=True)
    assert await got(admin, placed(first)) == (8, 0)  # type: ignore[arg-type]
    assert await got(admin, placed(second)) == (2, 6)  # type: ignore[arg-type]


async def test_a_partial_order_that_gets_nothing_leaves_it(
    shops: Living, admin: Connection
) -> None:
    hold_id = await take(shops, 10)
    drafts = [
        draft({"B": 1}, hold=hold_id, shortage=Shortage.PARTIAL),
        paid(fresh_key(), {"A": 3}),
        draft({"A": 1}),
    ]
    outcomes = await shops.runtime.intake.place_many(drafts, shops.brand)
    refused(outcomes[0], SHORT)
    assert await got(admin, placed(outcomes[1])) == (0, 3)
    refused(outcomes[2], SHORT)
    assert await state(admin, hold_id) == ACTIVE_10


async def test_what_one_leaves_the_next_of_the_batch_gets(shops: Living, admin: Connection) -> None:
    one, other = await take(shops, 5), await take(shops, 5, "dshop")
    drafts = [draft({"A": 2}, hold=one), draft({"A": 8}, shop="dshop", hold=other)]
    outcomes = await shops.runtime.intake.place_many(drafts, shops.brand)
    for outcome in outcomes:
        placed(outcome)
    assert await reserved(admin) == 10


# ------------------------------------------------------------------------------ whose


async def test_another_shops_hold_is_refused(shops: Living, admin: Connection) -> None:
    hold_id = await take(shops, 10)
    before = await contents(admin)
    found = refused(await convert(shops, hold_id, 1, shop="dshop"), "INVALID_ORDER")
    assert found.path == ("hold",)
    order = draft({"A": 1}, shop="dshop", hold=hold_id)
    outcome = await shops.runtime.intake.place(order, shops.world.dealer)
    refused(outcome, "INVALID_ORDER")
    assert await contents(admin) == before


async def test_who_has_paid_is_not_refused_for_another_shops_hold(
    shops: Living, admin: Connection
) -> None:
    hold_id = await take(shops, 8)
    order = paid(fresh_key(), {"A": 3}, shop="dshop", hold=hold_id)
    done = placed(await shops.runtime.intake.place(order, shops.brand))
    assert await got(admin, done) == (2, 1)
    assert await state(admin, hold_id) == State("active", None, 8)


async def test_a_hold_that_never_was_changes_nothing(shops: Living, admin: Connection) -> None:
    placed(await convert(shops, 999_999, 10))
    assert await reserved(admin) == 10


# ------------------------------------------------------------------------------ late, ended


async def test_late_it_is_taken_over(shops: Living, admin: Connection) -> None:
    hold_id = await take(shops, 10)
    await make_late(admin, hold_id)
    order = placed(await convert(shops, hold_id, 10))
    assert await state(admin, hold_id) == State("converted", order.order_id, 10)


async def test_late_it_is_taken_over_before_others_of_the_batch(
    shops: Living, admin: Connection
) -> None:
    hold_id = await take(shops, 10)
    await make_late(admin, hold_id)
    drafts = [draft({"A": 1}), draft({"A": 10}, hold=hold_id), draft({"A": 1})]
    outcomes = await shops.runtime.intake.place_many(drafts, shops.brand)
    assert [isinstance(one, Placed) for one in outcomes] == [False, True, False]


async def test_an_ended_one_is_no_help(shops: Living, admin: Connection) -> None:
    hold_id = await take(shops, 10)
    await make_late(admin, hold_id)
    await expire(shops)
    placed(await buy(shops, 8))
    refused(await convert(shops, hold_id, 10), SHORT)
    order = paid(fresh_key(), {"A": 10}, hold=hold_id)
    waits = placed(await shops.runtime.intake.place(order, shops.brand))
    assert await got(admin, waits) == (2, 8)
    assert await state(admin, hold_id) == State("expired", None, 10)


async def test_who_has_paid_takes_it_over_and_waits_for_the_rest(
    shops: Living, admin: Connection
) -> None:
    hold_id = await take(shops, 10)
    order = paid(fresh_key(), {"A": 12}, hold=hold_id)
    waits = placed(await shops.runtime.intake.place(order, shops.brand))
    assert await got(admin, waits) == (10, 2)
    assert await state(admin, hold_id) == State("converted", waits.order_id, 10)
    await shops.receive("wh", 5)
    await shops.runtime.settle()
    assert await got(admin, waits) == (12, 0)


async def test_units_that_were_lost_meanwhile_are_missing(shops: Living, admin: Connection) -> None:
    hold_id = await take(shops, 10)
    await shops.adjust("wh", -4)
    found = refused(await convert(shops, hold_id, 10), SHORT)
    assert found.detail["lines"][0]["available"] == 6
    placed(await convert(shops, hold_id, 6))
    assert await reserved(admin) == 6


async def test_an_order_that_is_stopped_for_its_address(shops: Living, admin: Connection) -> None:
    hold_id = await take(shops, 10)
    order = paid(fresh_key(), {"A": 3}, hold=hold_id, address=AddressDraft(detail="?"))
    done = placed(await shops.runtime.intake.place(order, shops.brand))
    assert [line.held for line in done.lines] == [3]
    assert (await reserved(admin) == 0) == ((await state(admin, hold_id)).state == "converted")


# ------------------------------------------------------------------------------ allotments


async def test_a_hold_takes_of_allotments_and_gives_back(shops: Living, admin: Connection) -> None:
    await allot(shops, "dshop", 6)
    await allot(shops, DEALERS, 9)
    hold_id = await take(shops, 5, "dshop")
    assert await standing(admin, "dshop") == Standing(6, 5)
    assert await standing(admin, DEALERS) == Standing(9, 5)
    assert shops.shop("dshop") == 1
    refused(await buy(shops, 2, "dshop"), SHORT)
    await release(shops, hold_id)
    assert await standing(admin, "dshop") == Standing(6, 0)
    assert await standing(admin, DEALERS) == Standing(9, 0)
    found = held(await ask(shops, {"A": 9}, shop="dshop", shortage=Shortage.PARTIAL))
    assert [line.reserved for line in found.lines] == [6]
    await make_late(admin, found.hold_id)
    await expire(shops)
    assert await standing(admin, DEALERS) == Standing(9, 0)
    assert shops.shop("dshop") == 6


async def test_an_order_takes_over_what_its_hold_took_of_allotments(
    shops: Living, admin: Connection
) -> None:
    await allot(shops, "shop", 5)
    hold_id = await take(shops, 5)
    refused(await convert(shops, hold_id, 6), SHORT)
    assert await standing(admin) == Standing(5, 5)
    placed(await convert(shops, hold_id, 3))
    assert await standing(admin) == Standing(5, 3)
    placed(await buy(shops, 2))


async def test_two_in_a_batch_share_an_allotment_once(shops: Living, admin: Connection) -> None:
    await allot(shops, "shop", 5)
    hold_id = await take(shops, 5)
    first, second, third = await both(shops, hold_id, 3, 3, 2)
    placed(first)  # type: ignore[arg-type]
    refused(second, SHORT)  # type: ignore[arg-type]
    placed(third)  # type: ignore[arg-type]
    assert await standing(admin) == Standing(5, 5)


async def test_an_allotment_that_has_ended_or_begun_since(shops: Living, admin: Connection) -> None:
    await allot(shops, "shop", 5)
    hold_id = await take(shops, 5)
    await end(shops, "shop")
    await allot(shops, "shop", 4, "B")
    placed(await convert(shops, hold_id, 8))
    assert await standing(admin) == Standing(5, 0, is_active=False)
    before = await take(shops, 1)
    await allot(shops, "shop", 5)
    placed(await convert(shops, before, 2))
    assert await standing(admin) == Standing(5, 2)


# ------------------------------------------------------------------------------ earmarks


@pytest.mark.parametrize("units", [3, 4, 6])
async def test_a_hold_uses_an_earmark_and_its_order_too(
    shops: Living, admin: Connection, units: int
) -> None:
    await keep(shops, ("A", 4, "wh"))
    hold_id = await take(shops, units)
    assert (await unused(admin), await reserved(admin)) == (max(0, 4 - units), units)
    order = placed(await convert(shops, hold_id, units))
    rows = await admin.fetch(PLACES, order.order_id)
    assert sum(row["quantity"] for row in rows if row["is_earmarked"]) == min(4, units)
    assert await state(admin, hold_id) == State("converted", order.order_id, units)
    assert (await unused(admin), await reserved(admin)) == (max(0, 4 - units), units)


@pytest.mark.parametrize("units", [2, 4])
async def test_it_gives_back_to_the_earmark(shops: Living, admin: Connection, units: int) -> None:
    await keep(shops, ("A", 4, "wh"))
    for finish in (release, None):
        hold_id = await take(shops, units)
        assert await unused(admin) == 4 - units
        if finish is not None:
            await finish(shops, hold_id)
        else:
            await make_late(admin, hold_id)
            await expire(shops)
        assert (await unused(admin), await reserved(admin)) == (4, 0)
    hold_id = await take(shops, 4)
    placed(await convert(shops, hold_id, 1))
    assert (await unused(admin), await reserved(admin)) == (3, 1)


@pytest.mark.parametrize("how", ["release", "convert", "expire"])
async def test_of_a_closed_earmark_it_gives_back_to_all(
    shops: Living, admin: Connection, how: str
) -> None:
    await keep(shops, ("A", 4, "wh"))
    hold_id = await take(shops, 4)
    await told(shops, closing())
    if how == "release":
        await release(shops, hold_id)
    elif how == "expire":
        await make_late(admin, hold_id)
        await expire(shops)
    else:
        placed(await convert(shops, hold_id, 4))
    assert (await unused(admin), await reserved(admin)) == (0, 4 if how == "convert" else 0)
    placed(await buy(shops, 6, "dshop"))


async def test_earmarked_units_that_were_lost_meanwhile_are_missing(
    shops: Living, admin: Connection
) -> None:
    await keep(shops, ("A", 10, "wh"))
    hold_id = await take(shops, 10)
    await shops.adjust("wh", -4)
    refused(await convert(shops, hold_id, 10), SHORT)
    placed(await convert(shops, hold_id, 6))
    assert await reserved(admin) == 6


# ------------------------------------------------------------------------------ binding shares


async def test_what_is_kept_counts_in_full_for_a_bound_shop(
    shops: Living, admin: Connection
) -> None:
    layout = Layout(
        pools=(supply("online", "wh"),),
        shares=(share("online", "shop", 5_000, binding=True), share("online", "dshop")),
    )
    await shops.lay_out(layout)
    refused(await buy(shops, 6), SHORT)
    hold_id = await take(shops, 5)
    placed(await buy(shops, 5, "dshop"))
    placed(await convert(shops, hold_id, 5))


async def test_a_bound_shop_takes_what_it_is_offered_beside_its_hold(
    shops: Living, admin: Connection
) -> None:
    layout = Layout(
        pools=(supply("online", "wh"),),
        shares=(share("online", "shop", 5_000, binding=True), share("online", "dshop")),
    )
    await shops.lay_out(layout)
    hold_id = await take(shops, 4)
    found = refused(await convert(shops, hold_id, 8), SHORT)
    assert found.detail["lines"][0]["available"] == 7
    placed(await convert(shops, hold_id, 7))


# ------------------------------------------------------------------------------ capacities


async def test_a_hold_takes_no_parcel(shops: Living, admin: Connection) -> None:
    await admin.execute("update node set daily_capacity = 1 where code = 'wh'")
    await shops.freshen()
    holds = [await take(shops, 2) for _ in range(3)]
    placed(await convert(shops, holds[0], 2))
    assert await admin.fetchval("select sum(taken) from node_capacity") == 1
    refused(await convert(shops, holds[1], 2), SHORT)
    assert await state(admin, holds[1]) == State("active", None, 2)
    await release(shops, holds[2])
    assert await admin.fetchval("select sum(taken) from node_capacity") == 1


async def test_a_hold_leaves_the_parcel_to_the_order_beside_it(
    shops: Living, admin: Connection
) -> None:
    await admin.execute("update node set daily_capacity = 1 where code = 'wh'")
    await allot(shops, "shop", 5)
    others = [ask(shops, {"A": 3}), shops.runtime.intake.place(draft({"A": 2}), shops.brand)]
    first, second, third = await asyncio.gather(*others, ask(shops, {"A": 3}))
    held(first)  # type: ignore[arg-type]
    placed(second)  # type: ignore[arg-type]
    assert not isinstance(third, Placed)
    assert await got(admin, await pay(shops, 1, "dshop")) == (0, 1)
