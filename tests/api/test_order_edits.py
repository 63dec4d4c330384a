"""Changing an order over the API: a preview, then the edit, then somebody who came too late."""

from typing import Any

from backend.runtime import Runtime
from graphql_schema.paging import id_of
from tests.after_sales.desk import Desk
from tests.api.client import Api
from tests.orders.checks import assert_clean
from tests.world import SHANGHAI, World, fresh_key

EDIT = """mutation ($input: OrderEditInput!) { orderEdit(input: $input) { __typename
    ... on OrderEdited { isPreview status version cancelled added freed totalMinor
        edits { field before after } order { version remark } }
    ... on OrderChanged { version } ... on UserError { code path } } }"""
VERSION = "query ($id: ID!) { node(id: $id) { ... on Order { version remark } } }"


async def test_an_order_is_seen_first_and_changed_then(
    api: Api, runtime: Runtime, world: World
) -> None:
    order = await Desk(runtime, world).placed(3)
    order_id = id_of("Order", order.order_id)
    node = (await api.data(VERSION, world.brand, id=order_id))["node"]

    async def edit(who: Any = None, **values: Any) -> dict[str, Any]:
        given = {
            "idempotencyKey": fresh_key(),
            "orderId": order_id,
            "seenVersion": node["version"],
            "lines": [{"lineNo": 1, "quantity": 2}],
            "remark": "礼品",
            "reason": "顾客要求",
        }
        answer = await api.data(EDIT, who or world.brand, input=given | values)
        return dict(answer["orderEdit"])

    seen = await edit(isPreview=True)
    assert (seen["isPreview"], seen["cancelled"], seen["totalMinor"]) == (True, 1, 3_000)
    assert seen["edits"] == [
        {"field": "lines.1.quantity", "before": "3", "after": "2"},
        {"field": "remark", "before": "", "after": "礼品"},
    ]
    assert seen["order"] == {"version": node["version"], "remark": ""}
    done = await edit()
    assert done["order"] == {"version": done["version"], "remark": "礼品"}
    late = await edit()
    assert late == {
        "__typename": "OrderChanged",
        "version": done["version"],
        "code": "ORDER_CHANGED",
        "path": [],
    }
    wrong = await edit(seenVersion=done["version"], lines=[{"lineNo": 9, "quantity": 1}])
    assert (wrong["code"], wrong["path"]) == ("INVALID_EDIT", ["lines", "0", "lineNo"])
    denied = await edit(world.dealer, location="wh")
    assert denied["__typename"] == "PermissionDenied"
    there = {"detail": "路 9 号", "regionCode": SHANGHAI, "name": "李四"}
    moved = await edit(seenVersion=done["version"], address=there, lines=[])
    assert moved["freed"] == 2
    await assert_clean(runtime, world)
