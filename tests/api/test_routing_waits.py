"""`routingWaits` lists orders that wait as a strategy said, as long as units of them wait."""

from typing import Any

import pytest

from backend.orders import sold_out
from backend.routing.model import Otherwise
from backend.routing.traits import OrderTraits
from tenants.principal import Principal
from tests.api.client import Api
from tests.inventory.pools.living import Living
from tests.orders.strategies.routed import Routed
from tests.routing.policies import strategy, when

WAITS = """query ($queue: String, $first: Int! = 20, $after: String) {
    routingWaits(queue: $queue, first: $first, after: $after) {
        edges { node { strategy queue cancelOn order { id } } }
        pageInfo { hasNextPage endCursor } } }"""
SCARCE = strategy("scarce", otherwise=Otherwise.QUEUE, queue="late")
BRIEF = strategy(
    "brief",
    when=when("order.tags", "contains", "brief"),
    otherwise=Otherwise.CANCEL,
    cancel_after_days=3,
)


@pytest.fixture
async def routed(live: Living, monkeypatch: pytest.MonkeyPatch) -> Routed:
    monkeypatch.setattr(sold_out, "MEMORY_SECONDS", 0.0)
    found = Routed(live)
    await found.by(BRIEF, SCARCE)
    return found


async def waits(api: Api, who: Principal, **values: Any) -> list[dict[str, Any]]:
    found = (await api.data(WAITS, who, **values))["routingWaits"]
    return [edge["node"] for edge in found["edges"]]


async def test_who_waits_is_listed_until_it_is_sent(api: Api, routed: Routed) -> None:
    await routed.pay(2)
    brand = routed.live.brand
    (found,) = await waits(api, brand)
    assert (found["strategy"], found["queue"], found["cancelOn"]) == ("scarce", "late", None)
    assert await waits(api, brand, queue="late") == [found]
    assert await waits(api, brand, queue="another") == []
    await routed.stock("wh", 2)
    await routed.live.runtime.settle()
    assert await waits(api, brand) == []


async def test_a_wait_until_a_day_is_in_no_queue(api: Api, routed: Routed) -> None:
    await routed.pay(traits=OrderTraits(tags=("brief",)))
    (found,) = await waits(api, routed.live.brand)
    assert (found["strategy"], found["queue"]) == ("brief", None)
    assert found["cancelOn"] is not None
    assert await waits(api, routed.live.brand, queue="late") == []


async def test_pages_have_the_newest_first(api: Api, routed: Routed) -> None:
    for _ in range(3):
        await routed.pay()
    brand = routed.live.brand
    both = (await api.data(WAITS, brand, first=2))["routingWaits"]
    last = (await api.data(WAITS, brand, first=2, after=both["pageInfo"]["endCursor"]))[
        "routingWaits"
    ]
    assert both["pageInfo"]["hasNextPage"]
    assert not last["pageInfo"]["hasNextPage"]
    listed = [edge["node"] for edge in both["edges"] + last["edges"]]
    assert listed == await waits(api, brand)
    assert len({one["order"]["id"] for one in listed}) == 3


async def test_a_dealer_sees_what_its_shops_wait_for(api: Api, routed: Routed) -> None:
    await routed.pay(shop="dshop")
    await routed.pay()
    world = routed.live.world
    assert len(await waits(api, routed.live.brand)) == 2
    assert len(await waits(api, world.dealer)) == 1
    assert await waits(api, world.other_dealer) == []
    assert await waits(api, world.other_brand) == []
