"""Orders go where the strategies of the policy in force say, and none of them is lost."""

from datetime import date, timedelta

import pytest

from backend.orders.cancel_orders import CancelLine, cancel_order, cancel_waiting
from backend.orders.errors import NothingToCancel
from backend.orders.model import OrderStatus, Shortage
from backend.orders.release_holds import Resolution, release_hold
from backend.routing.model import Objective, Otherwise
from backend.routing.traits import OrderTraits
from tests.catalogue import Connection
from tests.orders.checks import facts, refused
from tests.orders.strategies.routed import Routed, Standing, Wait, decided, sent, standing, wait_of
from tests.routing.policies import first, is_, not_, strategy, when
from tests.world import BEIJING, fresh_key

FAR, STORE = is_("node.code", "far"), is_("node.code", "store")
TMALL, JD = is_("order.channel", "tmall"), is_("order.channel", "jd")
VIP = when("order.tags", "contains", "vip")
OF_VIPS = OrderTraits(tags=("vip",))


# ------------------------------------------------------------------------------ whom it is for


async def test_the_first_strategy_that_is_for_an_order_sends_it(
    routed: Routed, admin: Connection
) -> None:
    await routed.stock("wh", 9)
    await routed.stock("far", 9)
    await routed.by(first("vips", when=VIP, nodes=FAR), strategy("others"))
    vip, other = await routed.order(traits=OF_VIPS), await routed.order()
    assert (await sent(admin, vip), await sent(admin, other)) == ({"far": 1}, {"wh": 1})
    assert await decided(admin, vip) == [(["vips"], None)]
    assert await decided(admin, other) == [(["others"], None)]


async def test_of_two_that_match_the_earlier_one_has_its_turn_first(
    routed: Routed, admin: Connection
) -> None:
    await routed.stock("wh", 9)
    await routed.stock("far", 9)
    await routed.by(first("a", when=TMALL, nodes=FAR), first("b", when=TMALL), strategy("c"))
    assert await sent(admin, await routed.order(2)) == {"far": 2}


async def test_only_the_nodes_of_the_filter_send(routed: Routed, admin: Connection) -> None:
    await routed.stock("wh", 9)
    await routed.by(strategy(nodes=FAR))
    refused(await routed.ask(), "INSUFFICIENT_STOCK")
    order = await routed.pay()
    assert await standing(admin, order) == Standing("backordered", 0, 1, [])
    await routed.stock("far", 1)
    await routed.live.runtime.settle()
    assert await sent(admin, order) == {"far": 1}


async def test_the_region_of_the_order_decides_who_may_send(
    routed: Routed, admin: Connection
) -> None:
    await routed.stock("wh", 9)
    await routed.stock("far", 9)
    await routed.by(first(nodes=is_("node.is_same_province", "true")), strategy("rest"))
    assert await sent(admin, await routed.order(region=BEIJING)) == {"far": 1}
    assert await sent(admin, await routed.order()) == {"wh": 1}


async def test_what_one_strategy_leaves_the_next_one_sends(
    routed: Routed, admin: Connection
) -> None:
    await routed.stock("wh", 2)
    await routed.stock("far", 9)
    await routed.by(first("here", nodes=is_("node.code", "wh")), strategy("there", nodes=FAR))
    order = await routed.order(5)
    assert await sent(admin, order) == {"wh": 2, "far": 3}
    assert await decided(admin, order) == [(["here", "there"], None)]


# --------------------------------------------------------------------------------- its limits


async def test_all_or_nothing_falls_to_the_next(routed: Routed, admin: Connection) -> None:
    """Both nodes of the first have a part; it sends nothing, and the next one sends all."""
    await routed.stock("store", 2)
    await routed.stock("far", 5)
    await routed.by(first("whole", nodes=STORE, whole_only=True), strategy("rest", nodes=FAR))
    order = await routed.order(3)
    assert await sent(admin, order) == {"far": 3}
    assert await decided(admin, order) == [(["rest"], None)]


async def test_all_or_nothing_sends_what_is_whole(routed: Routed, admin: Connection) -> None:
    await routed.stock("store", 3)
    await routed.stock("wh", 9)
    await routed.by(first("whole", nodes=STORE, whole_only=True), strategy("rest"))
    assert await sent(admin, await routed.order(3)) == {"store": 3}


async def test_no_more_parcels_than_a_strategy_allows(routed: Routed, admin: Connection) -> None:
    """Three nodes have one SKU each: of a paid order two are sent, the third one waits."""
    for warehouse, sku in (("wh", "A"), ("store", "B"), ("far", "C")):
        await routed.stock(warehouse, 1, sku)
    await routed.by(strategy(max_parcels=2))
    order = await routed.pay({"A": 1, "B": 1, "C": 1})
    assert len(await sent(admin, order)) == 2
    assert (await standing(admin, order))[:3] == ("partially_allocated", 2, 1)
    refused(await routed.ask({"A": 1, "B": 1, "C": 1}), "INSUFFICIENT_STOCK")


async def test_a_parcel_is_worth_so_much_or_stays(routed: Routed, admin: Connection) -> None:
    """A unit costs 10.00: of 3 units one is there, which is not worth a parcel of its own."""
    await routed.stock("wh", 1)
    await routed.by(strategy(least_parcel_minor=2_000))
    order = await routed.pay(3)
    assert await standing(admin, order) == Standing("backordered", 0, 3, [])
    await routed.stock("wh", 2)
    await routed.live.runtime.settle()
    assert await sent(admin, order) == {"wh": 3}


async def test_what_is_left_is_worth_a_parcel_too(routed: Routed, admin: Connection) -> None:
    """Of 3 units 2 are there: the last one is not left behind alone for less than 20.00."""
    await routed.stock("wh", 2)
    await routed.by(strategy(least_parcel_minor=2_000))
    order = await routed.pay(3)
    assert (await standing(admin, order)).reserved == 0
    both = await routed.pay(4)
    assert (await standing(admin, both))[1:3] == (2, 2)


async def test_a_whole_order_may_be_worth_less(routed: Routed, admin: Connection) -> None:
    await routed.stock("wh", 1)
    await routed.by(strategy(least_parcel_minor=2_000))
    assert await sent(admin, await routed.order()) == {"wh": 1}


async def test_a_line_is_not_split_where_a_strategy_says_so(
    routed: Routed, admin: Connection
) -> None:
    await routed.stock("wh", 2)
    await routed.stock("far", 2)
    await routed.by(strategy(may_split_lines=False))
    refused(await routed.ask(3), "NO_NODE")
    await routed.by(strategy())
    assert await sent(admin, await routed.order(3)) == {"wh": 2, "far": 1}


# ------------------------------------------------------------------------- what becomes of it


async def test_what_is_left_waits_for_stock(routed: Routed, admin: Connection) -> None:
    await routed.stock("wh", 1)
    await routed.by(strategy())
    order = await routed.pay(3)
    assert await standing(admin, order) == Standing("partially_allocated", 1, 2, [])
    assert await decided(admin, order) == [(["only"], "backorder")]
    assert await wait_of(admin, order) is None


async def test_what_is_left_waits_in_a_queue(routed: Routed, admin: Connection) -> None:
    await routed.by(strategy("scarce", otherwise=Otherwise.QUEUE, queue="A 组"))
    order = await routed.pay(shop="dshop")
    assert (await standing(admin, order)).status == "backordered"
    dealer_id = routed.live.world.dealers["d1"]
    assert await wait_of(admin, order) == Wait("scarce", "A 组", None, dealer_id)


async def test_what_is_left_is_held_for_a_person(routed: Routed, admin: Connection) -> None:
    await routed.stock("wh", 1)
    await routed.by(strategy("odd", otherwise=Otherwise.HOLD))
    order = await routed.pay(3)
    assert order.holds == ("routing",)
    assert await standing(admin, order) == Standing("held", 1, 2, ["routing"])
    assert await decided(admin, order) == [(["odd"], "hold")]
    reason = await admin.fetchval(
        "select reason from order_hold where order_id = $1", order.order_id
    )
    assert "'odd'" in reason


async def test_a_released_order_waits_like_any_other(routed: Routed, admin: Connection) -> None:
    runtime, brand = routed.live.runtime, routed.live.brand
    await routed.by(strategy("odd", otherwise=Otherwise.HOLD))
    order = await routed.pay(3)
    release = (runtime.database, brand, order.order_id, Resolution(1), runtime.regions)
    assert await release_hold(*release, fresh_key()) is OrderStatus.BACKORDERED
    await routed.stock("wh", 3)
    await runtime.settle()
    assert (await standing(admin, order))[:3] == ("allocated", 3, 0)


@pytest.mark.parametrize("days", [0, 5])
async def test_what_is_left_waits_until_a_day(routed: Routed, admin: Connection, days: int) -> None:
    await routed.by(strategy("brief", otherwise=Otherwise.CANCEL, cancel_after_days=days))
    live = await routed.live.runtime.books.open(routed.live.world.tenant_id)
    last = live.brand.local_time().date() + timedelta(days=days)
    order = await routed.pay()
    assert (await standing(admin, order)).status == "backordered"
    assert await wait_of(admin, order) == Wait("brief", None, last)


async def test_who_gets_everything_waits_for_nothing(routed: Routed, admin: Connection) -> None:
    await routed.stock("wh", 9)
    for otherwise, more in (
        (Otherwise.QUEUE, {"queue": "q"}),
        (Otherwise.HOLD, {}),
        (Otherwise.CANCEL, {"cancel_after_days": 1}),
    ):
        await routed.by(strategy(otherwise=otherwise, **more))
        order = await routed.pay()
        assert await standing(admin, order) == Standing("allocated", 1, 0, [])
        assert (await wait_of(admin, order), await decided(admin, order)) == (
            None,
            [(["only"], None)],
        )


async def test_of_a_partial_order_nothing_is_held(routed: Routed, admin: Connection) -> None:
    """What it does not get is cancelled at once, whatever the strategy says."""
    await routed.stock("wh", 1)
    await routed.by(strategy(otherwise=Otherwise.HOLD))
    order = await routed.order(3, shortage=Shortage.PARTIAL)
    assert await standing(admin, order) == Standing("allocated", 1, 0, [])


async def test_the_last_strategy_of_an_order_says_what_becomes_of_the_rest(
    routed: Routed, admin: Connection
) -> None:
    await routed.stock("wh", 1)
    await routed.by(
        first("some"),
        strategy("queued", when=TMALL, otherwise=Otherwise.QUEUE, queue="q"),
        strategy("never", otherwise=Otherwise.HOLD),
    )
    order = await routed.pay(2)
    assert await decided(admin, order) == [(["some"], "queue")]
    assert (await wait_of(admin, order)) == Wait("queued", "q", None)


# ------------------------------------------------------------------------------- no strategy


async def test_without_a_strategy_a_paid_order_waits_for_a_person(
    routed: Routed, admin: Connection
) -> None:
    await routed.stock("wh", 9)
    version = await routed.by(strategy(when=JD))
    order = await routed.pay(2)
    assert await standing(admin, order) == Standing("held", 0, 2, ["routing"])
    reason = await admin.fetchval(
        "select reason from order_hold where order_id = $1", order.order_id
    )
    assert reason == f"No strategy of policy {version} takes what is left."


@pytest.mark.parametrize("shortage", [Shortage.REFUSE, Shortage.PARTIAL])
async def test_without_a_strategy_an_unpaid_order_is_refused(
    routed: Routed, shortage: Shortage
) -> None:
    live = routed.live
    await routed.stock("wh", 9)
    await routed.by(strategy(when=JD))
    before = await facts(live.runtime, live.world)
    refused(await routed.ask(shortage=shortage), "NO_ROUTING_STRATEGY")
    assert await facts(live.runtime, live.world) == before


async def test_another_policy_takes_who_waited_for_a_person(
    routed: Routed, admin: Connection
) -> None:
    """It stays held until somebody has looked, but its units are kept for it."""
    await routed.stock("wh", 9)
    await routed.by(strategy(when=JD))
    order = await routed.pay(2)
    await routed.by(strategy())
    await routed.stock("wh", 1)
    await routed.live.runtime.settle()
    assert await standing(admin, order) == Standing("held", 2, 0, ["routing"])


async def test_what_the_last_strategy_hands_on_to_nobody_waits_for_a_person(
    routed: Routed, admin: Connection
) -> None:
    await routed.stock("wh", 1)
    await routed.by(first("some"))
    order = await routed.pay(3)
    assert await standing(admin, order) == Standing("held", 1, 2, ["routing"])
    refused(await routed.ask(3), "INSUFFICIENT_STOCK")


# -------------------------------------------------------------------------- as time goes by


async def test_an_activated_policy_routes_the_next_order(routed: Routed, admin: Connection) -> None:
    await routed.stock("wh", 9)
    await routed.stock("far", 9)
    assert await sent(admin, await routed.order()) == {"wh": 1}
    version = await routed.by(strategy(nodes=FAR))
    order = await routed.order()
    assert await sent(admin, order) == {"far": 1}
    found = "select policy_version from routing_decision where order_id = $1"
    assert await admin.fetchval(found, order.order_id) == version


async def test_without_a_policy_the_default_one_sends_and_lets_wait(
    routed: Routed, admin: Connection
) -> None:
    await routed.stock("wh", 2)
    await routed.stock("far", 9)
    assert await sent(admin, await routed.order(2)) == {"wh": 2}
    order = await routed.pay(10)
    assert await standing(admin, order) == Standing("partially_allocated", 9, 1, [])
    assert await decided(admin, order) == [(["default"], "backorder")]
    refused(await routed.ask(), "INSUFFICIENT_STOCK")


async def test_the_same_key_answers_the_same_under_another_policy(routed: Routed) -> None:
    key = fresh_key()
    await routed.by(strategy(otherwise=Otherwise.HOLD))
    held = await routed.ask(shortage=Shortage.BACKORDER, idempotency_key=key)
    await routed.by(strategy())
    assert await routed.ask(shortage=Shortage.BACKORDER, idempotency_key=key) == held


# ------------------------------------------------------- who waits is routed as when it came


WAITING_BY = {
    "units": when("order.units", "at_least", "5"),
    "lines": when("order.lines", "at_least", "2"),
    "weight": when("order.weight_g", "at_least", "5000"),
    "amount": when("order.amount_minor", "at_least", "5000"),
    "goods": when("goods.skus", "contains", "A"),
    "paid": is_("order.is_paid", "true"),
    "remark": when("order.remark", "contains", "送货"),
    "type": is_("order.type", "group"),
    "level": when("order.customer_level", "at_least", "3"),
    "tags": VIP,
    "promotions": when("order.promotions", "contains", "1111"),
    "payment": is_("order.payment", "alipay"),
    "promised": when("order.promised_on", "at_most", "2030-01-01"),
    "channel": TMALL,
    "region": when("order.region", "contains", "310000"),
}
TRAITS = OrderTraits(
    order_type="group",
    customer_level=3,
    payment="alipay",
    promised_on=date(2029, 12, 31),
    tags=("vip",),
    promotions=("1111",),
)


@pytest.mark.parametrize("name", WAITING_BY)
async def test_who_waits_is_routed_by_the_same_strategy_later(
    routed: Routed, admin: Connection, name: str
) -> None:
    """A's 4 units are sent at once; a B that waits is sent by the strategy that was for it all."""
    await routed.stock("far", 4)
    await routed.by(
        strategy("its own", when=WAITING_BY[name], nodes=FAR),
        strategy("another's", nodes=is_("node.code", "wh")),
    )
    order = await routed.pay({"A": 4, "B": 1}, remark="请送货上门", traits=TRAITS)
    await routed.stock("wh", 1, "B")
    await routed.stock("far", 1, "B")
    await routed.live.runtime.settle()
    assert await sent(admin, order) == {"far": 5}


async def test_who_is_not_paid_is_not_taken_for_paid_later(
    routed: Routed, admin: Connection
) -> None:
    paid = is_("order.is_paid", "true")
    await routed.by(strategy("paid", when=paid, nodes=FAR), strategy("open", when=not_(paid)))
    order = await routed.order(shortage=Shortage.BACKORDER)
    await routed.stock("wh", 1)
    await routed.stock("far", 1)
    await routed.live.runtime.settle()
    assert await sent(admin, order) == {"wh": 1}


async def test_who_waits_joins_what_is_sent_already(routed: Routed, admin: Connection) -> None:
    await routed.stock("far", 1)
    objectives = (Objective("consolidation"), Objective("distance"))
    await routed.by(strategy(objectives=objectives))
    order = await routed.pay({"A": 1, "B": 1})
    await routed.stock("wh", 1, "B")
    await routed.stock("far", 1, "B")
    await routed.live.runtime.settle()
    assert await sent(admin, order) == {"far": 2}


async def test_what_waits_beyond_its_day_is_cancelled_and_the_rest_is_sent(
    routed: Routed, admin: Connection
) -> None:
    await routed.stock("wh", 1)
    brief = {"otherwise": Otherwise.CANCEL, "cancel_after_days": 0}
    await routed.by(strategy("brief", when=VIP, **brief), strategy("patient"))
    late, patient = await routed.pay(3, traits=OF_VIPS), await routed.pay(2)
    await routed.live.runtime.maintenance._routing.cancel_overdue()
    assert await standing(admin, late) == Standing("allocated", 1, 0, [])
    assert (await standing(admin, patient)).waiting == 2
    assert await wait_of(admin, late) is None


async def test_nobody_is_held_for_what_is_cancelled(routed: Routed, admin: Connection) -> None:
    """Of 3 units two wait for a person; once those are cancelled, nobody need look."""
    await routed.stock("wh", 1)
    await routed.by(strategy(otherwise=Otherwise.HOLD))
    order = await routed.pay(3)
    runtime, brand = routed.live.runtime, routed.live.brand
    waiting = [CancelLine(1, 2)]
    await cancel_order(runtime.database, brand, order.order_id, waiting, fresh_key())
    assert (await standing(admin, order))[:3] == ("allocated", 1, 0)


async def test_what_found_stock_is_not_cancelled_with_what_waits(
    routed: Routed, admin: Connection
) -> None:
    """All of it is reserved by the time that somebody cancels what waits: that is refused."""
    await routed.stock("wh", 3)
    order = await routed.pay(3)
    before = await standing(admin, order)
    runtime, brand = routed.live.runtime, routed.live.brand
    with pytest.raises(NothingToCancel):
        await cancel_waiting(runtime.database, brand, order.order_id, fresh_key(), "late")
    assert await standing(admin, order) == before
