"""Supplies, dispatch, counts, till sales and safety stock through the API."""

import base64
from typing import Any

import pytest
from msgspec.structs import replace

from backend.routing import live_book
from backend.runtime import Runtime
from tenants import organisation
from tenants.principal import Kind, Permission, Principal
from tests.api.client import Api
from tests.catalogue import Connection, contents
from tests.orders.checks import placed
from tests.world import ACTOR, PASSWORD, World, fresh_key, paid, receive

FAULT = "... on UserError { code message path } ... on PermissionDenied { permission }"
SUPPLY = """code lineNo kind quantity received outstanding promised confidenceBp expectedOn isOpen
    version setBy sku { code } warehouse { code }"""
RECORDED = f"... on SuppliesRecorded {{ supplies {{ {SUPPLY} }} }}"
SET = f"""mutation ($input: SuppliesSetInput!) {{ suppliesSet(input: $input) {{
    __typename {RECORDED} ... on SupplyChanged {{ version }} {FAULT} }} }}"""
CLOSE = f"""mutation ($input: SupplyCloseInput!) {{ supplyClose(input: $input) {{
    __typename {RECORDED} {FAULT} }} }}"""
RECEIVE = f"""mutation ($input: SupplyReceiveInput!) {{ supplyReceive(input: $input) {{
    __typename ... on SupplyReceived {{ kept supply {{ {SUPPLY} }} }}
    ... on ReceiptTooLarge {{ requested outstanding }} {FAULT} }} }}"""
DISPATCH = f"""mutation ($input: StockDispatchInput!) {{ stockDispatch(input: $input) {{
    __typename {RECORDED} ... on NotEnoughToMove {{ requested available }}
    ... on SupplyChanged {{ version }} {FAULT} }} }}"""
LISTED = f"""query ($onlyOpen: Boolean! = true, $first: Int! = 20, $after: String) {{
    supplies(onlyOpen: $onlyOpen, first: $first, after: $after) {{
    edges {{ node {{ {SUPPLY} }} }} pageInfo {{ hasNextPage endCursor }} }} }}"""
OUTLOOK = """query ($sku: String!, $shop: String!) {
    supplyOutlook(sku: $sku, shop: $shop) { day units total } }"""
COUNT_FIELDS = """id onHand counted variance state reason countedBy decidedBy
    sku { code } warehouse { code }"""
COUNT = f"""mutation ($input: StockCountInput!) {{ stockCount(input: $input) {{
    __typename ... on StockCounted {{ counts {{ {COUNT_FIELDS} }} }} {FAULT} }} }}"""
DECIDE = f"""mutation ($input: StockCountDecideInput!) {{ stockCountDecide(input: $input) {{
    __typename ... on StockCounted {{ counts {{ {COUNT_FIELDS} }} }} {FAULT} }} }}"""
COUNTS = f"""query ($state: CountState, $first: Int! = 20, $after: String) {{
    stockCounts(state: $state, first: $first, after: $after) {{
    edges {{ node {{ {COUNT_FIELDS} }} }} pageInfo {{ hasNextPage endCursor }} }} }}"""
SELL = f"""mutation ($input: StockSellInput!) {{ stockSell(input: $input) {{
    __typename ... on StockRecorded {{ levels {{ onHand }} }} {FAULT} }} }}"""
RULE = "units weeksTenths category nodeKind setBy sku { code } location { code }"
RULES_SET = f"""mutation ($input: SafetyRulesSetInput!) {{ safetyRulesSet(input: $input) {{
    __typename ... on SafetyRulesRecorded {{ levels rules {{ {RULE} }} }} {FAULT} }} }}"""
RULES = f"{{ safetyRules {{ {RULE} }} }}"
ORDERS = "{ orders(first: 5) { edges { node { lines { lineNo expectedOn } } } } }"


@pytest.fixture(autouse=True)
def _always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_book, "FRESH_SECONDS", 0.0)


async def run(api: Api, query: str, who: Principal, **values: Any) -> dict[str, Any]:
    values.setdefault("idempotencyKey", fresh_key())
    (answer,) = (await api.data(query, who, input=values)).values()
    return dict(answer)


async def read(api: Api, query: str, who: Principal, **values: Any) -> Any:
    (answer,) = (await api.data(query, who, **values)).values()
    return answer


async def code_of(api: Api, query: str, who: Principal, **values: Any) -> str:
    """Return the code of a query that is refused."""
    answer = await api.ask(query, who, **values)
    return str(answer["errors"][0]["extensions"]["code"])


def line(quantity: int = 5, **changes: Any) -> dict[str, Any]:
    return {
        "code": "PO-1",
        "lineNo": 1,
        "kind": "PURCHASE",
        "warehouse": "wh",
        "sku": "A",
        "quantity": quantity,
        "expectedOn": "2030-01-10",
    } | changes


@pytest.fixture
async def reader(runtime: Runtime, world: World) -> Principal:
    """A user of the brand who may read stock, and no more."""
    permissions = frozenset({Permission.STOCK_READ})
    async with runtime.database.platform_transaction() as tx:
        user_id = await organisation.register_user(tx, ACTOR, "one@example.com", "One", PASSWORD)
        await organisation.grant_membership(
            tx, ACTOR, user_id, Kind.BRAND, permissions, brand_id=world.tenant_id
        )
    return replace(world.brand, subject=f"user:{user_id}", permissions=permissions)


async def test_a_supply_from_its_order_to_the_shelf(
    api: Api, world: World, runtime: Runtime
) -> None:
    saved = await run(api, SET, world.brand, supplies=[line()])
    assert saved["__typename"] == "SuppliesRecorded"
    expected = {
        "code": "PO-1",
        "lineNo": 1,
        "kind": "PURCHASE",
        "quantity": 5,
        "received": 0,
        "outstanding": 5,
        "promised": 0,
        "confidenceBp": 10_000,
        "expectedOn": "2030-01-10",
        "isOpen": True,
        "version": 1,
        "setBy": world.brand.subject,
        "sku": {"code": "A"},
        "warehouse": {"code": "wh"},
    }
    assert saved["supplies"] == [expected]
    placed(await runtime.intake.place(paid("o-1", {"A": 3}), world.brand))
    await runtime.allocator.allocate(world.tenant_id)
    page = await read(api, LISTED, world.brand)
    assert [edge["node"] for edge in page["edges"]] == [expected | {"promised": 3}]
    orders = await read(api, ORDERS, world.brand)
    assert orders["edges"][0]["node"]["lines"] == [{"lineNo": 1, "expectedOn": "2030-01-10"}]
    assert await read(api, OUTLOOK, world.brand, sku="A", shop="shop") == [
        {"day": "2030-01-10", "units": 2, "total": 2}
    ]
    done = await run(api, RECEIVE, world.brand, code="PO-1", lineNo=1, quantity=4)
    assert (done["kept"], done["supply"]["received"], done["supply"]["promised"]) == (3, 4, 0)
    await runtime.settle()
    assert await read(api, OUTLOOK, world.brand, sku="A", shop="shop") == [
        {"day": "2030-01-10", "units": 1, "total": 2}
    ]
    closed = await run(api, CLOSE, world.brand, code="PO-1", lineNo=1)
    assert (closed["supplies"][0]["isOpen"], closed["supplies"][0]["version"]) == (False, 3)
    assert (await read(api, LISTED, world.brand))["edges"] == []
    assert len((await read(api, LISTED, world.brand, onlyOpen=False))["edges"]) == 1


async def test_supplies_are_listed_page_by_page_by_day(api: Api, world: World) -> None:
    days = ["2030-01-03", "2030-01-01", "2030-01-02"]
    drafts = [line(code=f"PO-{n}", expectedOn=day) for n, day in enumerate(days)]
    await run(api, SET, world.brand, supplies=drafts)
    seen: list[str] = []
    after = None
    while True:
        page = await read(api, LISTED, world.brand, first=1, after=after)
        seen += [edge["node"]["expectedOn"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == sorted(days)
    for key in ("0-0", "9999999-1", "1"):
        cursor = base64.b64encode(f"after:{key}".encode()).decode()
        assert await code_of(api, LISTED, world.brand, after=cursor) == "INVALID_PAGE"


async def test_refusals_of_supplies_say_what_there_is(
    api: Api, world: World, admin: Connection, reader: Principal
) -> None:
    await run(api, SET, world.brand, supplies=[line()])
    before = await contents(admin)
    old = await run(api, SET, world.brand, supplies=[line(compareVersion=7)])
    assert (old["__typename"], old["version"]) == ("SupplyChanged", 1)
    assert old["path"] == ["supplies", "0", "compareVersion"]
    many = await run(api, RECEIVE, world.brand, code="PO-1", lineNo=1, quantity=9)
    assert many["__typename"] == "ReceiptTooLarge"
    assert (many["requested"], many["outstanding"]) == (9, 5)
    none = await run(api, CLOSE, world.brand, code="PO-9", lineNo=1)
    assert (none["__typename"], none["code"]) == ("InputRefused", "UNKNOWN_SUPPLY")
    bad = await run(api, SET, world.brand, supplies=[line(0)])
    assert (bad["__typename"], bad["code"]) == ("InputRefused", "INVALID_QUANTITY")
    may_not = await run(api, SET, reader, supplies=[line()])
    assert may_not["__typename"] == "PermissionDenied"
    assert await contents(admin) == before
    assert await code_of(api, OUTLOOK, world.brand, sku="Z", shop="shop") == "UNKNOWN_SKU"
    assert await code_of(api, OUTLOOK, world.brand, sku="A", shop="z") == "UNKNOWN_SHOP"


async def test_a_dispatch_is_on_its_way_until_it_is_received(
    api: Api, world: World, runtime: Runtime
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    values: dict[str, Any] = {
        "code": "TO-1",
        "source": "wh",
        "destination": "far",
        "sku": "A",
        "arrivesOn": "2030-01-05",
    }
    sent = await run(api, DISPATCH, world.brand, quantity=3, **values)
    assert (sent["supplies"][0]["kind"], sent["supplies"][0]["warehouse"]) == (
        "TRANSFER",
        {"code": "far"},
    )
    assert await read(api, OUTLOOK, world.brand, sku="A", shop="shop") == [
        {"day": "2030-01-05", "units": 3, "total": 5}
    ]
    short = await run(api, DISPATCH, world.brand, quantity=3, **(values | {"code": "TO-2"}))
    assert (short["__typename"], short["requested"], short["available"]) == (
        "NotEnoughToMove",
        3,
        2,
    )
    taken = await run(api, DISPATCH, world.brand, quantity=1, **values)
    assert (taken["__typename"], taken["version"], taken["path"]) == ("SupplyChanged", 1, ["code"])
    done = await run(api, RECEIVE, world.brand, code="TO-1", lineNo=1, quantity=2)
    assert done["supply"]["outstanding"] == 1
    lost = await run(api, CLOSE, world.brand, code="TO-1", lineNo=1)
    assert lost["supplies"][0]["isOpen"] is False
    assert await read(api, OUTLOOK, world.brand, sku="A", shop="shop") == []


async def test_a_count_waits_for_somebody_else(
    api: Api, world: World, runtime: Runtime, reader: Principal
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 10)
    lines = [
        {"warehouse": "wh", "sku": "A", "counted": 4, "reason": "shelf"},
        {"warehouse": "far", "sku": "B", "counted": 1},
    ]
    counted = await run(api, COUNT, world.brand, lines=lines)
    waiting, applied = counted["counts"]
    assert (waiting["state"], applied["state"]) == ("WAITING", "APPLIED")
    assert (waiting["onHand"], waiting["counted"], waiting["variance"]) == (10, 4, -6)
    assert (waiting["sku"], waiting["warehouse"]) == ({"code": "A"}, {"code": "wh"})
    page = await read(api, COUNTS, world.brand, state="WAITING")
    assert [edge["node"] for edge in page["edges"]] == [waiting]
    newest = await read(api, COUNTS, world.brand, first=1)
    assert newest["pageInfo"]["hasNextPage"] is True
    rest = await read(api, COUNTS, world.brand, after=newest["pageInfo"]["endCursor"])
    assert [edge["node"]["state"] for edge in rest["edges"]] == ["WAITING"]
    own = await run(api, DECIDE, world.brand, countId=waiting["id"], approve=True)
    assert (own["__typename"], own["code"]) == ("InputRefused", "OWN_COUNT")
    bad = await run(api, DECIDE, world.brand, countId="x", approve=True)
    assert (bad["__typename"], bad["code"]) == ("InputRefused", "INVALID_ID")
    may_not = await run(api, COUNT, reader, lines=lines)
    assert may_not["__typename"] == "PermissionDenied"


async def test_what_a_till_sold_is_gone(
    api: Api, world: World, runtime: Runtime, reader: Principal
) -> None:
    await receive(runtime.database, world.brand, "store", "A", 5)
    sale = {"warehouse": "store", "sku": "A", "quantity": 2, "receipt": "R-1"}
    done = await run(api, SELL, world.brand, **sale)
    assert done == {"__typename": "StockRecorded", "levels": [{"onHand": 3}]}
    bad = await run(api, SELL, world.brand, **(sale | {"quantity": 0}))
    assert (bad["__typename"], bad["code"]) == ("InputRefused", "INVALID_QUANTITY")
    may_not = await run(api, SELL, reader, **sale)
    assert may_not["__typename"] == "PermissionDenied"


async def test_safety_stock_follows_its_rules(
    api: Api, world: World, runtime: Runtime, reader: Principal
) -> None:
    for at in ("wh", "store"):
        await receive(runtime.database, world.brand, at, "A", 10)
    rules = [
        {"sku": "A", "location": "wh", "units": 4},
        {"category": "TV", "nodeKind": "STORE", "weeksTenths": 15},
    ]
    done = await run(api, RULES_SET, world.brand, rules=rules)
    assert (done["__typename"], done["levels"]) == ("SafetyRulesRecorded", 1)
    kept = [
        {"sku": None, "location": None, "category": None, "nodeKind": None, "units": None}
        | {"weeksTenths": None, "setBy": world.brand.subject}
        | changes
        for changes in (
            {"sku": {"code": "A"}, "location": {"code": "wh"}, "units": 4},
            {"category": "TV", "nodeKind": "STORE", "weeksTenths": 15},
        )
    ]
    assert done["rules"] == kept
    assert await read(api, RULES, world.brand) == kept
    bad = await run(api, RULES_SET, world.brand, rules=[{"units": 1, "weeksTenths": 1}])
    assert (bad["code"], bad["path"]) == ("INVALID_SAFETY_RULE", ["rules", "0"])
    may_not = await run(api, RULES_SET, reader, rules=[])
    assert may_not["__typename"] == "PermissionDenied"
    assert await read(api, RULES, world.brand) == kept
    none = await run(api, RULES_SET, world.brand, rules=[])
    assert (none["rules"], none["levels"]) == ([], 1)
