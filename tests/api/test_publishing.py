"""How shops are reached and what their platforms show, through the API."""

from typing import Any

import pytest
from msgspec.structs import replace

from backend.runtime import Runtime
from graphql_schema.paging import PAGE_MAX
from tenants.organisation import grant_membership, register_user
from tenants.principal import Kind, Permission, Principal
from tests.api.client import Api
from tests.catalogue import Connection, contents
from tests.world import ACTOR, PASSWORD, World

ERROR = "... on UserError { code message path }"
CONNECT = f"""mutation ($i: ShopConnectInput!) {{ shopConnect(input: $i) {{ __typename
    ... on ShopConnected {{ platform {{
        shop kind baseUrl remoteShop callsPerSecond isActive problem }} }}
    {ERROR} }} }}"""
DISCONNECT = f"""mutation ($i: ShopDisconnectInput!) {{ shopDisconnect(input: $i) {{ __typename
    ... on ShopDisconnected {{ wasConnected }} {ERROR} }} }}"""
PLATFORMS = "{ shopPlatforms { shop kind baseUrl remoteShop callsPerSecond isActive problem } }"
SHOWN = """query ($shop: String!, $first: Int, $after: String) {
    shownNumbers(shop: $shop, first: $first, after: $after) {
        edges { node { sku wanted shown acknowledgedAt driftedAt isUnlisted } }
        pageInfo { hasNextPage endCursor } } }"""
STORE = """
    insert into shown_number (tenant_id, shop_id, sku_id, sequence, wanted, shown,
                              acknowledged_at, drifted_at, is_unlisted)
    select k.tenant_id, s.id, k.id, 1, $1, $2,
           case when $2::bigint is not null then timestamptz '2026-01-02 03:04Z' end,
           case when $3 then timestamptz '2026-01-02 03:05Z' end, $4
    from sku k join shop s on s.tenant_id = k.tenant_id and s.code = 'shop'
    where k.tenant_id = $5 and k.code = $6
"""
ACCESS = {"kind": "simulated", "baseUrl": "https://p.example", "remoteShop": "r", "token": "geheim"}
PLATFORM = {
    "shop": "shop",
    "kind": "simulated",
    "baseUrl": "https://p.example",
    "callsPerSecond": 20,
    "remoteShop": "r",
    "isActive": True,
    "problem": None,
}


async def connect(api: Api, who: Principal, shop: str = "shop", **changes: Any) -> dict[str, Any]:
    values = {"shop": shop, **ACCESS, **changes}
    return dict((await api.data(CONNECT, who, i=values))["shopConnect"])


async def disconnect(api: Api, who: Principal, shop: str = "shop") -> dict[str, Any]:
    return dict((await api.data(DISCONNECT, who, i={"shop": shop}))["shopDisconnect"])


async def platforms(api: Api, who: Principal) -> list[dict[str, Any]]:
    return list((await api.data(PLATFORMS, who))["shopPlatforms"])


async def store(admin: Connection, world: World, sku: str, wanted: int, **more: Any) -> None:
    """Remember a number of the shop "shop"."""
    values = {"shown": wanted, "drifted": False, "unlisted": False} | more
    await admin.execute(STORE, wanted, *values.values(), world.tenant_id, sku)


async def shown(api: Api, who: Principal, shop: str = "shop", **page: Any) -> dict[str, Any]:
    return dict((await api.data(SHOWN, who, shop=shop, **page))["shownNumbers"])


async def without(runtime: Runtime, world: World, permission: Permission) -> Principal:
    """Return a user of the brand who may do all but one thing."""
    permissions = frozenset(Permission) - {permission}
    async with runtime.database.platform_transaction() as tx:
        user_id = await register_user(tx, ACTOR, "less@example.com", "Less", PASSWORD)
        await grant_membership(
            tx, ACTOR, user_id, Kind.BRAND, permissions, brand_id=world.tenant_id
        )
    return replace(world.brand, subject=f"user:{user_id}", permissions=permissions)


# --------------------------------------------------------------------------------- connecting


async def test_a_shop_is_connected_replaced_and_disconnected(world: World, api: Api) -> None:
    assert (await connect(api, world.brand))["platform"] == PLATFORM
    moved = await connect(api, world.brand, remoteShop="moved")
    assert moved["platform"] == PLATFORM | {"remoteShop": "moved"}
    assert await platforms(api, world.brand) == [moved["platform"]]
    assert (await disconnect(api, world.brand))["wasConnected"] is True
    assert (await disconnect(api, world.brand))["wasConnected"] is False
    assert [one["isActive"] for one in await platforms(api, world.brand)] == [False]


async def test_a_problem_is_shown_until_the_shop_is_connected_anew(
    world: World, api: Api, admin: Connection
) -> None:
    await connect(api, world.brand)
    await admin.execute("update shop_connection set problem = 'look at it'")
    assert [one["problem"] for one in await platforms(api, world.brand)] == ["look at it"]
    assert (await connect(api, world.brand, token="new"))["platform"]["problem"] is None


async def test_a_token_cannot_be_read(world: World, api: Api) -> None:
    said = [await connect(api, world.brand), await platforms(api, world.brand)]
    assert "geheim" not in repr(said)
    refusal = await connect(api, world.brand, kind="nope")
    assert "geheim" not in repr(refusal)
    fields = (await api.data('{ __type(name: "ShopPlatform") { fields { name } } }', world.brand))[
        "__type"
    ]["fields"]
    assert {field["name"] for field in fields} == PLATFORM.keys()


BAD: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    "an unknown shop": ({"shop": "nope"}, "UNKNOWN_SHOP", []),
    "an unknown kind": ({"kind": "nope"}, "UNKNOWN_CONNECTOR", []),
    "an address of another kind": ({"baseUrl": "ftp://x"}, "OUT_OF_RANGE", ["baseUrl"]),
    "no address": ({"baseUrl": ""}, "OUT_OF_RANGE", ["baseUrl"]),
    "no remote shop": ({"remoteShop": ""}, "OUT_OF_RANGE", ["remoteShop"]),
    "a token of two lines": ({"token": "a\nb"}, "OUT_OF_RANGE", ["token"]),
    "a long token": ({"token": "x" * 501}, "OUT_OF_RANGE", ["token"]),
}


@pytest.mark.parametrize("name", BAD)
async def test_what_cannot_be_reached_is_refused(
    world: World, api: Api, admin: Connection, name: str
) -> None:
    changes, code, path = BAD[name]
    before = await contents(admin)
    answer = await connect(api, world.brand, **changes)
    assert (answer["__typename"], answer["code"]) == ("InputRefused", code)
    assert (answer["path"] or [])[-1:] == path
    assert await contents(admin) == before


async def test_an_unknown_shop_is_not_disconnected(
    world: World, api: Api, admin: Connection
) -> None:
    await connect(api, world.brand)
    before = await contents(admin)
    assert (await disconnect(api, world.brand, "nope"))["code"] == "UNKNOWN_SHOP"
    assert (await disconnect(api, world.other_brand, "dshop"))["code"] == "UNKNOWN_SHOP"
    assert await contents(admin) == before


async def test_connecting_takes_the_permission_to_write_the_network(
    runtime: Runtime, world: World, api: Api, admin: Connection
) -> None:
    await connect(api, world.brand)
    who = await without(runtime, world, Permission.NETWORK_WRITE)
    before = await contents(admin)
    for answer in (await connect(api, who, token="new"), await disconnect(api, who)):
        assert answer["__typename"] == "PermissionDenied"
        assert answer["code"] == "PERMISSION_MISSING"
    assert await contents(admin) == before


@pytest.mark.parametrize("who", ["dealer", "other_dealer", "store", "group"])
async def test_only_the_brand_connects_and_disconnects(
    world: World, api: Api, admin: Connection, who: str
) -> None:
    await connect(api, world.brand, "dshop")
    before, principal = await contents(admin), getattr(world, who)
    assert (await connect(api, principal, "dshop", token="new"))["__typename"] != "ShopConnected"
    assert (await disconnect(api, principal, "dshop")).get("wasConnected") is not True
    assert await contents(admin) == before


async def test_platforms_are_seen_by_the_brand_and_its_group_alone(world: World, api: Api) -> None:
    await connect(api, world.brand, "dshop")
    for who in (world.brand, world.group):
        assert [one["shop"] for one in await platforms(api, who)] == ["dshop"]
    for who in (world.dealer, world.other_dealer, world.store, world.other_brand):
        assert await platforms(api, who) == []


# -------------------------------------------------------------------------------- what is shown


async def test_shown_numbers_say_what_is_known(world: World, api: Api, admin: Connection) -> None:
    await store(admin, world, "A", 5)
    await store(admin, world, "B", 7, shown=9, drifted=True)
    await store(admin, world, "C", 3, shown=None, unlisted=True)
    nodes = [edge["node"] for edge in (await shown(api, world.brand))["edges"]]
    assert [tuple(node.values())[:3] for node in nodes] == [
        ("A", 5, 5),
        ("B", 7, 9),
        ("C", 3, None),
    ]
    assert [node["isUnlisted"] for node in nodes] == [False, False, True]
    assert [node["driftedAt"] is None for node in nodes] == [True, False, True]
    assert [node["acknowledgedAt"] is None for node in nodes] == [False, False, True]


async def test_shown_numbers_come_in_pages(world: World, api: Api, admin: Connection) -> None:
    for sku in ("A", "B", "C"):
        await store(admin, world, sku, 1)
    first = await shown(api, world.brand, first=2)
    rest = await shown(api, world.brand, first=2, after=first["pageInfo"]["endCursor"])
    codes = [[edge["node"]["sku"] for edge in page["edges"]] for page in (first, rest)]
    assert codes == [["A", "B"], ["C"]]
    assert [page["pageInfo"]["hasNextPage"] for page in (first, rest)] == [True, False]


async def test_shown_numbers_are_of_one_shop_and_one_brand(
    world: World, api: Api, admin: Connection
) -> None:
    await store(admin, world, "A", 5)
    assert (await shown(api, world.brand, "dshop"))["edges"] == []
    assert (await shown(api, world.other_brand))["edges"] == []
    assert len((await shown(api, world.group))["edges"]) == 1


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"shop": "nope"}, "UNKNOWN_SHOP"),
        ({"shop": "shop", "first": 0}, "INVALID_PAGE"),
        ({"shop": "shop", "first": PAGE_MAX + 1}, "INVALID_PAGE"),
        ({"shop": "shop", "after": "nonsense"}, "INVALID_PAGE"),
    ],
)
async def test_a_page_that_cannot_be_is_refused(
    world: World, api: Api, values: dict[str, Any], code: str
) -> None:
    answer = await api.ask(SHOWN, world.brand, **values)
    assert answer["errors"][0]["extensions"]["code"] == code


@pytest.mark.parametrize("query", [PLATFORMS, SHOWN])
async def test_reading_takes_the_permission_to_read_stock(
    runtime: Runtime, world: World, api: Api, query: str
) -> None:
    values = {"shop": "shop"} if query == SHOWN else {}
    who = await without(runtime, world, Permission.STOCK_READ)
    answer = await api.ask(query, who, **values)
    assert answer["errors"][0]["extensions"]["code"] == "PERMISSION_MISSING"


async def test_dealers_and_stores_read_no_shown_number(
    world: World, api: Api, admin: Connection
) -> None:
    await store(admin, world, "A", 5)
    await admin.execute(
        "update shown_number set shop_id = (select id from shop where code = 'dshop')"
    )
    assert (await shown(api, world.dealer, "dshop"))["edges"] == []
    for who in (world.other_dealer, world.store):
        answer = await api.ask(SHOWN, who, shop="dshop")
        assert answer["errors"][0]["extensions"]["code"] == "UNKNOWN_SHOP"
