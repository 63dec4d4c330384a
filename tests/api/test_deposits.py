"""Deposits over the API: ordered, shown, paid."""

from datetime import UTC, datetime, timedelta

from backend.runtime import Runtime
from tests.api.client import Api
from tests.world import HANGZHOU, World, fresh_key, receive

PLACE = """mutation ($input: OrderPlaceInput!) { orderPlace(input: $input) { __typename
    ... on OrderPlaced { orderId status holds order { deposit {
        amountMinor isKept status dueMinor } } } } }"""
PAY = """mutation ($input: OrderPayRestInput!) { orderPayRest(input: $input) { __typename
    ... on UserError { code path } } }"""
SHOW = "query ($id: ID!) { order(id: $id) { status deposit { status dueMinor reference } } }"


async def test_it_is_ordered_shown_and_paid(api: Api, runtime: Runtime, world: World) -> None:
    await receive(runtime.database, world.brand, "store", "A", 5)
    order = {
        "shop": "shop",
        "idempotencyKey": fresh_key(),
        "address": {"detail": "某路 1 号", "regionCode": HANGZHOU},
        "lines": [{"sku": "A", "quantity": 1, "unitPriceMinor": 1_000}],
        "deposit": {
            "amountMinor": 100,
            "payBy": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
        },
    }
    found = (await api.data(PLACE, world.brand, input=order))["orderPlace"]
    assert (found["status"], found["holds"]) == ("HELD", ["DEPOSIT"])
    assert found["order"]["deposit"] == {
        "amountMinor": 100,
        "isKept": True,
        "status": "OPEN",
        "dueMinor": 900,
    }
    given = {"orderId": found["orderId"], "reference": "WX-1"}
    for amount, answer in ((899, "InputRefused"), (900, "OrderRestPaid")):
        values = given | {"idempotencyKey": fresh_key(), "amountMinor": amount}
        paid = (await api.data(PAY, world.brand, input=values))["orderPayRest"]
        assert paid["__typename"] == answer, paid
    shown = (await api.data(SHOW, world.brand, id=found["orderId"]))["order"]
    assert shown == {
        "status": "ALLOCATED",
        "deposit": {"status": "PAID", "dueMinor": 0, "reference": "WX-1"},
    }
