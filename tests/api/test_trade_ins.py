"""Trade-ins over the API: promised with an order, looked at by a store, credited and paid."""

from typing import Any

import pytest

from backend.runtime import Runtime
from graphql_schema.paging import id_of
from tenants.principal import Principal
from tests.after_sales.desk import Desk
from tests.api.client import Api
from tests.catalogue import Connection, contents
from tests.orders.checks import assert_clean
from tests.world import World, fresh_key

TRADE_IN = """tradeIn { id status version lineNo description serial promisedMinor finding
    creditMinor reason reference carrier waybill requestedBy orderId location { code } }"""
SAVED = f"""__typename ... on TradeInSaved {{ {TRADE_IN} }}
    ... on TradeInChanged {{ code message tradeIn {{ status version }} }}
    ... on UserError {{ code path }} ... on PermissionDenied {{ permission }}"""
LIST = """query ($location: ID, $order: ID, $statuses: [TradeInStatus!], $first: Int! = 20,
    $after: String) { tradeIns(locationId: $location, orderId: $order, statuses: $statuses,
        first: $first, after: $after) {
            edges { node { id status } } pageInfo { hasNextPage endCursor } } }"""
NODE = "query ($id: ID!) { node(id: $id) { ... on TradeIn { status promisedMinor } } }"
INPUTS = {
    "tradeInPromise": "TradeInPromiseInput",
    "tradeInCancel": "TradeInReasonInput",
    "tradeInReceive": "TradeInReceiveInput",
    "tradeInGrade": "TradeInGradeInput",
    "tradeInAccept": "TradeInAcceptInput",
    "tradeInDecline": "TradeInReasonInput",
    "tradeInSendHome": "TradeInSendHomeInput",
    "tradeInPay": "TradeInPayInput",
}
NEEDS: dict[str, dict[str, Any]] = {
    "tradeInCancel": {"reason": "不换了"},
    "tradeInReceive": {},
    "tradeInGrade": {"finding": "九成新", "worthMinor": 600},
    "tradeInAccept": {"amountMinor": 400},
    "tradeInDecline": {"reason": "太低"},
    "tradeInSendHome": {"carrier": "sf", "waybill": "SF9"},
    "tradeInPay": {"reference": "alipay-1"},
}
AT_STORE = ("tradeInReceive", "tradeInGrade", "tradeInSendHome")
OLD = {"description": "旧洗衣机，滚筒", "serial": "OLD-1", "promisedMinor": 600}


class Counter:
    """Where old ones are traded in for new ones, over the API."""

    def __init__(self, api: Api, desk: Desk) -> None:
        self.api, self.desk, self.world = api, desk, desk.world
        self.location = id_of("Location", desk.store)

    async def run(self, name: str, who: Principal | None = None, **values: Any) -> dict[str, Any]:
        who = who or (self.world.store if name in AT_STORE else self.world.brand)
        query = f"mutation ($input: {INPUTS[name]}!) {{ {name}(input: $input) {{ {SAVED} }} }}"
        given = {"idempotencyKey": fresh_key()} | values
        return dict((await self.api.data(query, who, input=given))[name])

    async def promise(self, who: Principal | None = None, **values: Any) -> dict[str, Any]:
        return await self.run("tradeInPromise", who, **({"lineNo": 1} | OLD | values))

    async def promised(self, shop: str = "shop") -> str:
        """Promise something for the old one that is given with an order; returns its id."""
        order = await self.desk.placed(1, shop=shop)
        saved = await self.promise(orderId=id_of("Order", order.order_id))
        assert saved["__typename"] == "TradeInSaved", saved
        return str(saved["tradeIn"]["id"])

    async def take(self, step: str, number: str, **values: Any) -> dict[str, Any]:
        """Take a step that may be taken."""
        place = {"locationId": self.location} if step == "tradeInReceive" else {}
        given = NEEDS[step] | place | values
        saved = await self.run(step, tradeInId=number, **given)
        assert saved["__typename"] == "TradeInSaved", saved
        return dict(saved["tradeIn"])

    async def listed(self, who: Principal, **given: Any) -> list[str]:
        found = await self.api.data(LIST, who, **given)
        return [edge["node"]["id"] for edge in found["tradeIns"]["edges"]]


@pytest.fixture
async def counter(api: Api, runtime: Runtime, world: World) -> Counter:
    desk = Desk(runtime, world)
    await desk.furnish()
    return Counter(api, desk)


async def test_a_trade_in_from_the_promise_to_the_money(counter: Counter, world: World) -> None:
    number = await counter.promised()
    received = await counter.take("tradeInReceive", number)
    assert (received["status"], received["location"]) == ("RECEIVED", {"code": "store"})
    graded = await counter.take("tradeInGrade", number, worthMinor=900)
    assert (graded["status"], graded["creditMinor"]) == ("CREDITED", 600)
    paid = await counter.take("tradeInPay", number)
    assert paid == {
        "id": number,
        "status": "PAID",
        "version": 4,
        "lineNo": 1,
        "description": "旧洗衣机，滚筒",
        "serial": "OLD-1",
        "promisedMinor": 600,
        "finding": "九成新",
        "creditMinor": 600,
        "reason": "",
        "reference": "alipay-1",
        "carrier": "",
        "waybill": "",
        "requestedBy": world.brand.subject,
        "orderId": paid["orderId"],
        "location": {"code": "store"},
    }
    await assert_clean(counter.desk.runtime, world)


async def test_what_is_worth_less_is_for_the_customer_to_decide(counter: Counter) -> None:
    number = await counter.promised()
    await counter.take("tradeInReceive", number)
    graded = await counter.take("tradeInGrade", number, worthMinor=400, finding="屏幕碎裂")
    assert (graded["status"], graded["creditMinor"]) == ("GRADED", 400)
    wrong = await counter.run("tradeInAccept", tradeInId=number, amountMinor=600)
    assert (wrong["code"], wrong["path"]) == ("WRONG_AMOUNT", ["amountMinor"])
    accepted = await counter.take("tradeInAccept", number)
    assert (accepted["status"], accepted["creditMinor"]) == ("CREDITED", 400)


async def test_what_is_not_given_goes_home(counter: Counter) -> None:
    number = await counter.promised()
    await counter.take("tradeInReceive", number)
    await counter.take("tradeInGrade", number, worthMinor=0)
    assert (await counter.take("tradeInDecline", number))["reason"] == "太低"
    alone = await counter.run("tradeInSendHome", tradeInId=number, carrier="sf")
    assert (alone["code"], alone["path"]) == ("INVALID_AFTER_SALES_INPUT", ["waybill"])
    home = await counter.take("tradeInSendHome", number)
    assert (home["status"], home["carrier"], home["waybill"]) == ("CLOSED", "sf", "SF9")


async def test_who_saw_it_before_sees_how_it_stands(counter: Counter) -> None:
    number = await counter.promised()
    await counter.take("tradeInReceive", number)
    late = await counter.run("tradeInCancel", tradeInId=number, reason="不换了")
    assert (late["__typename"], late["code"]) == ("TradeInChanged", "TRADE_IN_CHANGED")
    assert late["tradeIn"] == {"status": "RECEIVED", "version": 2}
    old = await counter.run(
        "tradeInGrade", tradeInId=number, seenVersion=1, **NEEDS["tradeInGrade"]
    )
    assert old["tradeIn"] == {"status": "RECEIVED", "version": 2}
    graded = await counter.take("tradeInGrade", number, seenVersion=2)
    assert graded["version"] == 3


async def test_the_same_command_again_is_the_same(counter: Counter, admin: Connection) -> None:
    order = id_of("Order", (await counter.desk.placed(2)).order_id)
    first, again = [await counter.promise(orderId=order, idempotencyKey="once") for _ in range(2)]
    assert first == again
    other = await counter.promise(orderId=order, idempotencyKey="once", promisedMinor=599)
    assert other["code"] == "IDEMPOTENCY_CONFLICT"
    assert await admin.fetchval("select count(*) from trade_in") == 1


@pytest.mark.parametrize(
    ("given", "code", "path"),
    [
        ({"lineNo": 9}, "TRADE_IN_REFUSED", ["lineNo"]),
        ({"promisedMinor": 1_001}, "TRADE_IN_REFUSED", ["promisedMinor"]),
        ({"promisedMinor": 0}, "INVALID_AFTER_SALES_INPUT", ["promisedMinor"]),
        ({"description": ""}, "INVALID_AFTER_SALES_INPUT", ["description"]),
        ({"serial": "x" * 101}, "INVALID_AFTER_SALES_INPUT", ["serial"]),
        ({"orderId": id_of("Order", 999_999)}, "UNKNOWN_ORDER", []),
        ({"orderId": id_of("Return", 1)}, "INVALID_ID", []),
        ({"idempotencyKey": ""}, "INVALID_IDEMPOTENCY_KEY", []),
    ],
)
async def test_a_promise_that_is_not_made_says_where_the_fault_lies(
    counter: Counter, admin: Connection, given: dict[str, Any], code: str, path: list[str]
) -> None:
    order = id_of("Order", (await counter.desk.placed(1)).order_id)
    before = await contents(admin)
    refused = await counter.promise(**({"orderId": order} | given))
    assert (refused["code"], refused["path"]) == (code, path)
    assert await contents(admin) == before


@pytest.mark.parametrize(
    ("step", "given", "path"),
    [
        ("tradeInCancel", {"reason": ""}, ["reason"]),
        ("tradeInReceive", {"locationId": id_of("Location", 999_999)}, ["locationId"]),
        ("tradeInGrade", {"finding": "", "worthMinor": 1}, ["finding"]),
        ("tradeInGrade", {"finding": "好", "worthMinor": -1}, ["worthMinor"]),
        ("tradeInAccept", {"amountMinor": -1}, ["amountMinor"]),
        ("tradeInDecline", {"reason": "低" * 201}, ["reason"]),
        ("tradeInSendHome", {"waybill": "SF9"}, ["waybill"]),
        ("tradeInPay", {"reference": ""}, ["reference"]),
    ],
)
async def test_a_step_that_is_not_taken_says_where_the_fault_lies(
    counter: Counter, admin: Connection, step: str, given: dict[str, Any], path: list[str]
) -> None:
    number = await counter.promised()
    before = await contents(admin)
    refused = await counter.run(step, counter.world.brand, tradeInId=number, **given)
    assert (refused["code"], refused["path"]) == ("INVALID_AFTER_SALES_INPUT", path)
    assert await contents(admin) == before


@pytest.mark.parametrize("step", NEEDS)
async def test_what_is_unknown_is_refused(counter: Counter, step: str) -> None:
    place = {"locationId": counter.location} if step == "tradeInReceive" else {}
    number = id_of("TradeIn", 999_999)
    refused = await counter.run(step, tradeInId=number, **(NEEDS[step] | place))
    assert refused["code"] == "UNKNOWN_TRADE_IN"


async def test_who_may_not_is_told_what_is_missing(counter: Counter, world: World) -> None:
    number = await counter.promised("dshop")
    for step in ("tradeInCancel", "tradeInAccept", "tradeInDecline", "tradeInPay"):
        denied = await counter.run(step, world.store, tradeInId=number, **NEEDS[step])
        assert (denied["__typename"], denied["permission"]) == (
            "PermissionDenied",
            "orders:cancel",
        )
    await counter.take("tradeInReceive", number)
    await counter.take("tradeInGrade", number)
    denied = await counter.run("tradeInPay", world.dealer, tradeInId=number, reference="alipay-1")
    assert denied["__typename"] == "PermissionDenied"
    assert (await counter.take("tradeInPay", number))["status"] == "PAID"


async def test_lists_show_what_is_open_of_whom_it_concerns(counter: Counter, world: World) -> None:
    own, brands = await counter.promised("dshop"), await counter.promised()
    assert await counter.listed(world.brand) == [own, brands]
    assert await counter.listed(world.dealer) == [own]
    for who in (world.store, world.other_dealer, world.other_brand):
        assert await counter.listed(who) == []
    await counter.take("tradeInReceive", brands)
    assert await counter.listed(world.store) == [brands]
    assert await counter.listed(world.brand, location=counter.location) == [brands]
    assert await counter.listed(world.brand, statuses=["PROMISED"]) == [own]
    await counter.take("tradeInCancel", own)
    assert await counter.listed(world.brand) == [brands]
    assert await counter.listed(world.brand, statuses=["CANCELLED", "RECEIVED"]) == [own, brands]
    assert await counter.listed(world.brand, order=id_of("Order", 999_999)) == []


async def test_lists_have_pages(counter: Counter, world: World) -> None:
    order = id_of("Order", (await counter.desk.placed(3)).order_id)
    ids = [(await counter.promise(orderId=order))["tradeIn"]["id"] for _ in range(3)]
    first = (await counter.api.data(LIST, world.brand, order=order, first=2))["tradeIns"]
    assert [edge["node"]["id"] for edge in first["edges"]] == ids[:2]
    assert first["pageInfo"]["hasNextPage"]
    after = first["pageInfo"]["endCursor"]
    rest = (await counter.api.data(LIST, world.brand, first=2, after=after))["tradeIns"]
    assert [edge["node"]["id"] for edge in rest["edges"]] == ids[2:]
    assert not rest["pageInfo"]["hasNextPage"]


async def test_a_node_is_seen_by_whom_it_concerns(counter: Counter, world: World) -> None:
    number = await counter.promised("dshop")
    for who in (world.brand, world.dealer, world.group):
        found = (await counter.api.data(NODE, who, id=number))["node"]
        assert found == {"status": "PROMISED", "promisedMinor": 600}
    for who in (world.store, world.other_dealer, world.other_brand):
        assert (await counter.api.data(NODE, who, id=number))["node"] is None
