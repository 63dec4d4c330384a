"""Rerouting leaves alone what it must, and one order's trouble to that order."""

from typing import Any

import asyncpg
import pytest

from backend.inventory.pools.model import Layout
from backend.orders import plan_reroutes, reroute_orders
from backend.orders.explain_routing import explain_routing
from backend.orders.model import Shortage
from backend.routing.kpis import Kpi
from backend.routing.plan_orders import OrderPlanner
from backend.routing.rollouts import RolloutDraft, RolloutMode, start_rollout
from tests.catalogue import Connection
from tests.inventory.allotments.allotting import allot
from tests.inventory.pools.layouts import share, supply
from tests.orders.rerouting.moving import CHEAPEST, FROM_FIVE, Moving, fulfilments
from tests.orders.strategies.routed import decided, sent
from tests.routing.policies import document, propose
from tests.world import fresh_key


async def allocate(moving: Moving) -> None:
    """Let what waits have what came."""
    await moving.live.runtime.allocator.allocate(moving.live.world.tenant_id)
    await moving.live.runtime.settle()


async def test_a_share_that_binds_is_not_passed_by(moving: Moving, admin: Connection) -> None:
    layout = Layout(
        pools=(supply("here", "wh"), supply("there", "far")),
        shares=(
            share("here", "shop", 5_000, binding=True),
            share("there", "shop", binding=True),
            share("here", "dshop", 5_000),
        ),
    )
    await moving.live.lay_out(layout)
    order = await moving.order_from_far(2)
    await moving.routed.stock("wh", 2)
    assert await moving.reroute() == 0
    assert await sent(admin, order) == {"far": 2}


async def test_units_keep_the_allotments_that_they_took(moving: Moving, admin: Connection) -> None:
    """One of two units was reserved before there was an allotment."""
    layout = Layout(pools=(supply("all", "wh", "far"),), shares=(share("all", "shop"),))
    await moving.live.lay_out(layout)
    await moving.routed.stock("far", 1)
    order = await moving.routed.order(2, shortage=Shortage.BACKORDER)
    await allot(moving.live, "shop", 1)
    await moving.live.freshen()
    await moving.routed.stock("far", 1)
    await allocate(moving)
    await moving.routed.stock("wh", 2)
    assert await moving.reroute() == 1
    assert await sent(admin, order) == {"wh": 2}
    assert await admin.fetchval("select taken from allotment") == 1
    bound = "select allotment_ids is not null, sum(active) from reservation where active > 0"
    rows = await admin.fetch(f"{bound} group by 1 order by 1")
    assert [tuple(row) for row in rows] == [(False, 1), (True, 1)]


async def test_each_parcel_of_a_node_is_told_its_own_units(
    moving: Moving, admin: Connection
) -> None:
    """Shanghai has two parcels of an order, and gets what Beijing was to send."""
    await moving.routed.stock("wh", 1, "A")
    await moving.routed.stock("far", 1, "C")
    order = await moving.routed.order({"A": 1, "B": 1, "C": 1}, shortage=Shortage.BACKORDER)
    await moving.routed.stock("wh", 1, "B")
    await allocate(moving)
    await moving.routed.stock("wh", 1, "C")
    assert await moving.reroute() == 1
    changed = await admin.fetch(
        "select (payload ->> 'fulfilmentNo')::int as number, (payload ->> 'units')::int as units"
        " from outbox where order_id = $1 and type = 'fulfilment.changed'",
        order.order_id,
    )
    there = await admin.fetch(
        "select fulfilment_no as number, sum(active)::int as units from reservation"
        " where order_id = $1 and active > 0 group by 1 having sum(active) > 1",
        order.order_id,
    )
    assert [tuple(row) for row in changed] == [tuple(row) for row in there]


@pytest.mark.parametrize("share_bp", [0, 9_999])
async def test_orders_of_a_policy_on_trial_stay(
    moving: Moving, admin: Connection, share_bp: int
) -> None:
    database, brand = moving.live.runtime.database, moving.live.brand
    order = await moving.order_from_far()
    candidate = await propose(database, brand, document(CHEAPEST), 1)
    mode = RolloutMode.CANARY if share_bp else RolloutMode.SHADOW
    trial = RolloutDraft(candidate=candidate.version, mode=mode, kpi=Kpi.COST, share_bp=share_bp)
    async with database.tenant_transaction(brand) as tx:
        await start_rollout(tx, trial, key=fresh_key(), regions=moving.live.runtime.regions)
    await moving.live.freshen()
    await moving.routed.stock("wh", 1)
    assert await moving.reroute() == (0 if share_bp else 1)
    assert len(await decided(admin, order)) == (1 if share_bp else 2)


async def test_an_order_in_trouble_troubles_no_other(
    moving: Moving, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = [await moving.order_from_far() for _ in range(2)]
    await moving.routed.stock("wh", 2)
    carry_out = reroute_orders.carry_out

    async def fails_for_the_first(tx: Any, move: Any, *given: Any) -> Any:
        if move.work.order_id == first.order_id:
            raise asyncpg.DeadlockDetectedError
        return await carry_out(tx, move, *given)

    monkeypatch.setattr(reroute_orders, "carry_out", fails_for_the_first)
    assert await moving.reroute() == 1
    assert [await sent(admin, one) for one in (first, second)] == [{"far": 1}, {"wh": 1}]
    monkeypatch.setattr(reroute_orders, "carry_out", carry_out)
    assert await moving.reroute() == 1


async def test_a_brand_in_trouble_troubles_no_other(
    moving: Moving, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await moving.order_from_far()
    await moving.routed.stock("wh", 1)
    rerouter, reroute = moving.live.runtime.rerouter, moving.live.runtime.rerouter.reroute
    world = moving.live.world

    async def fails_for_the_other(brand: Any) -> int:
        assert brand.id != world.other_tenant_id, "trouble"
        return await reroute(brand)

    monkeypatch.setattr(rerouter, "reroute", fails_for_the_other)
    await rerouter.reroute_all()
    assert await sent(admin, order) == {"wh": 1}


async def test_a_plan_that_fails_leaves_the_book(
    moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    await moving.order_from_far(2)
    await moving.routed.stock("wh", 2)
    book = moving.live.runtime.books.opened(moving.live.world.tenant_id)
    assert book is not None
    sku_id = moving.live.world.skus["A"]
    before = book.book.entries(sku_id)

    def fails(*_: object) -> None:
        raise ArithmeticError

    with monkeypatch.context() as broken:
        broken.setattr(OrderPlanner, "plan", fails)
        with pytest.raises(ArithmeticError):
            await moving.reroute()
    assert book.book.entries(sku_id) == before
    assert await moving.reroute() == 1


async def test_who_stops_begins_no_other_page(
    moving: Moving, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reroute_orders, "PAGE", 1)
    orders = [await moving.order_from_far() for _ in range(3)]
    await moving.routed.stock("wh", 3)
    rerouter, plan_move = moving.live.runtime.rerouter, plan_reroutes.plan_move

    def stops(*given: Any) -> Any:
        rerouter.stop()
        return plan_move(*given)

    monkeypatch.setattr(reroute_orders, "plan_move", stops)
    assert await moving.reroute() == 1
    assert [list(await sent(admin, one)) for one in orders] == [["wh"], ["far"], ["far"]]


async def test_the_explanation_knows_who_had_missed(moving: Moving, admin: Connection) -> None:
    """Shanghai missed it, and Beijing got it; Hangzhou is nearer, and Shanghai has some again."""
    order = await moving.order_missed_in_shanghai()
    await moving.routed.stock("wh", 5)
    await moving.routed.stock("store", 5)
    assert await moving.reroute() == 1
    assert await sent(admin, order) == {"store": 1}
    async with moving.live.runtime.database.tenant_transaction(moving.live.brand) as tx:
        for number in (1, 3):
            explained = await explain_routing(
                tx,
                order.order_id,
                number,
                time_zone="Asia/Shanghai",
                regions=moving.live.runtime.regions,
            )
            assert explained.is_same, number


async def test_a_parcel_that_was_emptied_and_filled_is_another_one(
    moving: Moving, admin: Connection
) -> None:
    """All of it goes from Beijing to Shanghai, where nothing of it was."""
    order = await moving.order_from_far({"A": 1, "B": 1})
    await moving.routed.stock("wh", 1, "A")
    await moving.routed.stock("wh", 1, "B")
    assert await moving.reroute() == 1
    assert await fulfilments(admin, order) == [(1, "far", "cancelled"), (2, "wh", "reserved")]


async def test_where_no_node_is_open_nothing_is_given_away(
    moving: Moving, admin: Connection
) -> None:
    order = await moving.order_from_far()
    await moving.routed.stock("wh", 1)
    await admin.execute("update node set is_active = false")
    await moving.live.freshen()
    assert await moving.reroute() == 0
    assert await sent(admin, order) == {"far": 1}


async def test_an_order_that_changed_while_it_was_read_stays(moving: Moving) -> None:
    order = await moving.order_from_far(2)
    await moving.routed.stock("wh", 2)
    await moving.live.freshen()
    runtime = moving.live.runtime
    async with runtime.database.tenant_transaction(moving.live.world.system) as tx:
        (standby,) = await plan_reroutes.read_standbys(tx, [order.order_id])
    book = runtime.books.opened(moving.live.world.tenant_id)
    assert book is not None
    assert plan_reroutes.plan_move(book, standby, FROM_FIVE) is not None
    assert plan_reroutes.plan_move(book, standby._replace(reservations=[]), FROM_FIVE) is None
