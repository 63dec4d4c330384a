"""What another policy would have made of the past, against histories made by hand."""

from datetime import UTC, date, datetime, timedelta

from backend.inventory.change_stock import StockTransfer
from backend.orders.model import Held, Shortage
from backend.orders.normalise import NOWHERE
from backend.orders.simulation.model import SideResult, SimulationState
from backend.orders.stock_holds.model import HoldTerms, StockHoldKind
from backend.routing.model import (
    DEFAULT_POLICY,
    Objective,
    Otherwise,
    PolicyDocument,
    Strategy,
)
from backend.routing.traits import OrderTraits
from tests.inventory.stock import change
from tests.orders.simulation.scene import NEAREST, Past, only
from tests.world import BEIJING, HANGZHOU, SHANGHAI, draft


def parcels(past: Past, side: SideResult) -> dict[str, int]:
    """Return the parcels of each node that has any."""
    codes = {number: code for code, number in past.world.nodes.items()}
    return {codes[one.node_id]: one.parcels for one in side.nodes if one.parcels}


async def test_the_policy_in_force_comes_out_as_it_did(past: Past) -> None:
    await past.put_in_force(PolicyDocument((NEAREST,)))
    for warehouse in ("wh", "store", "far"):
        await past.receive(warehouse, 4)
    regions = (SHANGHAI, HANGZHOU, BEIJING, SHANGHAI, SHANGHAI, BEIJING)
    orders = [
        await past.place(draft({"A": units}, region=region, shortage=Shortage.BACKORDER))
        for units, region in zip((1, 3, 2, 2, 3, 4), regions, strict=True)
    ]
    found = await past.simulate(0, baseline=1)
    really = await past.admin.fetch(
        """select node_id, count(distinct order_id) as parcels, sum(quantity) as units
           from reservation group by node_id"""
    )
    assert {
        (one.node_id, one.parcels, one.units) for one in found.result.baseline.nodes if one.parcels
    } == {tuple(row) for row in really}
    waiting = await past.admin.fetchval("select sum(backordered) from order_line")
    assert found.result.baseline.units_unplaced == waiting
    assert found.result.baseline.orders == len(orders)
    assert found.simulation.state is SimulationState.DONE
    assert (found.simulation.orders_done, found.simulation.orders_total) == (6, 6)


async def test_a_candidate_differs_by_what_it_sends_otherwise(past: Past) -> None:
    await past.receive("wh", 9)
    await past.receive("far", 9)
    near = await past.place(draft({"A": 1}, region=SHANGHAI))
    await past.place(draft({"A": 1}, region=BEIJING))
    found = await past.simulate(await past.propose(only("far")))
    baseline, candidate = found.result.baseline, found.result.candidate
    assert parcels(past, baseline) == {"wh": 1, "far": 1}
    assert parcels(past, candidate) == {"far": 2}
    (one,) = found.differences
    assert (one.order_id, found.result.differing) == (near, 1)
    assert past.node_codes(one.before.nodes) == ["wh"]
    assert past.node_codes(one.after.nodes) == ["far"]
    assert (one.before.freight_minor, one.after.freight_minor) == (700, 1_600)
    assert candidate.freight_minor - baseline.freight_minor == 900
    distance = one.after.distance_m - one.before.distance_m
    assert candidate.distance_sum_m - baseline.distance_sum_m == distance > 1_000_000
    assert (baseline.cross_province, candidate.cross_province) == (0, 1)
    assert [(s.strategy, s.orders) for s in candidate.strategies] == [("only far", 2)]


async def test_a_receipt_after_an_order_does_not_help_it(past: Past) -> None:
    await past.place(draft({"A": 2}, shortage=Shortage.BACKORDER))
    await past.receive("wh", 5)
    await past.place(draft({"A": 2}))
    found = await past.simulate(0)
    assert found.result.baseline == found.result.candidate
    assert (found.result.baseline.units, found.result.baseline.units_unplaced) == (2, 2)
    assert (found.result.baseline.unplaced, found.result.baseline.whole) == (1, 1)
    assert found.differences == []


async def test_stock_is_what_it_was_when_the_period_began(past: Past) -> None:
    await past.receive("wh", 5)
    earlier = await past.place(draft({"A": 1}))
    since = await past.now()
    await past.place(draft({"A": 4}))
    until = await past.now()
    await past.receive("wh", 50)
    await past.cancel(earlier)
    found = await past.simulate(0, since=since, until=until)
    assert (found.result.baseline.units, found.result.baseline.orders) == (4, 1)
    assert found.result.baseline.units_unplaced == 0


async def test_orders_of_before_go_on_giving_and_taking(past: Past) -> None:
    """One is cancelled within the period, another one gets what it waited for."""
    await past.receive("wh", 2)
    cancelled = await past.place(draft({"A": 2}))
    await past.place(draft({"B": 3}, shortage=Shortage.BACKORDER))
    since = await past.now()
    await past.cancel(cancelled)
    await past.receive("wh", 4, "B")
    await past.runtime.allocator.allocate(past.world.tenant_id)
    await past.place(draft({"A": 2}))
    await past.place(draft({"B": 2}, shortage=Shortage.BACKORDER))
    found = await past.simulate(0, since=since)
    assert (found.result.baseline.units, found.result.baseline.units_unplaced) == (3, 1)


async def test_stock_that_moves_in_the_period_moves_on_both_sides(past: Past) -> None:
    await past.receive("wh", 2)
    await past.receive("store", 3)
    since = await past.now()
    await past.place(draft({"A": 1}))
    await past.adjust("wh", -1)
    move = StockTransfer(source="store", destination="far", sku="A", quantity=3)
    await change(past.database, past.world.brand, move)
    await past.place(draft({"A": 1}))
    found = await past.simulate(await past.propose(only("far", "wh")), since=since)
    assert parcels(past, found.result.baseline) == {"wh": 1, "far": 1}
    assert parcels(past, found.result.candidate) == {"wh": 1, "far": 1}


async def test_cancelled_units_go_back_to_where_each_policy_took_them(past: Past) -> None:
    await past.receive("wh", 2)
    await past.receive("far", 2)
    first = await past.place(draft({"A": 2}))
    await past.place(draft({"B": 1}, shortage=Shortage.BACKORDER))
    await past.cancel(first)
    await past.place(draft({"A": 2}))
    await past.place(draft({"A": 2}))
    found = await past.simulate(await past.propose(only("far")))
    assert parcels(past, found.result.baseline) == {"wh": 2, "far": 1}
    assert parcels(past, found.result.candidate) == {"far": 2}
    assert found.result.candidate.units_unplaced == 2 + 1


async def test_units_that_wait_are_cancelled_before_those_that_are_kept(past: Past) -> None:
    """Under the candidate three of five wait: the two that were cancelled are among them."""
    await past.receive("wh", 5)
    await past.receive("far", 2)
    first = await past.place(draft({"A": 5}))
    await past.cancel(first, units=2)
    await past.place(draft({"A": 2}, region=BEIJING))
    await past.place(draft({"A": 2}))
    found = await past.simulate(await past.propose(only("far")))
    assert found.result.baseline.units_unplaced == 0
    assert found.result.candidate.units_unplaced == 3 + 2 + 2
    assert parcels(past, found.result.candidate) == {"far": 1}


async def test_an_order_that_may_not_be_split_is_placed_whole_or_not(past: Past) -> None:
    await past.receive("wh", 5)
    await past.receive("far", 2)
    await past.place(draft({"A": 3}))
    found = await past.simulate(await past.propose(only("far")))
    assert (found.result.candidate.unplaced, found.result.candidate.units_unplaced) == (1, 3)


async def test_nodes_take_so_many_parcels_on_each_day(past: Past) -> None:
    """Four orders on two days of Shanghai, of which each gives its nearest node one."""
    await past.admin.execute("update node set daily_capacity = 1 where code = 'wh'")
    await past.receive("wh", 9)
    await past.receive("far", 9)
    await past.admin.execute("truncate stock_movement")  # it has always been there
    orders = [await past.place(draft({"A": 1})) for _ in range(4)]
    midnight = datetime(2026, 3, 9, 16, tzinfo=UTC)
    for order, minutes in zip(orders, (-2, -1, 1, 2), strict=True):
        await past.shift(order, midnight + timedelta(minutes=minutes))
    since = midnight - timedelta(hours=1)
    found = await past.simulate(
        await past.propose(only("wh")), since=since, until=midnight + timedelta(hours=1)
    )
    assert parcels(past, found.result.baseline) == {"wh": 2, "far": 2}
    assert parcels(past, found.result.candidate) == {"wh": 2}
    assert {one.order_id for one in found.differences} == {orders[1], orders[3]}


async def test_orders_are_on_time_where_their_last_parcel_is(past: Past) -> None:
    await past.receive("wh", 9)
    await past.receive("far", 9)
    today = (await past.now()).astimezone().date()
    traits = OrderTraits(promised_on=today + timedelta(days=1))
    await past.place(draft({"A": 1}, traits=traits))
    found = await past.simulate(await past.propose(only("far")))
    assert (found.result.baseline.promised, found.result.baseline.on_time) == (1, 1)
    assert found.result.candidate.promised == 1
    (one,) = found.differences
    assert one.after.arrives_on is not None
    assert one.before.arrives_on is not None
    assert one.after.arrives_on >= one.before.arrives_on


async def test_what_a_hold_kept_is_there_for_the_order_that_takes_it_over(past: Past) -> None:
    """Its last unit is given back when the order is placed, and not a moment later."""
    await past.receive("wh", 1)
    intake, brand = past.runtime.intake, past.world.brand
    cart = HoldTerms(StockHoldKind.CART, 600)
    held = await intake.take_hold(draft({"A": 1}, address=NOWHERE), cart, brand)
    assert isinstance(held, Held), held
    since = await past.now()
    await past.place(draft({"A": 1}, hold=held.hold_id))
    found = await past.simulate(0, since=since)
    assert (found.result.baseline.whole, found.result.baseline.units_unplaced) == (1, 0)


async def test_days_on_which_nodes_were_closed_count(past: Past) -> None:
    """By cut-off the near node is last on the first day, and first on the second one."""
    await past.receive("wh", 9)
    await past.receive("far", 9)
    await past.admin.execute("truncate stock_movement")  # it has always been there
    midnight = datetime(2026, 3, 9, 16, tzinfo=UTC)
    closed = "insert into node_closed_day (tenant_id, node_id, day) values ($1, $2, $3)"
    wh = past.world.nodes["wh"]
    await past.admin.execute(closed, past.world.tenant_id, wh, date(2026, 3, 9))
    orders = [await past.place(draft({"A": 1})) for _ in range(2)]
    for order, hours in zip(orders, (-1, 1), strict=True):
        await past.shift(order, midnight + timedelta(hours=hours))
    objectives = (Objective("cut_off"), Objective("distance"))
    strategy = Strategy(name="soon", objectives=objectives, otherwise=Otherwise.BACKORDER)
    since, until = midnight - timedelta(hours=2), midnight + timedelta(hours=2)
    soon = await past.propose(PolicyDocument((strategy,)))
    found = await past.simulate(soon, since=since, until=until)
    assert parcels(past, found.result.baseline) == {"wh": 2}
    assert parcels(past, found.result.candidate) == {"wh": 1, "far": 1}
    (one,) = found.differences
    assert one.order_id == orders[0]
    assert (one.before.arrives_on, one.after.arrives_on) == (date(2026, 3, 10), date(2026, 3, 10))


async def test_the_largest_differences_come_first(past: Past) -> None:
    await past.receive("wh", 20)
    await past.receive("far", 8)
    small, large = [await past.place(draft({"A": units})) for units in (1, 4)]
    short = await past.place(draft({"A": 5}, shortage=Shortage.BACKORDER))
    found = await past.simulate(await past.propose(only("far")))
    assert [one.order_id for one in found.differences] == [short, large, small]


async def test_a_period_without_orders_is_done_at_once(past: Past) -> None:
    found = await past.simulate(0)
    assert found.simulation.state is SimulationState.DONE
    assert found.result.baseline.orders == found.result.differing == 0
    assert found.result.baseline.distance_m is None


async def test_the_default_policy_is_version_0(past: Past) -> None:
    same = await past.propose(DEFAULT_POLICY)
    await past.receive("wh", 5)
    await past.place(draft({"A": 2}))
    found = await past.simulate(same)
    assert found.result.differing == 0
