"""Splitting by hand: each unit comes from where somebody says, and routing leaves it so."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from backend.orders.edit_order import OrderEdit, edit_order
from backend.orders.errors import OrderChanged
from backend.orders.find_orders import orders_by_ids
from backend.orders.model import Placed
from backend.orders.split_order import Split, SplitLine, SplitPart, split_order
from backend.routing.model import Rerouting
from tenants.principal import Principal
from tests.catalogue import Connection, contents
from tests.orders.checks import assert_clean
from tests.orders.rerouting.moving import Moving
from tests.orders.strategies.routed import sent
from tests.refusals import refused
from tests.world import fresh_key

EDITED = "select payload from outbox where type = 'order.edited' order by id desc limit 1"
TWO_AND_ONE = {"wh": {1: 2}, "far": {1: 1}}


async def version(moving: Moving, order: Placed) -> int:
    live = moving.live
    async with live.runtime.database.tenant_transaction(live.brand, read_only=True) as tx:
        row: Any = (await orders_by_ids(tx, [order.order_id]))[order.order_id]
    return int(row["event_sequence"])


async def split(
    moving: Moving,
    order: Placed,
    parts: Mapping[str, Mapping[int, int]],
    who: Principal | None = None,
    **given: Any,
) -> Split:
    """Let units of lines come from locations: by location, by line."""
    live = moving.live
    runtime = live.runtime
    given = {"key": fresh_key(), "reason": "门店自提改仓发"} | given
    if "seen" not in given:
        given["seen"] = await version(moving, order)
    said = [
        SplitPart(code, tuple(SplitLine(*one) for one in lines.items()))
        for code, lines in parts.items()
    ]
    book = await runtime.books.open(live.world.tenant_id)
    reason = given.pop("reason")
    who = who or live.brand
    done = await split_order(runtime.database, who, order.order_id, said, book, reason, **given)
    if not given.get("is_preview"):
        await runtime.publish_counters(live.world.tenant_id, done.counters)
    return done


async def sold(moving: Moving, units: int = 3, far: int = 3) -> Placed:
    """Let so many units be sold from Shanghai, with as many in Beijing."""
    await moving.routed.stock("wh", units)
    await moving.routed.stock("far", far)
    return await moving.routed.order(units)


async def test_units_come_from_where_somebody_says(moving: Moving, admin: Connection) -> None:
    order = await sold(moving)
    assert await sent(admin, order) == {"wh": 3}
    done = await split(moving, order, TWO_AND_ONE)
    assert await sent(admin, order) == {"wh": 2, "far": 1}
    assert done.moved == 1
    (edit,) = done.edits
    assert (edit.field, edit.before, edit.after) == ("lines.1.locations", "3 wh", "1 far, 2 wh")
    assert "门店自提改仓发" in (await admin.fetchval(EDITED))
    assert done.version == await version(moving, order)


async def test_what_is_left_behind_is_free_again(moving: Moving, admin: Connection) -> None:
    order = await sold(moving)
    await split(moving, order, {"far": {1: 3}})
    assert await sent(admin, order) == {"far": 3}
    another = await moving.routed.order(3)
    assert await sent(admin, another) == {"wh": 3}


async def test_a_preview_changes_nothing(moving: Moving, admin: Connection) -> None:
    order = await sold(moving)
    before = await contents(admin)
    seen = await split(moving, order, TWO_AND_ONE, is_preview=True)
    assert (seen.moved, len(seen.edits)) == (1, 1)
    assert await contents(admin) == before
    assert (await split(moving, order, TWO_AND_ONE)).edits == seen.edits


async def test_it_is_done_once(moving: Moving, admin: Connection) -> None:
    order, key = await sold(moving), fresh_key()
    seen = await version(moving, order)
    first = await split(moving, order, TWO_AND_ONE, key=key, seen=seen)
    again = await split(moving, order, TWO_AND_ONE, key=key, seen=seen)
    assert (again.version, again.edits, again.moved) == (first.version, first.edits, first.moved)
    async with refused(admin, "IDEMPOTENCY_CONFLICT"):
        await split(moving, order, {"far": {1: 3}}, key=key, seen=seen)


async def test_routing_leaves_it_until_somebody_says_so(moving: Moving, admin: Connection) -> None:
    order = await sold(moving)
    await split(moving, order, {"far": {1: 3}})
    assert await moving.reroute() == 0
    live = moving.live
    edited = await edit_order(
        live.runtime.database,
        live.brand,
        order.order_id,
        OrderEdit(node="", reason="交给路由"),
        live.runtime.regions,
        seen=await version(moving, order),
        key=fresh_key(),
    )
    assert [(edit.field, edit.after) for edit in edited.edits] == [("isSplitByHand", "False")]
    await live.runtime.publish_counters(live.world.tenant_id, edited.counters)
    await live.runtime.settle()
    assert await sent(admin, order) == {"wh": 3}


async def test_whoever_has_not_seen_it_is_refused(moving: Moving, admin: Connection) -> None:
    order = await sold(moving)
    seen = await version(moving, order)
    await split(moving, order, TWO_AND_ONE)
    async with refused(admin, "ORDER_CHANGED"):
        await split(moving, order, {"far": {1: 3}}, seen=seen)


async def test_of_two_at_once_one_splits_it(moving: Moving, admin: Connection) -> None:
    order = await sold(moving)
    seen = await version(moving, order)
    done = await asyncio.gather(
        split(moving, order, TWO_AND_ONE, seen=seen),
        split(moving, order, {"far": {1: 3}}, seen=seen),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in done) == ["OrderChanged", "Split"]
    assert isinstance(next(one for one in done if isinstance(one, Exception)), OrderChanged)


async def test_two_orders_at_once_for_one_unit(moving: Moving, admin: Connection) -> None:
    await moving.routed.stock("wh", 2)
    orders = [await moving.routed.order(1) for _ in range(2)]
    await moving.routed.stock("far", 1)
    done = await asyncio.gather(
        *(split(moving, one, {"far": {1: 1}}) for one in orders), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in done) == ["InvalidEdit", "Split"]
    places = [await sent(admin, one) for one in orders]
    assert sorted(map(str, places)) == ["{'far': 1}", "{'wh': 1}"]


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({}, "parts"),
        ({"wh": {1: 2}}, "not all units"),
        ({"wh": {1: 3}, "far": {1: 1}}, "too many"),
        ({"wh": {1: 3, 2: 1}}, "no such line"),
        ({"wh": {1: 3, 2: 0}}, "no units"),
        ({"wh": {1: 2}, "nowhere": {1: 1}}, "no such location"),
        ({"wh": {1: 3}}, "nothing changes"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
async def test_what_makes_no_sense_is_refused(
    moving: Moving, admin: Connection, parts: dict[str, dict[int, int]], why: str
) -> None:
    order = await sold(moving)
    async with refused(admin, "INVALID_EDIT"):
        await split(moving, order, parts)


async def test_a_location_with_too_little_is_refused(moving: Moving, admin: Connection) -> None:
    order = await sold(moving, far=1)
    async with refused(admin, "INVALID_EDIT"):
        await split(moving, order, {"far": {1: 2}, "wh": {1: 1}})


async def test_why_is_to_be_said(moving: Moving, admin: Connection) -> None:
    order = await sold(moving)
    async with refused(admin, "INVALID_EDIT"):
        await split(moving, order, TWO_AND_ONE, reason="")


async def test_what_a_location_has_begun_with_stays(moving: Moving, admin: Connection) -> None:
    order = await sold(moving)
    await admin.execute("update fulfilment set status = 'released'")
    await admin.execute("update orders set status = 'in_fulfilment'")
    await admin.execute("update order_line set at_node = reserved, reserved = 0")
    async with refused(admin, "INVALID_EDIT"):
        await split(moving, order, TWO_AND_ONE)
    await admin.execute("update fulfilment set status = 'reserved'")
    await admin.execute("update orders set status = 'allocated'")
    await admin.execute("update order_line set reserved = at_node, at_node = 0")


async def test_only_the_brand_splits(moving: Moving, admin: Connection) -> None:
    order = await sold(moving)
    for who in (moving.live.world.dealer, moving.live.world.store):
        async with refused(admin, "PERMISSION_MISSING"):
            await split(moving, order, TWO_AND_ONE, who, seen=1)


async def test_the_locations_capacity_moves_with_it(moving: Moving, admin: Connection) -> None:
    order = await sold(moving)
    await admin.execute("update node set daily_capacity = 1")
    await moving.live.freshen()
    await split(moving, order, TWO_AND_ONE)
    taken = "select count(*) from node_capacity where taken = 1"
    assert await admin.fetchval(taken) == 1
    await moving.by(Rerouting(500))
    await assert_clean(moving.live.runtime, moving.live.world)
