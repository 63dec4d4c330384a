"""After-sales over the API: a customer's wish, the store that receives, the brand that pays."""

from typing import Any

import pytest

from backend.orders.model import Placed
from backend.runtime import Runtime
from graphql_schema.paging import id_of
from tests.after_sales.desk import Desk
from tests.api.client import Api
from tests.orders.checks import assert_clean
from tests.world import World, fresh_key

FAULT = "... on UserError { code message path }"
REQUEST = """request { id status version kind decision location { code }
    lines { lineNo quantity received good denied sku { code } } }"""
SAVED = f"""__typename ... on ReturnSaved {{ {REQUEST} owedMinor }}
    ... on ReturnChanged {{ request {{ status version }} }} {FAULT}"""
PAID = f"""__typename ... on RefundSaved {{ refund {{ status version reference
    amount {{ amountMinor currency }} }} }}
    ... on RefundChanged {{ refund {{ status version }} }} {FAULT}"""
LISTS = """{ returns { edges { node { id status orderId } } }
    refunds { refundNo status cause orderId amount { amountMinor } request { id }
        lines { lineNo quantity amountMinor } }
    returnRules { days isAutomatic channel category isException } }"""
ORDER = """query ($id: ID!) { node(id: $id) { ... on Order {
    returns { status } refunds { status amount { amountMinor } } } } }"""
RULES = f"""mutation ($input: ReturnRulesSetInput!) {{ returnRulesSet(input: $input) {{ __typename
    ... on ReturnRulesSaved {{ rules {{ days isException }} }} {FAULT} }} }}"""
INPUTS = {
    "returnRequest": "ReturnRequestInput",
    "returnApprove": "ReturnApproveInput",
    "returnReject": "ReturnEndInput",
    "returnCancel": "ReturnEndInput",
    "returnSendBack": "ReturnSendBackInput",
    "returnReceive": "ReturnReceiveInput",
    "returnInspect": "ReturnInspectInput",
    "returnTakeBack": "ReturnTakeBackInput",
    "parcelTakeIn": "ParcelTakeInInput",
}
PARCELS = "{ parcels { edges { node { id status } } } }"
STEPS = ("refundAsk", "refundPay", "refundFail", "refundWaive")


class Service:
    """What somebody does for customers, over the API."""

    def __init__(self, api: Api, desk: Desk) -> None:
        self.api, self.desk, self.world = api, desk, desk.world
        self.location = id_of("Location", desk.store)

    async def run(self, name: str, who: Any = None, **values: Any) -> dict[str, Any]:
        query = f"mutation ($input: {INPUTS[name]}!) {{ {name}(input: $input) {{ {SAVED} }} }}"
        given = {"idempotencyKey": fresh_key()} | values
        answer = await self.api.data(query, who or self.world.brand, input=given)
        return dict(answer[name])

    async def pay(self, name: str, who: Any = None, **values: Any) -> dict[str, Any]:
        kind = "RefundGrantInput" if name == "refundGrant" else "RefundInput"
        query = f"mutation ($input: {kind}!) {{ {name}(input: $input) {{ {PAID} }} }}"
        given = {"idempotencyKey": fresh_key()} | values
        answer = await self.api.data(query, who or self.world.brand, input=given)
        return dict(answer[name])

    async def ask(self, order: Placed, units: int = 2) -> dict[str, Any]:
        return await self.run(
            "returnRequest",
            orderId=id_of("Order", order.order_id),
            kind="RETURN",
            lines=[{"lineNo": 1, "quantity": units}],
            reason="不喜欢",
        )


@pytest.fixture
async def service(api: Api, runtime: Runtime, world: World) -> Service:
    desk = Desk(runtime, world)
    await desk.furnish()
    return Service(api, desk)


async def test_a_return_from_the_wish_to_the_money(
    service: Service, runtime: Runtime, world: World
) -> None:
    order = await service.desk.arrived(3)
    order_id = id_of("Order", order.order_id)
    asked = await service.ask(order)
    number = asked["request"]["id"]
    assert asked["request"]["status"] == "REQUESTED"
    approved = await service.run("returnApprove", returnId=number, locationId=service.location)
    assert approved["request"]["location"] == {"code": "store"}
    await service.run("returnSendBack", returnId=number, carrier="sf", waybill="SF1")
    store = world.store
    (node,) = (await service.api.data(LISTS, store))["returns"]["edges"]
    assert node["node"] == {"id": number, "status": "SENT_BACK", "orderId": order_id}
    late = await service.run(
        "returnReceive", store, returnId=number, locationId=service.location, seenVersion=1
    )
    assert (late["__typename"], late["request"]["status"]) == ("ReturnChanged", "SENT_BACK")
    await service.run("returnReceive", store, returnId=number, locationId=service.location)
    lines = [{"lineNo": 1, "good": 1, "denied": 1}]
    done = await service.run("returnInspect", store, returnId=number, lines=lines)
    assert (done["request"]["status"], done["owedMinor"]) == ("CLOSED", 1_000)
    assert done["request"]["lines"] == [
        {
            "lineNo": 1,
            "quantity": 2,
            "received": 2,
            "good": 1,
            "denied": 1,
            "sku": {"code": "A"},
        }
    ]
    (refund,) = (await service.api.data(LISTS, world.brand))["refunds"]
    assert refund == {
        "refundNo": 1,
        "status": "DUE",
        "cause": "RETURNED",
        "orderId": order_id,
        "amount": {"amountMinor": 1_000},
        "request": {"id": number},
        "lines": [{"lineNo": 1, "quantity": 1, "amountMinor": 1_000}],
    }
    which = {"orderId": order_id, "refundNo": 1}
    for name, status in (("refundAsk", "ASKED"), ("refundFail", "FAILED"), ("refundPay", "PAID")):
        moved = await service.pay(name, **which, reference="pay-7")
        assert moved["refund"]["status"] == status
    again = await service.pay("refundWaive", **which)
    assert (again["__typename"], again["refund"]["status"]) == ("RefundChanged", "PAID")
    found = (await service.api.data(ORDER, world.brand, id=order_id))["node"]
    assert found == {
        "returns": [{"status": "CLOSED"}],
        "refunds": [{"status": "PAID", "amount": {"amountMinor": 1_000}}],
    }
    await assert_clean(runtime, world)


async def test_a_counter_and_a_grant(service: Service, world: World) -> None:
    order = await service.desk.arrived(2)
    order_id = id_of("Order", order.order_id)
    taken = await service.run(
        "returnTakeBack",
        world.store,
        orderId=order_id,
        locationId=service.location,
        lines=[{"lineNo": 1, "quantity": 1}],
        reason="尺寸",
    )
    assert (taken["request"]["status"], taken["request"]["decision"]) == (
        "RECEIVED",
        "at the counter",
    )
    granted = await service.pay("refundGrant", orderId=order_id, amountMinor=300, reason="运费")
    assert granted["refund"]["amount"] == {"amountMinor": 300, "currency": "CNY"}
    more = await service.pay("refundGrant", orderId=order_id, amountMinor=9_999, reason="运费")
    assert more["code"] == "NOTHING_TO_REFUND"
    denied = await service.pay("refundWaive", world.store, orderId=order_id, refundNo=1)
    assert denied["__typename"] == "PermissionDenied"


async def test_no_and_never_mind(service: Service) -> None:
    order = await service.desk.arrived(2)
    for name, status in (("returnReject", "REJECTED"), ("returnCancel", "CANCELLED")):
        number = (await service.ask(order))["request"]["id"]
        ended = await service.run(name, returnId=number, reason="太晚")
        assert ended["request"]["status"] == status
    too_many = await service.ask(order, 3)
    assert (too_many["code"], too_many["path"]) == ("TOO_MANY_RETURNED", ["lines", "0", "quantity"])


async def test_rules_say_what_is_an_exception(service: Service, world: World) -> None:
    (usual,) = (await service.api.data(LISTS, world.brand))["returnRules"]
    assert (usual["days"], usual["isException"]) == (7, False)
    given = {
        "idempotencyKey": "rules",
        "rules": [{"days": 15, "isAutomatic": True}, {"days": 0, "category": "内衣"}],
    }
    saved = (await service.api.data(RULES, world.brand, input=given))["returnRulesSet"]
    assert saved["rules"] == [
        {"days": 15, "isException": False},
        {"days": 0, "isException": True},
    ]
    wrong: dict[str, Any] = {"idempotencyKey": "none", "rules": []}
    refused = (await service.api.data(RULES, world.brand, input=wrong))["returnRulesSet"]
    assert refused["code"] == "INVALID_AFTER_SALES_INPUT"


async def test_a_parcel_that_nobody_accepted(
    service: Service, runtime: Runtime, world: World
) -> None:
    order = await service.desk.placed(2)
    await service.desk.working.until(order, "ship")
    parcels = (await service.api.data(PARCELS, world.brand))["parcels"]["edges"]
    which = {"parcelId": parcels[0]["node"]["id"], "locationId": service.location}
    taken = await service.run("parcelTakeIn", world.store, **which, reason="没人在家")
    assert (taken["request"]["kind"], taken["request"]["status"]) == ("REFUSED", "RECEIVED")
    found = (await service.api.data(PARCELS, world.brand))["parcels"]["edges"]
    assert found[0]["node"]["status"] == "RETURNED"
    again = await service.run("parcelTakeIn", world.store, **which, reason="没人在家")
    assert (again["__typename"], again["code"]) == ("InputRefused", "PARCEL_NOT_ON_ITS_WAY")
    await assert_clean(runtime, world)


@pytest.mark.parametrize(
    "name", sorted(INPUTS.keys() - {"returnRequest", "returnTakeBack", "parcelTakeIn"})
)
async def test_what_is_unknown_is_refused(service: Service, name: str) -> None:
    given: dict[str, dict[str, Any]] = {
        "returnSendBack": {"carrier": "sf", "waybill": "1"},
        "returnReceive": {"locationId": service.location},
        "returnInspect": {"lines": [{"lineNo": 1, "good": 1}]},
        "returnReject": {"reason": "x"},
    }
    more = given.get(name, {})
    refused = await service.run(name, returnId=id_of("Return", 999_999), **more)
    assert refused["code"] == "UNKNOWN_RETURN"


@pytest.mark.parametrize("name", STEPS)
async def test_no_refund_no_step(service: Service, name: str) -> None:
    order = await service.desk.arrived(1)
    refused = await service.pay(name, orderId=id_of("Order", order.order_id), refundNo=9)
    assert refused["code"] == "UNKNOWN_REFUND"
