"""Carriers for real: a process of their own that gives waybills, fails, and tells what happens."""

import asyncio
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.after_sales.collecting import note_collected
from backend.fulfilment.carriers.http_carrier import HttpCarrier
from backend.fulfilment.carriers.model import (
    TrackingEvent,
    TrackingKind,
    Waybill,
    WaybillRequest,
)
from backend.fulfilment.carriers.tracking import record_tracking
from backend.fulfilment.model import ParcelDraft, ParcelLine
from backend.orders.model import FulfilmentStatus, OrderStatus
from tests.api.carried import ACCOUNT, CARRIER, CHANGE, PARCELS, Carried
from tests.catalogue import Connection, contents
from tests.fulfilment.carrier import SECRET
from tests.fulfilment.working import codes
from tests.orders.checks import assert_clean
from tests.world import fresh_key

S = OrderStatus


async def test_a_parcel_gets_its_waybill_and_arrives(carried: Carried) -> None:
    order, key = await carried.packed()
    assert codes(await carried.working.ship([key])) == ["NO_WAYBILL"]
    assert await carried.label() == 1
    (parcel,) = await carried.parcels()
    assert (parcel["status"], parcel["waybill"][:3]) == ("LABELLED", "SIM")
    assert parcel["labelUrl"].endswith(f"{parcel['waybill']}.pdf")
    assert codes(await carried.working.ship([key])) == [""]
    assert await carried.fate.tell(parcel["waybill"]) == [200]
    (parcel,) = await carried.parcels()
    assert (parcel["status"], parcel["said"]) == ("DELIVERED", "delivered")
    assert [one["kind"] for one in parcel["tracking"]] == [
        "picked_up",
        "in_transit",
        "out_for_delivery",
        "delivered",
    ]
    assert await carried.status(order) is S.DELIVERED
    await assert_clean(carried.runtime, carried.world)


async def test_what_is_told_twice_and_out_of_order_counts_once(
    carried: Carried, admin: Connection
) -> None:
    order, waybill = await carried.sent()
    assert set(await carried.fate.tell(waybill, is_tidy=False)) == {200}
    assert await carried.status(order) is S.DELIVERED
    assert await admin.fetchval("select count(*) from tracking_event") == 4
    delivered = "select count(*) from outbox where type = 'fulfilment.delivered'"
    assert await admin.fetchval(delivered) == 1
    (parcel,) = await carried.parcels()
    assert parcel["said"] == "delivered"


async def test_a_carrier_that_fails_is_asked_again_and_books_once(
    carried: Carried, admin: Connection
) -> None:
    _, _ = await carried.packed()
    before = len(await carried.fate.parcels())
    for fault in ("error", "lost", "garbage"):
        await carried.fate.fail(fault)
        assert await carried.label() == 0
        assert await carried.label() == 0, "it is left alone for a moment"
        (parcel,) = await carried.parcels()
        assert (parcel["status"], parcel["waybill"]) == ("PACKED", None)
        await admin.execute("update parcel set ask_after = clock_timestamp()")
        carried.runtime.labeller._resting.clear()
    assert await carried.label() == 1
    assert len(await carried.fate.parcels()) == before + 1


async def test_what_a_carrier_refuses_another_takes(carried: Carried) -> None:
    order, key = await carried.packed(31)
    assert await carried.label() == 0
    (parcel,) = await carried.parcels()
    assert parcel["status"] == "EXCEPTION"
    assert parcel["said"] == "At most 30000 g; this has 31000 g."
    assert codes(await carried.working.ship([key])) == ["NO_WAYBILL"]
    again = await carried.run(CHANGE, parcelId=parcel["id"], carrier="sim")
    assert again["__typename"] == "ParcelCarrierSaved"
    assert (await carried.parcels())[0]["status"] == "PACKED"
    await carried.run(CHANGE, parcelId=parcel["id"], carrier="own")
    assert codes(await carried.working.ship([key])) == [""]
    assert await carried.status(order) is S.SHIPPED
    late = await carried.run(CHANGE, parcelId=parcel["id"], carrier="sim")
    assert late["code"] == "FULFILMENT_STATE"


async def test_a_carrier_may_be_quicker_than_who_hands_over(carried: Carried) -> None:
    order, key = await carried.packed()
    await carried.label()
    (parcel,) = await carried.parcels()
    assert await carried.fate.tell(parcel["waybill"]) == [200]
    assert await carried.status(order) is S.IN_FULFILMENT
    assert codes(await carried.working.ship([key])) == [""]
    assert await carried.status(order) is S.DELIVERED


async def test_a_parcel_in_trouble_needs_somebody(carried: Carried) -> None:
    order, waybill = await carried.sent()
    await carried.fate.tell(waybill, kinds=["picked_up", "failed_attempt"])
    assert (await carried.parcels())[0]["status"] == "SHIPPED"
    await carried.fate.tell(waybill, kinds=["in_transit", "in_transit", "exception"])
    assert (await carried.parcels())[0]["status"] == "EXCEPTION"
    assert await carried.status(order) is S.SHIPPED


async def test_each_parcel_counts(carried: Carried, admin: Connection) -> None:
    order = await carried.working.sold(3)
    key = await carried.working.until(order, "pick")
    two = [ParcelDraft((ParcelLine(1, one),)) for one in (1, 2)]
    await carried.working.pack(key, *two, carrier="sim")
    assert await carried.label() == 2
    await carried.working.ship([key])
    first, second = (one["waybill"] for one in await carried.parcels())
    await carried.fate.tell(first)
    assert await carried.status(order) is S.SHIPPED
    await carried.fate.tell(second)
    standing = await carried.working.standing(order)
    assert standing.fulfilments == {1: FulfilmentStatus.DELIVERED}


# ------------------------------------------------------------------------------ what is refused


def event(**changes: Any) -> dict[str, Any]:
    told = {"id": fresh_key(), "waybill": "X1", "kind": "delivered"}
    return told | {"happenedAt": datetime.now(UTC).isoformat()} | changes


async def post(
    carried: Carried, body: bytes, *, secret: str = SECRET, path: str = ""
) -> tuple[int, dict[str, Any]]:
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    path = path or f"/carriers/{carried.world.tenant_id}/sim/events"
    answer = await carried.api.client.post(path, content=body, headers={"X-Signature": signature})
    return answer.status_code, dict(answer.json())


async def test_what_concerns_no_parcel_is_kept(carried: Carried) -> None:
    body = json.dumps([event(), event(waybill="X2")]).encode()
    assert await post(carried, body) == (200, {"new": 2, "unknown": 2})
    assert await post(carried, body) == (200, {"new": 0, "unknown": 0})
    found = (await carried.api.data(PARCELS, carried.world.brand))["unknownTracking"]
    assert {one["waybill"] for one in found} == {"X1", "X2"}
    assert (await carried.api.data(PARCELS, carried.world.store))["unknownTracking"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b"[" * 10_000, 400),
        (b"\xff", 400),
        (json.dumps([event(kind="eaten")]).encode(), 400),
        (json.dumps([event(id="")]).encode(), 400),
        (json.dumps([event(waybill="x" * 501)]).encode(), 400),
        (json.dumps([event(happenedAt="2030-01-31T12:00:00")]).encode(), 400),
        (json.dumps([event(happenedAt="9999-12-31T23:59:59-08:00")]).encode(), 400),
        (json.dumps([event()] * 501).encode(), 400),
        (b" " * 3_000_000, 413),
    ],
    ids=range(12),
)
async def test_a_message_that_makes_no_sense_changes_nothing(
    carried: Carried, admin: Connection, body: bytes, status: int
) -> None:
    before = await contents(admin)
    assert (await post(carried, body))[0] == status
    assert await contents(admin) == before


async def test_a_message_that_is_not_signed_changes_nothing(
    carried: Carried, admin: Connection
) -> None:
    body, before = json.dumps([event()]).encode(), await contents(admin)
    assert (await post(carried, body, secret="another secret"))[1]["error"][
        "code"
    ] == "INVALID_SIGNATURE"
    for path in ("/carriers/1/nobody/events", f"/carriers/{2**70}/sim/events"):
        assert (await post(carried, body, path=path))[1]["error"]["code"] == "UNKNOWN_CARRIER"
    assert await contents(admin) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"code": ""},
        {"name": "x" * 501},
        {"url": "ftp://x"},
        {"url": "https://a b/\x01"},
        {"url": "https://"},
        {"secret": "short"},
        {"secret": "nicht ascii genug äöü"},
    ],
)
async def test_an_account_that_makes_no_sense_is_refused(
    carried: Carried, admin: Connection, changes: dict[str, str]
) -> None:
    before = await contents(admin)
    given = {**CARRIER, "url": "http://localhost:1"} | changes
    refused = await carried.run(ACCOUNT, **given)
    assert refused["code"] == "INVALID_FULFILMENT_INPUT"
    assert refused["path"] == list(changes)
    assert await contents(admin) == before


async def test_an_older_word_does_not_undo_a_newer(carried: Carried) -> None:
    _, waybill = await carried.sent()
    now = datetime.now(UTC)
    for kind, minutes in ((TrackingKind.EXCEPTION, 0), (TrackingKind.IN_TRANSIT, -5)):
        told = TrackingEvent(fresh_key(), waybill, kind, now + timedelta(minutes=minutes))
        await record_tracking(
            carried.runtime.database, carried.world.tenant_id, "sim", [told], note_collected
        )
    (parcel,) = await carried.parcels()
    assert (parcel["status"], parcel["said"]) == ("EXCEPTION", "exception")


async def test_what_is_told_before_the_waybill_is_known_counts_all_the_same(
    carried: Carried, admin: Connection
) -> None:
    order, key = await carried.packed()
    told = event(waybill="EARLY")
    body = json.dumps([told]).encode()
    assert await post(carried, body) == (200, {"new": 1, "unknown": 1})
    await admin.execute("update parcel set waybill = 'EARLY', status = 'labelled'")
    await carried.label()
    assert codes(await carried.working.ship([key])) == [""]
    assert await carried.status(order) is S.DELIVERED
    (parcel,) = await carried.parcels()
    assert [one["kind"] for one in parcel["tracking"]] == ["delivered"]


async def test_another_carriers_waybill_is_not_put_on_a_parcel(
    carried: Carried, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await carried.packed()
    booked = HttpCarrier.book

    async def slowly(self: HttpCarrier, request: WaybillRequest) -> Waybill:
        waybill = await booked(self, request)
        await admin.execute("update parcel set carrier = 'own'")
        return waybill

    monkeypatch.setattr(HttpCarrier, "book", slowly)
    await carried.label()
    (parcel,) = await carried.parcels()
    assert (parcel["carrier"], parcel["status"], parcel["waybill"]) == ("own", "PACKED", None)


async def test_messages_in_another_order_do_not_stand_in_each_others_way(carried: Carried) -> None:
    events = [event(waybill=f"W{number}") for number in range(40)]
    bodies = [json.dumps(told).encode() for told in (events, events[::-1]) * 5]
    answers = await asyncio.gather(*(post(carried, body) for body in bodies))
    assert {status for status, _ in answers} == {200}
    assert sum(answer["new"] for _, answer in answers) == 40


async def test_a_clock_that_is_years_ahead_silences_nobody(carried: Carried) -> None:
    order, waybill = await carried.sent()
    ahead = event(waybill=waybill, kind="in_transit", happenedAt="2190-01-01T00:00:00Z")
    later = datetime.now(UTC) + timedelta(minutes=6)
    arrived = event(waybill=waybill, happenedAt=later.isoformat())
    for told in (ahead, arrived):
        assert (await post(carried, json.dumps([told]).encode()))[0] == 200
    assert await carried.status(order) is S.DELIVERED


async def test_a_signature_that_is_no_text_is_none(carried: Carried) -> None:
    path = f"/carriers/{carried.world.tenant_id}/sim/events"
    headers = {b"x-signature": b"\xff\xfe"}
    answer = await carried.api.client.post(path, content=b"[]", headers=headers)
    assert answer.status_code == 401
