"""The demo's orders go where its ten strategies say, one of each kind."""

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from backend.demo.routing import demo_policy
from backend.orders.model import AddressDraft, LineDraft, OrderDraft
from backend.routing.coverage import findings_of
from backend.routing.policies import active_policy
from backend.routing.traits import OrderTraits
from backend.runtime import Runtime
from tenants.brands import Brand
from tenants.principal import system_principal
from tests.catalogue import Connection
from tests.orders.checks import placed
from tests.world import fresh_key

SHANGHAI, HANGZHOU, LHASA, BEIJING = 310104, 330106, 540102, 110105
TODAY = date(2026, 11, 26)
"""A Thursday, at 10:00."""
DECIDED = """
    select d.strategies, d.otherwise, o.status,
           array(select n.code from node n where n.id = any(d.winner_nodes)
                 order by n.code) as nodes
    from routing_decision d join orders o on o.tenant_id = d.tenant_id and o.id = d.order_id
    where d.order_id = $1
"""
AT_NODE = """
    select s.code from stock_level l join sku s on s.tenant_id = l.tenant_id and s.id = l.sku_id
    join functional_warehouse w on w.tenant_id = l.tenant_id and w.id = l.functional_warehouse_id
    join node n on n.tenant_id = w.tenant_id and n.id = w.node_id
    where n.code = $1 and s.product_line = 'small' and l.on_hand > 9 order by s.code limit 1
"""
MOST = """
    select max(l.on_hand - l.floor) from stock_level l
    join sku s on s.tenant_id = l.tenant_id and s.id = l.sku_id where s.code = $1
"""


class Decided(NamedTuple):
    """Which strategies sent an order, what of the rest, how it stands and who sends."""

    strategies: list[str]
    otherwise: str | None
    status: str
    nodes: list[str]


class Demo(NamedTuple):
    """The demo's brand, on a Thursday at 10:00."""

    runtime: Runtime
    admin: Connection
    tenant_id: int

    async def order(
        self,
        lines: Mapping[str, int],
        shop: str = "tmall",
        region: int = SHANGHAI,
        **traits: Any,
    ) -> Decided:
        """Give a paid order of 1,000.00 a unit, and return what was decided."""
        draft = OrderDraft(
            shop=shop,
            external_id=fresh_key(),
            is_paid=True,
            address=AddressDraft(detail="", region_code=region),
            lines=tuple(LineDraft(sku, units, 100_000) for sku, units in lines.items()),
            traits=OrderTraits(**traits),
        )
        who = system_principal(self.tenant_id, "test")
        order = placed(await self.runtime.intake.place(draft, who))
        (row,) = await self.admin.fetch(DECIDED, order.order_id)
        return Decided(*row)

    async def sku_at(self, node: str) -> str:
        """Return small goods that a node has."""
        return str(await self.admin.fetchval(AT_NODE, node))


@pytest.fixture
async def demo(
    runtime: Runtime, admin: Connection, demo_id: int, monkeypatch: pytest.MonkeyPatch
) -> Demo:
    def ten_o_clock(brand: Brand) -> datetime:
        return datetime.combine(TODAY, time(10), tzinfo=ZoneInfo(brand.time_zone))

    monkeypatch.setattr(Brand, "local_time", ten_o_clock)
    return Demo(runtime, admin, demo_id)


async def test_the_policy_is_in_force_and_has_no_findings(demo: Demo) -> None:
    who = system_principal(demo.tenant_id, "test")
    async with demo.runtime.database.tenant_transaction(who, read_only=True) as tx:
        assert await active_policy(tx) == (demo_policy(), 1)
    live = await demo.runtime.books.open(demo.tenant_id)
    await live.freshen()
    assert findings_of(demo_policy(), live.book.view) == []


async def test_subsidised_orders_stay_in_their_province(demo: Demo) -> None:
    for region, province in (
        (SHANGHAI, ("wh-shanghai", "store-01", "store-02")),
        (BEIJING, ("wh-beijing", "store-07", "store-08")),
    ):
        found = await demo.order({"KETTLE-01": 1}, region=region, tags=("国补",))
        assert (found.strategies, found.status) == (["国补订单本省发货"], "allocated")
        assert set(found.nodes) <= set(province)


async def test_a_subsidised_order_to_a_province_without_nodes_is_held(demo: Demo) -> None:
    found = await demo.order({"KETTLE-01": 1}, region=LHASA, tags=("国补",))
    assert found == ([], "hold", "held", [])


async def test_what_is_installed_comes_from_who_installs_it(demo: Demo) -> None:
    found = await demo.order({"REFRIGERATOR-01": 1})
    assert (found.strategies, found.status) == (["送装一体"], "allocated")
    assert found.nodes == ["wh-shanghai"]


async def test_what_nobody_near_installs_comes_from_farther_away(demo: Demo) -> None:
    """Beijing's warehouse installs nothing: one order, one warehouse that does."""
    found = await demo.order({"REFRIGERATOR-01": 1}, region=BEIJING)
    assert found.strategies == ["一单一仓"]
    assert found.nodes[0] in ("wh-shanghai", "wh-guangzhou")


async def test_the_best_customers_get_it_fast(demo: Demo) -> None:
    found = await demo.order({"KETTLE-01": 1}, customer_level=5)
    assert (found.strategies, found.status) == (["高等级会员时效优先"], "allocated")
    assert (await demo.order({"KETTLE-01": 1}, customer_level=4)).strategies == ["一单一仓"]


async def test_what_is_promised_today_is_sent_today(demo: Demo) -> None:
    found = await demo.order({"KETTLE-01": 1}, promised_on=TODAY)
    assert (found.strategies, found.status) == (["当日承诺"], "allocated")


async def test_a_dealer_sends_what_it_has_itself(demo: Demo) -> None:
    sku = await demo.sku_at("node-dealer-huadong")
    found = await demo.order({sku: 1}, "shop-dealer-huadong", HANGZHOU)
    assert found[:1] + found[3:] == (["经销商自有库存优先"], ["node-dealer-huadong"])


async def test_a_live_stream_is_sent_from_a_warehouse(demo: Demo) -> None:
    found = await demo.order({"KETTLE-01": 1}, "douyin")
    assert found == (["直播间中心仓发货"], None, "allocated", ["wh-shanghai"])


async def test_the_mini_program_is_served_by_a_dealer_near_by(demo: Demo) -> None:
    sku = await demo.sku_at("node-dealer-huadong")
    found = await demo.order({sku: 1}, "app", HANGZHOU)
    assert (found.strategies, found.nodes) == (["就近经销商一件代发"], ["node-dealer-huadong"])


async def test_an_ordinary_order_comes_from_one_node(demo: Demo) -> None:
    found = await demo.order({"KETTLE-01": 1, "FAN-02": 2})
    assert (found.strategies, found.status) == (["一单一仓"], "allocated")
    assert len(found.nodes) == 1


async def test_what_no_node_has_alone_is_split(demo: Demo) -> None:
    units = int(await demo.admin.fetchval(MOST, "KETTLE-01")) + 10
    found = await demo.order({"KETTLE-01": units})
    assert (found.strategies, found.status) == (["就全拆单"], "allocated")
    assert 2 <= len(found.nodes) <= 3


async def test_what_is_not_there_waits(demo: Demo) -> None:
    found = await demo.order({"KETTLE-01": 30_000})
    assert (found.strategies, found.otherwise) == (["能发多少发多少"], "backorder")
    assert found.status == "partially_allocated"
