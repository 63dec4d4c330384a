"""Collection at the door (上门取件): a carrier is asked, comes, and has it, or somebody looks."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx2
import msgspec
import pytest
from msgspec.structs import replace

from backend.after_sales.model import ReturnKind
from backend.fulfilment.carriers.http_carrier import HttpCarrier
from backend.fulfilment.carriers.model import (
    CollectionRequest,
    TrackingEvent,
    TrackingKind,
    Waybill,
)
from backend.fulfilment.carriers.tracking import Tracked
from backend.fulfilment.collections.model import (
    CollectedFor,
    CollectionStatus,
    CollectionTime,
    Subject,
)
from backend.fulfilment.collections.standing import page_of_collections
from backend.fulfilment.errors import CollectionChanged
from backend.fulfilment.events import CollectionChanged as CollectionTold
from tenants.principal import Permission, Principal
from tests.after_sales.desk import AUTOMATIC, Desk
from tests.after_sales.doorstep import REPAIR, RETURN, SENDER, TRADE_IN, Doorstep, soon
from tests.catalogue import Connection
from tests.fulfilment.carrier import Fate, carrier_process
from tests.orders.checks import assert_clean
from tests.refusals import refused
from tests.world import ALL, HANGZHOU, fresh_key

TOLD = "select payload->>'status' from outbox where type = 'collection.changed' order by id"
PAYLOADS = "select payload::text from outbox where type = 'collection.changed' order by id"
TOLD_OF = """select payload->>'status' from outbox
    where type in ('return.changed', 'repair.changed', 'trade_in.changed') order by id"""
VOIDS = "select waybill from waybill_void where status = any($1::text[]) order by waybill"
KINDS = pytest.mark.parametrize("kind", CollectedFor)
FETCHED = {RETURN: "sent_back", REPAIR: "requested", TRADE_IN: "collected"}
"""Where something stands that its carrier has: a repair waits for it."""
WAITING = {RETURN: "approved", REPAIR: "requested", TRADE_IN: "promised"}
AT_HOME = "客户不在家，电话无人接听"


@pytest.fixture(scope="module")
def carrier_url() -> Iterator[str]:
    with carrier_process("--seed", "7") as url:
        yield url


@pytest.fixture
async def door(desk: Desk, carrier_url: str) -> AsyncIterator[Doorstep]:
    async with httpx2.AsyncClient() as http:
        fate = Fate(carrier_url, http)
        await fate.forget()
        found = Doorstep(desk, fate)
        await found.open_account()
        yield found


async def told(admin: Connection) -> list[str]:
    """Return where collections came to stand, as others are told."""
    return [row[0] for row in await admin.fetch(TOLD)]


async def voids(admin: Connection, *states: str) -> list[str]:
    """Return the waybills that nobody uses any more."""
    return [row[0] for row in await admin.fetch(VOIDS, states or ["due", "done", "refused"])]


async def at_once(door: Doorstep, admin: Connection) -> None:
    """Let no pause be left."""
    await admin.execute("update collection set ask_after = clock_timestamp()")
    await admin.execute("update waybill_void set ask_after = clock_timestamp()")
    door.desk.runtime.labeller._resting.clear()


# ------------------------------------------------------------------------------------ whole lives


@KINDS
async def test_it_is_asked_for_booked_fetched_and_there(
    door: Doorstep, admin: Connection, kind: CollectedFor
) -> None:
    subject = await door.case(kind)
    asked = await door.ask(subject)
    assert (asked.status, asked.version, asked.waybill) == ("asked", 1, "")
    assert (asked.subject, asked.node_id) == (subject, door.desk.store)
    assert await door.label() == 1
    booked = await door.standing(asked)
    assert (booked.status, booked.waybill[:3]) == ("booked", "SIM")
    assert str(booked.label_url).endswith(f"{booked.waybill}.pdf")
    assert await door.status(subject) == WAITING[kind]
    assert await door.tell(booked.waybill, "picked_up") == Tracked(1, 0)
    assert (await door.standing(asked)).status == "collected"
    sent_by = ("", "") if kind is REPAIR else ("sim", booked.waybill)
    assert await door.sent_by(subject) == (FETCHED[kind], *sent_by)
    await door.tell(booked.waybill, "in_transit", "out_for_delivery", "delivered")
    assert (await door.standing(asked)).status == "arrived"
    assert await door.status(subject) == FETCHED[kind]
    await door.receive(subject)
    assert await door.status(subject) == "received"
    assert await told(admin) == ["asked", "booked", "collected", "arrived"]
    assert await voids(admin) == []
    await assert_clean(door.desk.runtime, door.world)


async def test_what_is_told_says_what_is_fetched_when_and_by_whom(
    door: Doorstep, admin: Connection
) -> None:
    booked = await door.booked(TRADE_IN)
    told_last = (await admin.fetch(PAYLOADS))[-1][0]
    found = msgspec.json.decode(told_last, type=CollectionTold)
    assert found == CollectionTold(
        booked.order_id,
        booked.id,
        "trade_in",
        booked.subject.id,
        "booked",
        "sim",
        booked.waybill,
        booked.time.from_at,
        booked.time.until_at,
    )


async def test_the_carrier_is_told_where_when_and_how_much(door: Doorstep) -> None:
    order = await door.desk.arrived(3)
    request = (await door.desk.ask(order, 2)).request
    await door.desk.approve(request.id)
    collection = await door.ask(Subject(RETURN, request.id))
    await door.label()
    (told_it,) = (await door.fate.parcels()).values()
    assert told_it["weightG"] == 2_000
    assert told_it["sender"] == {
        "name": "张三",
        "phone": "138",
        "regionCode": HANGZHOU,
        "address": "某路 1 号",
    }
    assert datetime.fromisoformat(told_it["fromAt"]) == collection.time.from_at
    assert datetime.fromisoformat(told_it["untilAt"]) == collection.time.until_at


@pytest.mark.parametrize("kind", [REPAIR, TRADE_IN])
async def test_a_unit_weighs_what_one_of_its_line_does(door: Doorstep, kind: CollectedFor) -> None:
    await door.ask(await door.case(kind, await door.desk.arrived(3)))
    await door.label()
    (told_it,) = (await door.fate.parcels()).values()
    assert told_it["weightG"] == 1_000


async def test_it_may_weigh_something_else_and_be_elsewhere(door: Doorstep) -> None:
    await door.booked(REPAIR, weight_g=25_500, sender=SENDER)
    (told_it,) = (await door.fate.parcels()).values()
    assert (told_it["weightG"], told_it["sender"]["name"]) == (25_500, "李四")
    assert told_it["sender"]["address"] == "文三路 9 号 2 幢 301"


# ---------------------------------------------------------------------------- what ends it by hand


@KINDS
async def test_what_its_carrier_has_arrives_when_it_is_received(
    door: Doorstep, admin: Connection, kind: CollectedFor
) -> None:
    booked = await door.booked(kind)
    await door.tell(booked.waybill, "picked_up")
    await door.receive(booked.subject)
    assert (await door.standing(booked)).status == "arrived"
    assert await voids(admin) == []
    version = (await door.standing(booked)).version
    await door.tell(booked.waybill, "delivered")  # its carrier says so later
    assert (await door.standing(booked)).version == version
    assert await told(admin) == ["asked", "booked", "collected", "arrived"]
    await assert_clean(door.desk.runtime, door.world)


@KINDS
async def test_nobody_comes_for_what_was_brought(
    door: Doorstep, admin: Connection, kind: CollectedFor
) -> None:
    booked = await door.booked(kind)
    await door.receive(booked.subject)
    assert (await door.standing(booked)).status == "cancelled"
    assert await voids(admin, "due") == [booked.waybill]
    assert booked.waybill in await door.fate.parcels()
    await door.label()
    assert await voids(admin, "done") == [booked.waybill]
    assert await door.fate.parcels() == {}
    assert await told(admin) == ["asked", "booked", "cancelled"]
    await assert_clean(door.desk.runtime, door.world)


@KINDS
async def test_nobody_comes_for_what_is_cancelled(
    door: Doorstep, admin: Connection, kind: CollectedFor
) -> None:
    booked = await door.booked(kind)
    await door.cancel(booked.subject)
    assert await door.status(booked.subject) == "cancelled"
    assert (await door.standing(booked)).status == "cancelled"
    assert await voids(admin, "due") == [booked.waybill]


async def test_nobody_comes_for_what_the_customer_sends(door: Doorstep, admin: Connection) -> None:
    booked = await door.booked(RETURN)
    await door.desk.send_back(booked.subject.id)
    assert await door.sent_by(booked.subject) == ("sent_back", "sf", "SF123")
    assert (await door.standing(booked)).status == "cancelled"
    assert await voids(admin, "due") == [booked.waybill]


async def test_what_is_fetched_of_a_cancelled_return_still_arrives(
    door: Doorstep, admin: Connection
) -> None:
    booked = await door.booked(RETURN)
    await door.tell(booked.waybill, "picked_up")
    await door.cancel(booked.subject)
    assert (await door.standing(booked)).status == "collected"
    assert await voids(admin) == []
    await door.tell(booked.waybill, "delivered")
    assert (await door.standing(booked)).status == "arrived"
    assert await door.status(booked.subject) == "cancelled"


@pytest.mark.parametrize("how", ["asked", "refused", "missed"])
async def test_where_nobody_was_to_come_nothing_is_void(
    door: Doorstep, admin: Connection, how: str
) -> None:
    collection = await door.asked(weight_g=30_001 if how == "refused" else None)
    if how != "asked":
        await door.label()
    if how == "missed":
        await door.tell((await door.standing(collection)).waybill, "failed_attempt")
    assert (await door.standing(collection)).status == how
    await door.receive(collection.subject)
    after = await door.standing(collection)
    assert after.status == "cancelled"
    assert await voids(admin) == ([after.waybill] if how == "missed" else [])


# ---------------------------------------------------------------------------- what carriers tell


async def test_events_count_in_whatever_order_they_are_told(
    door: Doorstep, admin: Connection
) -> None:
    booked = await door.booked(RETURN)
    await door.tell(booked.waybill, "delivered", minutes=9)
    assert (await door.standing(booked)).status == "arrived"
    assert await door.sent_by(booked.subject) == ("sent_back", "sim", booked.waybill)
    version = (await door.standing(booked)).version
    await door.tell(booked.waybill, "picked_up", "in_transit", "failed_attempt")
    assert (await door.standing(booked)).version == version
    assert await told(admin) == ["asked", "booked", "collected", "arrived"]


async def test_an_event_that_is_told_twice_counts_once(door: Doorstep, admin: Connection) -> None:
    booked = await door.booked(RETURN)
    event = TrackingEvent("E1", booked.waybill, TrackingKind.PICKED_UP, datetime.now(UTC))
    assert await door.record([event, event]) == Tracked(1, 0)
    assert await door.record([event]) == Tracked(0, 0)
    answers = await asyncio.gather(
        *(door.tell(booked.waybill, kind) for kind in ("in_transit", "picked_up") * 3)
    )
    assert sum(one.new for one in answers) == 6
    assert await told(admin) == ["asked", "booked", "collected"]
    assert await admin.fetchval("select count(*) from tracking_event") == 7


async def test_two_messages_at_once_fetch_it_once(door: Doorstep, admin: Connection) -> None:
    booked = await door.booked(TRADE_IN)
    kinds = ("picked_up", "delivered", "in_transit", "failed_attempt") * 2
    await asyncio.gather(*(door.tell(booked.waybill, kind) for kind in kinds))
    assert (await door.standing(booked)).status == "arrived"
    assert (await told(admin))[-2:] == ["collected", "arrived"]
    assert [row[0] for row in await admin.fetch(TOLD_OF)] == ["promised", "collected"]


@pytest.mark.parametrize("minutes", [-5, 5])
async def test_what_its_carrier_has_is_not_missed(
    door: Doorstep, admin: Connection, minutes: int
) -> None:
    booked = await door.booked(RETURN)
    await door.tell(booked.waybill, "picked_up")
    await door.tell(booked.waybill, "failed_attempt", text=AT_HOME, minutes=minutes)
    after = await door.standing(booked)
    assert (after.status, after.said) == ("collected", "")
    assert await told(admin) == ["asked", "booked", "collected"]


async def test_a_customer_who_is_not_at_home_agrees_on_another_time(
    door: Doorstep, admin: Connection
) -> None:
    booked = await door.booked(RETURN)
    await door.tell(booked.waybill, "failed_attempt", text=AT_HOME)
    missed = await door.standing(booked)
    assert (missed.status, missed.said) == ("missed", AT_HOME)
    assert await door.status(booked.subject) == "approved"
    again = await door.change(missed, soon(26))
    assert (again.status, again.waybill, again.said) == ("asked", "", "")
    assert await door.label() == 1
    after = await door.standing(booked)
    assert after.status == "booked"
    assert after.waybill != booked.waybill
    await door.tell(after.waybill, "picked_up")
    assert await door.sent_by(booked.subject) == ("sent_back", "sim", after.waybill)
    states = ["asked", "booked", "missed", "asked", "booked", "collected"]
    assert await told(admin) == states
    await assert_clean(door.desk.runtime, door.world)


async def test_a_carrier_may_come_again_by_itself(door: Doorstep) -> None:
    booked = await door.booked(RETURN)
    await door.tell(booked.waybill, "failed_attempt", text=AT_HOME)
    await door.tell(booked.waybill, "picked_up", minutes=60)
    after = await door.standing(booked)
    assert (after.status, after.said) == ("collected", "")
    assert await door.status(booked.subject) == "sent_back"


@pytest.mark.parametrize("kind", ["exception", "returned"])
async def test_trouble_before_it_is_fetched_needs_somebody(door: Doorstep, kind: str) -> None:
    booked = await door.booked(RETURN)
    await door.tell(booked.waybill, kind, text="电梯故障，无法搬运")
    after = await door.standing(booked)
    assert (after.status, after.said) == ("missed", "电梯故障，无法搬运")


async def test_of_what_was_said_the_latest_is_kept(door: Doorstep) -> None:
    booked = await door.booked(RETURN)
    events = [
        TrackingEvent(
            fresh_key(),
            booked.waybill,
            TrackingKind.FAILED_ATTEMPT,
            datetime.now(UTC) + timedelta(minutes=minutes),
            "",
            text,
        )
        for minutes, text in ((5, AT_HOME), (1, "小区不让进"))
    ]
    await door.record(events)
    assert (await door.standing(booked)).said == AT_HOME


async def test_what_nobody_waits_for_any_more_stays_as_it_is(
    door: Doorstep, admin: Connection
) -> None:
    booked = await door.booked(RETURN)
    await door.change(booked, None)
    assert await door.tell(booked.waybill, "picked_up", "delivered") == Tracked(2, 0)
    assert (await door.standing(booked)).status == "cancelled"
    assert await door.status(booked.subject) == "approved"
    assert await told(admin) == ["asked", "booked", "cancelled"]


async def test_another_carriers_number_is_another(door: Doorstep) -> None:
    booked = await door.booked(RETURN)
    assert await door.tell(booked.waybill, "picked_up", carrier="own") == Tracked(1, 1)
    assert (await door.standing(booked)).status == "booked"


async def test_what_is_told_before_the_waybill_is_known_counts_all_the_same(
    door: Doorstep, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collect = HttpCarrier.collect

    async def quickly(self: HttpCarrier, request: CollectionRequest) -> Waybill:
        answer = await collect(self, request)
        assert await door.tell(answer.waybill, "picked_up") == Tracked(1, 1)
        return answer

    monkeypatch.setattr(HttpCarrier, "collect", quickly)
    asked = await door.asked(RETURN)
    await door.label()
    after = await door.standing(asked)
    assert after.status == "collected"
    assert await door.sent_by(asked.subject) == ("sent_back", "sim", after.waybill)
    assert await told(admin) == ["asked", "booked", "collected"]
    assert await admin.fetchval("select collection_id from tracking_event") == asked.id


async def test_what_is_told_just_while_it_is_booked_is_adopted(
    door: Doorstep, admin: Connection
) -> None:
    booked = await door.booked(RETURN)
    assert await door.tell("EARLY", "picked_up") == Tracked(1, 1)
    await admin.execute(
        "insert into collection_waybill (tenant_id, carrier, waybill, collection_id) "
        "values ($1, 'sim', 'EARLY', $2)",
        door.world.tenant_id,
        booked.id,
    )
    await door.label()
    assert (await door.standing(booked)).status == "collected"
    assert await admin.fetchval("select collection_id from tracking_event") == booked.id


# ----------------------------------------------------------------------------- carriers that fail


@pytest.mark.parametrize("fault", ["error", "lost", "garbage"])
async def test_a_carrier_that_fails_is_asked_again_and_comes_once(
    door: Doorstep, admin: Connection, fault: str
) -> None:
    asked = await door.asked(RETURN)
    await door.fate.fail(fault, fault)
    for attempt in (1, 2):
        assert await door.label() == 0
        assert await door.label() == 0, "it is left alone for a moment"
        after = await door.standing(asked)
        assert (after.status, after.waybill, after.version) == ("asked", "", 1)
        assert after.said
        assert await admin.fetchval("select attempts from collection") == attempt
        await at_once(door, admin)
    known = list(await door.fate.parcels())
    assert await door.label() == 1
    after = await door.standing(asked)
    assert (after.status, after.said) == ("booked", "")
    assert list(await door.fate.parcels()) == [after.waybill]
    assert known == ([] if fault == "error" else [after.waybill])
    assert await told(admin) == ["asked", "booked"]
    assert await voids(admin) == []


async def test_what_is_too_heavy_is_refused_and_another_fetches_it(
    door: Doorstep, admin: Connection
) -> None:
    await door.desk.rule(AUTOMATIC)
    order = await door.desk.arrived(31, stock=31)
    request = (await door.desk.ask(order, 31)).request
    collection = await door.ask(Subject(RETURN, request.id))
    assert await door.label() == 0
    after = await door.standing(collection)
    assert (after.status, after.waybill) == ("refused", "")
    assert after.said == "At most 30000 g; this has 31000 g."
    assert await door.label() == 0
    assert (await door.standing(collection)).version == after.version
    again = await door.change(after, soon(5))
    assert (again.status, again.said) == ("asked", "")
    assert await told(admin) == ["asked", "refused", "asked"]


async def test_where_nobody_knows_the_place_nobody_comes(door: Doorstep) -> None:
    collection = await door.asked(REPAIR, sender=replace(SENDER, region_code=None))
    assert await door.label() == 0
    after = await door.standing(collection)
    assert (after.status, after.said) == ("refused", "Nobody knows where that is.")
    assert (await door.change(after, None)).status == "cancelled"


async def test_what_weighs_more_than_any_carrier_takes_is_refused_by_it(
    door: Doorstep, admin: Connection
) -> None:
    subject = await door.case(REPAIR)
    await admin.execute("update sku set weight_g = 3000000000 where code = 'A'")
    collection = await door.ask(subject)
    assert await door.label() == 0
    assert (await door.standing(collection)).status == "refused"


async def test_who_can_not_come_any_more_does_not(door: Doorstep, admin: Connection) -> None:
    collection = await door.asked(RETURN)
    await admin.execute(
        "update collection set from_at = now() - interval '2 hours', until_at = now()"
    )
    assert await door.label() == 0
    after = await door.standing(collection)
    assert (after.status, after.said) == ("refused", "Nobody can come then any more.")
    assert (await door.change(after, soon())).status == "asked"


async def test_a_carrier_that_is_not_there_any_more_is_asked_when_it_is(
    door: Doorstep, admin: Connection
) -> None:
    collection = await door.asked(RETURN)
    await admin.execute("update carrier_account set is_active = false")
    assert await door.label() == 0
    assert (await door.standing(collection)).status == "asked"
    await admin.execute("update carrier_account set is_active = true")
    assert await door.label() == 1


async def test_a_number_that_is_anothers_is_for_somebody_to_see(
    door: Doorstep, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def same(self: HttpCarrier, request: CollectionRequest) -> Waybill:
        return Waybill("SIM1")

    monkeypatch.setattr(HttpCarrier, "collect", same)
    first = await door.booked(RETURN)
    second = await door.asked(RETURN)
    await door.label()
    after = await door.standing(second)
    assert (first.status, first.waybill) == ("booked", "SIM1")
    assert (after.status, after.waybill) == ("refused", "")
    assert "SIM1" in after.said
    await door.tell("SIM1", "picked_up")
    assert await door.status(first.subject) == "sent_back"
    assert await door.status(second.subject) == "approved"


async def test_a_number_that_is_a_parcels_is_for_somebody_to_see(
    door: Doorstep, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def same(self: HttpCarrier, request: CollectionRequest) -> Waybill:
        return Waybill("SIM1")

    monkeypatch.setattr(HttpCarrier, "collect", same)
    asked = await door.asked(RETURN)
    await admin.execute("update parcel set carrier = 'sim', waybill = 'SIM1'")
    await door.label()
    assert (await door.standing(asked)).status == "refused"


async def test_two_processes_that_ask_get_one_waybill(door: Doorstep, admin: Connection) -> None:
    asked = await door.asked(RETURN)
    await asyncio.gather(*(door.label() for _ in range(4)))
    after = await door.standing(asked)
    assert after.status == "booked"
    assert list(await door.fate.parcels()) == [after.waybill]
    assert await told(admin) == ["asked", "booked"]
    assert await voids(admin) == []


# --------------------------------------------------------------------------- another time, or never


async def test_for_another_time_there_is_another_waybill(door: Doorstep, admin: Connection) -> None:
    booked = await door.booked(RETURN)
    later = soon(24, 3)
    moved = await door.change(booked, later)
    assert (moved.status, moved.waybill, moved.label_url) == ("asked", "", None)
    assert moved.time == later
    assert await voids(admin, "due") == [booked.waybill]
    await door.label()
    after = await door.standing(booked)
    assert after.status == "booked"
    assert after.waybill != booked.waybill
    assert await voids(admin, "done") == [booked.waybill]
    (waybill, told_it), *more = (await door.fate.parcels()).items()
    assert (waybill, more) == (after.waybill, [])
    assert datetime.fromisoformat(told_it["fromAt"]) == later.from_at
    assert await told(admin) == ["asked", "booked", "asked", "booked"]


async def test_another_carrier_may_come(door: Doorstep, admin: Connection) -> None:
    await door.open_account("sim2")
    booked = await door.booked(RETURN)
    moved = await door.change(booked, soon(3, carrier="sim2"))
    assert moved.time.carrier == "sim2"
    assert await admin.fetchval("select carrier from waybill_void") == "sim"
    assert await voids(admin, "due") == [booked.waybill]
    await door.label()
    after = await door.standing(booked)
    await door.tell(after.waybill, "picked_up", carrier="sim2")
    assert await door.sent_by(booked.subject) == ("sent_back", "sim2", after.waybill)


async def test_who_comes_with_the_old_waybill_has_fetched_it_all_the_same(
    door: Doorstep, admin: Connection
) -> None:
    booked = await door.booked(RETURN)
    await door.change(booked, soon(24))
    assert await door.tell(booked.waybill, "picked_up") == Tracked(1, 0)
    assert (await door.standing(booked)).status == "collected"
    assert await door.status(booked.subject) == "sent_back"
    assert await door.label() == 0
    await door.tell(booked.waybill, "delivered")
    assert (await door.standing(booked)).status == "arrived"
    assert await told(admin) == ["asked", "booked", "asked", "collected", "arrived"]


@pytest.mark.parametrize("kind", [RETURN, TRADE_IN])
async def test_what_the_old_waybill_fetched_goes_by_it(door: Doorstep, kind: CollectedFor) -> None:
    booked = await door.booked(kind)
    await door.change(booked, soon(24))
    await door.tell(booked.waybill, "picked_up")
    assert await door.sent_by(booked.subject) == (FETCHED[kind], "sim", booked.waybill)


async def test_what_the_old_carrier_fetched_goes_by_it(door: Doorstep) -> None:
    await door.open_account("sim2")
    booked = await door.booked(RETURN)
    await door.change(booked, soon(24, carrier="sim2"))
    await door.label()
    await door.tell(booked.waybill, "picked_up")
    assert await door.sent_by(booked.subject) == ("sent_back", "sim", booked.waybill)


async def test_nobody_comes_anew_for_what_the_old_waybill_fetched(
    door: Doorstep, admin: Connection
) -> None:
    booked = await door.booked(RETURN)
    await door.change(booked, soon(24))
    await door.label()
    again = await door.standing(booked)
    await door.tell(booked.waybill, "picked_up")
    assert (await door.standing(booked)).status == "collected"
    assert again.waybill in await voids(admin)


async def test_who_did_not_come_with_the_old_waybill_comes_with_the_new(door: Doorstep) -> None:
    booked = await door.booked(RETURN)
    await door.change(booked, soon(24))
    await door.label()
    await door.tell(booked.waybill, "failed_attempt", text=AT_HOME, minutes=-5)
    assert (await door.standing(booked)).status == "booked"


async def test_nobody_comes_for_what_is_called_off(door: Doorstep, admin: Connection) -> None:
    booked = await door.booked(RETURN)
    off = await door.change(booked, None)
    assert (off.status, off.version) == ("cancelled", booked.version + 1)
    assert await voids(admin, "due") == [booked.waybill]
    assert await door.status(booked.subject) == "approved"
    await door.label()
    assert await door.fate.parcels() == {}
    again = await door.ask(booked.subject)
    assert (again.status, again.id != booked.id) == ("asked", True)
    await assert_clean(door.desk.runtime, door.world)


async def test_who_was_not_asked_yet_is_not_asked_any_more(
    door: Doorstep, admin: Connection
) -> None:
    asked = await door.asked(RETURN)
    assert (await door.change(asked, None)).status == "cancelled"
    assert await door.label() == 0
    assert await door.fate.parcels() == {}
    assert await voids(admin) == []


@pytest.mark.parametrize("is_called_off", [True, False])
async def test_an_answer_that_comes_too_late_is_void(
    door: Doorstep, admin: Connection, monkeypatch: pytest.MonkeyPatch, is_called_off: bool
) -> None:
    asked, collect = await door.asked(RETURN), HttpCarrier.collect

    async def slowly(self: HttpCarrier, request: CollectionRequest) -> Waybill:
        answer = await collect(self, request)
        await door.change(asked, None if is_called_off else soon(24))
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(HttpCarrier, "collect", slowly)
        await door.label()
    after = await door.standing(asked)
    assert (after.status, after.waybill) == ("cancelled" if is_called_off else "asked", "")
    (void,) = await voids(admin, "due")
    assert void in await door.fate.parcels()
    await door.label()
    assert await voids(admin, "done") == [void]
    left = await door.fate.parcels()
    assert list(left) == ([] if is_called_off else [(await door.standing(asked)).waybill])


async def test_a_refusal_that_comes_too_late_concerns_nobody(
    door: Doorstep, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, collect = await door.asked(RETURN, weight_g=30_001), HttpCarrier.collect

    async def slowly(self: HttpCarrier, request: CollectionRequest) -> Waybill:
        await door.change(asked, soon(24))
        return await collect(self, request)

    monkeypatch.setattr(HttpCarrier, "collect", slowly)
    await door.label()
    after = await door.standing(asked)
    assert (after.status, after.said, after.version) == ("asked", "", 2)


# --------------------------------------------------------------------------------- what is refused


@KINDS
async def test_one_comes_at_a_time(door: Doorstep, admin: Connection, kind: CollectedFor) -> None:
    subject = await door.case(kind)
    first = await door.ask(subject)
    async with refused(admin, "COLLECTION_ASKED"):
        await door.ask(subject)
    await door.label()
    async with refused(admin, "COLLECTION_ASKED"):
        await door.ask(subject, time=soon(24))
    await door.change(first, None)
    assert (await door.ask(subject)).status == "asked"


async def test_of_two_wishes_at_once_one_counts(door: Doorstep, admin: Connection) -> None:
    subject = await door.case(RETURN)
    answers = await asyncio.gather(*(door.ask(subject) for _ in range(4)), return_exceptions=True)
    kinds = sorted(type(answer).__name__ for answer in answers)
    assert kinds == ["Collection", *["CollectionAsked"] * 3]
    assert await admin.fetchval("select count(*) from collection") == 1


def between(from_hours: float, until_hours: float) -> CollectionTime:
    return soon(from_hours, until_hours - from_hours)


BAD_TIMES = {
    "until before from": between(3, 2),
    "no time at all": between(2, 2),
    "over": between(-3, -1),
    "more than a day": between(1, 25.1),
    "too far": between(30 * 24, 30 * 24 + 1),
    "nobody's": soon(carrier="nobody"),
    "own": soon(carrier="own"),
    "no zone": CollectionTime("sim", datetime(2030, 1, 1, 9), datetime(2030, 1, 1, 11)),
    "out of this age": CollectionTime(
        "sim",
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-8))),
        datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-8))),
    ),
}


@pytest.mark.parametrize("name", BAD_TIMES)
async def test_a_time_is_one_at_which_somebody_can_come(
    door: Doorstep, admin: Connection, name: str
) -> None:
    subject = await door.case(RETURN)
    async with refused(admin, "INVALID_FULFILMENT_INPUT"):
        await door.ask(subject, time=BAD_TIMES[name])
    asked = await door.ask(subject)
    async with refused(admin, "INVALID_FULFILMENT_INPUT"):
        await door.change(asked, BAD_TIMES[name])


@pytest.mark.parametrize(
    "hours", [(-1, 1), (1, 25), (29.5 * 24, 30 * 24 - 0.1)], ids=["now", "a day", "a month ahead"]
)
async def test_a_time_may_be_as_long_and_as_far_as_it_may(
    door: Doorstep, hours: tuple[float, float]
) -> None:
    subject = await door.case(TRADE_IN, await door.desk.placed(1))
    assert (await door.ask(subject, time=between(*hours))).status == "asked"


@pytest.mark.parametrize(
    "given",
    [
        {"node_id": 999_999},
        {"weight_g": -1},
        {"weight_g": 1_000_001},
        {"sender": replace(SENDER, address="")},
        {"sender": replace(SENDER, address="路" * 501)},
    ],
    ids=["node", "less than nothing", "too heavy", "nowhere", "endless"],
)
async def test_a_wish_is_well_formed(
    door: Doorstep, admin: Connection, given: dict[str, Any]
) -> None:
    subject = await door.case(RETURN)
    async with refused(admin, "INVALID_AFTER_SALES_INPUT"):
        await door.ask(subject, **given)


@pytest.mark.parametrize("how", ["requested", "rejected", "cancelled", "sent", "received"])
async def test_of_a_return_something_is_fetched_once_it_is_approved(
    door: Doorstep, admin: Connection, how: str
) -> None:
    request = (await door.desk.ask(await door.desk.arrived(1), 1)).request
    subject = Subject(RETURN, request.id)
    match how:
        case "rejected":
            await door.desk.end(request.id, is_rejected=True)
        case "cancelled":
            await door.desk.end(request.id, is_rejected=False)
        case "sent" | "received":
            await door.desk.approve(request.id)
            await door.desk.send_back(request.id)
    if how == "received":
        await door.receive(subject)
    async with refused(admin, "NOTHING_TO_COLLECT"):
        await door.ask(subject)


@pytest.mark.parametrize("kind", [ReturnKind.REFUND_ONLY, ReturnKind.MISSING])
@pytest.mark.parametrize("is_approved", [False, True])
async def test_of_a_claim_nothing_is_fetched(
    door: Doorstep, admin: Connection, kind: ReturnKind, is_approved: bool
) -> None:
    request = (await door.desk.ask(await door.desk.arrived(1), 1, kind)).request
    if is_approved:
        await door.desk.approve(request.id)
    async with refused(admin, "NOTHING_TO_COLLECT"):
        await door.ask(Subject(RETURN, request.id))


@pytest.mark.parametrize("kind", [REPAIR, TRADE_IN])
@pytest.mark.parametrize("how", ["received", "cancelled"])
async def test_of_what_is_here_or_does_not_come_nothing_is_fetched(
    door: Doorstep, admin: Connection, kind: CollectedFor, how: str
) -> None:
    subject = await door.case(kind)
    await (door.receive if how == "received" else door.cancel)(subject)
    async with refused(admin, "NOTHING_TO_COLLECT"):
        await door.ask(subject)


async def test_what_its_carrier_has_is_not_fetched_again(door: Doorstep, admin: Connection) -> None:
    for kind in CollectedFor:
        booked = await door.booked(kind)
        await door.tell(booked.waybill, "picked_up")
        code = "COLLECTION_ASKED" if kind is REPAIR else "NOTHING_TO_COLLECT"
        async with refused(admin, code):
            await door.ask(booked.subject)


async def test_trouble_after_a_missed_visit_changes_nothing(door: Doorstep) -> None:
    booked = await door.booked(RETURN)
    await door.tell(booked.waybill, "failed_attempt")
    await door.tell(booked.waybill, "exception", minutes=5)
    await door.tell(booked.waybill, "failed_attempt", minutes=9)
    assert (await door.standing(booked)).status == "missed"


async def test_an_old_unit_on_its_way_is_received_first(door: Doorstep, admin: Connection) -> None:
    booked = await door.booked(TRADE_IN)
    await door.tell(booked.waybill, "picked_up")
    async with refused(admin, "INVALID_AFTER_SALES_INPUT"):
        await door.cancel(booked.subject)


async def test_an_old_unit_that_its_carrier_has_lost_is_given_up(door: Doorstep) -> None:
    booked = await door.booked(TRADE_IN)
    await door.tell(booked.waybill, "picked_up")
    await door.tell(booked.waybill, "exception")
    assert (await door.standing(booked)).said == "exception"
    await door.cancel(booked.subject)
    assert (await door.standing(booked)).status == "collected"


async def test_a_repair_that_its_carrier_has_is_received_first(
    door: Doorstep, admin: Connection
) -> None:
    booked = await door.booked(REPAIR)
    await door.tell(booked.waybill, "picked_up")
    async with refused(admin, "INVALID_AFTER_SALES_INPUT"):
        await door.cancel(booked.subject)


async def test_what_has_arrived_is_not_fetched_again(door: Doorstep, admin: Connection) -> None:
    booked = await door.booked(REPAIR)
    await door.tell(booked.waybill, "delivered")
    async with refused(admin, "NOTHING_TO_COLLECT"):
        await door.ask(booked.subject)


@pytest.mark.parametrize("how", ["collected", "arrived", "cancelled"])
async def test_what_is_over_is_not_changed(door: Doorstep, admin: Connection, how: str) -> None:
    booked = await door.booked(RETURN)
    if how == "cancelled":
        await door.change(booked, None)
    else:
        await door.tell(booked.waybill, "picked_up" if how == "collected" else "delivered")
    now = await door.standing(booked)
    for time in (soon(24), None):
        async with refused(admin, "COLLECTION_CHANGED") as seen:
            await door.change(booked, time)
        assert isinstance(seen.error, CollectionChanged)
        assert (seen.error.collection, now.status) == (now, how)


async def test_who_saw_it_before_is_told_how_it_stands(door: Doorstep, admin: Connection) -> None:
    booked = await door.booked(RETURN)
    for time in (soon(24), None):
        async with refused(admin, "COLLECTION_CHANGED") as seen:
            await door.change(booked, time, seen=1)
        assert isinstance(seen.error, CollectionChanged)
        assert seen.error.collection == booked
    moved = await door.change(booked, soon(24), seen=booked.version)
    assert (await door.change(booked, None, seen=moved.version)).status == "cancelled"


async def test_what_there_is_not_is_unknown(door: Doorstep, admin: Connection) -> None:
    codes = {RETURN: "UNKNOWN_RETURN", REPAIR: "UNKNOWN_REPAIR", TRADE_IN: "UNKNOWN_TRADE_IN"}
    for kind, code in codes.items():
        async with refused(admin, code):
            await door.ask(Subject(kind, 999_999))
    nobody = replace(await door.asked(TRADE_IN), id=999_999)
    for time in (soon(24), None):
        async with refused(admin, "UNKNOWN_COLLECTION"):
            await door.change(nobody, time)


# --------------------------------------------------------------------------------------------- once


async def test_the_same_wish_again_is_the_same(door: Doorstep, admin: Connection) -> None:
    subject, time = await door.case(RETURN), soon()
    first, again = [await door.ask(subject, time=time, key="k") for _ in range(2)]
    assert first == again == await door.standing(first)
    async with refused(admin, "IDEMPOTENCY_CONFLICT"):
        await door.ask(subject, time=time, key="k", weight_g=5)
    await door.label()
    assert await door.ask(subject, time=time, key="k") == first
    assert await admin.fetchval("select count(*) from collection") == 1
    assert await told(admin) == ["asked", "booked"]


async def test_the_same_change_again_is_the_same(door: Doorstep, admin: Connection) -> None:
    booked, time = await door.booked(RETURN), soon(24)
    first, again = [await door.change(booked, time, key="k") for _ in range(2)]
    assert first == again == await door.standing(booked)
    async with refused(admin, "IDEMPOTENCY_CONFLICT"):
        await door.change(booked, soon(25), key="k")
    off, once_more = [await door.change(booked, None, key="o") for _ in range(2)]
    assert off == once_more
    assert await told(admin) == ["asked", "booked", "asked", "cancelled"]
    async with refused(admin, "IDEMPOTENCY_CONFLICT"):
        await door.change(booked, time, key="o")


# ------------------------------------------------------------------------------- who may, who sees


async def test_a_store_has_nobody_come(door: Doorstep, admin: Connection) -> None:
    subject = await door.case(RETURN)
    async with refused(admin, "PERMISSION_MISSING"):
        await door.ask(subject, who=door.world.store)
    asked = await door.ask(subject)
    for time in (soon(24), None):
        async with refused(admin, "PERMISSION_MISSING"):
            await door.change(asked, time, who=door.world.store)


async def test_a_dealer_has_its_own_fetched(door: Doorstep, admin: Connection) -> None:
    world = door.world
    order = await door.desk.placed(1, shop="dshop")
    subject = await door.case(TRADE_IN, order)
    async with refused(admin, "UNKNOWN_TRADE_IN"):
        await door.ask(subject, who=world.other_dealer)
    asked = await door.ask(subject, who=world.dealer)
    assert asked.requested_by == world.dealer.subject
    async with refused(admin, "UNKNOWN_COLLECTION"):
        await door.change(asked, None, who=world.other_dealer)
    assert (await door.change(asked, soon(24), who=world.dealer)).status == "asked"
    assert (await door.change(asked, None, who=world.dealer)).status == "cancelled"


async def test_others_and_groups_have_nobody_come(door: Doorstep, admin: Connection) -> None:
    world = door.world
    subject = await door.case(RETURN)
    asked = await door.asked(RETURN)
    without = replace(world.brand, permissions=ALL - {Permission.ORDERS_CANCEL})
    expected = (
        (world.group, "WRITE_REFUSED", "WRITE_REFUSED"),
        (world.dealer, "UNKNOWN_RETURN", "UNKNOWN_COLLECTION"),
        (world.other_brand, "UNKNOWN_RETURN", "UNKNOWN_COLLECTION"),
        (without, "PERMISSION_MISSING", "PERMISSION_MISSING"),
    )
    for who, of_wish, of_change in expected:
        async with refused(admin, of_wish):
            await door.ask(subject, who=who)
        async with refused(admin, of_change):
            await door.change(asked, None, who=who)


async def seen_by(door: Doorstep, who: Principal, **given: Any) -> list[int]:
    """Return what somebody sees of it: to a node, of an order, in some states, page by page."""
    said: dict[str, Any] = {
        "of": (None, None),
        "statuses": list(CollectionStatus),
        "after": 0,
        "limit": 10,
    }
    async with door.database.tenant_transaction(who, read_only=True) as tx:
        return [one.id for one in await page_of_collections(tx, **(said | given))]


async def test_everybody_sees_what_is_theirs(door: Doorstep) -> None:
    world = door.world
    to_store = await door.ask(await door.case(TRADE_IN, await door.desk.placed(1)))
    dealers = await door.case(TRADE_IN, await door.desk.placed(1, shop="dshop"))
    elsewhere = await door.ask(dealers, node_id=world.nodes["wh"])
    assert await seen_by(door, world.brand) == [to_store.id, elsewhere.id]
    assert await seen_by(door, world.group) == [to_store.id, elsewhere.id]
    assert await seen_by(door, world.store) == [to_store.id]
    assert await seen_by(door, world.dealer) == [elsewhere.id]
    for who in (world.other_dealer, world.other_brand):
        assert await seen_by(door, who) == []


async def test_they_are_found_page_by_page(door: Doorstep) -> None:
    order = await door.desk.placed(3)
    three = [await door.ask(await door.case(TRADE_IN, order)) for _ in range(3)]
    last = await door.asked(REPAIR, node_id=door.world.nodes["wh"])
    ids, brand = [one.id for one in three], door.world.brand
    assert await seen_by(door, brand, limit=2) == ids[:2]
    assert await seen_by(door, brand, limit=2, after=ids[1]) == [ids[2], last.id]
    assert await seen_by(door, brand, of=(None, order.order_id)) == ids
    assert await seen_by(door, brand, of=(door.world.nodes["wh"], None)) == [last.id]
    await door.change(three[0], None)
    cancelled = [CollectionStatus.CANCELLED]
    assert await seen_by(door, brand, statuses=cancelled) == [three[0].id]
