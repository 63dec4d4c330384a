"""Holding orders over the API: placed, queued, taken in hand, released many at a time."""

from typing import Any

from backend.runtime import Runtime
from graphql_schema.paging import id_of
from tests.api.client import Api
from tests.fulfilment.working import Working
from tests.world import World, fresh_key

FAULT = "... on UserError { code path } ... on PermissionDenied { permission }"
HOLD = f"""mutation ($input: OrderHoldInput!) {{ orderHold(input: $input) {{
    __typename ... on OrderHoldPlaced {{ holdNo status }} {FAULT} }} }}"""
CLAIM = f"""mutation ($input: OrderHoldClaimInput!) {{ orderHoldClaim(input: $input) {{
    __typename ... on OrderHoldClaimed {{ holdNo }} {FAULT} }} }}"""
RELEASE = f"""mutation ($input: OrderHoldsReleaseInput!) {{ orderHoldsRelease(input: $input) {{
    __typename ... on OrderHoldsReleased {{ results {{ orderId holdNo status code }} }}
    {FAULT} }} }}"""
QUEUE = """query ($isFree: Boolean!) { heldOrders(kind: MANUAL, isFree: $isFree) {
    edges { node { id holds { kind reason placedBy expiresAt claimedBy } } } } }"""


async def test_holds_are_placed_taken_in_hand_and_released(
    api: Api, runtime: Runtime, world: World
) -> None:
    working = Working(runtime, world)
    orders = [id_of("Order", (await working.sold(1)).order_id) for _ in range(2)]

    async def run(query: str, **values: Any) -> dict[str, Any]:
        (answer,) = (await api.data(query, world.brand, input=values)).values()
        return dict(answer)

    async def queue(*, is_free: bool) -> list[dict[str, Any]]:
        found = await api.data(QUEUE, world.brand, isFree=is_free)
        return [edge["node"] for edge in found["heldOrders"]["edges"]]

    held = await run(
        HOLD,
        idempotencyKey="k",
        orderId=orders[0],
        reason="paid, but must not ship",
        expiresAt="2099-01-01T00:00:00+08:00",
    )
    assert held == {"__typename": "OrderHoldPlaced", "holdNo": 1, "status": "HELD"}
    await run(HOLD, idempotencyKey=fresh_key(), orderId=orders[1], reason="fraud")
    assert [one["id"] for one in await queue(is_free=True)] == orders
    assert "code" not in await run(CLAIM, orderId=orders[0], holdNo=1)
    assert [one["id"] for one in await queue(is_free=True)] == orders[1:]
    (hold,) = (await queue(is_free=False))[0]["holds"]
    assert (hold["kind"], hold["claimedBy"]) == ("MANUAL", world.brand.subject)
    assert hold["placedBy"] == world.brand.subject
    assert hold["expiresAt"].startswith("2098-12-31T16:00:00")
    asked = [{"orderId": order, "holdNo": number} for order in orders for number in (1, 2)]
    done = await run(RELEASE, idempotencyKey=fresh_key(), holds=asked)
    results = [(one["status"], one["code"]) for one in done["results"]]
    assert results == [("ALLOCATED", None), (None, "UNKNOWN_HOLD")] * 2
    assert await queue(is_free=False) == []
    none = await run(RELEASE, idempotencyKey=fresh_key(), holds=[])
    assert (none["code"], none["path"]) == ("INVALID_HOLD", ["holds"])
