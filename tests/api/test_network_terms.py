"""Terms of nodes, lanes, dealers and channels, through the API."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any

import pytest

from backend.runtime import Runtime
from tenants.principal import Permission, Principal
from tests.api.client import Api
from tests.api.users import user_with
from tests.catalogue import Connection, contents
from tests.world import HANGZHOU, SHANGHAI, World, fresh_key

FAULT = "... on UserError { code message path } ... on PermissionDenied { permission }"
TERMS = "capabilities cutOffMinute workingDays serviceLevel handlingMinor keepsForRegion"
LOCATION = f"code {TERMS} closedDays"
LOCATIONS = f"{{ locations {{ edges {{ node {{ {LOCATION} }} }} }} }}"
CREATE = f"""mutation ($input: LocationCreateInput!) {{ locationCreate(input: $input) {{
    __typename {FAULT} }} }}"""
SET_TERMS = f"""mutation ($input: LocationSetTermsInput!) {{ locationSetTerms(input: $input) {{
    __typename ... on LocationTermsSet {{ location {{ {LOCATION} }} }} {FAULT} }} }}"""
SET_DAYS = f"""mutation ($input: LocationSetClosedDaysInput!) {{
    locationSetClosedDays(input: $input) {{
    __typename ... on LocationClosedDaysSet {{ location {{ code closedDays }} }} {FAULT} }} }}"""
SET_LANES = f"""mutation ($input: CarrierLanesSetInput!) {{ carrierLanesSet(input: $input) {{
    __typename ... on CarrierLanesRecorded {{ lanes }} {FAULT} }} }}"""
LANE = "carrier regionCode baseMinor stepMinor stepG transitMinutes isActive location { code }"
LANES = f"""query ($first: Int! = 20, $after: String) {{
    carrierLanes(first: $first, after: $after) {{
    edges {{ node {{ {LANE} }} }} pageInfo {{ hasNextPage endCursor }} }} }}"""
OF_DEALER = "dealerId territory performanceBp serviceFeeMinor"
SET_DEALER = f"""mutation ($input: DealerSetRoutingTermsInput!) {{
    dealerSetRoutingTerms(input: $input) {{
    __typename ... on DealerRoutingTermsSet {{ terms {{ {OF_DEALER} }} }} {FAULT} }} }}"""
DEALERS = f"{{ dealerRoutingTerms {{ {OF_DEALER} }} }}"
SET_CHANNELS = f"""mutation ($input: ChannelTermsSetInput!) {{ channelTermsSet(input: $input) {{
    __typename ... on ChannelTermsRecorded {{ terms {{ channel nodeKind commissionBp }} }}
    {FAULT} }} }}"""
CHANNELS = "{ channelTerms { channel nodeKind commissionBp } }"
GOOD = {
    "capabilities": ["INSTALLS", "OVERSIZE"],
    "cutOffMinute": 960,
    "workingDays": ["MONDAY", "SATURDAY", "SUNDAY"],
    "serviceLevel": 9,
    "handlingMinor": 300,
    "keepsForRegion": True,
}
WEEK = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
NONE = {
    "capabilities": [],
    "cutOffMinute": None,
    "workingDays": WEEK,
    "serviceLevel": 0,
    "handlingMinor": 0,
    "keepsForRegion": False,
}


async def run(api: Api, query: str, who: Principal, **values: Any) -> dict[str, Any]:
    values.setdefault("idempotencyKey", fresh_key())
    (answer,) = (await api.data(query, who, input=values)).values()
    return dict(answer)


async def read(api: Api, query: str, who: Principal, **values: Any) -> Any:
    (answer,) = (await api.data(query, who, **values)).values()
    return answer


async def location(api: Api, who: Principal, code: str) -> dict[str, Any]:
    found = await read(api, LOCATIONS, who)
    by_code = {edge["node"]["code"]: edge["node"] for edge in found["edges"]}
    return dict(by_code[code])


@asynccontextmanager
async def unchanged(admin: Connection) -> AsyncIterator[None]:
    """What is inside changes nothing."""
    before = await contents(admin)
    yield
    assert await contents(admin) == before


def dealer_id(world: World, code: str = "d1") -> str:
    return base64.b64encode(f"Dealer:{world.dealers[code]}".encode()).decode()


def lane(**changes: Any) -> dict[str, Any]:
    given = {
        "location": "wh",
        "carrier": "express",
        "regionCode": HANGZHOU,
        "baseMinor": 800,
        "stepMinor": 200,
        "stepG": 500,
        "transitMinutes": 1_440,
        "isActive": True,
    }
    return given | changes


def shown(given: dict[str, Any]) -> dict[str, Any]:
    """Return a lane as it is shown."""
    return {**given, "location": {"code": given["location"]}}


async def today(runtime: Runtime, world: World) -> date:
    return (await runtime.brands.get(world.tenant_id)).local_time().date()


# --------------------------------------------------------------------------------- locations


async def test_a_location_is_created_with_its_terms(api: Api, world: World) -> None:
    new = {"name": "New", "kind": "STORE", "regionCode": SHANGHAI}
    await run(api, CREATE, world.brand, code="good", terms=GOOD, **new)
    await run(api, CREATE, world.brand, code="bare", **new)
    for code, terms in (("good", GOOD), ("bare", NONE)):
        expected = {"code": code, "closedDays": [], **terms}
        assert await location(api, world.brand, code) == expected


async def test_terms_of_a_location_are_replaced(api: Api, world: World) -> None:
    for terms in (GOOD, NONE):
        done = await run(api, SET_TERMS, world.brand, code="wh", terms=terms)
        assert done["location"] == {"code": "wh", "closedDays": [], **terms}
        assert await location(api, world.brand, "wh") == done["location"]


async def test_closed_days_are_shown_from_today_on(
    api: Api, runtime: Runtime, world: World
) -> None:
    start = await today(runtime, world)
    days = [(start + timedelta(days=later)).isoformat() for later in (-1, 0, 1, 2)]
    span = {"code": "wh", "firstDay": days[0], "lastDay": days[3]}
    done = await run(api, SET_DAYS, world.brand, **span)
    assert done["location"] == {"code": "wh", "closedDays": days[1:]}
    opened = await run(api, SET_DAYS, world.brand, **{**span, "firstDay": days[2]}, isClosed=False)
    assert opened["location"]["closedDays"] == [days[1]]
    assert (await location(api, world.brand, "wh"))["closedDays"] == [days[1]]
    assert (await location(api, world.brand, "far"))["closedDays"] == []


# ------------------------------------------------------------------------------------- lanes


async def test_lanes_are_kept_as_given_and_come_in_pages(api: Api, world: World) -> None:
    given = [lane(), lane(carrier="freight", isActive=False), lane(location="far")]
    done = await run(api, SET_LANES, world.brand, lanes=given)
    assert done == {"__typename": "CarrierLanesRecorded", "lanes": 3}
    found, after = [], None
    while True:
        page = await read(api, LANES, world.brand, first=2, after=after)
        found += [edge["node"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert found == [shown(one) for one in given]


async def test_what_a_lane_does_not_say_has_its_default(api: Api, world: World) -> None:
    given = lane()
    for name in ("stepMinor", "stepG", "isActive"):
        del given[name]
    await run(api, SET_LANES, world.brand, lanes=[given])
    (edge,) = (await read(api, LANES, world.brand))["edges"]
    assert edge["node"] == shown(lane(stepMinor=0, stepG=1_000))


# ---------------------------------------------------------------------- dealers and channels


async def test_a_dealer_sees_its_own_terms(api: Api, world: World) -> None:
    given = {"territory": [310000, 330000], "performanceBp": 9_900, "serviceFeeMinor": 1_500}
    first = {"dealerId": dealer_id(world), **given}
    done = await run(api, SET_DEALER, world.brand, **first)
    assert done == {"__typename": "DealerRoutingTermsSet", "terms": first}
    await run(api, SET_DEALER, world.brand, dealerId=dealer_id(world, "d2"))
    defaults = {"territory": [], "performanceBp": 10_000, "serviceFeeMinor": 0}
    second = {"dealerId": dealer_id(world, "d2"), **defaults}
    assert await read(api, DEALERS, world.brand) == [first, second]
    assert await read(api, DEALERS, world.dealer) == [first]
    assert await read(api, DEALERS, world.other_dealer) == [second]
    assert await read(api, DEALERS, world.store) == []


async def test_channel_terms_are_set_and_the_rest_stays(api: Api, world: World) -> None:
    tmall = {"channel": "tmall", "nodeKind": "STORE", "commissionBp": 450}
    jd = {"channel": "jd", "nodeKind": "DEALER", "commissionBp": 850}
    await run(api, SET_CHANNELS, world.brand, terms=[tmall])
    done = await run(api, SET_CHANNELS, world.brand, terms=[jd])
    assert done == {"__typename": "ChannelTermsRecorded", "terms": [jd, tmall]}
    assert await read(api, CHANNELS, world.brand) == [jd, tmall]
    assert await read(api, CHANNELS, world.dealer) == []


# --------------------------------------------------------------------------- all of them


def commands(world: World) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Return each command with good input, and what makes another command of it."""
    terms = {"channel": "tmall", "nodeKind": "STORE", "commissionBp": 450}
    days = {"code": "wh", "firstDay": "2030-01-01", "lastDay": "2030-01-02"}
    return [
        (SET_TERMS, {"code": "wh", "terms": GOOD}, {"code": "far"}),
        (SET_DAYS, days, {"isClosed": False}),
        (SET_LANES, {"lanes": [lane()]}, {"lanes": [lane(stepG=1)]}),
        (SET_DEALER, {"dealerId": dealer_id(world)}, {"performanceBp": 1}),
        (SET_CHANNELS, {"terms": [terms]}, {"terms": [{**terms, "commissionBp": 1}]}),
    ]


NAMES = ("terms", "days", "lanes", "dealer", "channels")
EACH = pytest.mark.parametrize("at", range(len(NAMES)), ids=NAMES)


@EACH
async def test_the_same_command_again_is_answered_and_not_done(
    api: Api, world: World, admin: Connection, at: int
) -> None:
    query, given, change = commands(world)[at]
    first = await run(api, query, world.brand, idempotencyKey="k", **given)
    async with unchanged(admin):
        assert await run(api, query, world.brand, idempotencyKey="k", **given) == first
        other = await run(api, query, world.brand, idempotencyKey="k", **(given | change))
        assert (other["__typename"], other["code"]) == ("InputRefused", "IDEMPOTENCY_CONFLICT")


@EACH
async def test_who_may_not_is_told_so_and_changes_nothing(
    api: Api, runtime: Runtime, world: World, admin: Connection, at: int
) -> None:
    query, given, _ = commands(world)[at]
    without = await user_with(runtime, world, Permission.STOCK_READ)
    async with unchanged(admin):
        refused = await run(api, query, without, **given)
        assert (refused["code"], refused["permission"]) == ("PERMISSION_MISSING", "network:write")
        for who in (world.dealer, world.store, world.group):
            refused = await run(api, query, who, **given)
            assert refused["code"] == "WRITE_REFUSED"


BAD: dict[str, tuple[int, dict[str, Any], str, list[str]]] = {
    "terms of no location": (0, {"code": "z"}, "UNKNOWN_NODE", ["code"]),
    "a bad cut-off": (
        0,
        {"terms": GOOD | {"cutOffMinute": 1_440}},
        "OUT_OF_RANGE",
        ["terms", "cutOffMinute"],
    ),
    "no working day": (
        0,
        {"terms": GOOD | {"workingDays": []}},
        "OUT_OF_RANGE",
        ["terms", "workingDays"],
    ),
    "days of no location": (1, {"code": "z"}, "UNKNOWN_NODE", ["code"]),
    "days from last to first": (1, {"lastDay": "2029-12-31"}, "OUT_OF_RANGE", ["lastDay"]),
    "too many days": (1, {"lastDay": "2031-02-05"}, "OUT_OF_RANGE", ["lastDay"]),
    "no lanes": (2, {"lanes": []}, "INVALID_TERMS", ["lanes"]),
    "a lane from nowhere": (
        2,
        {"lanes": [lane(), lane(location="z")]},
        "UNKNOWN_NODE",
        ["lanes", "1", "location"],
    ),
    "a lane to nowhere": (
        2,
        {"lanes": [lane(), lane(regionCode=7)]},
        "UNKNOWN_REGION",
        ["lanes", "1", "regionCode"],
    ),
    "an unknown dealer": (
        3,
        {"dealerId": base64.b64encode(b"Dealer:99").decode()},
        "UNKNOWN_DEALER",
        [],
    ),
    "no dealer at all": (3, {"dealerId": "z"}, "INVALID_ID", []),
    "an unknown territory": (
        3,
        {"territory": [330000, 7]},
        "UNKNOWN_REGION",
        ["territory", "1"],
    ),
    "no terms": (4, {"terms": []}, "INVALID_TERMS", ["terms"]),
    "too high a commission": (
        4,
        {"terms": [{"channel": "c", "nodeKind": "STORE", "commissionBp": 10_001}]},
        "OUT_OF_RANGE",
        ["terms", "0", "commissionBp"],
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_input_is_refused_where_it_is_bad_and_changes_nothing(
    api: Api, world: World, admin: Connection, name: str
) -> None:
    at, change, code, path = BAD[name]
    query, given, _ = commands(world)[at]
    async with unchanged(admin):
        refused = await run(api, query, world.brand, **(given | change))
    assert (refused["__typename"], refused["code"]) == ("InputRefused", code)
    assert refused["path"] == path
    assert refused["message"]


@pytest.mark.parametrize("query", [LANES, DEALERS, CHANNELS], ids=["lanes", "dealers", "channels"])
async def test_who_may_not_read_stock_is_shown_no_terms(
    api: Api, runtime: Runtime, world: World, query: str
) -> None:
    answer = await api.ask(query, await user_with(runtime, world, Permission.NETWORK_WRITE))
    assert answer["errors"][0]["extensions"]["code"] == "PERMISSION_MISSING"
