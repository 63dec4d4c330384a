"""`node(id)` finds anything that has an id, for whom it concerns, and says so of what is none."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from backend.fulfilment.waves import WaveDraft
from backend.inventory.counts.count_stock import count_stock
from backend.inventory.counts.model import CountLine
from backend.inventory.safety.keep_back import set_safety_rules
from backend.inventory.safety.model import SafetyDraft
from backend.inventory.safety.shop_floors import keep_back_of_shops
from backend.orders.find_orders import units_sold_by_shop
from backend.orders.move_fulfilments import FulfilmentKey
from backend.routing.model import Otherwise
from graphql_schema.schema import build_schema
from tenants import organisation
from tenants.principal import Kind, Permission, Principal
from tests.after_sales.desk import Desk
from tests.api.client import Api
from tests.catalogue import Connection
from tests.fulfilment.working import Working
from tests.inventory.allotments.allotting import allot
from tests.inventory.earmarks.keeping import keep
from tests.inventory.pools.layouts import EXAMPLE
from tests.inventory.pools.living import Living
from tests.network.slots import DOCK, MORNING, put_provider, put_slots, windows
from tests.network.terms import LANE, TODAY, put_lanes
from tests.orders.checks import placed
from tests.orders.stock_holds.holding import take
from tests.orders.strategies.routed import Routed
from tests.orders.supplies.coming import Coming, supply
from tests.pickups.counter import Counter, open_counters
from tests.replenishment.scene import Watched, node_rule
from tests.routing.policies import strategy
from tests.world import PASSWORD, World, draft

NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
WIDTHS = {
    "EarmarkLevel": 3,
    "Fulfilment": 2,
    "RoutingSimulationDifference": 2,
    "ShopFloor": 2,
    "ShownNumber": 2,
    "StockLevel": 2,
}


def kinds() -> list[str]:
    """Return every type of the schema that is a node."""
    schema = build_schema()._schema
    node: Any = schema.type_map["Node"]
    return sorted(kind.name for kind in schema.get_possible_types(node))


def global_id(kind: str, key: str) -> str:
    return base64.b64encode(f"{kind}:{key}".encode()).decode()


@pytest.mark.parametrize("kind", kinds())
async def test_what_is_not_there_is_null(api: Api, world: World, kind: str) -> None:
    key = "-".join(["999999"] * WIDTHS.get(kind, 1))
    assert await api.data(NODE, world.brand, id=global_id(kind, key)) == {"node": None}


@pytest.mark.parametrize("kind", kinds())
async def test_what_is_no_key_is_refused(api: Api, world: World, kind: str) -> None:
    for key in ("x", "1-x", "", "-1", "9" * 30):
        answer = await api.ask(NODE, world.brand, id=global_id(kind, key))
        (error,) = answer["errors"]
        assert error["extensions"]["code"] == "INVALID_ID", error


LISTS = {
    "Allotment": "allotments",
    "CarrierLane": "carrierLanes",
    "Earmark": "earmarks",
    "EarmarkLevel": 'earmarkLevels(earmark: "promo")',
    "Fulfilment": "fulfilments",
    "Location": "locations",
    "Order": "orders",
    "Parcel": "parcels",
    "PickList": "pickLists",
    "Pickup": "pickups",
    "PoolLayout": "poolLayouts",
    "Return": "returns",
    "RoutingWait": "routingWaits",
    "Shop": "shops",
    "ShopFloor": 'shopFloors(shop: "shop")',
    "Sku": "skus",
    "Slot": 'slots(firstDay: "2030-01-31", lastDay: "2030-01-31")',
    "SlotProvider": "slotProviders",
    "StockAlert": "stockAlerts",
    "StockCount": "stockCounts",
    "StockHold": "stockHolds",
    "StockLevel": "stockLevels",
    "Supply": "supplies",
    "TransferProposal": "transferProposals",
    "Wave": "waves",
}
"""The lists that show what there is of each kind, to whom it concerns."""
READING = (Permission.ORDERS_READ, Permission.STOCK_READ)


@pytest.fixture
async def brand(live: Living, admin: Connection) -> World:
    """A brand that has something of each kind."""
    world, database = live.world, live.runtime.database
    await live.lay_out(EXAMPLE)
    for warehouse, units in (("wh", 20), ("store", 20), ("far", 20), ("dealer-node", 5)):
        await live.receive(warehouse, units)
    await put_lanes(database, world.brand, [LANE])
    await put_provider(database, world.brand, DOCK)
    await put_slots(database, world.brand, "dock", (TODAY, TODAY), windows(MORNING))
    await keep(live, ("A", 2, "wh"))
    await allot(live, "dshop", 9)
    await take(live)
    await Coming(live.runtime, world, admin).keep(supply(5))
    sold = placed(await live.runtime.intake.place(draft({"A": 1}, shop="dshop"), world.dealer))
    working, sent = Working(live.runtime, world), FulfilmentKey(sold.order_id, 1)
    await working.release(WaveDraft(world.nodes["wh"]))
    await working.pick_list(sent, node="wh")
    await working.pick([sent])
    await working.pack(sent)
    await working.ship([sent])
    await working.deliver([sent])
    await Desk(live.runtime, world).ask(sold)
    await open_counters(live.runtime, world)
    await Counter(live.runtime, world).sold(1, stock=0)
    async with database.tenant_transaction(world.brand) as tx:
        await count_stock(tx, [CountLine(warehouse="store", sku="A", counted=5)], key="count")
        rules = [SafetyDraft(sku="A", channel="tmall", units=1)]
        await set_safety_rules(tx, rules, key="safety")
    now = datetime.now(UTC)
    await keep_back_of_shops(database, world.system, now, units_sold_by_shop)
    watched = Watched(live)
    await watched.set(node_rule(fires_below=50, clears_at=50, transfers="propose"))
    await watched.look()
    routed = Routed(live)
    await routed.by(strategy("scarce", otherwise=Otherwise.QUEUE, queue="late"))
    await routed.pay({"A": 500})
    return world


async def ids(api: Api, who: Principal, kind: str) -> list[str]:
    """Return the ids of a kind that somebody is shown."""
    answer = await api.ask(f"{{ found: {LISTS[kind]} {{ edges {{ node {{ id }} }} }} }}", who)
    if answer.get("errors"):
        return []
    return [edge["node"]["id"] for edge in answer["data"]["found"]["edges"]]


async def member_with(live: Living, world: World, permission: Permission) -> Principal:
    """Return somebody of the brand who may do one thing alone."""
    async with live.runtime.database.platform_transaction() as tx:
        user_id = await organisation.register_user(
            tx, "test", f"{permission.name}@example.com", permission, PASSWORD
        )
        await organisation.grant_membership(
            tx, "test", user_id, Kind.BRAND, [permission], brand_id=world.tenant_id
        )
    return replace(world.brand, subject=f"user:{user_id}", permissions=frozenset({permission}))


@pytest.mark.parametrize("kind", LISTS)
async def test_what_somebody_is_shown_is_found_by_its_id_and_nothing_else(
    api: Api, live: Living, brand: World, kind: str
) -> None:
    all_ids = await ids(api, brand.brand, kind)
    assert all_ids
    names = ("brand", "group", "dealer", "other_dealer", "store", "other_brand")
    asking: list[Principal] = [getattr(brand, name) for name in names]
    asking += [await member_with(live, brand, each) for each in READING]
    for who in asking:
        shown = await ids(api, who, kind)
        for each in all_ids:
            answer = await api.ask(NODE, who, id=each)
            node = (answer["data"] or {}).get("node")
            assert (node == {"__typename": kind, "id": each}) == (each in shown), (who, node)
