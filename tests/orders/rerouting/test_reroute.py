"""Orders that have their nodes are given to others for less, and to nobody twice."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from backend.inventory.pools.model import Layout
from backend.network.model import NodeDraft, NodeKind, WarehouseDraft
from backend.network.nodes import create_node, set_node_active
from backend.orders import reroute_orders
from backend.orders.cancel_orders import CancelLine, cancel_order
from backend.orders.errors import NothingToCancel
from backend.orders.explain_routing import explain_routing
from backend.orders.model import Appointment, Placed, Shortage
from backend.routing.model import Preset, Rerouting
from backend.routing.traits import OrderTraits
from tests.catalogue import Connection, contents
from tests.inventory.allotments.allotting import allot
from tests.inventory.earmarks.keeping import KEEPING, keep
from tests.inventory.pools.layouts import share, supply
from tests.orders.appointments.agreeing import DAY
from tests.orders.checks import second_runtime
from tests.orders.rerouting.moving import SAVED, Moving, fulfilments
from tests.orders.strategies.routed import decided, sent, standing
from tests.routing.policies import is_, not_, strategy
from tests.world import SHANGHAI, draft, fresh_key


async def test_an_order_is_sent_from_where_it_is_cheaper(moving: Moving, admin: Connection) -> None:
    order = await moving.order_from_far(2)
    await moving.routed.stock("wh", 2)
    assert await moving.reroute() == 1
    assert await sent(admin, order) == {"wh": 2}
    assert (await standing(admin, order))[:3] == ("allocated", 2, 0)
    assert await fulfilments(admin, order) == [(1, "far", "cancelled"), (2, "wh", "reserved")]
    assert await decided(admin, order) == [(["only"], None)] * 2
    events = await admin.fetch(
        "select type, node_id, payload ->> 'savedMinor' as saved from outbox"
        " where order_id = $1 and sequence > 2 order by sequence",
        order.order_id,
    )
    nodes = moving.live.world.nodes
    assert [tuple(row) for row in events] == [
        ("order.rerouted", None, str(SAVED + 300)),
        ("fulfilment.cancelled", nodes["far"], None),
        ("fulfilment.created", nodes["wh"], None),
    ]
    assert await moving.reroute() == 0  # it is where it should be


async def test_why_it_was_given_away_is_explained(moving: Moving) -> None:
    order = await moving.order_from_far(2)
    await moving.routed.stock("wh", 3)
    await moving.reroute()
    await moving.routed.order(1)
    nodes, runtime = moving.live.world.nodes, moving.live.runtime
    async with runtime.database.tenant_transaction(moving.live.brand, read_only=True) as tx:
        first, second = [
            await explain_routing(
                tx,
                order.order_id,
                number,
                time_zone="Asia/Shanghai",
                regions=runtime.regions,
            )
            for number in (1, 2)
        ]
    assert (first.winner_nodes, first.is_same) == ((nodes["far"],), True)
    assert (second.winner_nodes, second.is_same) == ((nodes["wh"],), True)
    assert second.trace.plan.is_whole
    assert second.trace.plan.allocations[0].quantity == 2


async def test_what_it_had_is_there_for_others(moving: Moving, admin: Connection) -> None:
    await moving.order_from_far(2)
    await moving.routed.stock("wh", 2)
    await moving.reroute()
    another = await moving.routed.order(2)
    assert await sent(admin, another) == {"far": 2}


async def test_a_part_that_stays_keeps_its_parcel(moving: Moving, admin: Connection) -> None:
    """B is in Shanghai from the beginning, and A comes there later."""
    await moving.routed.stock("wh", 1, "B")
    await moving.routed.stock("far", 1, "A")
    order = await moving.routed.order({"A": 1, "B": 1})
    assert await sent(admin, order) == {"wh": 1, "far": 1}
    await moving.routed.stock("wh", 1, "A")
    assert await moving.reroute() == 1
    assert await fulfilments(admin, order) == [(1, "far", "cancelled"), (2, "wh", "reserved")]
    assert await sent(admin, order) == {"wh": 2}
    changed = await admin.fetch(
        "select node_id, payload ->> 'units' as units from outbox"
        " where order_id = $1 and type = 'fulfilment.changed'",
        order.order_id,
    )
    assert [tuple(row) for row in changed] == [(moving.live.world.nodes["wh"], "2")]


STAYS = {
    "saves too little": Rerouting(SAVED + 1),
    "is not looked for": None,
}


@pytest.mark.parametrize("why", STAYS)
async def test_an_order_stays_where_it(moving: Moving, admin: Connection, why: str) -> None:
    await moving.order_from_far()
    await moving.routed.stock("wh", 1)
    await moving.by(STAYS[why])
    before = await contents(admin)
    assert await moving.reroute() == 0
    assert await contents(admin) == before


async def test_just_enough_is_enough(moving: Moving) -> None:
    await moving.order_from_far()
    await moving.routed.stock("wh", 1)
    await moving.by(Rerouting(SAVED))
    assert await moving.reroute() == 1


async def test_what_was_placed_long_ago_stays(moving: Moving, admin: Connection) -> None:
    order = await moving.order_from_far()
    await moving.routed.stock("wh", 1)
    await admin.execute("update orders set placed_at = placed_at - interval '24 hours 1 second'")
    assert await moving.reroute() == 0
    await moving.by(Rerouting(500, within_hours=25))
    assert await moving.reroute() == 1
    assert await sent(admin, order) == {"wh": 1}


async def test_no_more_parcels_for_less(moving: Moving, admin: Connection) -> None:
    """Two parcels within Shanghai would cost less than one from Beijing."""
    async with moving.live.runtime.database.tenant_transaction(moving.live.brand) as tx:
        another = NodeDraft(code="wh2", name="2", kind=NodeKind.WAREHOUSE, region_code=SHANGHAI)
        node_id = await create_node(tx, another, moving.live.runtime.regions)
    await moving.live.add_warehouse(WarehouseDraft(node_id=node_id, code="wh2"))
    await moving.live.freshen()
    order = await moving.order_from_far({"A": 1, "B": 1})
    await moving.routed.stock("wh", 1, "A")
    await moving.routed.stock("wh2", 1, "B")
    assert await moving.reroute() == 0
    assert await sent(admin, order) == {"far": 2}


async def test_not_later_than_it_was_promised(moving: Moving, admin: Connection) -> None:
    """The cheapest way takes five days more than the other one: too late for one order of two."""
    today = (await moving.live.runtime.brands.get(moving.live.world.tenant_id)).today()
    await admin.execute("update node set lead_time_minutes = 7200 where code = 'wh'")
    await moving.live.freshen()
    promised = OrderTraits(promised_on=today + timedelta(days=3))
    urgent = await moving.order_from_far(traits=promised)
    other = await moving.order_from_far()
    await moving.routed.stock("wh", 2)
    assert await moving.reroute() == 1
    assert await sent(admin, urgent) == {"far": 1}
    assert await sent(admin, other) == {"wh": 1}


async def test_held_and_waiting_orders_stay(moving: Moving, admin: Connection) -> None:
    await moving.routed.stock("far", 3)
    held = await moving.routed.pay(1, total_minor=1)
    waits = await moving.routed.order({"A": 2, "C": 1}, shortage=Shortage.BACKORDER)
    assert (held.status, waits.status) == ("held", "partially_allocated")
    await moving.routed.stock("wh", 3)
    before = await contents(admin)
    assert await moving.reroute() == 0
    assert await contents(admin) == before


async def test_an_agreed_time_stays(moving: Moving, admin: Connection) -> None:
    order = await moving.order_from_far(appointment=Appointment(DAY, 0, 1_440))
    await moving.routed.stock("wh", 1)
    assert await moving.reroute() == 0
    assert await sent(admin, order) == {"far": 1}


async def test_units_of_an_earmark_stay(moving: Moving, admin: Connection) -> None:
    await moving.live.lay_out(KEEPING)
    await moving.routed.stock("far", 1)
    await keep(moving.live, ("A", 1, "far"))
    await moving.live.freshen()
    order = await moving.routed.order(1)
    assert await sent(admin, order) == {"far": 1}
    await moving.routed.stock("wh", 1)
    assert await moving.reroute() == 0
    assert await sent(admin, order) == {"far": 1}


async def test_a_node_that_lacked_it_does_not_get_it_back(
    moving: Moving, admin: Connection
) -> None:
    order = await moving.order_missed_in_shanghai()
    assert await sent(admin, order) == {"far": 1}
    await moving.routed.stock("wh", 5)
    assert await moving.reroute() == 0


async def test_a_closed_node_gets_nothing_and_what_it_has_stays(
    moving: Moving, admin: Connection
) -> None:
    order = await moving.order_from_far()
    await moving.routed.stock("wh", 1)
    for code in ("far", "wh"):
        async with moving.live.runtime.database.tenant_transaction(moving.live.brand) as tx:
            await set_node_active(tx, code, False)
        await moving.live.freshen()
        assert await moving.reroute() == 0
        async with moving.live.runtime.database.tenant_transaction(moving.live.brand) as tx:
            await set_node_active(tx, code, True)
    assert await sent(admin, order) == {"far": 1}


async def test_the_policy_decides_which_nodes(moving: Moving, admin: Connection) -> None:
    order = await moving.order_from_far()
    await moving.routed.stock("wh", 1)
    not_here = strategy(preset=Preset.COST, nodes=not_(is_("node.code", "wh")))
    await moving.by(Rerouting(500), not_here)
    assert await moving.reroute() == 0
    assert await sent(admin, order) == {"far": 1}


async def test_the_places_of_a_day_go_with_the_parcel(moving: Moving, admin: Connection) -> None:
    await admin.execute("update node set daily_capacity = 1 where code in ('wh', 'far')")
    await moving.live.freshen()
    first = await moving.order_from_far()
    await moving.routed.stock("wh", 2)
    assert await moving.reroute() == 1
    taken = "select n.code, c.taken from node_capacity c join node n on n.id = c.node_id"
    assert {row["code"]: row["taken"] for row in await admin.fetch(taken)} == {"far": 0, "wh": 1}
    second = await moving.routed.order(1)  # Shanghai takes no more today
    assert await sent(admin, second) == {"far": 1}
    assert await moving.reroute() == 0
    assert await sent(admin, first) == {"wh": 1}


async def test_an_allotment_stays_taken(moving: Moving, admin: Connection) -> None:
    layout = Layout(pools=(supply("all", "wh", "far"),), shares=(share("all", "shop"),))
    await moving.live.lay_out(layout)
    await allot(moving.live, "shop", 2)
    await moving.order_from_far(2)
    await moving.routed.stock("wh", 2)
    assert await moving.reroute() == 1
    assert await admin.fetchval("select taken from allotment") == 2
    bound = "select allotment_ids is not null as bound from reservation where active > 0"
    assert [row["bound"] for row in await admin.fetch(bound)] == [True]


# --------------------------------------------------------------------------- at the same time


async def test_two_processes_give_it_away_once(moving: Moving, admin: Connection) -> None:
    orders = [await moving.order_from_far() for _ in range(5)]
    async with moving.live.another() as other:
        await other.receive("wh", 5)
        await other.freshen()
        rerouted = await asyncio.gather(
            moving.reroute(), moving.reroute(other.runtime), moving.reroute()
        )
    assert sum(rerouted) == 5
    for order in orders:
        assert await sent(admin, order) == {"wh": 1}
        assert len(await fulfilments(admin, order)) == 2


async def test_who_is_faster_has_the_last_unit(
    moving: Moving, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody buys it between the plan and its locks: the order stays as it is."""
    order = await moving.order_from_far()
    await moving.routed.stock("wh", 1)
    carry_out = reroute_orders.carry_out

    tried = []

    async def after_somebody(*given: Any) -> object:
        tried.append(given)
        bought = await moving.routed.order(1)
        assert await sent(admin, bought) == {"wh": 1}
        before = await contents(admin)
        with pytest.raises(reroute_orders.Abandoned) as abandoned:
            await carry_out(*given)
        assert await contents(admin) == before
        raise abandoned.value

    monkeypatch.setattr(reroute_orders, "carry_out", after_somebody)
    assert await moving.reroute() == 0
    assert len(tried) == 1
    assert await sent(admin, order) == {"far": 1}


async def test_cancelling_and_rerouting_at_once(moving: Moving, admin: Connection) -> None:
    orders = [await moving.order_from_far(2) for _ in range(8)]
    await moving.routed.stock("wh", 16)

    async def cancel(number: int, order: Placed) -> None:
        lines = [CancelLine(1, 1)] if number % 2 else None
        await asyncio.sleep(0.002 * number)
        done = await cancel_order(
            moving.live.runtime.database, moving.live.brand, order.order_id, lines, fresh_key()
        )
        await moving.live.runtime.publish_counters(moving.live.world.tenant_id, done.counters)

    await asyncio.gather(moving.reroute(), *(cancel(n, o) for n, o in enumerate(orders)))
    await moving.live.runtime.settle()
    await moving.reroute()
    for number, order in enumerate(orders):
        assert await sent(admin, order) == ({"wh": 1} if number % 2 else {})


async def test_selling_and_rerouting_at_once(
    moving: Moving, admin: Connection, database_url: str, valkey_url: str
) -> None:
    """Few units in Shanghai, for many who buy and many who have bought: none is given twice."""
    await moving.routed.stock("far", 60)
    for _ in range(20):
        await moving.routed.order(1)
    await moving.routed.stock("wh", 10)
    async with second_runtime(database_url, valkey_url) as other:
        buying = [
            (moving.live.runtime, other)[n % 2].intake.place(draft({"A": 1}), moving.live.brand)
            for n in range(20)
        ]
        rerouting = [moving.reroute(), moving.reroute(other)]
        await asyncio.gather(*buying, *rerouting)
    taken = "select sum(active) from reservation r join node n on n.id = r.node_id where code = $1"
    assert [await admin.fetchval(taken, code) for code in ("wh", "far")] == [10, 30]


async def test_what_is_cancelled_meanwhile_is_left(
    moving: Moving, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await moving.order_from_far()
    await moving.routed.stock("wh", 1)
    carry_out = reroute_orders.carry_out

    async def after_cancelling(*given: Any) -> object:
        done = await cancel_order(
            moving.live.runtime.database, moving.live.brand, order.order_id, None, "k"
        )
        await moving.live.runtime.publish_counters(moving.live.world.tenant_id, done.counters)
        return await carry_out(*given)

    monkeypatch.setattr(reroute_orders, "carry_out", after_cancelling)
    assert await moving.reroute() == 0
    assert await sent(admin, order) == {}
    with pytest.raises(NothingToCancel):
        await cancel_order(
            moving.live.runtime.database, moving.live.brand, order.order_id, None, "l"
        )


async def test_a_round_goes_on_where_the_last_one_stopped(
    moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reroute_orders, "ORDERS_A_ROUND", 2)
    for _ in range(3):
        await moving.order_from_far()
    await moving.routed.stock("wh", 3)
    assert [await moving.reroute() for _ in range(3)] == [2, 1, 0]
