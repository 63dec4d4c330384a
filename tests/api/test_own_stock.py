"""Stores and dealers write stock themselves: in their own nodes, of their own goods."""

from typing import Any

import pytest
from msgspec.structs import replace

from backend.inventory.warehouses import create_warehouse
from backend.network.model import WarehouseDraft
from backend.runtime import Runtime
from tenants import organisation
from tenants.principal import Kind, Permission, Principal
from tests.api.client import Api
from tests.catalogue import Connection, contents
from tests.inventory.stock import Figures, figures
from tests.orders.checks import assert_clean, placed
from tests.world import ACTOR, ALL, HANGZHOU, World, draft, fresh_key, receive

FAULT = "... on UserError { code message path } ... on PermissionDenied { permission }"
LEVELS = "... on StockRecorded { levels { onHand } }"


def stock(name: str, what: str) -> str:
    return f"""mutation ($input: {what}!) {{ {name}(input: $input) {{
        __typename {LEVELS} {FAULT} }} }}"""


SELL = stock("stockSell", "StockSellInput")
ADJUST = stock("stockAdjust", "StockAdjustInput")
RECEIVE = stock("stockReceive", "StockReceiveInput")
TRANSFER = """mutation ($input: StockTransferInput!) { stockTransfer(input: $input) {
    __typename ... on StockRecorded { levels { onHand } }
    ... on UserError { code message path } } }"""
COUNT = f"""mutation ($input: StockCountInput!) {{ stockCount(input: $input) {{
    __typename ... on StockCounted {{ counts {{ id counted variance state countedBy
    sku {{ code }} warehouse {{ code }} }} }} {FAULT} }} }}"""
DECIDE = f"""mutation ($input: StockCountDecideInput!) {{ stockCountDecide(input: $input) {{
    __typename ... on StockCounted {{ counts {{ state }} }} {FAULT} }} }}"""
COUNTS = "{ stockCounts { edges { node { counted } } } }"
SUPPLY = """mutation ($input: SuppliesSetInput!) { suppliesSet(input: $input) {
    ... on SuppliesRecorded { supplies { code } } } }"""
ARRIVED = f"""mutation ($input: SupplyReceiveInput!) {{ supplyReceive(input: $input) {{
    __typename ... on SupplyReceived {{ supply {{ received }} }} {FAULT} }} }}"""


async def run(api: Api, query: str, who: Principal, **values: Any) -> dict[str, Any]:
    values.setdefault("idempotencyKey", fresh_key())
    (answer,) = (await api.data(query, who, input=values)).values()
    return dict(answer)


@pytest.fixture(autouse=True)
async def _stocked(runtime: Runtime, world: World) -> None:
    for warehouse in ("wh", "store", "dealer-node"):
        await receive(runtime.database, world.brand, warehouse, "A", 10)


async def test_a_store_sells_over_its_own_till(
    api: Api, world: World, runtime: Runtime, admin: Connection
) -> None:
    sold = await run(api, SELL, world.store, warehouse="store", sku="A", quantity=3)
    assert sold == {"__typename": "StockRecorded", "levels": [{"onHand": 7}]}
    assert await figures(admin, world, "store") == Figures(7, version=2)
    actor = await admin.fetchval("select actor from stock_movement order by id desc limit 1")
    assert actor == world.store.subject
    await assert_clean(runtime, world)


async def test_the_same_sale_is_recorded_once(api: Api, world: World, admin: Connection) -> None:
    sale = {"warehouse": "store", "sku": "A", "quantity": 3, "idempotencyKey": "till-1"}
    first, again = [await run(api, SELL, world.store, **sale) for _ in range(2)]
    assert first == again
    assert (await figures(admin, world, "store")).on_hand == 7


async def test_a_store_counts_what_it_has_and_the_brand_decides(api: Api, world: World) -> None:
    lines = [{"warehouse": "store", "sku": "A", "counted": 4}]
    (count,) = (await run(api, COUNT, world.store, lines=lines))["counts"]
    assert (count["state"], count["variance"]) == ("WAITING", -6)
    assert (count["warehouse"], count["sku"]) == ({"code": "store"}, {"code": "A"})
    assert (await api.data(COUNTS, world.store))["stockCounts"]["edges"]
    approval = {"countId": count["id"], "approve": True}
    assert (await run(api, DECIDE, world.store, **approval))["code"] == "WRITE_REFUSED"
    decided = await run(api, DECIDE, world.brand, **approval)
    assert decided["counts"] == [{"state": "APPLIED"}]


async def test_nobody_approves_a_count_of_their_own_in_another_role(
    api: Api, world: World, runtime: Runtime
) -> None:
    user_id = world.store.user_id
    assert user_id is not None
    async with runtime.database.platform_transaction() as tx:
        await organisation.grant_membership(
            tx, ACTOR, user_id, Kind.BRAND, ALL, brand_id=world.tenant_id
        )
    lines = [{"warehouse": "store", "sku": "A", "counted": 4}]
    (count,) = (await run(api, COUNT, world.store, lines=lines))["counts"]
    in_the_brand = replace(world.brand, subject=world.store.subject)
    answer = await run(api, DECIDE, in_the_brand, countId=count["id"], approve=True)
    assert answer["code"] == "OWN_COUNT"


async def test_a_store_receives_what_was_sent_to_it(api: Api, world: World) -> None:
    for code, warehouse in (("T-1", "store"), ("T-2", "wh")):
        line = {
            "code": code,
            "lineNo": 1,
            "kind": "TRANSFER",
            "warehouse": warehouse,
            "sku": "A",
            "quantity": 5,
            "expectedOn": "2030-01-10",
        }
        await run(api, SUPPLY, world.brand, supplies=[line])
    done = await run(api, ARRIVED, world.store, code="T-1", lineNo=1, quantity=5)
    assert done["supply"] == {"received": 5}
    other = await run(api, ARRIVED, world.store, code="T-2", lineNo=1, quantity=5)
    assert other["code"] == "UNKNOWN_SUPPLY"


async def test_a_dealer_keeps_its_own_stock(api: Api, world: World, admin: Connection) -> None:
    own = {"warehouse": "dealer-node", "sku": "A"}
    await run(api, RECEIVE, world.dealer, **own, quantity=5)
    await run(api, ADJUST, world.dealer, **own, quantity=-1, reason="broken")
    await run(api, SELL, world.dealer, **own, quantity=2)
    assert (await figures(admin, world, "dealer-node")).on_hand == 12


async def test_only_the_brand_changes_whose_goods_they_are(
    api: Api, world: World, runtime: Runtime, admin: Connection
) -> None:
    async with runtime.database.tenant_transaction(world.system) as tx:
        theirs = WarehouseDraft(
            node_id=world.nodes["store"], code="theirs", dealer_id=world.dealers["d1"]
        )
        await create_warehouse(tx, theirs)
    before = await contents(admin)
    given = {"source": "store", "destination": "theirs", "sku": "A", "quantity": 1}
    assert (await run(api, TRANSFER, world.store, **given))["code"] == "OWNER_FIXED"
    assert await contents(admin) == before
    assert (await run(api, TRANSFER, world.brand, **given))["__typename"] == "StockRecorded"


ELSEWHERE = {
    "a store sells in another node": (SELL, "store", {"warehouse": "wh", "quantity": 1}),
    "a dealer sells the brand's": (SELL, "dealer", {"warehouse": "wh", "quantity": 1}),
    "a dealer sells another dealer's": (
        SELL,
        "other_dealer",
        {"warehouse": "dealer-node", "quantity": 1},
    ),
    "a dealer receives elsewhere": (RECEIVE, "dealer", {"warehouse": "store", "quantity": 1}),
    "another brand sells": (SELL, "other_brand", {"warehouse": "store", "quantity": 1}),
    "a store takes from another node": (
        TRANSFER,
        "store",
        {"source": "wh", "destination": "store", "quantity": 1},
    ),
    "a store gives to another node": (
        TRANSFER,
        "store",
        {"source": "store", "destination": "wh", "quantity": 1},
    ),
}


@pytest.mark.parametrize("case", ELSEWHERE)
async def test_nobody_writes_elsewhere(
    api: Api, world: World, admin: Connection, case: str
) -> None:
    query, who, values = ELSEWHERE[case]
    before = await contents(admin)
    answer = await run(api, query, getattr(world, who), sku="A", **values)
    assert answer["code"] == "UNKNOWN_FUNCTIONAL_WAREHOUSE"
    assert await contents(admin) == before


async def test_nobody_counts_elsewhere(api: Api, world: World, admin: Connection) -> None:
    before = await contents(admin)
    lines = [{"warehouse": at, "sku": "A", "counted": 10} for at in ("store", "wh")]
    answer = await run(api, COUNT, world.store, lines=lines)
    assert answer["code"] == "UNKNOWN_FUNCTIONAL_WAREHOUSE"
    assert await contents(admin) == before


@pytest.mark.parametrize("who", ["store", "group"])
async def test_a_store_corrects_nothing_without_a_count(
    api: Api, world: World, admin: Connection, who: str
) -> None:
    before = await contents(admin)
    given = {"warehouse": "store", "sku": "A", "quantity": 5}
    for query, more in ((RECEIVE, {}), (ADJUST, {"reason": "found"})):
        answer = await run(api, query, getattr(world, who), **given, **more)
        assert answer["code"] == "WRITE_REFUSED"
    assert await contents(admin) == before


@pytest.mark.parametrize("who", ["store", "dealer"])
async def test_nobody_writes_without_the_permission(
    api: Api, world: World, admin: Connection, who: str
) -> None:
    principal: Principal = getattr(world, who)
    await admin.execute(
        "update platform.membership set permissions = array_remove(permissions, 'stock:write') "
        "where user_id = $1",
        principal.user_id,
    )
    may = principal.permissions - {Permission.STOCK_WRITE}
    at = "store" if who == "store" else "dealer-node"
    before = await contents(admin)
    answer = await run(
        api, SELL, replace(principal, permissions=may), warehouse=at, sku="A", quantity=1
    )
    assert (answer["__typename"], answer["permission"]) == ("PermissionDenied", "stock:write")
    assert await contents(admin) == before


SHORTAGE = f"""mutation ($input: FulfilmentReportShortageInput!) {{
    fulfilmentReportShortage(input: $input) {{
    __typename ... on FulfilmentShort {{ status units }} {FAULT} }} }}"""
FULFILMENTS = "{ fulfilments { edges { node { id status reservations { active } } } } }"
ACCURACIES = "{ nodeAccuracies { expected missing weightBp location { code } } }"


async def test_a_store_reports_what_it_does_not_find(
    api: Api, world: World, runtime: Runtime
) -> None:
    placed(await runtime.intake.place(draft({"A": 2}, region=HANGZHOU), world.brand))
    (edge,) = (await api.data(FULFILMENTS, world.store))["fulfilments"]["edges"]
    missing = {"lines": [{"lineNo": 1, "quantity": 2}], "cause": "NOT_FOUND"}
    given = {"fulfilmentId": edge["node"]["id"]} | missing
    assert (await run(api, SHORTAGE, world.dealer, **given))["code"] == "UNKNOWN_FULFILMENT"
    done = await run(api, SHORTAGE, world.store, **given)
    assert done == {"__typename": "FulfilmentShort", "status": "BACKORDERED", "units": 2}
    # The other node sells what it takes over, and only then is accuracy learned.
    await runtime.settle()
    await runtime.maintenance.keep_back()
    found = (await api.data(ACCURACIES, world.brand))["nodeAccuracies"]
    assert {one["location"]["code"]: one["missing"] for one in found} == {"store": 2, "wh": 0}
    await assert_clean(runtime, world)


@pytest.mark.parametrize("fulfilment", ["x", "RnVsZmlsbWVudDox", "U2t1OjE="])
async def test_what_is_no_fulfilment_is_refused(api: Api, world: World, fulfilment: str) -> None:
    given = {"lines": [{"lineNo": 1, "quantity": 2}], "cause": "DAMAGED"}
    answer = await run(api, SHORTAGE, world.store, fulfilmentId=fulfilment, **given)
    assert answer["code"] == "INVALID_ID"
