"""Orders that are fetched, over the API: the customer, the store's phone, the brand."""

from typing import Any

import pytest

from backend.pickups.qr import qr_svg
from backend.runtime import Runtime
from graphql_schema.paging import id_of
from tests.api.client import Api
from tests.orders.checks import assert_clean
from tests.pickups.counter import Counter, open_counters
from tests.world import HANGZHOU, World, fresh_key

FAULT = "... on UserError { code message path }"
PICKUP = "pickup { status version readyBy keepUntil location { code } }"
CHANGED = "... on PickupChanged { pickup { status version } }"
SAVED = f"__typename ... on PickupSaved {{ {PICKUP} orderStatus }} {CHANGED} {FAULT}"
PLACE = f"""mutation ($input: OrderPlaceInput!) {{ orderPlace(input: $input) {{
    __typename ... on OrderPlaced {{ orderId status order {{ {PICKUP} }} }} {FAULT} }} }}"""
TASKS = """query ($statuses: [PickupStatus!]) { pickups(statuses: $statuses) { edges { node {
    id status version order { id }
    fulfilments { status buyerName reservations { lineNo quantity sku { code } } } } } } }"""
CODES = """query ($id: ID!) { pickupCodes(orderId: $id) { codeNo name state code token qr } }"""
KEY = "{ pickupKey }"
PROMISE = """query ($cart: OrderPlaceInput!) { deliveryPromise(cart: $cart) {
    stores { location { code } readyAt } } }"""
TERMS = """mutation ($input: PickupTermsSetInput!) { pickupTermsSet(input: $input) { __typename
    ... on PickupTermsSaved { terms { keepHours remindHours } }
    ... on UserError { code path } } }"""
ISSUE = f"""mutation ($input: PickupCodeIssueInput!) {{ pickupCodeIssue(input: $input) {{
    __typename ... on PickupCodeIssued {{ codeNo }} {FAULT} }} }}"""
INPUTS = {
    "pickupAccept": "PickupInput",
    "pickupReject": "PickupRejectInput",
    "pickupReady": "PickupInput",
    "pickupKeep": "PickupKeepInput",
    "pickupHandOver": "PickupHandOverInput",
    "pickupMove": "PickupMoveInput",
}


class Phone:
    """What somebody does with an order, over the API."""

    def __init__(self, api: Api, world: World) -> None:
        self.api, self.world = api, world
        self.order_id = ""

    async def place(self, location: str = "store", **changes: Any) -> dict[str, Any]:
        order = {
            "shop": "shop",
            "address": {"detail": "某路", "regionCode": HANGZHOU, "name": "张三", "phone": "138"},
            "idempotencyKey": fresh_key(),
            "lines": [{"sku": "A", "quantity": 2}],
            "pickup": {"location": location},
        }
        answer = await self.api.data(PLACE, self.world.brand, input=order | changes)
        placed = dict(answer["orderPlace"])
        self.order_id = placed.get("orderId", "")
        return placed

    async def run(self, name: str, who: Any = None, **values: Any) -> dict[str, Any]:
        query = f"mutation ($input: {INPUTS[name]}!) {{ {name}(input: $input) {{ {SAVED} }} }}"
        given = {"idempotencyKey": fresh_key(), "orderId": self.order_id} | values
        answer = await self.api.data(query, who or self.world.store, input=given)
        return dict(answer[name])


@pytest.fixture
async def phone(api: Api, runtime: Runtime, world: World) -> Phone:
    await open_counters(runtime, world)
    await Counter(runtime, world).stocked(5)
    return Phone(api, world)


async def test_an_order_from_the_shop_to_the_counter(
    phone: Phone, runtime: Runtime, world: World
) -> None:
    placed = await phone.place()
    pickup = placed["order"]["pickup"]
    assert (placed["status"], pickup["status"]) == ("ALLOCATED", "ASKED")
    assert pickup["location"] == {"code": "store"}
    (task,) = (await phone.api.data(TASKS, world.store))["pickups"]["edges"]
    assert task["node"]["order"] is None
    (work,) = task["node"]["fulfilments"]
    assert (work["status"], work["buyerName"]) == ("RESERVED", "张三")
    assert work["reservations"] == [{"lineNo": 1, "quantity": 2, "sku": {"code": "A"}}]
    accepted = await phone.run("pickupAccept", seenVersion=task["node"]["version"])
    assert accepted["pickup"]["status"] == "ACCEPTED"
    late = await phone.run("pickupReady", seenVersion=1)
    assert (late["__typename"], late["pickup"]) == (
        "PickupChanged",
        {"status": "ACCEPTED", "version": 2},
    )
    ready = await phone.run("pickupReady", seenVersion=2)
    assert ready["pickup"]["keepUntil"] is not None
    answer = await phone.api.data(CODES, world.brand, id=phone.order_id)
    (code,) = answer["pickupCodes"]
    assert (code["name"], code["state"]) == ("张三", "ACTIVE")
    assert code["qr"] == qr_svg(code["token"])
    assert (await phone.api.data(KEY, world.store))["pickupKey"]["crv"] == "Ed25519"
    wrong = await phone.run("pickupHandOver", code="x")
    assert wrong["code"] == "WRONG_PICKUP_CODE"
    lines = [{"lineNo": 1, "quantity": 1}]
    handed = await phone.run("pickupHandOver", code=code["code"], lines=lines)
    assert (handed["pickup"]["status"], handed["orderStatus"]) == ("HANDED_OVER", "DELIVERED")
    assert (await phone.api.data(TASKS, world.store))["pickups"]["edges"] == []
    done = await phone.api.data(TASKS, world.store, statuses=["HANDED_OVER"])
    assert len(done["pickups"]["edges"]) == 1
    await assert_clean(runtime, world)


async def test_a_store_rejects_and_it_is_sent(phone: Phone, world: World) -> None:
    await phone.place()
    rejected = await phone.run("pickupReject", reason="缺货")
    assert (rejected["pickup"]["status"], rejected["orderStatus"]) == ("REJECTED", "HELD")
    assert (await phone.run("pickupMove"))["code"] == "UNKNOWN_ORDER"
    sent = await phone.run("pickupMove", world.brand, reason="顾客改为配送")
    assert sent["pickup"]["status"] == "SENT"


async def test_where_nothing_is_handed_over(phone: Phone) -> None:
    refused = await phone.place("wh")
    assert (refused["code"], refused["path"]) == ("NO_PICKUP", ["pickup"])


async def test_stores_that_hand_over_are_promised(phone: Phone, world: World) -> None:
    cart = {
        "shop": "shop",
        "address": {"detail": "", "regionCode": HANGZHOU},
        "idempotencyKey": "cart",
        "lines": [{"sku": "A", "quantity": 2}],
    }
    answer = await phone.api.data(PROMISE, world.brand, cart=cart)
    (store,) = answer["deliveryPromise"]["stores"]
    assert store["location"] == {"code": "store"}
    assert store["readyAt"]


async def test_terms_and_codes(phone: Phone, world: World) -> None:
    given = {"idempotencyKey": "terms", "keepHours": 48, "remindHours": 12}
    saved = await phone.api.data(TERMS, world.brand, input=given)
    assert saved["pickupTermsSet"]["terms"] == {"keepHours": 48, "remindHours": 12}
    for wrong in ({"keepHours": 0}, {"keepHours": 5, "remindHours": 5}):
        refused = {"idempotencyKey": fresh_key(), **wrong}
        answer = await phone.api.data(TERMS, world.brand, input=refused)
        assert answer["pickupTermsSet"]["code"] == "INVALID_PICKUP_INPUT"
    await phone.place()
    issue = {"idempotencyKey": "code", "orderId": phone.order_id, "name": "李四"}
    issued = await phone.api.data(ISSUE, world.brand, input=issue)
    assert issued["pickupCodeIssue"]["codeNo"] == 1
    by_store = await phone.api.data(ISSUE, world.store, input=issue)
    assert by_store["pickupCodeIssue"]["__typename"] == "PermissionDenied"


@pytest.mark.parametrize("name", sorted(INPUTS))
async def test_commands_on_what_is_not_fetched_are_refused(
    phone: Phone, world: World, name: str
) -> None:
    phone.order_id = id_of("Order", 999_999)
    more: dict[str, Any] = {
        "pickupReject": {"reason": "x"},
        "pickupKeep": {"keepUntil": "2030-01-01T00:00:00Z"},
        "pickupHandOver": {"code": "1"},
    }.get(name, {})
    who = world.brand if name == "pickupMove" else None
    refused = await phone.run(name, who, **more)
    assert refused["code"] in ("UNKNOWN_PICKUP", "UNKNOWN_ORDER")
