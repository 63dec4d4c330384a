"""Stock holds through the API: taken, extended, taken over by an order, released, and listed."""

from typing import Any

import pytest

from backend.orders.model import AddressDraft, LineDraft, OrderDraft
from backend.orders.normalise import keys_of
from backend.runtime import Runtime
from tests.api.client import Api, order
from tests.catalogue import Connection
from tests.world import World, fresh_key, receive

FAULT = "... on UserError { code message path } ... on PermissionDenied { permission }"
HOLD = "hold { id kind state externalId shop { code } takenBy expiresAt takenAt endedAt }"
TAKE = f"""mutation ($input: StockHoldTakeInput!) {{ stockHoldTake(input: $input) {{
    __typename ... on StockHoldTaken {{ {HOLD} lines {{ lineNo reserved cancelled }} }}
    ... on InsufficientStock {{ lines {{ sku requested available }} }} {FAULT} }} }}"""
EXTEND = f"""mutation ($input: StockHoldExtendInput!) {{ stockHoldExtend(input: $input) {{
    __typename ... on StockHoldRecorded {{ {HOLD} }} {FAULT} }} }}"""
RELEASE = f"""mutation ($input: StockHoldReleaseInput!) {{ stockHoldRelease(input: $input) {{
    __typename ... on StockHoldRecorded {{ {HOLD} }} {FAULT} }} }}"""
LISTED = """query ($state: StockHoldState, $first: Int! = 9, $after: String) {
    stockHolds(state: $state, first: $first, after: $after) {
    edges { node { id state } } pageInfo { hasNextPage endCursor } } }"""
MARK = "select fingerprint from command_key where key like '%' || $1"


@pytest.fixture
async def stocked(api: Api, runtime: Runtime, world: World) -> Api:
    """10 of "A" in "wh"."""
    await receive(runtime.database, world.brand, "wh", "A", 10)
    return api


def asked(units: int = 4, shop: str = "shop", **changes: Any) -> dict[str, Any]:
    return {
        "idempotencyKey": fresh_key(),
        "shop": shop,
        "kind": "CART",
        "lines": [{"sku": "A", "quantity": units}],
        "expiresInSeconds": 60,
        **changes,
    }


async def taken(api: Api, world: World, units: int = 4, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = await api.data(TAKE, world.brand, input=asked(units, **changes))
    done: dict[str, Any] = found["stockHoldTake"]
    return done


async def listed(api: Api, who: Any, **variables: Any) -> list[str]:
    page = (await api.data(LISTED, who, **variables))["stockHolds"]
    return [edge["node"]["id"] for edge in page["edges"]]


async def test_from_taken_to_taken_over(stocked: Api, world: World) -> None:
    done = await taken(stocked, world, 10, kind="UNPAID", externalId="p-1", regionCode=310104)
    hold = done["hold"]
    assert done["lines"] == [{"lineNo": 1, "reserved": 10, "cancelled": 0}]
    assert (hold["kind"], hold["state"], hold["externalId"]) == ("UNPAID", "ACTIVE", "p-1")
    assert hold["shop"] == {"code": "shop"}
    short = await stocked.place(world.brand, order(fresh_key()))
    assert short["lines"] == [{"sku": "A", "requested": 1, "available": 0}]
    longer = {"idempotencyKey": fresh_key(), "holdId": hold["id"], "expiresInSeconds": 3_600}
    found = (await stocked.data(EXTEND, world.brand, input=longer))["stockHoldExtend"]
    assert found["hold"]["expiresAt"] > hold["expiresAt"]
    placed = await stocked.place(world.brand, order(fresh_key(), quantity=10, hold=hold["id"]))
    assert placed["status"] == "ALLOCATED"
    assert await listed(stocked, world.brand, state="CONVERTED") == [hold["id"]]
    found = (await stocked.data(EXTEND, world.brand, input=longer))["stockHoldExtend"]
    assert found["__typename"] == "StockHoldRecorded"
    late = longer | {"idempotencyKey": fresh_key()}
    found = (await stocked.data(EXTEND, world.brand, input=late))["stockHoldExtend"]
    assert found["code"] == "STOCK_HOLD_ENDED"


async def test_what_is_released_can_be_bought(stocked: Api, world: World) -> None:
    hold = (await taken(stocked, world, 10))["hold"]
    asked_ = {"idempotencyKey": fresh_key(), "holdId": hold["id"]}
    found = (await stocked.data(RELEASE, world.brand, input=asked_))["stockHoldRelease"]
    assert (found["hold"]["state"], found["hold"]["endedAt"] is None) == ("RELEASED", False)
    assert (await stocked.place(world.brand, order(fresh_key(), quantity=10)))["status"]


async def test_what_is_refused_says_why(stocked: Api, world: World) -> None:
    found = await taken(stocked, world, 11)
    assert found["lines"] == [{"sku": "A", "requested": 11, "available": 10}]
    found = await taken(stocked, world, expiresInSeconds=0)
    assert (found["code"], found["path"]) == ("INVALID_ORDER", ["expiresInSeconds"])
    found = await taken(stocked, world, shortage="BACKORDER")
    assert (found["code"], found["path"]) == ("INVALID_ORDER", ["shortage"])
    found = await taken(stocked, world, shop="z")
    assert found["code"] == "UNKNOWN_SHOP"
    found = await taken(stocked, world, lines=[])
    assert (found["code"], found["path"]) == ("INVALID_ORDER", ["lines"])
    assert await listed(stocked, world.brand) == []


async def test_a_dealer_has_its_own(stocked: Api, world: World) -> None:
    brands = (await taken(stocked, world))["hold"]["id"]
    input_ = asked(2, "dshop")
    own = (await stocked.data(TAKE, world.dealer, input=input_))["stockHoldTake"]["hold"]["id"]
    assert await listed(stocked, world.dealer) == [own]
    assert await listed(stocked, world.brand) == [own, brands]
    assert await listed(stocked, world.brand, first=1) == [own]
    asked_ = {"idempotencyKey": fresh_key(), "holdId": brands}
    found = (await stocked.data(RELEASE, world.dealer, input=asked_))["stockHoldRelease"]
    assert found["code"] == "UNKNOWN_STOCK_HOLD"
    mine = order(fresh_key(), shop="dshop", quantity=2, hold=brands)
    assert (await stocked.place(world.dealer, mine))["code"] == "INVALID_ORDER"
    mine = order(fresh_key(), shop="dshop", quantity=2, hold=own)
    assert (await stocked.place(world.dealer, mine))["status"] == "ALLOCATED"


async def test_an_id_of_something_else_is_no_hold(stocked: Api, world: World) -> None:
    placed = await stocked.place(world.brand, order(fresh_key()))
    answer = await stocked.ask(
        RELEASE,
        world.brand,
        input={"idempotencyKey": fresh_key(), "holdId": placed["orderId"]},
    )
    assert answer["data"]["stockHoldRelease"]["code"] == "INVALID_ID"


@pytest.mark.parametrize("said", [{}, {"hold": None}])
async def test_an_order_without_a_hold_has_the_mark_that_it_always_had(
    stocked: Api, world: World, admin: Connection, said: dict[str, Any]
) -> None:
    key = fresh_key()
    await stocked.place(world.brand, order(key, **said))
    stored = await admin.fetchval(MARK, key)
    draft = OrderDraft(
        shop="shop",
        address=AddressDraft(detail="x", region_code=310104),
        lines=(LineDraft("A", 1, 100),),
        idempotency_key=key,
    )
    (known,) = keys_of(draft, world.brand, None)
    assert stored == known.fingerprint
