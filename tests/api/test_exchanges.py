"""Exchanging over the API: asked for, come back, paid, or given up."""

from typing import Any

import pytest
from strawberry.relay.utils import from_base64

from backend.runtime import Runtime
from graphql_schema.paging import id_of
from tests.after_sales.desk import AUTOMATIC, Desk
from tests.api.client import Api
from tests.orders.checks import assert_clean
from tests.world import World, fresh_key, receive

FAULT = "... on UserError { code message path }"
EXCHANGE = "exchange { status version creditMinor dueMinor reference replacementId }"
REQUEST = f"""mutation ($input: ExchangeRequestInput!) {{ exchangeRequest(input: $input) {{
    __typename ... on ExchangeRequested {{ request {{ id status }} {EXCHANGE} }} {FAULT} }} }}"""
MOVED = f"""__typename ... on ExchangeSaved {{ {EXCHANGE} }}
    ... on ExchangeChanged {{ {EXCHANGE} }} {FAULT}"""
PAY = f"mutation ($input: ExchangePayInput!) {{ exchangePay(input: $input) {{ {MOVED} }} }}"
DROP = f"mutation ($input: ExchangeInput!) {{ exchangeDrop(input: $input) {{ {MOVED} }} }}"
OPEN = f"{{ exchanges {{ id {EXCHANGE} }} }}"
HOLDS = "query ($id: ID!) { order(id: $id) { status holds { kind } } }"


@pytest.fixture
async def desk(runtime: Runtime, world: World) -> Desk:
    found = Desk(runtime, world)
    await found.furnish()
    await found.rule(AUTOMATIC)
    await receive(runtime.database, world.brand, "store", "B", 5)
    return found


async def asked(api: Api, desk: Desk, price: int | None = None) -> dict[str, Any]:
    order = await desk.arrived(2, is_paid=True, external_id="X1")
    wanted = {"sku": "B", "quantity": 1, "unitPriceMinor": price}
    given = {
        "idempotencyKey": fresh_key(),
        "orderId": id_of("Order", order.order_id),
        "lines": [{"lineNo": 1, "quantity": 1}],
        "wanted": [wanted],
        "reason": "太小",
    }
    found = (await api.data(REQUEST, desk.world.brand, input=given))["exchangeRequest"]
    assert found["__typename"] == "ExchangeRequested", found
    return dict(found)


async def test_it_is_asked_for_comes_back_and_is_paid(api: Api, desk: Desk) -> None:
    brand = desk.world.brand
    found = await asked(api, desk, price=1_500)
    assert found["exchange"]["status"] == "WAITING"
    order_id = found["exchange"]["replacementId"]
    order = (await api.data(HOLDS, brand, id=order_id))["order"]
    assert order == {"status": "HELD", "holds": [{"kind": "EXCHANGE"}]}
    (listed,) = (await api.data(OPEN, brand))["exchanges"]
    assert listed["id"] == found["request"]["id"]
    (_, return_id) = from_base64(listed["id"])
    await desk.receive(int(return_id))
    await desk.inspect(int(return_id), good=1)
    given = {"idempotencyKey": fresh_key(), "returnId": listed["id"], "reference": "WX-1"}
    given["amountMinor"] = 500
    paid = (await api.data(PAY, brand, input=given))["exchangePay"]
    assert paid["exchange"]["status"] == "DONE"
    assert (paid["exchange"]["creditMinor"], paid["exchange"]["dueMinor"]) == (1_000, 500)
    assert (await api.data(HOLDS, brand, id=order_id))["order"]["status"] == "ALLOCATED"
    assert (await api.data(OPEN, brand))["exchanges"] == []
    await assert_clean(desk.runtime, desk.world)


async def test_it_is_given_up_once(api: Api, desk: Desk) -> None:
    brand = desk.world.brand
    found = await asked(api, desk)
    given = {"idempotencyKey": fresh_key(), "returnId": found["request"]["id"]}
    dropped = (await api.data(DROP, brand, input=given))["exchangeDrop"]
    assert dropped["exchange"]["status"] == "CANCELLED"
    again = given | {"idempotencyKey": fresh_key()}
    refused = (await api.data(DROP, brand, input=again))["exchangeDrop"]
    assert (refused["__typename"], refused["exchange"]["status"]) == (
        "ExchangeChanged",
        "CANCELLED",
    )
    order = await api.data(HOLDS, brand, id=dropped["exchange"]["replacementId"])
    assert order["order"]["status"] == "CANCELLED"
    await assert_clean(desk.runtime, desk.world)
