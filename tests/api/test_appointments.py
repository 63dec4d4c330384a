"""Appointments through the API: visits are offered, promised, booked and agreed anew."""

from datetime import date, timedelta
from typing import Any

import pytest

from backend.catalog.model import SkuDraft
from backend.catalog.save_skus import save_skus
from graphql_schema.paging import id_of
from tests.api.client import Api, order
from tests.catalogue import Connection, contents
from tests.inventory.pools.living import Living
from tests.world import HANGZHOU, fresh_key

FAULT = "... on UserError { code message path } ... on PermissionDenied { permission }"
SET_PROVIDER = f"""mutation ($input: SlotProviderSetInput!) {{ slotProviderSet(input: $input) {{
    __typename ... on SlotProviderSet {{ provider {{ code kind regions categories isActive
    location {{ code }} }} }} {FAULT} }} }}"""
SET_SLOTS = f"""mutation ($input: SlotsSetInput!) {{ slotsSet(input: $input) {{
    __typename ... on SlotsRecorded {{ slots }} {FAULT} }} }}"""
VISIT = "day firstMinute endMinute provider { code }"
SLOT = "day firstMinute endMinute visits free provider { code }"
SLOTS = f"""query ($firstDay: Date!, $lastDay: Date!, $provider: String, $after: String) {{
    slots(firstDay: $firstDay, lastDay: $lastDay, provider: $provider, first: 2, after: $after) {{
    edges {{ node {{ {SLOT} }} }} pageInfo {{ hasNextPage endCursor }} }} }}"""
PROVIDERS = "{ slotProviders { edges { node { code name kind } } } }"
PROMISE = """query ($cart: OrderPlaceInput!) { deliveryPromise(cart: $cart) {
    times { day fromMinute toMinute locations { code } } } }"""
BOOKED = f"""query ($id: ID!) {{ order(id: $id) {{ status
    holds {{ kind releasedAt }}
    appointment {{ day fromMinute toMinute isBooked installation {{ {VISIT} }} }}
    fulfilments {{ location {{ code }} visit {{ {VISIT} }} }} }} }}"""
AGREE = f"""mutation ($input: OrderAppointmentSetInput!) {{ orderAppointmentSet(input: $input) {{
    __typename ... on OrderAppointmentSet {{ status order {{ appointment {{ fromMinute }} }} }}
    {FAULT} }} }}"""
DAY = date.today() + timedelta(days=20)
MORNING = {"day": DAY.isoformat(), "fromMinute": 540, "toMinute": 720}
AFTERNOON = {"day": DAY.isoformat(), "fromMinute": 780, "toMinute": 1_020}


async def ask(api: Api, live: Living, query: str, **given: Any) -> Any:
    """Return the one field that a mutation answers."""
    values = {"idempotencyKey": fresh_key(), **given}
    (answer,) = (await api.data(query, live.brand, input=values)).values()
    return answer


@pytest.fixture
async def brand(api: Api, live: Living) -> Living:
    """2 coolers in "wh", which delivers once each half-day; in the morning fitters install."""
    cooler = SkuDraft(code="AC", name="AC", category="ac", needs_installation=True)
    async with live.runtime.database.tenant_transaction(live.brand) as tx:
        await save_skus(tx, [cooler])
        live.world.skus["AC"] = await tx._connection.fetchval(
            "select id from sku where code = 'AC'"
        )
    await live.receive("wh", 2, "AC")
    dock = {"code": "dock", "name": "Dock", "kind": "DELIVERY", "location": "wh"}
    fitters = {"code": "fitters", "name": "Fitters", "kind": "INSTALLATION", "categories": ["ac"]}
    for provider in (dock, fitters):
        answer = await ask(api, live, SET_PROVIDER, **provider)
        assert answer["__typename"] == "SlotProviderSet", answer
    window = {"visits": 1, "firstMinute": 540, "endMinute": 720}
    later = {"visits": 1, "firstMinute": 780, "endMinute": 1_020}
    for code, windows in (("dock", [window, later]), ("fitters", [window])):
        days = {"firstDay": DAY.isoformat(), "lastDay": DAY.isoformat()}
        answer = await ask(api, live, SET_SLOTS, provider=code, windows=windows, **days)
        assert answer == {"__typename": "SlotsRecorded", "slots": len(windows)}
    await live.freshen()
    await live.warm()
    return live


async def test_providers_and_slots_are_listed(api: Api, brand: Living) -> None:
    found = (await api.data(PROVIDERS, brand.brand))["slotProviders"]["edges"]
    assert [edge["node"]["code"] for edge in found] == ["dock", "fitters"]
    days = {"firstDay": DAY.isoformat(), "lastDay": DAY.isoformat()}
    first = (await api.data(SLOTS, brand.brand, **days))["slots"]
    after = first["pageInfo"]["endCursor"]
    rest = (await api.data(SLOTS, brand.brand, **days, after=after))["slots"]
    assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)
    found = [edge["node"] for edge in first["edges"] + rest["edges"]]
    assert [slot["provider"]["code"] for slot in found] == ["dock", "dock", "fitters"]
    one = (await api.data(SLOTS, brand.brand, **days, provider="fitters"))["slots"]["edges"]
    assert one == [
        {
            "node": {
                "day": DAY.isoformat(),
                "firstMinute": 540,
                "endMinute": 720,
                "visits": 1,
                "free": 1,
                "provider": {"code": "fitters"},
            }
        }
    ]


async def test_what_is_promised_can_be_booked(api: Api, brand: Living) -> None:
    cart = order(fresh_key(), sku="AC")
    (time,) = (await api.data(PROMISE, brand.brand, cart=cart))["deliveryPromise"]["times"]
    assert codes(time.pop("locations")) == ["wh"]
    assert time == MORNING
    placed = await api.place(brand.brand, {**cart, "appointment": time})
    assert placed["status"] == "ALLOCATED"
    found = (await api.data(BOOKED, brand.brand, id=placed["orderId"]))["order"]
    appointment = found["appointment"]
    assert appointment["installation"]["provider"] == {"code": "fitters"}
    assert appointment | {"installation": None} == MORNING | {
        "isBooked": True,
        "installation": None,
    }
    (parcel,) = found["fulfilments"]
    assert parcel["visit"]["provider"] == {"code": "dock"}
    again = (await api.data(PROMISE, brand.brand, cart=cart))["deliveryPromise"]["times"]
    assert again == []
    refused = await api.place(brand.brand, order(fresh_key(), sku="AC", appointment=MORNING))
    assert (refused["code"], refused["path"]) == ("NO_APPOINTMENT", ["appointment"])


async def test_what_needs_no_installer_is_promised_more(api: Api, brand: Living) -> None:
    await brand.receive("wh", 1)
    promise = await api.data(PROMISE, brand.brand, cart=order(fresh_key()))
    times = promise["deliveryPromise"]["times"]
    assert [time["fromMinute"] for time in times] == [540, 780]


async def test_a_longer_time_is_promised_where_no_shorter_one_does(api: Api, brand: Living) -> None:
    """The dock delivers in the morning, the fitters come in the afternoon."""
    day = DAY + timedelta(days=1)
    days = {"firstDay": day.isoformat(), "lastDay": day.isoformat()}
    for code, first, end in (("dock", 540, 720), ("fitters", 780, 1_020)):
        window = {"visits": 1, "firstMinute": first, "endMinute": end}
        await ask(api, brand, SET_SLOTS, provider=code, windows=[window], **days)
    promise = await api.data(PROMISE, brand.brand, cart=order(fresh_key(), sku="AC"))
    times = promise["deliveryPromise"]["times"]
    assert [(t["day"], t["fromMinute"], t["toMinute"]) for t in times] == [
        (DAY.isoformat(), 540, 720),
        (day.isoformat(), 540, 1_020),
    ]


async def test_another_time_is_agreed(api: Api, brand: Living) -> None:
    cart = order(fresh_key(), sku="AC", externalId="tb-1", isPaid=True, appointment=AFTERNOON)
    placed = await api.place(brand.brand, cart)
    assert placed["status"] == "HELD"
    answer = await ask(api, brand, AGREE, orderId=placed["orderId"], appointment=AFTERNOON)
    assert answer["code"] == "NO_APPOINTMENT"
    answer = await ask(api, brand, AGREE, orderId=placed["orderId"], appointment=MORNING)
    assert answer == {
        "__typename": "OrderAppointmentSet",
        "status": "ALLOCATED",
        "order": {"appointment": {"fromMinute": 540}},
    }
    found = (await api.data(BOOKED, brand.brand, id=placed["orderId"]))["order"]
    assert found["holds"][0]["releasedAt"] is not None


async def test_what_is_wrong_changes_nothing(api: Api, brand: Living, admin: Connection) -> None:
    nobody = id_of("Order", 999)
    days = {"firstDay": DAY.isoformat(), "lastDay": DAY.isoformat()}
    backwards = {"day": DAY.isoformat(), "fromMinute": 5, "toMinute": 4}
    bad: list[tuple[str, dict[str, Any], str]] = [
        (AGREE, {"orderId": nobody, "appointment": MORNING}, "UNKNOWN_ORDER"),
        (AGREE, {"orderId": nobody, "appointment": backwards}, "INVALID_ORDER"),
        (SET_SLOTS, {"provider": "z", "windows": [], **days}, "INVALID_TERMS"),
        (SET_PROVIDER, {"code": "x", "name": "x", "kind": "DELIVERY"}, "INVALID_TERMS"),
    ]
    before = await contents(admin)
    for query, given, code in bad:
        assert (await ask(api, brand, query, **given))["code"] == code
    slots = await api.ask(SLOTS, brand.brand, **days, provider="z")
    assert slots["errors"][0]["extensions"]["code"] == "UNKNOWN_SLOT_PROVIDER"
    assert await contents(admin) == before


async def test_stores_see_the_visit_of_their_parcel(api: Api, brand: Living) -> None:
    await brand.receive("store", 1)
    dock = {"code": "s-dock", "name": "Dock", "kind": "DELIVERY", "location": "store"}
    await ask(api, brand, SET_PROVIDER, **dock)
    window = {"visits": 1, "firstMinute": 540, "endMinute": 720}
    days = {"firstDay": DAY.isoformat(), "lastDay": DAY.isoformat()}
    await ask(api, brand, SET_SLOTS, provider="s-dock", windows=[window], **days)
    here = {"detail": "x", "regionCode": HANGZHOU}
    await api.place(brand.brand, order(fresh_key(), address=here, appointment=MORNING))
    query = f"{{ fulfilments {{ edges {{ node {{ visit {{ {VISIT} }} }} }} }} }}"
    (edge,) = (await api.data(query, brand.world.store))["fulfilments"]["edges"]
    assert edge["node"]["visit"]["firstMinute"] == 540
    for who in (brand.world.store, brand.world.dealer):
        assert (await api.data(SLOTS, who, **days))["slots"]["edges"] == []


def codes(locations: list[dict[str, str]]) -> list[str]:
    return [location["code"] for location in locations]
