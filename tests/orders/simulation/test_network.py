"""Simulated orders are sent over the network of today: its layout, its terms, its splits."""

from backend.inventory.pools.model import Layout
from backend.network.dealer_terms import set_dealer_terms
from backend.network.model import DealerTerms, NodeTerms
from backend.network.node_terms import set_node_terms
from backend.network.regions.table import bundled_regions
from tests.inventory.pools.layouts import dispatch, put_in_force, share, supply
from tests.orders.simulation.scene import Past, only
from tests.world import GUANGZHOU, draft, fresh_key

NEAR_SHANGHAI = Layout(
    pools=(supply("near", "store"), dispatch("online", "near")), shares=(share("online", "shop"),)
)
"""The shop sells from the store alone."""


async def test_shops_take_from_what_feeds_their_pools(past: Past) -> None:
    await past.receive("wh", 5)
    await past.receive("store", 5)
    await past.place(draft({"A": 1}))
    before = (await past.simulate(0)).result.baseline
    await put_in_force(past.database, past.world.brand, NEAR_SHANGHAI)
    after = (await past.simulate(0)).result.baseline
    sent = [[one.node_id for one in side.nodes if one.parcels] for side in (before, after)]
    assert sent == [[past.world.nodes["wh"]], [past.world.nodes["store"]]]


async def test_handling_and_what_dealers_are_paid_is_part_of_the_cost(past: Past) -> None:
    world = past.world
    async with past.database.tenant_transaction(world.brand) as tx:
        await set_node_terms(tx, "wh", NodeTerms(handling_minor=150))
        terms = DealerTerms(dealer_id=world.dealers["d1"], service_fee_minor=400)
        await set_dealer_terms(tx, terms, key=fresh_key(), regions=bundled_regions())
    await past.receive("wh", 5)
    await past.receive("dealer-node", 5)
    await past.place(draft({"A": 1}, shop="dshop", region=GUANGZHOU))
    found = await past.simulate(await past.propose(only("wh")))
    baseline, candidate = found.result.baseline, found.result.candidate
    assert (baseline.handling_minor, baseline.dealer_fees_minor) == (0, 400)
    assert (candidate.handling_minor, candidate.dealer_fees_minor) == (150, 0)
    assert baseline.cost_minor == baseline.freight_minor + 400
    (one,) = found.differences
    assert one.after.cost_minor == candidate.cost_minor == candidate.freight_minor + 150


async def test_split_orders_have_a_parcel_from_each_node(past: Past) -> None:
    await past.receive("wh", 2)
    await past.receive("far", 2)
    await past.place(draft({"A": 3}))
    found = (await past.simulate(0)).result.baseline
    assert (found.orders, found.split, found.parcels, found.units) == (1, 1, 2, 3)
    assert (found.split_rate, found.cross_province_share) == (1.0, 0.5)
    assert found.distance_m == found.distance_sum_m // 2


async def test_closed_nodes_send_nothing(past: Past) -> None:
    await past.receive("wh", 2)
    await past.place(draft({"A": 1}))
    await past.admin.execute("update node set is_active = false")
    found = await past.simulate(await past.propose(only("wh")))
    assert found.result.baseline == found.result.candidate
    assert (found.result.baseline.unplaced, found.result.baseline.nodes) == (1, ())


async def test_the_first_day_begins_with_what_nodes_had_been_given(past: Past) -> None:
    await past.admin.execute("update node set daily_capacity = 2 where code = 'wh'")
    for warehouse in ("wh", "far"):
        await past.receive(warehouse, 9)
    await past.place(draft({"A": 1}))
    since = await past.now()
    cancelled = await past.place(draft({"A": 1}))
    await past.place(draft({"A": 1}))
    await past.cancel(cancelled)
    await past.place(draft({"A": 1}))
    really = await past.admin.fetch(
        """select node_id, count(*) from fulfilment f
           where exists (select from orders o where o.id = f.order_id and o.placed_at >= $1)
           group by node_id""",
        since,
    )
    found = (await past.simulate(0, since=since)).result.baseline
    planned = {one.node_id: one.parcels for one in found.nodes if one.parcels}
    assert planned == dict(tuple(row) for row in really)
    assert planned == {past.world.nodes["wh"]: 2, past.world.nodes["far"]: 1}
