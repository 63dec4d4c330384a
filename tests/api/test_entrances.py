"""An order through each entrance is seen by its owner, and by nobody else."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from backend.cli import read_chunks
from backend.orders.intake_stream import place_stream
from backend.runtime import Runtime
from tenants.principal import Principal
from tests.api.client import Api, order
from tests.orders.checks import assert_clean
from tests.world import World, receive

ORDERS = "{ orders(first: 50) { edges { node { id externalId } } } }"
SETTLE_SECONDS = 0.3
"""How long a subscription takes to begin; its start is not acknowledged by the protocol."""


async def through_order_place(api: Api, who: Principal, shop: str) -> str:
    return str((await api.place(who, order("k", shop=shop)))["orderId"])


async def through_orders_place(api: Api, who: Principal, shop: str) -> str:
    query = """mutation ($input: OrdersPlaceInput!) { ordersPlace(input: $input) {
        ... on OrdersPlaced { results { ... on OrderPlaced { orderId } } } } }"""
    answer = await api.data(query, who, input={"orders": [order("k", shop=shop)]})
    return str(answer["ordersPlace"]["results"][0]["orderId"])


def record(shop: str) -> bytes:
    address = {"detail": "x", "regionCode": 310104}
    lines = [{"sku": "A", "quantity": 1}]
    values = {"shop": shop, "externalId": "e", "address": address, "lines": lines}
    return json.dumps(values).encode() + b"\n"


async def through_the_stream(api: Api, who: Principal, shop: str) -> str:
    response = await api.client.post(
        "/intake/orders", content=record(shop), headers=api.headers(who)
    )
    answer = response.json()
    assert answer["result"] == "placed", answer
    return str(answer["orderId"])


async def ids(api: Api, who: Principal) -> list[str]:
    answer = await api.data(ORDERS, who)
    return [edge["node"]["id"] for edge in answer["orders"]["edges"]]


@pytest.mark.parametrize("shop", ["shop", "dshop"])
@pytest.mark.parametrize(
    "entrance", [through_order_place, through_orders_place, through_the_stream]
)
async def test_its_owner_sees_it_and_nobody_else(
    runtime: Runtime, world: World, api: Api, entrance: Any, shop: str
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    owner = world.brand if shop == "shop" else world.dealer
    strangers = [world.other_brand, world.other_dealer, world.store]
    if shop == "shop":
        strangers.append(world.dealer)
    async with api.subscribed(owner) as events, api.subscribed(world.other_dealer) as foreign:
        await asyncio.sleep(SETTLE_SECONDS)
        order_id = await entrance(api, owner, shop)
        event = await asyncio.wait_for(anext(events), 5)
        assert (event["type"], event["orderId"]) == ("order.placed", order_id)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(foreign), 0.5)
    assert await ids(api, owner) == [order_id]
    assert await ids(api, world.brand) == [order_id]
    assert await ids(api, world.group) == [order_id]
    for stranger in strangers:
        assert await ids(api, stranger) == []
    await assert_clean(runtime, world)


async def test_a_file_is_an_entrance(
    runtime: Runtime, world: World, api: Api, tmp_path: Path
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    (tmp_path / "orders.ndjson").write_bytes(record("dshop"))
    chunks = read_chunks(tmp_path / "orders.ndjson")
    answers = [line async for line in place_stream(runtime.intake, world.system, chunks)]
    assert json.loads(answers[0])["result"] == "placed"
    assert len(await ids(api, world.dealer)) == 1
    assert await ids(api, world.other_dealer) == []


async def test_400_buyers_for_50_units(runtime: Runtime, world: World, api: Api) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 50)
    answers = await asyncio.gather(*(api.place(world.brand, order(f"k{n}")) for n in range(400)))
    counts = Counter(answer["__typename"] for answer in answers)
    assert counts == {"OrderPlaced": 50, "InsufficientStock": 350}
    await assert_clean(runtime, world)
