"""The life of an order over the API: a store takes it from the shelf to the door."""

import base64
from typing import Any

import pytest

from backend.runtime import Runtime
from tests.api.client import Api
from tests.catalogue import Connection
from tests.fulfilment.working import Working
from tests.orders.checks import assert_clean
from tests.world import World, fresh_key

FAULT = "... on UserError { code message path } ... on PermissionDenied { permission }"
BULK = f"__typename ... on FulfilmentsAnswered {{ results {{ isDone code }} }} {FAULT}"
RELEASE = f"""mutation ($input: WaveReleaseInput!) {{ waveRelease(input: $input) {{
    __typename ... on WaveReleased {{ waveId fulfilments refused {{ code }} }} {FAULT} }} }}"""
LIST = f"""mutation ($input: PickListCreateInput!) {{ pickListCreate(input: $input) {{
    __typename ... on PickListCreated {{ pickListId fulfilments }} {FAULT} }} }}"""
SCAN = f"""mutation ($input: PickScanInput!) {{ pickScan(input: $input) {{
    __typename ... on PickScanned {{ unitsLeft }} {FAULT} }} }}"""
PACK = f"""mutation ($input: FulfilmentsPackInput!) {{
    fulfilmentsPack(input: $input) {{ {BULK} }} }}"""
ASK = f"""mutation ($input: FulfilmentInterceptInput!) {{ fulfilmentIntercept(input: $input) {{
    __typename ... on FulfilmentInterceptAsked {{ interceptNo }} {FAULT} }} }}"""
ANSWER = f"""mutation ($input: FulfilmentInterceptAnswerInput!) {{
    fulfilmentInterceptAnswer(input: $input) {{
    __typename ... on FulfilmentInterceptAnswered {{ status units }} {FAULT} }} }}"""
WORK = """{ fulfilments(status: RESERVED) { edges { node { id status } } }
    locations { edges { node { id code } } } }"""
LISTS = """{ waves { edges { node { id fulfilments location { code } } } }
    pickLists { edges { node { id picker location { code } lines {
        fulfilmentId lineNo quantity picked sku { code } warehouse { code } } } } }
    parcels { edges { node { id carrier status weightG waybill fulfilmentId
        lines { lineNo quantity sku { code } } tracking { kind } } } } }"""
ORDER = """{ orders { edges { node { status lines { atNode shipped delivered }
    fulfilments { status reservations { active picked shipped } parcels { status }
    intercepts { state reason location { code } } } events { type actor } } } } }"""
OPEN = "{ openIntercepts { reason askedBy fulfilmentId location { code } } }"


def moving(name: str) -> str:
    return f"mutation ($input: FulfilmentsInput!) {{ {name}(input: $input) {{ {BULK} }} }}"


class Store:
    """What a store's people do, over the API."""

    def __init__(self, api: Api, world: World) -> None:
        self.api, self.world = api, world

    async def run(self, query: str, who: Any = None, **values: Any) -> dict[str, Any]:
        given = {"idempotencyKey": fresh_key()} | values
        (answer,) = (await self.api.data(query, who or self.world.store, input=given)).values()
        return dict(answer)

    async def released(self) -> str:
        """Release what there is to the store, and return the id of its fulfilment."""
        found = await self.api.data(WORK, self.world.store)
        (edge,) = found["fulfilments"]["edges"]
        wave = await self.run(RELEASE, self.world.brand, fulfilmentIds=[edge["node"]["id"]])
        assert (wave["fulfilments"], wave["refused"]) == (1, [])
        return str(edge["node"]["id"])

    async def location(self, code: str) -> str:
        edges = (await self.api.data(WORK, self.world.brand))["locations"]["edges"]
        return next(str(each["node"]["id"]) for each in edges if each["node"]["code"] == code)


@pytest.fixture
def store(api: Api, world: World) -> Store:
    return Store(api, world)


async def test_a_store_takes_an_order_from_the_shelf_to_the_door(
    store: Store, runtime: Runtime, world: World
) -> None:
    await Working(runtime, world).sold(3)
    sent = await store.released()
    made = await store.run(LIST, locationId=await store.location("store"), picker="Li")
    assert made["fulfilments"] == 1
    listed = await store.api.data(LISTS, world.store)
    (listing,) = listed["pickLists"]["edges"]
    assert listing["node"]["picker"] == "Li"
    (line,) = listing["node"]["lines"]
    assert (line["fulfilmentId"], line["quantity"], line["picked"]) == (sent, 3, 0)
    assert (line["sku"]["code"], line["warehouse"]["code"]) == ("A", "store")
    assert (await store.run(SCAN, fulfilmentId=sent, sku="A", quantity=3))["unitsLeft"] == 0
    packing = {"fulfilmentId": sent, "carrier": "own"}
    done = {"__typename": "FulfilmentsAnswered", "results": [{"isDone": True, "code": None}]}
    assert await store.run(PACK, fulfilments=[packing]) == done
    for name in ("fulfilmentsShip", "fulfilmentsDeliver"):
        assert await store.run(moving(name), fulfilmentIds=[sent]) == done
    (parcel,) = (await store.api.data(LISTS, world.store))["parcels"]["edges"]
    assert (parcel["node"]["status"], parcel["node"]["weightG"]) == ("DELIVERED", 3000)
    assert parcel["node"]["lines"] == [{"lineNo": 1, "quantity": 3, "sku": {"code": "A"}}]
    (order,) = (await store.api.data(ORDER, world.brand))["orders"]["edges"]
    assert order["node"]["status"] == "DELIVERED"
    assert order["node"]["lines"] == [{"atNode": 0, "shipped": 0, "delivered": 3}]
    (fulfilment,) = order["node"]["fulfilments"]
    assert fulfilment["reservations"] == [{"active": 0, "picked": 3, "shipped": 3}]
    assert [each["status"] for each in fulfilment["parcels"]] == ["DELIVERED"]
    await assert_clean(runtime, world)


async def test_the_brand_asks_to_stop_and_the_store_answers(
    store: Store, runtime: Runtime, world: World
) -> None:
    await Working(runtime, world).sold(3)
    sent = await store.released()
    asked = await store.run(ASK, world.brand, fulfilmentId=sent, reason="moved away")
    assert asked == {"__typename": "FulfilmentInterceptAsked", "interceptNo": 1}
    waiting = (await store.api.data(OPEN, world.store))["openIntercepts"]
    assert waiting == [
        {
            "reason": "moved away",
            "askedBy": world.brand.subject,
            "fulfilmentId": sent,
            "location": {"code": "store"},
        }
    ]
    answered = await store.run(ANSWER, fulfilmentId=sent, stops=True)
    assert (answered["status"], answered["units"]) == ("CANCELLED", 3)
    (order,) = (await store.api.data(ORDER, world.brand))["orders"]["edges"]
    (fulfilment,) = order["node"]["fulfilments"]
    assert fulfilment["intercepts"] == [
        {"state": "STOPPED", "reason": "moved away", "location": {"code": "store"}}
    ]
    types = [each["type"] for each in order["node"]["events"]]
    assert types[-3:] == [
        "fulfilment.intercept_asked",
        "fulfilment.intercepted",
        "fulfilment.cancelled",
    ]
    await assert_clean(runtime, world)


async def test_refusals_are_answers(
    store: Store, runtime: Runtime, world: World, admin: Connection
) -> None:
    await Working(runtime, world).sold(3)
    sent = await store.released()
    assert (await store.run(SCAN, fulfilmentId=sent, sku="A"))["code"] == "FULFILMENT_STATE"
    too_large = base64.b64encode(b"Fulfilment:1-2147483648").decode()
    for bad in ("x", "T3JkZXI6MQ==", "RnVsZmlsbWVudDox", too_large):
        assert (await store.run(SCAN, fulfilmentId=bad, sku="A"))["code"] == "INVALID_ID"
    refused = await store.run(moving("fulfilmentsShip"), fulfilmentIds=[sent])
    assert refused["results"] == [{"isDone": False, "code": "FULFILMENT_STATE"}]
    for moment in ("0001-01-01T00:00:00+08:00", "2030-01-31T12:00:00"):
        early = await store.run(RELEASE, world.brand, placedBefore=moment)
        assert (early["code"], early["path"]) == ("INVALID_FULFILMENT_INPUT", ["placedBefore"])
    assert (await store.run(RELEASE))["code"] == "INVALID_FULFILMENT_INPUT"
    empty = await store.run(RELEASE, world.brand)
    assert empty["code"] == "NOTHING_TO_RELEASE"
    assert await admin.fetchval("select count(*) from parcel") == 0


async def test_the_process_is_served(store: Store, world: World) -> None:
    query = "{ orderProcess { name title states final steps { name targets permission } } }"
    machines = (await store.api.data(query, world.brand))["orderProcess"]
    assert [each["name"] for each in machines] == [
        "order",
        "line_unit",
        "fulfilment",
        "pickup",
        "return",
        "refund",
        "exchange",
        "repair",
        "trade_in",
        "collection",
        "installation",
    ]
    ship = next(step for step in machines[2]["steps"] if step["name"] == "ship")
    assert ship == {"name": "ship", "targets": ["shipped"], "permission": "fulfilment:write"}
