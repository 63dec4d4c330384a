"""Collection at the door over the API, and what its carrier tells over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.fulfilment.collections.model import CollectedFor
from graphql_schema.collections import TYPE_OF
from graphql_schema.paging import id_of
from tenants.principal import Principal
from tests.after_sales.desk import Desk
from tests.after_sales.doorstep import REPAIR, RETURN, TRADE_IN, Doorstep
from tests.api.carried import PARCELS, Carried
from tests.catalogue import Connection, contents
from tests.orders.checks import assert_clean
from tests.world import HANGZHOU, World, fresh_key

COLLECTION = """collection { id status version carrier fromAt untilAt waybill labelUrl said
    requestedBy orderId collectedFor subjectId location { code } }"""
SAVED = f"""__typename ... on CollectionSaved {{ {COLLECTION} }}
    ... on CollectionChanged {{ code message collection {{ status version }} }}
    ... on UserError {{ code path }} ... on PermissionDenied {{ permission }}"""
LIST = """query ($location: ID, $order: ID, $statuses: [CollectionStatus!], $first: Int! = 20,
    $after: String) { collections(locationId: $location, orderId: $order, statuses: $statuses,
        first: $first, after: $after) {
            edges { node { id } } pageInfo { hasNextPage endCursor } } }"""
NODE = "query ($id: ID!) { node(id: $id) { ... on Collection { status said waybill } } }"
SUBJECT = """query ($id: ID!) { node(id: $id) { ... on Return { returned: status carrier waybill }
    ... on Repair { repaired: status carrier waybill }
    ... on TradeIn { given: status carrier waybill } } }"""
VOIDS = "{ waybillVoids { waybill status said } }"
INPUTS = {
    "collectionRequest": "CollectionRequestInput",
    "collectionTimeSet": "CollectionTimeSetInput",
    "collectionCallOff": "CollectionInput",
}
PLACE = {"name": "李四", "phone": "13900000000", "address": "文三路 9 号", "regionCode": HANGZHOU}


def time(hours: float = 2, lasting: float = 2, carrier: str = "sim") -> dict[str, str]:
    """Return a time from so many hours from now on, for so many hours."""
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)
    until_at = at + timedelta(hours=lasting)
    return {"carrier": carrier, "fromAt": at.isoformat(), "untilAt": until_at.isoformat()}


CHANGES: dict[str, dict[str, Any]] = {
    "collectionTimeSet": {"time": time(24)},
    "collectionCallOff": {},
}
FETCHED = {RETURN: "SENT_BACK", REPAIR: "REQUESTED", TRADE_IN: "COLLECTED"}
KINDS = pytest.mark.parametrize("kind", CollectedFor)


class Courier:
    """Who has things fetched, over the API."""

    def __init__(self, carried: Carried, desk: Desk) -> None:
        self.api, self.fate, self.label = carried.api, carried.fate, carried.label
        self.desk, self.world = desk, desk.world
        self.door = Doorstep(desk, carried.fate)
        self.location = id_of("Location", desk.store)

    async def run(self, name: str, who: Principal | None = None, **values: Any) -> dict[str, Any]:
        query = f"mutation ($input: {INPUTS[name]}!) {{ {name}(input: $input) {{ {SAVED} }} }}"
        given = {"idempotencyKey": fresh_key()} | values
        return dict((await self.api.data(query, who or self.world.brand, input=given))[name])

    async def case(self, kind: CollectedFor, shop: str = "shop") -> str:
        """Return the id of something that may be fetched."""
        is_there = kind is not TRADE_IN
        placed = self.desk.arrived if is_there else self.desk.placed
        subject = await self.door.case(kind, await placed(1, shop=shop))
        return id_of(TYPE_OF[kind], subject.id)

    async def ask(
        self, subject_id: str, who: Principal | None = None, **values: Any
    ) -> dict[str, Any]:
        given = {"subjectId": subject_id, "time": time(), "locationId": self.location} | values
        return await self.run("collectionRequest", who, **given)

    async def asked(self, kind: CollectedFor = RETURN, shop: str = "shop") -> dict[str, Any]:
        saved = await self.ask(await self.case(kind, shop))
        assert saved["__typename"] == "CollectionSaved", saved
        return dict(saved["collection"])

    async def booked(self, kind: CollectedFor = RETURN) -> dict[str, Any]:
        asked = await self.asked(kind)
        assert await self.label() == 1
        return asked | await self.node(asked["id"])

    async def node(self, number: str, who: Principal | None = None) -> dict[str, Any]:
        found = await self.api.data(NODE, who or self.world.brand, id=number)
        return dict(found["node"] or {})

    async def subject(self, collection: dict[str, Any]) -> tuple[str, str, str]:
        """Return where something stands that was fetched: its status, carrier and waybill."""
        found = await self.api.data(SUBJECT, self.world.brand, id=collection["subjectId"])
        status, carrier, waybill = found["node"].values()
        return status, carrier, waybill

    async def listed(self, who: Principal, **given: Any) -> list[str]:
        found = await self.api.data(LIST, who, **given)
        return [edge["node"]["id"] for edge in found["collections"]["edges"]]

    async def voids(self) -> list[dict[str, Any]]:
        return list((await self.api.data(VOIDS, self.world.brand))["waybillVoids"])


@pytest.fixture
async def courier(carried: Carried) -> Courier:
    desk = Desk(carried.runtime, carried.world)
    await desk.furnish()
    return Courier(carried, desk)


# ------------------------------------------------------------------------------------ whole lives


@KINDS
async def test_it_is_fetched_and_comes(courier: Courier, kind: CollectedFor) -> None:
    asked = await courier.asked(kind)
    assert (asked["status"], asked["collectedFor"]) == ("ASKED", kind.name)
    assert await courier.label() == 1
    booked = await courier.node(asked["id"])
    assert booked["status"] == "BOOKED"
    assert await courier.fate.tell(booked["waybill"], kinds=["picked_up"]) == [200]
    assert (await courier.node(asked["id"]))["status"] == "COLLECTED"
    sent_by = ("", "") if kind is REPAIR else ("sim", booked["waybill"])
    assert await courier.subject(asked) == (FETCHED[kind], *sent_by)
    await courier.fate.tell(booked["waybill"], kinds=["in_transit", "delivered"])
    assert (await courier.node(asked["id"]))["status"] == "ARRIVED"
    assert await courier.subject(asked) == (FETCHED[kind], *sent_by)
    await assert_clean(courier.desk.runtime, courier.world)


async def test_a_collection_says_what_it_is(courier: Courier, world: World) -> None:
    subject_id, when = await courier.case(TRADE_IN), time(20, 3)
    saved = await courier.ask(subject_id, time=when)
    found = saved["collection"]
    assert found == {
        "id": found["id"],
        "status": "ASKED",
        "version": 1,
        "carrier": "sim",
        "fromAt": when["fromAt"],
        "untilAt": when["untilAt"],
        "waybill": "",
        "labelUrl": None,
        "said": "",
        "requestedBy": world.brand.subject,
        "orderId": found["orderId"],
        "collectedFor": "TRADE_IN",
        "subjectId": subject_id,
        "location": {"code": "store"},
    }


async def test_it_may_be_fetched_elsewhere(courier: Courier) -> None:
    await courier.ask(await courier.case(RETURN), place=PLACE, weightG=4_200)
    assert await courier.label() == 1
    (told,) = (await courier.fate.parcels()).values()
    assert told["weightG"] == 4_200
    assert told["sender"] == PLACE


@KINDS
async def test_what_is_told_twice_and_out_of_order_counts_once(
    courier: Courier, admin: Connection, kind: CollectedFor
) -> None:
    booked = await courier.booked(kind)
    assert set(await courier.fate.tell(booked["waybill"], is_tidy=False)) == {200}
    assert (await courier.node(booked["id"]))["status"] == "ARRIVED"
    assert (await courier.subject(booked))[0] == FETCHED[kind]
    told = await admin.fetch(
        "select payload->>'status' from outbox where type = 'collection.changed' order by id"
    )
    assert [row[0] for row in told] == ["asked", "booked", "collected", "arrived"]
    assert await admin.fetchval("select count(*) from tracking_event") == 4


async def test_what_carriers_tell_of_it_is_known(courier: Courier) -> None:
    booked = await courier.booked()
    await courier.fate.tell(booked["waybill"])
    for who in (courier.world.brand, courier.world.store):
        assert (await courier.api.data(PARCELS, who))["unknownTracking"] == []


async def test_a_customer_who_is_not_at_home_agrees_on_another_time(courier: Courier) -> None:
    booked = await courier.booked()
    await courier.fate.tell(booked["waybill"], kinds=["failed_attempt"])
    missed = await courier.node(booked["id"])
    assert (missed["status"], missed["said"]) == ("MISSED", "failed attempt")
    again = await courier.run("collectionTimeSet", collectionId=booked["id"], time=time(26))
    assert (again["collection"]["status"], again["collection"]["said"]) == ("ASKED", "")
    assert await courier.label() == 1
    after = await courier.node(booked["id"])
    assert after["status"] == "BOOKED"
    assert after["waybill"] != booked["waybill"]


async def test_the_waybill_of_what_was_missed_is_void(courier: Courier) -> None:
    booked = await courier.booked()
    await courier.fate.tell(booked["waybill"], kinds=["failed_attempt"])
    await courier.run("collectionTimeSet", collectionId=booked["id"], time=time(26))
    await courier.label()
    after = await courier.node(booked["id"])
    assert list(await courier.fate.parcels()) == [after["waybill"]]
    assert await courier.voids() == []


async def test_what_a_carrier_refuses_is_said(courier: Courier) -> None:
    saved = await courier.ask(await courier.case(RETURN), weightG=30_001)
    assert await courier.label() == 0
    assert await courier.node(saved["collection"]["id"]) == {
        "status": "REFUSED",
        "said": "At most 30000 g; this has 30001 g.",
        "waybill": "",
    }


async def test_for_another_time_the_old_waybill_is_void(courier: Courier) -> None:
    booked, when = await courier.booked(), time(24, 3)
    moved = await courier.run("collectionTimeSet", collectionId=booked["id"], time=when)
    assert moved["collection"]["fromAt"] == when["fromAt"]
    assert (moved["collection"]["status"], moved["collection"]["waybill"]) == ("ASKED", "")
    await courier.label()
    after = await courier.node(booked["id"])
    assert list(await courier.fate.parcels()) == [after["waybill"]]
    assert await courier.voids() == []


async def test_an_old_waybill_that_is_picked_up_has_fetched_it(courier: Courier) -> None:
    booked = await courier.booked()
    await courier.run("collectionTimeSet", collectionId=booked["id"], time=time(24))
    await courier.fate.tell(booked["waybill"], kinds=["picked_up"])
    assert (await courier.node(booked["id"]))["status"] == "COLLECTED"
    assert (await courier.subject(booked))[0] == "SENT_BACK"
    await courier.label()
    (left,) = await courier.voids()
    assert (left["waybill"], left["status"]) == (booked["waybill"], "REFUSED")
    await courier.fate.tell(booked["waybill"], kinds=["delivered"])
    assert (await courier.node(booked["id"]))["status"] == "ARRIVED"


async def test_it_is_called_off(courier: Courier) -> None:
    booked = await courier.booked()
    off = await courier.run("collectionCallOff", collectionId=booked["id"])
    assert off["collection"]["status"] == "CANCELLED"
    await courier.label()
    assert await courier.fate.parcels() == {}
    late = await courier.run("collectionCallOff", collectionId=booked["id"])
    assert (late["__typename"], late["collection"]["status"]) == ("CollectionChanged", "CANCELLED")


# --------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("given", "code", "path"),
    [
        ({"locationId": id_of("Location", 999_999)}, "INVALID_AFTER_SALES_INPUT", ["locationId"]),
        ({"weightG": -1}, "INVALID_AFTER_SALES_INPUT", ["weightG"]),
        ({"time": time(3, -1)}, "INVALID_FULFILMENT_INPUT", ["time", "untilAt"]),
        ({"time": time(-3, 1)}, "INVALID_FULFILMENT_INPUT", ["time", "untilAt"]),
        ({"time": time(carrier="nobody")}, "INVALID_FULFILMENT_INPUT", ["time", "carrier"]),
        (
            {"time": time() | {"fromAt": "2030-01-31T09:00:00"}},
            "INVALID_FULFILMENT_INPUT",
            ["time", "fromAt"],
        ),
        ({"subjectId": id_of("Order", 1)}, "INVALID_ID", []),
        ({"subjectId": "nonsense"}, "INVALID_ID", []),
        ({"subjectId": id_of("Return", 999_999)}, "UNKNOWN_RETURN", []),
        ({"subjectId": id_of("Repair", 999_999)}, "UNKNOWN_REPAIR", []),
        ({"subjectId": id_of("TradeIn", 999_999)}, "UNKNOWN_TRADE_IN", []),
        ({"idempotencyKey": ""}, "INVALID_IDEMPOTENCY_KEY", []),
    ],
)
async def test_a_wish_that_is_refused_says_where_the_fault_lies(
    courier: Courier, admin: Connection, given: dict[str, Any], code: str, path: list[str]
) -> None:
    subject_id = await courier.case(TRADE_IN)
    before = await contents(admin)
    refused = await courier.ask(subject_id, **given)
    assert (refused["code"], refused["path"]) == (code, path)
    assert await contents(admin) == before


async def test_a_time_that_no_calendar_has_is_refused(courier: Courier, admin: Connection) -> None:
    subject_id = await courier.case(TRADE_IN)
    before = await contents(admin)
    refused = await courier.ask(
        subject_id,
        time={
            "carrier": "sim",
            "fromAt": "9999-12-31T23:00:00-08:00",
            "untilAt": "9999-12-31T23:59:59-08:00",
        },
    )
    assert refused["code"] == "INVALID_FULFILMENT_INPUT"
    assert await contents(admin) == before


async def test_there_is_one_at_a_time(courier: Courier, admin: Connection) -> None:
    asked = await courier.asked()
    again = await courier.ask(asked["subjectId"])
    assert again["code"] == "COLLECTION_ASKED"
    claim = (await courier.desk.ask(await courier.desk.arrived(1), 1)).request
    nothing = await courier.ask(id_of("Return", claim.id))
    assert nothing["code"] == "NOTHING_TO_COLLECT"
    assert await admin.fetchval("select count(*) from collection") == 1


async def test_the_same_command_again_is_the_same(courier: Courier, admin: Connection) -> None:
    subject_id, when = await courier.case(RETURN), time()
    given: dict[str, Any] = {"time": when, "idempotencyKey": "once", "place": PLACE}
    first, again = [await courier.ask(subject_id, **given) for _ in range(2)]
    assert first == again
    other = await courier.ask(subject_id, **(given | {"weightG": 5}))
    assert other["code"] == "IDEMPOTENCY_CONFLICT"
    assert await admin.fetchval("select count(*) from collection") == 1


async def test_who_saw_it_before_sees_how_it_stands(courier: Courier) -> None:
    booked = await courier.booked()
    which: dict[str, Any] = {"collectionId": booked["id"], "seenVersion": 1}
    for name, given in CHANGES.items():
        late = await courier.run(name, **which, **given)
        assert (late["__typename"], late["code"]) == ("CollectionChanged", "COLLECTION_CHANGED")
        assert late["collection"] == {"status": "BOOKED", "version": 2}
    off = await courier.run("collectionCallOff", collectionId=booked["id"], seenVersion=2)
    assert off["collection"]["version"] == 3


async def test_what_is_unknown_is_refused(courier: Courier) -> None:
    nobody: dict[str, Any] = {"collectionId": id_of("Collection", 999_999)}
    for name, given in CHANGES.items():
        refused = await courier.run(name, **nobody, **given)
        assert refused["code"] == "UNKNOWN_COLLECTION"


# ------------------------------------------------------------------------------- who may, who sees


async def test_a_store_is_told_what_is_missing(courier: Courier, world: World) -> None:
    asked = await courier.asked()
    which = {"collectionId": asked["id"]}
    answers = [
        await courier.ask(asked["subjectId"], world.store),
        await courier.run("collectionTimeSet", world.store, **which, time=time(24)),
        await courier.run("collectionCallOff", world.store, **which),
    ]
    for answer in answers:
        assert (answer["__typename"], answer["permission"]) == (
            "PermissionDenied",
            "orders:cancel",
        )


async def test_a_dealer_has_its_own_fetched(courier: Courier, world: World) -> None:
    subject_id = await courier.case(TRADE_IN, "dshop")
    strange = await courier.ask(subject_id, world.other_dealer)
    assert strange["code"] == "UNKNOWN_TRADE_IN"
    saved = await courier.ask(subject_id, world.dealer)
    which = {"collectionId": saved["collection"]["id"]}
    strange = await courier.run("collectionCallOff", world.other_dealer, **which)
    assert strange["code"] == "UNKNOWN_COLLECTION"
    off = await courier.run("collectionCallOff", world.dealer, **which)
    assert off["collection"]["status"] == "CANCELLED"


async def test_lists_show_what_is_open_of_whom_it_concerns(courier: Courier, world: World) -> None:
    own = (await courier.asked(TRADE_IN, "dshop"))["id"]
    elsewhere = id_of("Location", world.nodes["wh"])
    brands = await courier.ask(await courier.case(TRADE_IN), locationId=elsewhere)
    number, order = brands["collection"]["id"], brands["collection"]["orderId"]
    for who, seen in (
        (world.brand, [own, number]),
        (world.group, [own, number]),
        (world.dealer, [own]),
        (world.store, [own]),
        (world.other_dealer, []),
        (world.other_brand, []),
    ):
        assert await courier.listed(who) == seen
    assert await courier.listed(world.brand, location=elsewhere) == [number]
    assert await courier.listed(world.brand, order=order) == [number]
    await courier.run("collectionCallOff", collectionId=own)
    assert await courier.listed(world.brand) == [number]
    assert await courier.listed(world.brand, statuses=["CANCELLED"]) == [own]
    assert await courier.listed(world.brand, statuses=["CANCELLED", "ASKED"]) == [own, number]


async def test_lists_have_pages(courier: Courier, world: World) -> None:
    order = await courier.desk.placed(3)
    cases = [await courier.door.case(TRADE_IN, order) for _ in range(3)]
    ids = [(await courier.ask(id_of("TradeIn", one.id)))["collection"]["id"] for one in cases]
    first = (await courier.api.data(LIST, world.brand, first=2))["collections"]
    assert [edge["node"]["id"] for edge in first["edges"]] == ids[:2]
    assert first["pageInfo"]["hasNextPage"]
    after = first["pageInfo"]["endCursor"]
    rest = (await courier.api.data(LIST, world.brand, first=2, after=after))["collections"]
    assert [edge["node"]["id"] for edge in rest["edges"]] == ids[2:]
    assert not rest["pageInfo"]["hasNextPage"]


async def test_a_node_is_seen_by_whom_it_concerns(courier: Courier, world: World) -> None:
    asked = await courier.asked(TRADE_IN, "dshop")
    for who in (world.brand, world.group, world.dealer, world.store):
        assert (await courier.node(asked["id"], who))["status"] == "ASKED"
    for who in (world.other_dealer, world.other_brand):
        assert await courier.node(asked["id"], who) == {}
