"""Splitting an order by hand over the API: seen first, then done, and told to who may know it."""

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from backend.network.model import WarehouseDraft
from backend.orders import sold_out
from backend.orders.model import TEXT_MAX, LineDraft, Placed
from backend.orders.split_order import PARTS_MAX
from backend.runtime import Runtime
from graphql_schema.paging import id_of
from tenants.principal import Permission, Principal
from tests.api.client import Api
from tests.api.users import user_with
from tests.catalogue import Connection, contents
from tests.inventory.pools.living import Living
from tests.orders.checks import placed
from tests.orders.rerouting.moving import Moving
from tests.orders.strategies.routed import Routed, sent
from tests.world import World, draft, fresh_key

FAULT = "... on UserError { code message path } ... on PermissionDenied { permission }"
SPLIT = f"""mutation ($input: OrderSplitInput!) {{ orderSplit(input: $input) {{ __typename
    ... on OrderSplit {{ isPreview version moved edits {{ field before after }}
        order {{ version fulfilments {{ location {{ code }} reservations {{ active }} }} }} }}
    ... on OrderChanged {{ version }} {FAULT} }} }}"""
ORDER = """query ($id: ID!) { order(id: $id) { version
    events { type sequence actor payload } } }"""
Parts = Mapping[str, Mapping[int, int]]
"""By location, by line."""
TWO_AND_ONE: Parts = {"wh": {1: 2}, "far": {1: 1}}
EDIT = {"field": "lines.1.locations", "before": "3 wh", "after": "1 far, 2 wh"}
REASON = "门店缺一件，改由北京仓发"


def said(parts: Parts | list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return parts as the API takes them."""
    if isinstance(parts, list):
        return parts
    return [
        {"location": code, "lines": [{"lineNo": no, "quantity": n} for no, n in lines.items()]}
        for code, lines in parts.items()
    ]


class Splitter:
    """Who splits orders of a brand, over the API."""

    def __init__(self, api: Api, moving: Moving) -> None:
        self.api, self.moving, self.world = api, moving, moving.live.world

    async def sold(self, units: int = 3, far: int = 3, **changes: Any) -> Placed:
        """Let so many units be sold from Shanghai, with some in Beijing too."""
        await self.moving.routed.stock("wh", units)
        await self.moving.routed.stock("far", far)
        return await self.moving.routed.order(units, **changes)

    async def twice_the_same(self) -> Placed:
        """Let an order of two lines of "A" be sold from Shanghai; Beijing has one unit."""
        lines = (LineDraft("A", 1, 1_000), LineDraft("A", 1, 900))
        await self.moving.routed.stock("wh", 2)
        await self.moving.routed.stock("far", 1)
        live = self.moving.live
        return placed(await live.runtime.intake.place(replace(draft(), lines=lines), live.brand))

    async def order(self, order: Placed, who: Principal | None = None) -> dict[str, Any]:
        number = id_of("Order", order.order_id)
        return dict((await self.api.data(ORDER, who or self.world.brand, id=number))["order"])

    async def version(self, order: Placed) -> int:
        return int((await self.order(order))["version"])

    async def split(
        self,
        order: Placed,
        parts: Parts | list[dict[str, Any]],
        who: Principal | None = None,
        **values: Any,
    ) -> dict[str, Any]:
        """Return what is answered to whoever splits an order that they have just seen."""
        given = {
            "idempotencyKey": fresh_key(),
            "orderId": id_of("Order", order.order_id),
            "parts": said(parts),
            "reason": REASON,
        } | values
        if "seenVersion" not in given:
            given["seenVersion"] = await self.version(order)
        answer = await self.api.data(SPLIT, who or self.world.brand, input=given)
        return dict(answer["orderSplit"])


@pytest.fixture
async def splitter(api: Api, live: Living, monkeypatch: pytest.MonkeyPatch) -> Splitter:
    """Orders go the cheapest way; no stock."""
    monkeypatch.setattr(sold_out, "MEMORY_SECONDS", 0.0)
    moving = Moving(Routed(live))
    await moving.by()
    await live.warm()
    return Splitter(api, moving)


def places(order: dict[str, Any]) -> list[tuple[str, int]]:
    """Return from where an answer says that units come."""
    return sorted(
        (one["location"]["code"], sum(part["active"] for part in one["reservations"]))
        for one in order["fulfilments"]
    )


async def test_units_come_from_where_somebody_says(splitter: Splitter, admin: Connection) -> None:
    order = await splitter.sold()
    before = await splitter.version(order)
    done = await splitter.split(order, TWO_AND_ONE)
    version = await splitter.version(order)
    assert version > before
    after = done.pop("order")
    assert done == {
        "__typename": "OrderSplit",
        "isPreview": False,
        "version": version,
        "moved": 1,
        "edits": [EDIT],
    }
    assert (after["version"], places(after)) == (version, [("far", 1), ("wh", 2)])
    assert await sent(admin, order) == {"wh": 2, "far": 1}


async def test_a_preview_says_what_it_would_come_to(splitter: Splitter, admin: Connection) -> None:
    order = await splitter.sold()
    version, before = await splitter.version(order), await contents(admin)
    seen = await splitter.split(order, TWO_AND_ONE, isPreview=True)
    assert (seen["isPreview"], seen["moved"], seen["edits"]) == (True, 1, [EDIT])
    assert (seen["order"]["version"], places(seen["order"])) == (version, [("wh", 3)])
    assert await contents(admin) == before
    done = await splitter.split(order, TWO_AND_ONE, seenVersion=version)
    assert (done["version"], done["edits"]) == (seen["version"], seen["edits"])


async def test_a_preview_does_not_use_up_its_key(splitter: Splitter) -> None:
    order = await splitter.sold()
    seen = await splitter.split(order, TWO_AND_ONE, idempotencyKey="k", isPreview=True)
    done = await splitter.split(order, TWO_AND_ONE, idempotencyKey="k")
    assert (seen["isPreview"], done["isPreview"]) == (True, False)
    assert (done["__typename"], done["edits"]) == ("OrderSplit", seen["edits"])


async def test_a_preview_leaves_the_counters_of_parcels_alone(
    splitter: Splitter, admin: Connection
) -> None:
    order = await splitter.sold()
    await admin.execute("update node set daily_capacity = 5")
    await splitter.moving.live.freshen()
    before = await contents(admin)
    seen = await splitter.split(order, TWO_AND_ONE, isPreview=True)
    assert seen["isPreview"]
    assert await contents(admin) == before


async def test_a_split_that_is_refused_leaves_the_counters_of_parcels_alone(
    splitter: Splitter, world: World, admin: Connection
) -> None:
    order = await splitter.sold()
    await admin.execute("update node set daily_capacity = 5")
    await splitter.moving.live.freshen()
    seen, before = await splitter.version(order), await contents(admin)
    late = await splitter.split(order, TWO_AND_ONE, seenVersion=seen - 1)
    assert late["__typename"] == "OrderChanged"
    reader = await splitter.split(order, TWO_AND_ONE, world.group, seenVersion=seen)
    assert reader["code"] == "WRITE_REFUSED"
    assert await contents(admin) == before


async def test_whoever_has_not_seen_it_is_told_its_version(
    splitter: Splitter, admin: Connection
) -> None:
    order = await splitter.sold()
    seen = await splitter.version(order)
    done = await splitter.split(order, TWO_AND_ONE)
    before = await contents(admin)
    for is_preview in (True, False):
        late = await splitter.split(order, {"far": {1: 3}}, seenVersion=seen, isPreview=is_preview)
        assert late.pop("message")
        assert late == {
            "__typename": "OrderChanged",
            "code": "ORDER_CHANGED",
            "path": [],
            "version": done["version"],
        }
    assert await contents(admin) == before


async def test_the_same_split_again_is_the_same(splitter: Splitter, admin: Connection) -> None:
    order = await splitter.sold()
    seen = await splitter.version(order)
    given: dict[str, Any] = {"idempotencyKey": "k", "seenVersion": seen}
    first = await splitter.split(order, TWO_AND_ONE, **given)
    before = await contents(admin)
    assert await splitter.split(order, TWO_AND_ONE, **given) == first
    others: list[tuple[Parts, str]] = [({"far": {1: 3}}, REASON), (TWO_AND_ONE, "另一个原因")]
    for parts, reason in others:
        other = await splitter.split(order, parts, **given, reason=reason)
        assert (other["__typename"], other["code"]) == ("InputRefused", "IDEMPOTENCY_CONFLICT")
    assert await contents(admin) == before


async def test_what_happened_to_the_order_shows_the_split(splitter: Splitter, world: World) -> None:
    order = await splitter.sold()
    seen = await splitter.version(order)
    await splitter.split(order, TWO_AND_ONE)
    after = await splitter.order(order)
    told = [event for event in after["events"] if event["sequence"] > seen]
    assert [event["sequence"] for event in told] == list(range(seen + 1, after["version"] + 1))
    (edited,) = [event for event in told if event["type"] == "order.edited"]
    assert edited["actor"] == world.brand.subject
    assert edited["payload"] == {
        "orderId": order.order_id,
        "edits": [EDIT],
        "reason": REASON,
    }
    assert "fulfilment.created" in [event["type"] for event in told]


async def test_a_refused_split_is_not_told(splitter: Splitter) -> None:
    order = await splitter.sold()
    before = await splitter.order(order)
    await splitter.split(order, TWO_AND_ONE, isPreview=True)
    await splitter.split(order, {"far": {1: 2}})
    assert await splitter.order(order) == before


async def test_lines_of_one_order_come_from_several_places(
    splitter: Splitter, admin: Connection
) -> None:
    for sku in ("A", "B"):
        for code in ("wh", "far"):
            await splitter.moving.routed.stock(code, 3, sku)
    order = await splitter.moving.routed.order({"A": 2, "B": 2})
    done = await splitter.split(order, {"wh": {1: 1, 2: 2}, "far": {1: 1}})
    assert [edit["field"] for edit in done["edits"]] == ["lines.1.locations"]
    again = await splitter.split(order, {"far": {1: 2, 2: 2}})
    assert again["moved"] == 3
    assert again["edits"] == [
        {"field": "lines.1.locations", "before": "1 far, 1 wh", "after": "2 far"},
        {"field": "lines.2.locations", "before": "2 wh", "after": "2 far"},
    ]
    assert places(again["order"])[0] == ("far", 4)
    assert await sent(admin, order) == {"far": 4}


BAD: dict[str, tuple[Parts | list[dict[str, Any]], dict[str, Any], list[str]]] = {
    "no parts": ({}, {}, ["parts"]),
    "too many parts": ({f"x{n}": {1: 1} for n in range(PARTS_MAX + 1)}, {}, ["parts"]),
    "a location twice": (said({"far": {1: 1}}) + said({"far": {1: 2}}), {}, ["parts"]),
    "a line twice": (
        [{"location": "far", "lines": [{"lineNo": 1, "quantity": n} for n in (1, 2)]}],
        {},
        ["parts", "0", "lines"],
    ),
    "no units": ({"wh": {1: 3}, "far": {1: 0}}, {}, ["parts", "1", "lines"]),
    "fewer than none": ({"wh": {1: 4}, "far": {1: -1}}, {}, ["parts", "1", "lines"]),
    "not all units": ({"wh": {1: 2}}, {}, ["parts"]),
    "too many units": ({"wh": {1: 3}, "far": {1: 1}}, {}, ["parts"]),
    "no such line": ({"wh": {1: 3}, "far": {9: 1}}, {}, ["parts"]),
    "no such location": ({"wh": {1: 2}, "nowhere": {1: 1}}, {}, ["parts", "1", "location"]),
    "too little": ({"wh": {1: 2}, "store": {1: 1}}, {}, ["parts"]),
    "more than there is": ({"far": {1: 3}}, {}, ["parts"]),
    "no reason": (TWO_AND_ONE, {"reason": ""}, ["reason"]),
    "a long reason": (TWO_AND_ONE, {"reason": "因" * (TEXT_MAX + 1)}, ["reason"]),
    "nothing changes": ({"wh": {1: 3}}, {}, []),
}


async def test_what_is_wrong_is_refused_with_its_place(
    splitter: Splitter, admin: Connection
) -> None:
    order = await splitter.sold(far=2)
    before = await contents(admin)
    for name, (parts, changes, path) in BAD.items():
        for is_preview in (True, False):
            answer = await splitter.split(order, parts, **changes, isPreview=is_preview)
            assert answer["__typename"] == "InputRefused", (name, answer)
            assert (answer["code"], answer["path"]) == ("INVALID_EDIT", path), name
            assert answer["message"], name
        assert await contents(admin) == before, name


async def test_what_is_no_order_is_not_split(splitter: Splitter, admin: Connection) -> None:
    order = await splitter.sold()
    bad: list[tuple[dict[str, Any], str]] = [
        ({"orderId": id_of("Order", 999_999)}, "UNKNOWN_ORDER"),
        ({"orderId": id_of("Return", order.order_id)}, "INVALID_ID"),
        ({"orderId": "x"}, "INVALID_ID"),
        ({"idempotencyKey": ""}, "INVALID_IDEMPOTENCY_KEY"),
        ({"parts": {"a\0b": {1: 3}}}, "TEXT_NOT_STORABLE"),
    ]
    before = await contents(admin)
    for changes, code in bad:
        given: dict[str, Any] = {"parts": TWO_AND_ONE} | changes
        answer = await splitter.split(order, **given)
        assert (answer["__typename"], answer["code"]) == ("InputRefused", code), changes
    assert await contents(admin) == before


async def test_a_location_that_sends_nothing_of_the_shop_is_refused(
    splitter: Splitter, admin: Connection
) -> None:
    order = await splitter.sold()
    await splitter.moving.routed.stock("dealer-node", 3)
    seen = await splitter.version(order)
    for change in ("serves_all = false", "serves_all = true, is_active = false"):
        await admin.execute(f"update node set {change} where code = 'dealer-node'")  # noqa: S608
        before = await contents(admin)
        parts = {"wh": {1: 2}, "dealer-node": {1: 1}}
        answer = await splitter.split(order, parts, seenVersion=seen)
        assert (answer["__typename"], answer["code"]) == ("InputRefused", "INVALID_EDIT"), change
        assert answer["path"] == ["parts", "1", "location"], change
        assert await contents(admin) == before


async def test_an_order_with_which_somebody_has_begun_is_not_split(
    splitter: Splitter, admin: Connection
) -> None:
    order = await splitter.sold()
    await admin.execute("update fulfilment set status = 'released'")
    await admin.execute("update orders set status = 'in_fulfilment'")
    await admin.execute("update order_line set at_node = reserved, reserved = 0")
    before = await contents(admin)
    answer = await splitter.split(order, TWO_AND_ONE)
    assert (answer["code"], answer["path"]) == ("INVALID_EDIT", [])
    assert await contents(admin) == before
    await admin.execute("update fulfilment set status = 'reserved'")
    await admin.execute("update orders set status = 'allocated'")
    await admin.execute("update order_line set reserved = at_node, at_node = 0")


async def test_only_the_brand_splits(
    splitter: Splitter, runtime: Runtime, world: World, admin: Connection
) -> None:
    ours = await splitter.sold()
    theirs = await splitter.sold(shop="dshop")
    reader = await user_with(runtime, world, Permission.ORDERS_READ)
    before = await contents(admin)
    for order in (ours, theirs):
        seen = await splitter.version(order)
        for who in (world.dealer, world.other_dealer, world.store, reader):
            denied = await splitter.split(order, TWO_AND_ONE, who, seenVersion=seen)
            assert denied["__typename"] == "PermissionDenied", who
            assert (denied["code"], denied["permission"]) == ("PERMISSION_MISSING", "orders:place")
        for who, code in ((world.group, "WRITE_REFUSED"), (world.other_brand, "UNKNOWN_ORDER")):
            answer = await splitter.split(order, TWO_AND_ONE, who, seenVersion=seen)
            assert (answer["__typename"], answer["code"]) == ("InputRefused", code)
    assert await contents(admin) == before


async def test_a_dealers_order_is_split_by_the_brand(
    splitter: Splitter, world: World, admin: Connection
) -> None:
    order = await splitter.sold(shop="dshop")
    done = await splitter.split(order, TWO_AND_ONE)
    assert (done["__typename"], done["moved"]) == ("OrderSplit", 1)
    assert await sent(admin, order) == {"wh": 2, "far": 1}
    (told,) = [
        event
        for event in (await splitter.order(order, world.dealer))["events"]
        if event["type"] == "order.edited"
    ]
    assert (told["actor"], told["payload"]["edits"]) == (None, [EDIT])


async def test_what_is_left_behind_is_sold_at_once(splitter: Splitter, admin: Connection) -> None:
    """The counters of admission are published: nobody waits for the next look."""
    order = await splitter.sold()
    await splitter.split(order, {"far": {1: 3}})
    another = await splitter.moving.routed.order(3)
    assert await sent(admin, another) == {"wh": 3}


async def test_lines_of_the_same_goods_share_what_a_location_has(
    splitter: Splitter, admin: Connection
) -> None:
    order = await splitter.twice_the_same()
    before = await contents(admin)
    both = await splitter.split(order, {"far": {1: 1, 2: 1}})
    assert (both["__typename"], both["code"]) == ("InputRefused", "INVALID_EDIT")
    assert await contents(admin) == before
    done = await splitter.split(order, {"wh": {1: 1}, "far": {2: 1}})
    assert done["edits"] == [{"field": "lines.2.locations", "before": "1 wh", "after": "1 far"}]


async def test_units_of_a_line_come_from_two_warehouses_of_a_location(
    splitter: Splitter, world: World, admin: Connection
) -> None:
    live = splitter.moving.live
    await live.add_warehouse(WarehouseDraft(node_id=world.nodes["far"], code="far-2"))
    order = await splitter.sold(2, far=1)
    await splitter.moving.routed.stock("far-2", 1)
    done = await splitter.split(order, {"far": {1: 2}})
    assert (done["__typename"], done["moved"]) == ("OrderSplit", 2)
    assert await sent(admin, order) == {"far": 2}


async def test_lines_of_the_same_goods_come_from_two_warehouses_of_a_location(
    splitter: Splitter, world: World, admin: Connection
) -> None:
    """One unit in each: the second line takes what the first one has left."""
    live = splitter.moving.live
    await live.add_warehouse(WarehouseDraft(node_id=world.nodes["far"], code="far-2"))
    order = await splitter.twice_the_same()
    await splitter.moving.routed.stock("far-2", 1)
    assert await sent(admin, order) == {"wh": 2}
    done = await splitter.split(order, {"far": {1: 1, 2: 1}})
    assert done["__typename"] == "OrderSplit", done
    assert await sent(admin, order) == {"far": 2}
