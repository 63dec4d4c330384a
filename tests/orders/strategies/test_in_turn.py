"""Strategies hold as well where more than stock bounds an order: holds, allotments, shares."""

import pytest

from backend.inventory.pools.model import Layout
from backend.orders.model import Placed, Shortage
from backend.orders.stock_holds.model import HoldTerms, StockHoldKind
from backend.routing.model import Otherwise
from backend.routing.traits import OrderTraits
from tests.catalogue import Connection
from tests.inventory.allotments.allotting import allot
from tests.inventory.pools.layouts import share, supply
from tests.orders.checks import placed, refused
from tests.orders.stock_holds.holding import ask, convert, take
from tests.orders.strategies.routed import Routed, Standing, Wait, decided, sent, standing, wait_of
from tests.routing.policies import first, is_, strategy, when

FAR = is_("node.code", "far")
WH = is_("node.code", "wh")
MANY = when("order.units", "at_least", "5")
SOME_LEFT = 3
BINDING = Layout(
    pools=(supply("all", "wh", "far"),),
    shares=(share("all", "shop", 5_000, binding=True), share("all", "dshop", 5_000)),
)


@pytest.fixture(params=["allotment", "share"])
async def bound(routed: Routed, request: pytest.FixtureRequest) -> Routed:
    """A shop that may have 3 of "A", by an allotment or its share, though 6 are in "far"."""
    if request.param == "share":
        await routed.live.lay_out(BINDING)
    else:
        await routed.live.lay_out(Layout(pools=BINDING.pools, shares=(share("all", "shop"),)))
        await allot(routed.live, "shop", SOME_LEFT)
    await routed.stock("far", 2 * SOME_LEFT)
    return routed


async def buy(routed: Routed, units: int) -> Placed:
    """Let somebody who may wait, and has not paid, order units in the bound shop."""
    return await routed.order(units, shortage=Shortage.BACKORDER)


async def test_the_strategies_of_a_bound_order_are_those_of_all_of_it(
    bound: Routed, admin: Connection
) -> None:
    """Three of its five units are there for it: it is an order of five all the same."""
    await bound.by(strategy("many", when=MANY), strategy("few", otherwise=Otherwise.HOLD))
    order = await buy(bound, 5)
    assert await standing(admin, order) == Standing("partially_allocated", 3, 2, [])
    assert await decided(admin, order) == [(["many"], "backorder")]


async def test_all_or_nothing_is_all_of_the_order(bound: Routed, admin: Connection) -> None:
    await bound.by(
        first("whole", whole_only=True), strategy("rest", otherwise=Otherwise.QUEUE, queue="q")
    )
    order = await buy(bound, 5)
    assert await decided(admin, order) == [(["rest"], "queue")]


async def test_all_or_nothing_alone_sends_nothing(bound: Routed, admin: Connection) -> None:
    await bound.by(strategy(whole_only=True))
    order = await buy(bound, 5)
    assert await standing(admin, order) == Standing("backordered", 0, 5, [])
    assert await sent(admin, await buy(bound, SOME_LEFT)) == {"far": SOME_LEFT}


async def test_what_a_bound_leaves_is_worth_a_parcel(bound: Routed, admin: Connection) -> None:
    """Three of four are there; the fourth, of 10.00, is not left behind alone."""
    await bound.by(strategy(least_parcel_minor=2_000))
    order = await buy(bound, 4)
    assert (await standing(admin, order)).reserved == 0
    assert (await standing(admin, await buy(bound, 5))).reserved == SOME_LEFT


async def test_a_part_within_a_bound_is_no_whole_order(bound: Routed, admin: Connection) -> None:
    """Three units are 30.00: no parcel of 40.00, though all that it may have."""
    await bound.by(strategy(least_parcel_minor=4_000))
    assert (await standing(admin, await buy(bound, 9))).reserved == 0
    assert (await standing(admin, await buy(bound, SOME_LEFT))).reserved == SOME_LEFT


@pytest.mark.parametrize(
    ("otherwise", "more", "holds", "wait"),
    [
        (Otherwise.BACKORDER, {}, [], None),
        (Otherwise.HOLD, {}, ["routing"], None),
        (Otherwise.QUEUE, {"queue": "q"}, [], Wait("only", "q", None)),
    ],
)
async def test_what_is_left_of_a_bound_order(
    bound: Routed,
    admin: Connection,
    otherwise: Otherwise,
    more: dict[str, str],
    holds: list[str],
    wait: Wait | None,
) -> None:
    await bound.by(strategy(otherwise=otherwise, **more))
    order = await buy(bound, 5)
    assert (await standing(admin, order))[1:] == (3, 2, holds)
    assert await wait_of(admin, order) == wait


async def test_a_bound_order_without_a_strategy(bound: Routed, admin: Connection) -> None:
    await bound.by(strategy(when=is_("order.channel", "jd")))
    refused(await bound.ask(5), "NO_ROUTING_STRATEGY")
    assert await standing(admin, await bound.pay(9)) == Standing("held", 0, 9, ["routing"])


async def test_a_bound_order_that_wants_all_is_refused_for_want_of_stock(bound: Routed) -> None:
    await bound.by(first(whole_only=True), strategy())
    found = refused(await bound.ask(5), "INSUFFICIENT_STOCK")
    assert found.detail["lines"] == [{"sku": "A", "requested": 5, "available": SOME_LEFT}]


# ------------------------------------------------------------------------------ stock holds

OF_VIPS = OrderTraits(tags=("vip",))
VIP = when("order.tags", "contains", "vip")
CART = HoldTerms(StockHoldKind.CART, 600)


async def test_what_is_kept_is_kept_by_the_strategies(routed: Routed, admin: Connection) -> None:
    await routed.stock("wh", 5)
    await routed.stock("far", 5)
    await routed.by(strategy("vips", when=VIP, nodes=FAR), strategy("others", nodes=WH))
    await ask(routed.live, {"A": 2}, traits=OF_VIPS)
    await take(routed.live, 1)
    assert await kept(admin) == {"far": 2, "wh": 1}


async def test_nothing_is_kept_for_whom_no_strategy_is(routed: Routed, admin: Connection) -> None:
    await routed.stock("wh", 5)
    await routed.by(strategy(when=VIP))
    outcome = await ask(routed.live, {"A": 2})
    refused(outcome, "NO_ROUTING_STRATEGY")  # type: ignore[arg-type]
    assert await kept(admin) == {}


async def test_an_order_that_takes_over_a_hold_goes_where_its_strategy_says(
    routed: Routed, admin: Connection
) -> None:
    """Units are kept at "wh"; the order may be sent from "far" alone, and gives them back."""
    await routed.stock("wh", 5)
    await routed.stock("far", 5)
    hold = await take(routed.live, 2)
    await routed.by(strategy(nodes=FAR))
    order = placed(await convert(routed.live, hold, 2))
    assert await sent(admin, order) == {"far": 2}


async def test_an_order_of_all_units_kept_is_whole(routed: Routed, admin: Connection) -> None:
    await routed.stock("wh", 5)
    await routed.by(strategy(whole_only=True))
    hold = await take(routed.live, 5)
    assert await sent(admin, placed(await convert(routed.live, hold, 5))) == {"wh": 5}


async def test_who_takes_over_a_hold_without_a_strategy(routed: Routed, admin: Connection) -> None:
    """What was kept stays kept where the order is refused."""
    await routed.stock("wh", 5)
    hold = await take(routed.live, 2)
    await routed.by(strategy(when=VIP))
    refused(await convert(routed.live, hold, 2), "NO_ROUTING_STRATEGY")
    assert await kept(admin) == {"wh": 2}


async def kept(admin: Connection) -> dict[str, int]:
    """Return the units that active holds keep at each node."""
    rows = await admin.fetch(
        """select n.code, sum(p.quantity)::bigint as units from stock_hold h
           join stock_hold_part p on p.tenant_id = h.tenant_id and p.hold_id = h.id
           join node n on n.tenant_id = p.tenant_id and n.id = p.node_id
           where h.state = 'active' group by n.code"""
    )
    return {row["code"]: row["units"] for row in rows}
