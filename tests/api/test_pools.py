"""Pools through the API: from a draft to the numbers of the shops, and who sees them."""

from typing import Any

import pytest
from msgspec.structs import replace

from backend.routing import live_book
from backend.runtime import Runtime
from loadtests.waiting import until
from tenants import organisation
from tenants.principal import Kind, Permission, Principal
from tests.api.client import Api, order
from tests.catalogue import Connection, contents
from tests.inventory.pools.layouts import EXAMPLE, put_in_force
from tests.inventory.pools.living import Living, living
from tests.world import ACTOR, PASSWORD, World, fresh_key

FAULT = """... on UserError { code message path } ... on PoolLayoutChanged { activeVersion }
    ... on PermissionDenied { permission }"""
SAVED = "... on PoolLayoutSaved { layout { version basedOn status document comment proposedBy } }"
PROPOSE = f"""mutation ($input: PoolLayoutProposeInput!) {{ poolLayoutPropose(input: $input) {{
    __typename {SAVED} {FAULT} }} }}"""
ACTIVATE = f"""mutation ($input: PoolLayoutActivateInput!) {{ poolLayoutActivate(input: $input) {{
    __typename {SAVED} {FAULT} }} }}"""
PREVIEW = """query ($version: Int!, $largest: Int! = 20) {
    poolLayoutPreview(version: $version, largest: $largest) { changes skus shops unitsMore unitsLess
    largest { sku { code } shop { code } before after } } }"""
WHY = """query ($shop: String!, $sku: String!, $asOf: DateTime) {
    availability(shop: $shop, sku: $sku, asOf: $asOf) { layoutVersion number shown
    levels { onHand } steps { code layer number bound flowsIn links {
    fromPools fromWarehouses quantity reserve ratioBp most isRuled flow } } } }"""
NUMBERS = """query ($shop: String!, $skus: [String!]!) {
    shopAvailabilities(shop: $shop, skus: $skus) { sku shop number shown } }"""
FOLLOW = """subscription ($shop: String!, $skus: [String!]!) {
    availabilityChanged(shop: $shop, skus: $skus) { sku number shown } }"""
ACTIVE = "{ poolLayout { version status document } }"
LISTED = """query ($first: Int!, $after: String) { poolLayouts(first: $first, after: $after) {
    edges { node { version status } } pageInfo { hasNextPage endCursor } } }"""

TELEVISIONS = {"test": {"attribute": "sku.category", "operator": "EQUALS", "values": ["TV"]}}
OF_B = {"test": {"attribute": "sku.code", "operator": "IN", "values": ["B", "C"]}}
WHERE = {
    "all": [
        {
            "any": [
                {"test": {"attribute": "node.kind", "operator": "EQUALS", "values": ["store"]}},
                {"test": {"attribute": "node.code", "operator": "EQUALS", "values": ["wh"]}},
            ]
        },
        {
            "not": {
                "test": {"attribute": "node.is_dealers", "operator": "EQUALS", "values": ["true"]}
            }
        },
    ]
}
LAYOUT: dict[str, Any] = {
    "pools": [
        {"code": "near", "name": "近", "layer": "SUPPLY", "supplies": [{"where": WHERE}]},
        {
            "code": "all",
            "name": "All",
            "layer": "DISPATCH",
            "mode": "CHANNEL_FIRST",
            "feeds": [{"pools": ["near"], "reserve": 2}],
        },
    ],
    "shares": [
        {
            "pool": "all",
            "shop": "shop",
            "most": 6,
            "rules": [{"when": {"any": [TELEVISIONS, OF_B]}, "ratioBp": 5000}],
        },
        {"pool": "all", "shop": "dshop", "rank": 1},
    ],
    "syncs": [{"shop": "shop", "buffer": 1, "cap": 4}],
}
"""Shanghai and the store, in turns to two shops."""


@pytest.fixture(autouse=True)
def _always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_book, "FRESH_SECONDS", 0.0)


@pytest.fixture
async def live(runtime: Runtime, world: World, database_url: str, valkey_url: str) -> Living:
    """The example in force, with 10 of "A" in Shanghai."""
    await put_in_force(runtime.database, world.brand, EXAMPLE)
    opened = await living(runtime, world, database_url, valkey_url)
    await opened.freshen()
    await opened.receive("wh", 10)
    return opened


async def run(api: Api, query: str, who: Principal, **values: Any) -> dict[str, Any]:
    values.setdefault("idempotencyKey", fresh_key())
    (answer,) = (await api.data(query, who, input=values)).values()
    return dict(answer)


async def read(api: Api, query: str, who: Principal, **values: Any) -> Any:
    (answer,) = (await api.data(query, who, **values)).values()
    return answer


async def may_only(live: Living, permission: Permission) -> Principal:
    """Return a user of the brand with one permission."""
    async with live.runtime.database.platform_transaction() as tx:
        user_id = await organisation.register_user(tx, ACTOR, "one@example.com", "One", PASSWORD)
        await organisation.grant_membership(
            tx, ACTOR, user_id, Kind.BRAND, frozenset({permission}), brand_id=live.world.tenant_id
        )
    return replace(live.brand, subject=f"user:{user_id}", permissions=frozenset({permission}))


async def code_of(api: Api, query: str, who: Principal, **values: Any) -> str:
    """Return the code of a query that is refused."""
    answer = await api.ask(query, who, **values)
    assert not any((answer.get("data") or {}).values()), answer
    return str(answer["errors"][0]["extensions"]["code"])


async def numbers(api: Api, who: Principal, shop: str, *skus: str) -> list[tuple[Any, Any]]:
    found = await read(api, NUMBERS, who, shop=shop, skus=skus or ["A"])
    return [(each["number"], each["shown"]) for each in found]


# ------------------------------------------------------------------------- from draft to numbers


async def test_a_draft_is_proposed_looked_at_and_activated(api: Api, live: Living) -> None:
    draft = await run(api, PROPOSE, live.brand, basedOn=1, layout=LAYOUT, comment="双十一")
    assert draft["layout"] | {"document": None} == {
        "version": 2,
        "basedOn": 1,
        "status": "DRAFT",
        "document": None,
        "comment": "双十一",
        "proposedBy": live.brand.subject,
    }
    preview = await read(api, PREVIEW, live.brand, version=2)
    assert [(c["shop"]["code"], c["before"], c["after"]) for c in preview["largest"]] == [
        ("dshop", 6, 2),
        ("shop", 8, 6),
    ]
    assert await numbers(api, live.brand, "shop") == [(8, 8)]
    saved = await run(api, ACTIVATE, live.brand, version=2)
    assert saved["layout"]["status"] == "ACTIVE"
    assert await numbers(api, live.brand, "shop") == [(6, 4)]
    assert await numbers(api, live.brand, "dshop", "A", "B") == [(2, 2), (0, 0)]


async def test_the_document_is_what_was_given(api: Api, live: Living) -> None:
    draft = await run(api, PROPOSE, live.brand, basedOn=1, layout=LAYOUT)
    document = draft["layout"]["document"]
    assert document["pools"][0]["supplies"][0]["where"]["all"][1]["not"]["test"]["values"] == [
        "true"
    ]
    assert document["pools"][1]["mode"] == "channel_first"
    assert document["shares"][0]["rules"][0]["ratioBp"] == 5000
    assert document["syncs"] == LAYOUT["syncs"]


async def test_a_preview_counts_what_would_change(api: Api, live: Living) -> None:
    await live.receive("wh", 100, "B")
    layout = {"pools": LAYOUT["pools"][:1], "shares": [{"pool": "near", "shop": "shop"}]}
    await run(api, PROPOSE, live.brand, basedOn=1, layout=layout)
    preview = await read(api, PREVIEW, live.brand, version=2, largest=1)
    (largest,) = preview.pop("largest")
    assert preview == {"changes": 4, "skus": 2, "shops": 2, "unitsMore": 22, "unitsLess": 66}
    assert (largest["sku"]["code"], largest["before"], largest["after"]) == ("B", 60, None)


async def test_the_same_key_answers_the_same(api: Api, live: Living, admin: Connection) -> None:
    values = {"basedOn": 1, "layout": LAYOUT, "idempotencyKey": fresh_key()}
    first = await run(api, PROPOSE, live.brand, **values)
    before = await contents(admin)
    assert await run(api, PROPOSE, live.brand, **values) == first
    assert await contents(admin) == before


async def test_versions_are_listed_and_the_active_one_is_found(api: Api, live: Living) -> None:
    await run(api, PROPOSE, live.brand, basedOn=1, layout=LAYOUT)
    await run(api, ACTIVATE, live.brand, version=2)
    page = await read(api, LISTED, live.brand, first=1)
    assert page["edges"] == [{"node": {"version": 2, "status": "ACTIVE"}}]
    rest = await read(api, LISTED, live.brand, first=9, after=page["pageInfo"]["endCursor"])
    assert rest["edges"] == [{"node": {"version": 1, "status": "ARCHIVED"}}]
    assert (await read(api, ACTIVE, live.brand))["version"] == 2


# ------------------------------------------------------------------------- refusals


async def refusal(
    api: Api, admin: Connection, query: str, who: Principal, **values: Any
) -> dict[str, Any]:
    """Return a refusal; it has changed nothing."""
    before = await contents(admin)
    answer = await run(api, query, who, **values)
    assert await contents(admin) == before
    return answer


async def test_who_did_not_look_is_told_the_active_version(
    api: Api, live: Living, admin: Connection
) -> None:
    answer = await refusal(api, admin, PROPOSE, live.brand, basedOn=0, layout=LAYOUT)
    assert (answer["__typename"], answer["activeVersion"]) == ("PoolLayoutChanged", 1)
    assert answer["code"] == "POOL_LAYOUT_CHANGED"


async def test_who_was_overtaken_is_told_the_active_version(
    api: Api, live: Living, admin: Connection
) -> None:
    for _ in range(2):
        await run(api, PROPOSE, live.brand, basedOn=1, layout=LAYOUT)
    await run(api, ACTIVATE, live.brand, version=2)
    answer = await refusal(api, admin, ACTIVATE, live.brand, version=3)
    assert (answer["__typename"], answer["activeVersion"]) == ("PoolLayoutChanged", 2)


def with_share(**share: Any) -> dict[str, Any]:
    return LAYOUT | {"shares": [{"pool": "all", "shop": "shop"} | share]}


BAD = [
    (with_share(ratioBp=10_001), "INVALID_POOL_LAYOUT", "shares.0.ratioBp"),
    (with_share(shop="nobody"), "INVALID_POOL_LAYOUT", "shares.0.shop"),
    (
        with_share(rules=[{"when": OF_B, "reserve": -1}]),
        "INVALID_POOL_LAYOUT",
        "shares.0.rules.0.reserve",
    ),
    (with_share(rules=[{"when": {}}]), "INVALID_CONDITION", "shares.0.rules.0.when"),
    (
        with_share(rules=[{"when": {"not": {"all": []}}}]),
        "INVALID_CONDITION",
        "shares.0.rules.0.when.not.all",
    ),
    (
        LAYOUT | {"syncs": [{"shop": "shop", "zeroBelow": -1}]},
        "INVALID_POOL_LAYOUT",
        "syncs.0.zeroBelow",
    ),
    (
        LAYOUT | {"syncs": [{"shop": "shop", "minimumChange": 0}]},
        "INVALID_POOL_LAYOUT",
        "syncs.0.minimumChange",
    ),
    (LAYOUT | {"pools": []}, "INVALID_POOL_LAYOUT", "shares.0.pool"),
]


@pytest.mark.parametrize(("layout", "code", "path"), BAD, ids=[path for _, _, path in BAD])
async def test_a_fault_is_told_with_its_place(
    api: Api, live: Living, admin: Connection, layout: dict[str, Any], code: str, path: str
) -> None:
    answer = await refusal(api, admin, PROPOSE, live.brand, basedOn=1, layout=layout)
    assert (answer["__typename"], answer["code"]) == ("InputRefused", code)
    assert ".".join(answer["path"]) == path


@pytest.mark.parametrize(
    ("version", "code"), [(1, "POOL_LAYOUT_NOT_DRAFT"), (9, "UNKNOWN_POOL_LAYOUT")]
)
async def test_only_a_draft_is_activated(
    api: Api, live: Living, admin: Connection, version: int, code: str
) -> None:
    answer = await refusal(api, admin, ACTIVATE, live.brand, version=version)
    assert (answer["__typename"], answer["code"]) == ("InputRefused", code)


@pytest.mark.parametrize(
    ("query", "values"),
    [(PROPOSE, {"basedOn": 1, "layout": LAYOUT}), (ACTIVATE, {"version": 1})],
    ids=["propose", "activate"],
)
async def test_without_the_permission_the_layout_stays(
    api: Api, live: Living, admin: Connection, query: str, values: dict[str, Any]
) -> None:
    reader = await may_only(live, Permission.STOCK_READ)
    answer = await refusal(api, admin, query, reader, **values)
    assert (answer["__typename"], answer["permission"]) == ("PermissionDenied", "network:write")


@pytest.mark.parametrize("name", ["dealer", "store", "group"])
async def test_nobody_but_the_brand_proposes(
    api: Api, live: Living, admin: Connection, name: str
) -> None:
    who = getattr(live.world, name)
    answer = await refusal(api, admin, PROPOSE, who, basedOn=1, layout=LAYOUT)
    assert (answer["__typename"], answer["code"]) == ("InputRefused", "WRITE_REFUSED")


@pytest.mark.parametrize(
    ("query", "values", "code"),
    [
        (WHY, {"shop": "no", "sku": "A"}, "UNKNOWN_SHOP"),
        (WHY, {"shop": "shop", "sku": "no"}, "UNKNOWN_SKU"),
        (WHY, {"shop": "shop", "sku": "A", "asOf": "2999-01-01T00:00:00Z"}, "OUT_OF_RANGE"),
        (NUMBERS, {"shop": "no", "skus": ["A"]}, "UNKNOWN_SHOP"),
        (NUMBERS, {"shop": "shop", "skus": ["A", "no"]}, "UNKNOWN_SKU"),
        (NUMBERS, {"shop": "shop", "skus": []}, "INVALID_PAGE"),
        (NUMBERS, {"shop": "shop", "skus": ["A"] * 101}, "INVALID_PAGE"),
        (PREVIEW, {"version": 9}, "UNKNOWN_POOL_LAYOUT"),
    ],
)
async def test_a_query_about_nothing_is_refused(
    api: Api, live: Living, query: str, values: dict[str, Any], code: str
) -> None:
    assert await code_of(api, query, live.brand, **values) == code


# ------------------------------------------------------------------------- why, and for whom


async def test_the_brand_sees_every_step(api: Api, live: Living) -> None:
    found = await read(api, WHY, live.brand, shop="shop", sku="A")
    assert [step["code"] for step in found["steps"]] == ["online", "consumers", "shop"]
    assert [step["layer"] for step in found["steps"]] == ["SUPPLY", "DISPATCH", None]
    assert found["steps"][-1]["links"] == [
        {
            "fromPools": ["consumers"],
            "fromWarehouses": 0,
            "quantity": 10,
            "reserve": 0,
            "ratioBp": 8_000,
            "most": None,
            "isRuled": False,
            "flow": 8,
        }
    ]
    assert (found["number"], found["levels"]) == (8, [{"onHand": 10}])


async def test_a_dealer_sees_the_numbers_of_its_shops_and_nothing_behind_them(
    api: Api, live: Living
) -> None:
    found = await read(api, WHY, live.world.dealer, shop="dshop", sku="A")
    assert (found["number"], found["shown"]) == (6, 6)
    assert (found["levels"], found["steps"]) == ([], [])
    assert await numbers(api, live.world.dealer, "dshop") == [(6, 6)]


@pytest.mark.parametrize("name", ["dealer", "other_dealer", "store", "other_brand"])
@pytest.mark.parametrize("query", [WHY, NUMBERS], ids=["why", "numbers"])
async def test_nobody_sees_the_numbers_of_others_shops(
    api: Api, live: Living, name: str, query: str
) -> None:
    """The other brand's own shop has the same code, and no number."""
    who = getattr(live.world, name)
    values = {"sku": "A"} if query == WHY else {"skus": ["A"]}
    shops = {"dealer": ["shop", "dshop2"], "store": ["shop", "dshop", "dshop2"]}
    for shop in shops.get(name, ["dshop"]):
        assert await code_of(api, query, who, shop=shop, **values) == "UNKNOWN_SHOP"


async def test_another_brands_shop_of_the_same_code_has_numbers_of_its_own(
    api: Api, live: Living
) -> None:
    assert await numbers(api, live.world.other_brand, "shop") == [(None, None)]


@pytest.mark.parametrize("name", ["dealer", "store", "other_brand"])
async def test_nobody_else_sees_the_layout(api: Api, live: Living, name: str) -> None:
    who = getattr(live.world, name)
    assert await read(api, ACTIVE, who) is None
    assert (await read(api, LISTED, who, first=9))["edges"] == []
    assert await code_of(api, PREVIEW, who, version=1) == "UNKNOWN_POOL_LAYOUT"


@pytest.mark.parametrize(
    ("query", "values"),
    [(WHY, {"shop": "shop", "sku": "A"}), (NUMBERS, {"shop": "shop", "skus": ["A"]}), (ACTIVE, {})],
    ids=["why", "numbers", "layout"],
)
async def test_stock_is_read_by_permission(
    api: Api, live: Living, query: str, values: dict[str, Any]
) -> None:
    nobody = await may_only(live, Permission.ORDERS_READ)
    assert await code_of(api, query, nobody, **values) == "PERMISSION_MISSING"


async def test_the_number_of_the_past_is_told(api: Api, live: Living, admin: Connection) -> None:
    at = (await admin.fetchval("select clock_timestamp()")).isoformat()
    placed = await api.place(live.brand, order("k", quantity=5))
    assert placed["__typename"] == "OrderPlaced"
    now = await read(api, WHY, live.brand, shop="shop", sku="A")
    then = await read(api, WHY, live.brand, shop="shop", sku="A", asOf=at)
    assert (now["number"], then["number"]) == (4, 8)


# ------------------------------------------------------------------------- the subscription


async def test_all_numbers_come_first_and_then_each_that_changes(api: Api, live: Living) -> None:
    following = api.subscribed(live.brand, FOLLOW, shop="shop", skus=["A", "B"])
    async with following as events:
        first = [await anext(events), await anext(events)]
        assert {(each["sku"], each["number"]) for each in first} == {("A", 8), ("B", 0)}
        await live.receive("wh", 10, "C")
        await api.place(live.brand, order("k", quantity=5))
        assert await anext(events) == {"sku": "A", "number": 4, "shown": 4}
        await live.receive("wh", 100, "B")
        assert await anext(events) == {"sku": "B", "number": 80, "shown": 80}


async def test_the_next_layout_is_followed(api: Api, live: Living) -> None:
    async with api.subscribed(live.brand, FOLLOW, shop="shop", skus=["A"]) as events:
        assert (await anext(events))["number"] == 8
        await run(api, PROPOSE, live.brand, basedOn=1, layout=LAYOUT)
        await run(api, ACTIVATE, live.brand, version=2)
        assert await anext(events) == {"sku": "A", "number": 6, "shown": 4}


async def test_a_dealer_follows_its_own_shop(api: Api, live: Living) -> None:
    async with api.subscribed(live.world.dealer, FOLLOW, shop="dshop", skus=["A"]) as events:
        assert await anext(events) == {"sku": "A", "number": 6, "shown": 6}
        await live.receive("wh", 10)
        assert await anext(events) == {"sku": "A", "number": 12, "shown": 12}


async def test_a_subscription_that_ends_leaves_no_listener(api: Api, live: Living) -> None:
    book = live.runtime.books.opened(live.world.tenant_id)
    assert book is not None
    async with api.subscribed(live.brand, FOLLOW, shop="shop", skus=["A"]) as events:
        await anext(events)
        assert len(book.listeners) == 1
    await until(lambda: not book.listeners)


@pytest.mark.parametrize(
    ("name", "shop"),
    [("dealer", "shop"), ("other_dealer", "dshop"), ("store", "shop"), ("store", "dshop")],
)
async def test_nobody_follows_the_shops_of_others(
    api: Api, live: Living, name: str, shop: str
) -> None:
    who = getattr(live.world, name)
    async with api.subscribed(who, FOLLOW, shop=shop, skus=["A"]) as events:
        with pytest.raises(AssertionError, match="UNKNOWN_SHOP"):
            await anext(events)
