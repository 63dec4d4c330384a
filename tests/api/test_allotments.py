"""Allotments through the API: set, sold from, changed meanwhile, listed and ended."""

from typing import Any

import pytest

from backend.routing import live_book
from backend.runtime import Runtime
from tests.api.client import Api, order
from tests.world import World, fresh_key, receive

FAULT = """... on UserError { code message path } ... on AllotmentChanged { version }
    ... on PermissionDenied { permission }"""
FOUND = """... on AllotmentsRecorded { allotments { sku { code } shop { code } quantity taken left
    isActive version reason dealerId } }"""
SET = f"""mutation ($input: AllotmentsSetInput!) {{ allotmentsSet(input: $input) {{
    __typename {FOUND} {FAULT} }} }}"""
END = f"""mutation ($input: AllotmentsEndInput!) {{ allotmentsEnd(input: $input) {{
    __typename {FOUND} ... on UserError {{ code message path }} }} }}"""
LISTED = """query ($first: Int!, $after: String, $shop: ID) {
    allotments(first: $first, after: $after, shopId: $shop) {
    edges { node { id left shop { code id } } } pageInfo { hasNextPage endCursor } } }"""


@pytest.fixture
async def stocked(api: Api, runtime: Runtime, world: World, monkeypatch: pytest.MonkeyPatch) -> Api:
    """10 of "A" in "wh", in a process that looks at allotments whenever it is asked to."""
    monkeypatch.setattr(live_book, "FRESH_SECONDS", 0.0)
    await receive(runtime.database, world.brand, "wh", "A", 10)
    return api


def asked(*allotments: dict[str, Any]) -> dict[str, Any]:
    return {"idempotencyKey": fresh_key(), "allotments": list(allotments)}


async def test_from_set_to_ended(stocked: Api, world: World) -> None:
    brand = world.brand
    line = {"sku": "A", "shop": "shop", "quantity": 3, "compareVersion": 0, "reason": "首发"}
    done = (await stocked.data(SET, brand, input=asked(line)))["allotmentsSet"]
    assert done == {
        "__typename": "AllotmentsRecorded",
        "allotments": [
            {
                "sku": {"code": "A"},
                "shop": {"code": "shop"},
                "quantity": 3,
                "taken": 0,
                "left": 3,
                "isActive": True,
                "version": 1,
                "reason": "首发",
                "dealerId": None,
            }
        ],
    }
    found = await stocked.place(brand, order(fresh_key(), quantity=4))
    assert found["lines"] == [{"sku": "A", "requested": 4, "available": 3}]
    assert (await stocked.place(brand, order(fresh_key(), quantity=3)))["status"] == "ALLOCATED"
    found = (await stocked.data(SET, brand, input=asked(line)))["allotmentsSet"]
    assert (found["code"], found["version"]) == ("ALLOTMENT_CHANGED", 2)
    assert found["path"] == ["allotments", "0", "compareVersion"]
    line = line | {"quantity": 1, "compareVersion": 2}
    (lowered,) = (await stocked.data(SET, brand, input=asked(line)))["allotmentsSet"]["allotments"]
    assert (lowered["taken"], lowered["left"]) == (3, 0)
    owner = {"sku": "A", "shop": "shop"}
    (ended,) = (await stocked.data(END, brand, input=asked(owner)))["allotmentsEnd"]["allotments"]
    assert not ended["isActive"]
    assert (await stocked.place(brand, order(fresh_key(), quantity=7)))["status"] == "ALLOCATED"
    found = (await stocked.data(END, brand, input=asked(owner)))["allotmentsEnd"]
    assert (found["code"], found["path"]) == ("UNKNOWN_ALLOTMENT", ["allotments", "0"])


async def test_a_dealer_sees_its_own_and_sets_none(stocked: Api, world: World) -> None:
    lines = [{"sku": "A", "quantity": 1, "shop": shop} for shop in ("shop", "dshop", "dshop2")]
    await stocked.data(SET, world.brand, input=asked(*lines))
    page = (await stocked.data(LISTED, world.dealer, first=9))["allotments"]
    (edge,) = page["edges"]
    assert edge["node"]["shop"]["code"] == "dshop"
    found = (await stocked.data(SET, world.dealer, input=asked(lines[1])))["allotmentsSet"]
    assert found["code"] == "WRITE_REFUSED"


async def test_pages_and_shops(stocked: Api, world: World) -> None:
    lines = [{"sku": sku, "quantity": 1, "shop": "shop"} for sku in "AB"]
    lines.append({"sku": "A", "quantity": 1, "dealer": "d1"})
    await stocked.data(SET, world.brand, input=asked(*lines))
    page = (await stocked.data(LISTED, world.brand, first=2))["allotments"]
    assert page["pageInfo"]["hasNextPage"]
    after = page["pageInfo"]["endCursor"]
    rest = (await stocked.data(LISTED, world.brand, first=2, after=after))["allotments"]
    nodes = [edge["node"] for edge in page["edges"] + rest["edges"]]
    assert [node["shop"] is None for node in nodes].count(True) == 1
    shop = next(node["shop"]["id"] for node in nodes if node["shop"])
    page = (await stocked.data(LISTED, world.brand, first=9, shop=shop))["allotments"]
    assert len(page["edges"]) == 2
