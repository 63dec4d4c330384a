"""What stock is worth where it lies: by hand, and from the orders of a brand."""

import numpy as np
import pytest

from backend.network.regions.table import bundled_regions
from backend.orders.explain_routing import explain_routing
from backend.orders.model import Placed
from backend.orders.price_stock import StockPricer
from backend.routing.model import Objective, Weighed
from backend.routing.policies import activate_policy, propose_policy
from backend.routing.shadow_prices import UNPLACED_FACTOR, ShadowPricer, is_plenty
from tests.catalogue import Connection
from tests.inventory.pools.living import Living, live
from tests.routing.small_worlds import compared_by
from tests.world import BEIJING, draft

__all__ = ["live"]

COST = np.array([[100.0, 300.0], [250.0, 100.0]])
"""From two nodes to two provinces."""
MUCH = 1_000_000


def prices(stock: list[int], demand: list[float]) -> list[float]:
    pricer = ShadowPricer(2, 2)
    found: list[float] = pricer.prices(np.array(stock), np.array(demand), COST, 1).tolist()
    return found


def test_where_there_is_plenty_nothing_is_worth_anything() -> None:
    assert prices([MUCH, MUCH], [50.0, 50.0]) == [0.0, 0.0]
    assert is_plenty(np.array([81, 130]), np.array([50.0, 90.0]), COST)
    assert not is_plenty(np.array([60, 130]), np.array([50.0, 90.0]), COST)


def test_a_scarce_unit_saves_the_way_from_the_other_node() -> None:
    """Node 0 is short for province 0, whose units come from node 1 then: 250 instead of 100."""
    assert prices([10, MUCH], [500.0, 5.0]) == pytest.approx([150.0, 0.0])


def test_where_all_is_short_a_unit_saves_what_is_not_sent() -> None:
    unplaced = UNPLACED_FACTOR * COST.max(axis=0)
    assert prices([1, 1], [500.0, 500.0]) == pytest.approx((unplaced - [100.0, 100.0]).tolist())


def test_a_node_that_may_be_short_is_worth_something_between() -> None:
    short, _ = prices([100, MUCH], [100.0, 0.0])
    assert 0 < short < 150


def test_the_same_seed_gives_the_same() -> None:
    assert prices([100, 90], [100.0, 90.0]) == prices([100, 90], [100.0, 90.0])


async def put_in_force(live: Living) -> None:
    """Route by freight and what units are worth."""
    document = compared_by(Objective(sum=(Weighed("freight"), Weighed("opportunity_cost"))))
    async with live.runtime.database.tenant_transaction(live.brand) as tx:
        await propose_policy(
            tx, document, based_on=0, comment="", key="propose", regions=bundled_regions()
        )
        await activate_policy(tx, 1, key="activate", regions=bundled_regions())
    await live.freshen()


async def priced(live: Living) -> int:
    runtime = live.runtime
    pricer = StockPricer(runtime.database, runtime.brands, runtime.regions)
    brand = await runtime.brands.get(live.world.tenant_id)
    return await pricer.price(brand)


async def test_stock_is_priced_where_a_policy_asks(live: Living, admin: Connection) -> None:
    await live.receive("wh", 400)
    await live.receive("far", 3)
    await live.runtime.intake.place(draft({"A": 300}, region=BEIJING), live.brand)
    assert await priced(live) == 0
    await put_in_force(live)
    assert await priced(live) > 0
    rows = await admin.fetch(
        "select n.code, p.price_minor from routing_price p"
        " join node n on n.tenant_id = p.tenant_id and n.id = p.node_id"
    )
    assert max(rows, key=lambda row: row["price_minor"])["code"] == "far"


async def test_what_others_want_more_is_not_sent_away(live: Living, admin: Connection) -> None:
    """Beijing wants much and has little; an order from half-way goes to Shanghai instead."""
    await live.receive("wh", 400)
    await live.receive("far", 3)
    await live.runtime.intake.place(draft({"A": 300}, region=BEIJING), live.brand)
    await put_in_force(live)
    await live.receive("far", 3)
    before = await nodes(live, admin)
    await priced(live)
    await live.freshen()
    assert (before, await nodes(live, admin)) == ("far", "wh")


async def test_an_explanation_knows_what_stock_is_worth(live: Living, admin: Connection) -> None:
    await live.receive("wh", 400)
    await live.receive("far", 3)
    await live.runtime.intake.place(draft({"A": 300}, region=BEIJING), live.brand)
    await put_in_force(live)
    await live.receive("far", 3)
    await priced(live)
    await live.freshen()
    order_id = (await from_between(live)).order_id
    regions = bundled_regions()
    async with live.runtime.database.tenant_transaction(live.brand, read_only=True) as tx:
        found = await explain_routing(tx, order_id, 1, time_zone="Asia/Shanghai", regions=regions)
    assert found.is_same


async def from_between(live: Living) -> Placed:
    """Place an order from Shijiazhuang: nearer to Beijing."""
    outcome = await live.runtime.intake.place(draft({"A": 1}, region=130102), live.brand)
    assert isinstance(outcome, Placed)
    return outcome


async def nodes(live: Living, admin: Connection) -> str:
    """Return the node that such an order is sent from."""
    outcome = await from_between(live)
    code: str = await admin.fetchval(
        "select n.code from fulfilment f join node n on n.tenant_id = f.tenant_id"
        " and n.id = f.node_id where f.order_id = $1",
        outcome.order_id,
    )
    return code
