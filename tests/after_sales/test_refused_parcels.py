"""Parcels that nobody accepts: a node takes them in, and what the order was worth is owed."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from backend.after_sales.collecting import note_collected
from backend.after_sales.model import ReturnDone, ReturnKind
from backend.after_sales.receive import ReturnedTo, take_in_parcel
from backend.fulfilment.carriers.model import TrackingEvent, TrackingKind
from backend.fulfilment.carriers.tracking import record_tracking
from backend.fulfilment.find import parcels_of_orders
from backend.fulfilment.model import ParcelDraft, ParcelLine, ParcelStatus
from backend.orders.model import FulfilmentStatus, OrderStatus, Placed
from backend.orders.move_fulfilments import FulfilmentKey
from tenants.principal import Principal
from tests.after_sales.desk import Desk
from tests.catalogue import Connection
from tests.fulfilment.working import codes
from tests.inventory.stock import figures
from tests.orders.checks import assert_clean
from tests.refusals import refused
from tests.world import fresh_key

IN_TWO = (ParcelDraft((ParcelLine(1, 1),)), ParcelDraft((ParcelLine(1, 2),)))
ENDS = "select type from outbox where type in ('fulfilment.delivered', 'fulfilment.refused')"


async def sent(desk: Desk, parcels: tuple[ParcelDraft, ...] = ()) -> tuple[Placed, Sequence[int]]:
    """Let three units be on their way; returns their order and its parcels."""
    order = await desk.placed(3)
    key = await desk.working.until(order, "pick")
    assert codes(await desk.working.pack(key, *parcels)) == [""]
    await desk.working.take("ship", key)
    return order, [parcel["id"] for parcel in await parcels_of(desk, order)]


async def parcels_of(desk: Desk, order: Placed) -> list[dict[str, Any]]:
    async with desk.database.tenant_transaction(desk.world.brand, read_only=True) as tx:
        rows = (await parcels_of_orders(tx, [order.order_id]))[order.order_id]
    return [dict(row) for row in rows]


async def take_in(
    desk: Desk,
    parcel_id: int,
    who: Principal | None = None,
    *,
    at: str = "store",
    reason: str = "客户拒收",
    key: str = "",
) -> ReturnDone:
    where = ReturnedTo(desk.world.nodes[at], reason)
    who = who or desk.world.store
    done = await take_in_parcel(desk.database, who, parcel_id, where, key or fresh_key())
    await desk.runtime.publish_counters(desk.world.tenant_id, done.counters)
    return done


async def test_what_nobody_accepted_is_in_stock_again_and_owed(
    desk: Desk, admin: Connection
) -> None:
    order, (parcel,) = await sent(desk)
    done = await take_in(desk, parcel)
    assert (done.request.kind, done.request.status) == (ReturnKind.REFUSED, "received")
    assert (done.request.reason, done.request.decision) == ("客户拒收", "not accepted")
    assert (await figures(admin, desk.world, "store-inspection")).on_hand == 3
    standing = await desk.working.standing(order)
    assert standing.status is OrderStatus.DELIVERED
    assert standing.fulfilments == {1: FulfilmentStatus.DELIVERED}
    assert [row["status"] for row in await parcels_of(desk, order)] == [ParcelStatus.RETURNED]
    assert [row["type"] for row in await admin.fetch(ENDS)] == ["fulfilment.refused"]
    found = await desk.inspect(done.request.id, good=2, scrapped=1)
    assert (found.request.status, found.owed_minor) == ("closed", 3_000)
    assert await desk.refunds(order) == [("returned", "due", 3_000)]
    assert (await figures(admin, desk.world, "store")).on_hand == 4
    await assert_clean(desk.runtime, desk.world)


async def test_one_of_two_parcels_is_accepted(desk: Desk, admin: Connection) -> None:
    order, (first, second) = await sent(desk, IN_TWO)
    done = await take_in(desk, second)
    assert (await desk.working.standing(order)).status is OrderStatus.SHIPPED
    assert await admin.fetch(ENDS) == []
    assert (await desk.inspect(done.request.id, good=2)).owed_minor == 2_000
    await desk.working.take("deliver", FulfilmentKey(order.order_id, 1))
    statuses = {row["id"]: row["status"] for row in await parcels_of(desk, order)}
    assert statuses == {first: ParcelStatus.DELIVERED, second: ParcelStatus.RETURNED}
    assert [row["type"] for row in await admin.fetch(ENDS)] == ["fulfilment.delivered"]
    # The unit that came may be sent back as any other, and no more than that.
    async with refused(admin, "TOO_MANY_RETURNED"):
        await desk.ask(order, 2)
    assert (await desk.ask(order, 1)).request.status == "requested"
    await assert_clean(desk.runtime, desk.world)


async def test_what_a_carrier_says_afterwards_changes_nothing(
    desk: Desk, admin: Connection
) -> None:
    order, (parcel,) = await sent(desk)
    await admin.execute("update parcel set waybill = 'W1', carrier = 'sim'")
    told = [
        TrackingEvent(str(number), "W1", kind, datetime.now(UTC))
        for number, kind in enumerate((TrackingKind.RETURNED, TrackingKind.DELIVERED))
    ]
    await record_tracking(desk.database, desk.world.tenant_id, "sim", told[:1], note_collected)
    assert [row["status"] for row in await parcels_of(desk, order)] == [ParcelStatus.EXCEPTION]
    done = await take_in(desk, parcel)
    assert (done.request.carrier, done.request.waybill) == ("sim", "W1")
    await record_tracking(desk.database, desk.world.tenant_id, "sim", told[1:], note_collected)
    assert [row["status"] for row in await parcels_of(desk, order)] == [ParcelStatus.RETURNED]
    assert [row["type"] for row in await admin.fetch(ENDS)] == ["fulfilment.refused"]
    await assert_clean(desk.runtime, desk.world)


async def test_it_is_taken_in_once(desk: Desk, admin: Connection) -> None:
    _, (parcel,) = await sent(desk)
    key = fresh_key()
    first = await take_in(desk, parcel, key=key)
    again = await take_in(desk, parcel, key=key)
    assert again.request == first.request
    async with refused(admin, "PARCEL_NOT_ON_ITS_WAY"):
        await take_in(desk, parcel)
    assert (await figures(admin, desk.world, "store-inspection")).on_hand == 3


async def test_of_two_nodes_one_takes_it_in(desk: Desk, admin: Connection) -> None:
    _, (parcel,) = await sent(desk)
    answers = await asyncio.gather(
        take_in(desk, parcel),
        take_in(desk, parcel, desk.world.brand, at="wh"),
        return_exceptions=True,
    )
    assert sorted(type(answer) is ReturnDone for answer in answers) == [False, True]
    places = [await figures(admin, desk.world, f"{code}-inspection") for code in ("store", "wh")]
    assert sum(place.on_hand for place in places) == 3
    await assert_clean(desk.runtime, desk.world)


async def test_what_is_not_on_its_way_is_not_taken_in(desk: Desk, admin: Connection) -> None:
    order = await desk.placed(3)
    await desk.working.until(order, "pack")
    (parcel,) = [row["id"] for row in await parcels_of(desk, order)]
    async with refused(admin, "PARCEL_NOT_ON_ITS_WAY"):
        await take_in(desk, parcel)
    key = FulfilmentKey(order.order_id, 1)
    await desk.working.take("ship", key)
    await desk.working.take("deliver", key)
    async with refused(admin, "PARCEL_NOT_ON_ITS_WAY"):
        await take_in(desk, parcel)
    assert (await figures(admin, desk.world, "store")).on_hand == 2
    await assert_clean(desk.runtime, desk.world)


async def test_what_was_paid_back_as_missing_is_not_paid_back_again(
    desk: Desk, admin: Connection
) -> None:
    order, (parcel,) = await sent(desk)
    claim = await desk.ask(order, 1, ReturnKind.MISSING)
    await desk.approve(claim.request.id)
    async with refused(admin, "TOO_MANY_RETURNED"):
        await take_in(desk, parcel)
    assert await desk.refunds(order) == [("missing", "due", 1_000)]
    assert (await desk.working.standing(order)).status is OrderStatus.SHIPPED


@pytest.mark.parametrize("reason", ["", "x" * 201])
async def test_it_says_why(desk: Desk, admin: Connection, reason: str) -> None:
    order, (parcel,) = await sent(desk)
    async with refused(admin, "INVALID_AFTER_SALES_INPUT"):
        await take_in(desk, parcel, reason=reason)
    assert (await desk.working.standing(order)).status is OrderStatus.SHIPPED


async def test_who_does_not_work_there_takes_nothing_in(desk: Desk, admin: Connection) -> None:
    order, (parcel,) = await sent(desk)
    async with refused(admin, "UNKNOWN_PARCEL"):
        await take_in(desk, parcel, at="wh")
    async with refused(admin, "WRITE_REFUSED"):
        await take_in(desk, parcel, desk.world.dealer)
    async with refused(admin, "UNKNOWN_PARCEL"):
        await take_in(desk, 999_999)
    assert (await desk.working.standing(order)).status is OrderStatus.SHIPPED


async def test_a_place_for_it_is_needed(desk: Desk, admin: Connection) -> None:
    order, (parcel,) = await sent(desk)
    async with refused(admin, "NO_PLACE_FOR_RETURNS"):
        await take_in(desk, parcel, desk.world.brand, at="far")
    assert (await desk.working.standing(order)).status is OrderStatus.SHIPPED
    assert await admin.fetchval("select count(*) from return_request") == 0


async def test_nobody_asks_for_it_beforehand(desk: Desk, admin: Connection) -> None:
    order, _ = await sent(desk)
    async with refused(admin, "INVALID_AFTER_SALES_INPUT"):
        await desk.ask(order, 1, ReturnKind.REFUSED)
