"""Routing through the API: from a draft to where orders go, and who may say so."""

import json
from typing import Any

import pytest

from tenants.principal import Permission
from tests.api.client import Api, order
from tests.api.users import user_with
from tests.catalogue import Connection, contents
from tests.inventory.pools.living import Living
from tests.world import fresh_key

FAULT = """... on UserError { code message path } ... on RoutingPolicyChanged { activeVersion }
    ... on PermissionDenied { permission }"""
SAVED = """... on RoutingPolicySaved { policy {
    version basedOn status document comment proposedBy activatedBy } }"""
PROPOSE = f"""mutation ($input: RoutingPolicyProposeInput!) {{
    routingPolicyPropose(input: $input) {{ __typename {SAVED} {FAULT} }} }}"""
ACTIVATE = f"""mutation ($input: RoutingPolicyActivateInput!) {{
    routingPolicyActivate(input: $input) {{ __typename {SAVED} {FAULT} }} }}"""
FINDINGS = """query ($version: Int!) { routingPolicyFindings(version: $version) {
    kind strategy message example } }"""
ACTIVE = "{ routingPolicy { version status document } }"
LISTED = """query ($first: Int!, $after: String) { routingPolicies(first: $first, after: $after) {
    edges { node { version status } } pageInfo { hasNextPage endCursor } } }"""
KNOWN = """{ routingCriteria { name unit range source limit }
    routingAttributes { name type operators meaning } routingPresets { preset objectives } }"""


def a_test(attribute: str, operator: str, *values: str) -> dict[str, Any]:
    return {"test": {"attribute": attribute, "operator": operator, "values": list(values)}}


FAR = a_test("node.code", "EQUALS", "far")
VIP = a_test("order.tags", "CONTAINS", "vip")
REST: dict[str, Any] = {"name": "rest", "preset": "FEWEST_SPLITS", "otherwise": "BACKORDER"}
POLICY: dict[str, Any] = {
    "strategies": [
        {
            "name": "vips",
            "when": {"all": [VIP, {"not": a_test("order.is_paid", "EQUALS", "true")}]},
            "nodes": FAR,
            "preset": "SOURCING",
            "weights": {"near": 2},
            "objectives": [{"criterion": "stock_depth", "band": 10}],
            "maxParcels": 1,
            "wholeOnly": True,
            "otherwise": "QUEUE",
            "queue": "A",
        },
        REST,
    ]
}
"""Orders of good customers that are not paid from far away, all others from the nearest."""


SENT = """
    select o.traits ->> 'tags' as tags, n.code from reservation r
    join orders o on o.tenant_id = r.tenant_id and o.id = r.order_id
    join node n on n.tenant_id = r.tenant_id and n.id = r.node_id order by n.code
"""


async def run(api: Api, query: str, who: Any, **values: Any) -> dict[str, Any]:
    values.setdefault("idempotencyKey", fresh_key())
    (answer,) = (await api.data(query, who, input=values)).values()
    return dict(answer)


async def read(api: Api, query: str, who: Any, **values: Any) -> Any:
    (answer,) = (await api.data(query, who, **values)).values()
    return answer


async def refusal(
    api: Api, admin: Connection, query: str, who: Any, **values: Any
) -> dict[str, Any]:
    """Return a refusal; it has changed nothing."""
    before = await contents(admin)
    answer = await run(api, query, who, **values)
    assert await contents(admin) == before
    return answer


def only(**strategy: Any) -> dict[str, Any]:
    """Return a policy of one strategy."""
    return {"strategies": [REST | strategy]}


# --------------------------------------------------------------------- from draft to orders


async def test_a_draft_is_proposed_looked_at_and_activated(
    api: Api, live: Living, admin: Connection
) -> None:
    draft = (await run(api, PROPOSE, live.brand, basedOn=0, policy=POLICY, comment="会员"))[
        "policy"
    ]
    assert (draft["version"], draft["basedOn"], draft["status"]) == (1, 0, "DRAFT")
    assert (draft["comment"], draft["proposedBy"]) == ("会员", live.brand.subject)
    assert await read(api, ACTIVE, live.brand) is None
    assert await read(api, FINDINGS, live.brand, version=1) == []
    saved = (await run(api, ACTIVATE, live.brand, version=1))["policy"]
    assert (saved["status"], saved["activatedBy"]) == ("ACTIVE", live.brand.subject)
    assert (await read(api, ACTIVE, live.brand))["version"] == 1


async def test_the_document_is_what_was_given(api: Api, live: Living) -> None:
    draft = (await run(api, PROPOSE, live.brand, basedOn=0, policy=POLICY))["policy"]
    vips, rest = draft["document"]["strategies"]
    assert vips["when"]["all"][1]["not"]["test"]["values"] == ["true"]
    assert (vips["preset"], vips["weights"], vips["queue"]) == ("sourcing", {"near": 2}, "A")
    assert vips["objectives"] == [{"criterion": "stock_depth", "band": 10}]
    assert rest == {"name": "rest", "preset": "fewest_splits", "otherwise": "backorder"}


async def test_what_orders_are_given_away_for_is_kept(api: Api, live: Living) -> None:
    policy = POLICY | {"rerouting": {"leastSavingMinor": 500}}
    draft = (await run(api, PROPOSE, live.brand, basedOn=0, policy=policy))["policy"]
    assert draft["document"]["rerouting"] == {"leastSavingMinor": 500}
    policy = POLICY | {"rerouting": {"leastSavingMinor": 500, "withinHours": 0}}
    answer = await run(api, PROPOSE, live.brand, basedOn=0, policy=policy)
    assert (answer["code"], answer["path"]) == ("INVALID_POLICY", ["rerouting", "withinHours"])


async def test_orders_go_where_the_policy_says(api: Api, live: Living, admin: Connection) -> None:
    await live.receive("wh", 9)
    await live.receive("far", 9)
    await run(api, PROPOSE, live.brand, basedOn=0, policy=POLICY)
    await run(api, ACTIVATE, live.brand, version=1)
    await api.place(live.brand, order("v", traits={"tags": ["vip"], "customerLevel": 9}))
    await api.place(live.brand, order("o", traits=None))
    sent = await admin.fetch(SENT)
    assert [(row["tags"], row["code"]) for row in sent] == [('["vip"]', "far"), (None, "wh")]


async def test_without_a_strategy_an_order_is_refused(
    api: Api, live: Living, admin: Connection
) -> None:
    await live.receive("wh", 9)
    await run(api, PROPOSE, live.brand, basedOn=0, policy=only(when=VIP))
    await run(api, ACTIVATE, live.brand, version=1)
    before = await contents(admin)
    answer = await api.place(live.brand, order("x"))
    assert answer["code"] == "NO_ROUTING_STRATEGY"
    assert await contents(admin) == before


@pytest.mark.parametrize(
    "traits",
    [
        {"customerLevel": 10},
        {"customerLevel": -1},
        {"tags": ["t"] * 33},
        {"payment": "p" * 65},
        {"orderType": "a\0"},
    ],
    ids=str,
)
async def test_traits_have_bounds(
    api: Api, live: Living, admin: Connection, traits: dict[str, Any]
) -> None:
    before = await contents(admin)
    answer = await api.place(live.brand, order("x", traits=traits))
    assert answer["code"] == "INVALID_ORDER"
    assert await contents(admin) == before


async def test_the_same_key_answers_the_same(api: Api, live: Living, admin: Connection) -> None:
    values = {"basedOn": 0, "policy": POLICY, "idempotencyKey": fresh_key()}
    first = await run(api, PROPOSE, live.brand, **values)
    before = await contents(admin)
    assert await run(api, PROPOSE, live.brand, **values) == first
    assert await contents(admin) == before


async def test_versions_are_listed_and_the_active_one_is_found(api: Api, live: Living) -> None:
    for version in (1, 2):
        await run(api, PROPOSE, live.brand, basedOn=version - 1, policy=POLICY)
        await run(api, ACTIVATE, live.brand, version=version)
    page = await read(api, LISTED, live.brand, first=1)
    assert page["edges"] == [{"node": {"version": 2, "status": "ACTIVE"}}]
    rest = await read(api, LISTED, live.brand, first=9, after=page["pageInfo"]["endCursor"])
    assert rest["edges"] == [{"node": {"version": 1, "status": "ARCHIVED"}}]
    assert not rest["pageInfo"]["hasNextPage"]


async def test_what_is_wrong_is_shown_with_an_example(api: Api, live: Living) -> None:
    policy = {
        "strategies": [
            REST | {"when": VIP},
            REST | {"name": "late", "when": {"all": [VIP, a_test("order.tags", "CONTAINS", "x")]}},
        ]
    }
    await run(api, PROPOSE, live.brand, basedOn=0, policy=policy)
    shadowed, falls = await read(api, FINDINGS, live.brand, version=1)
    assert (shadowed["kind"], shadowed["strategy"]) == ("SHADOWED", "late")
    assert shadowed["example"] == {"order.tags": ["vip", "x"]}
    assert (falls["kind"], falls["example"]) == ("FALLS_THROUGH", {"order.tags": []})
    assert await read(api, FINDINGS, live.brand, version=0) == []


async def test_what_policies_are_made_of_is_listed(api: Api, live: Living) -> None:
    found = await api.data(KNOWN, live.brand)
    criteria = {one["name"]: one for one in found["routingCriteria"]}
    assert criteria["freight"]["limit"] == 1_048_575
    attributes = {one["name"]: one for one in found["routingAttributes"]}
    assert attributes["order.tags"]["operators"] == ["contains"]
    assert attributes["node.wait_days"]["type"] == "number"
    presets = {one["preset"]: one["objectives"] for one in found["routingPresets"]}
    assert presets["NEAREST"][0] == {"criterion": "distance", "band": 20_000}


# -------------------------------------------------------------------------------- refusals


async def test_who_did_not_look_is_told_the_active_version(
    api: Api, live: Living, admin: Connection
) -> None:
    for _ in range(2):
        await run(api, PROPOSE, live.brand, basedOn=0, policy=POLICY)
    await run(api, ACTIVATE, live.brand, version=1)
    for query, values in (
        (PROPOSE, {"basedOn": 0, "policy": POLICY}),
        (ACTIVATE, {"version": 2}),
    ):
        answer = await refusal(api, admin, query, live.brand, **values)
        assert (answer["__typename"], answer["activeVersion"]) == ("RoutingPolicyChanged", 1)
        assert answer["code"] == "POLICY_CHANGED"


def summed(**part: Any) -> dict[str, Any]:
    return only(preset=None, objectives=[{"sum": [{"criterion": "freight"} | part]}])


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"strategies": []}, "INVALID_POLICY", "strategies"),
    (only(preset=None), "INVALID_POLICY", "strategies.0.objectives"),
    (summed(criterion="luck"), "INVALID_POLICY", "strategies.0.objectives.0.sum.0.criterion"),
    (summed(weight=0), "INVALID_POLICY", "strategies.0.objectives.0.sum.0.weight"),
    (summed(weight=2**53 - 1), "INVALID_POLICY", "strategies.0.objectives.0.sum.0.weight"),
    (summed(band=0), "INVALID_POLICY", "strategies.0.objectives.0.sum.0.band"),
    (only(weights={"near": 1}), "INVALID_POLICY", "strategies.0.weights"),
    (only(maxParcels=0), "INVALID_POLICY", "strategies.0.maxParcels"),
    (only(leastParcelMinor=-1), "INVALID_POLICY", "strategies.0.leastParcelMinor"),
    (only(otherwise="QUEUE"), "INVALID_POLICY", "strategies.0.queue"),
    (only(otherwise="QUEUE", queue="\0"), "INVALID_POLICY", "strategies.0.queue"),
    (only(otherwise="CANCEL"), "INVALID_POLICY", "strategies.0.cancelAfterDays"),
    (only(when={}), "INVALID_CONDITION", "strategies.0.when"),
    (
        only(when=a_test("order.region", "CONTAINS", "999999")),
        "INVALID_POLICY",
        "strategies.0.when.test.values.0",
    ),
    (
        only(when=a_test("order.shop", "EQUALS", "nobody")),
        "INVALID_POLICY",
        "strategies.0.when.test.values.0",
    ),
    (
        only(when={"any": [a_test("goods.skus", "CONTAINS", "nothing")]}),
        "INVALID_POLICY",
        "strategies.0.when.any.0.test.values.0",
    ),
    (
        only(nodes=a_test("node.code", "EQUALS", "nowhere")),
        "INVALID_POLICY",
        "strategies.0.nodes.test.values.0",
    ),
    (
        only(nodes=a_test("order.channel", "EQUALS", "tmall")),
        "INVALID_CONDITION",
        "strategies.0.nodes.test.attribute",
    ),
]


@pytest.mark.parametrize(("policy", "code", "path"), BAD)
async def test_a_fault_is_told_with_its_place(
    api: Api, live: Living, admin: Connection, policy: dict[str, Any], code: str, path: str
) -> None:
    answer = await refusal(api, admin, PROPOSE, live.brand, basedOn=0, policy=policy)
    assert (answer["__typename"], answer["code"]) == ("InputRefused", code)
    assert ".".join(answer["path"]) == path


@pytest.mark.parametrize("weight", [10**18, 1.5, "7", True, float("nan"), float("inf")], ids=str)
async def test_what_is_no_whole_number_is_no_weight(
    api: Api, live: Living, admin: Connection, weight: Any
) -> None:
    """NaN is no JSON, but some clients write it."""
    before = await contents(admin)
    given = {"idempotencyKey": "k", "basedOn": 0, "policy": summed(weight=weight)}
    body = json.dumps({"query": PROPOSE, "variables": {"input": given}})
    headers = api.headers(live.brand) | {"content-type": "application/json"}
    response = await api.client.post("/graphql", content=body.encode(), headers=headers)
    assert response.status_code in (200, 400), response.text
    assert "errors" in response.text or response.status_code == 400, response.text
    assert await contents(admin) == before


async def test_a_tree_that_goes_on_and_on_is_refused(
    api: Api, live: Living, admin: Connection
) -> None:
    tree = VIP
    for _ in range(300):
        tree = {"not": tree}
    before = await contents(admin)
    given = {"idempotencyKey": "k", "basedOn": 0, "policy": only(when=tree)}
    answer = await api.ask(PROPOSE, live.brand, input=given)
    told = answer.get("errors") or answer["data"]["routingPolicyPropose"]["code"]
    assert told
    assert await contents(admin) == before


@pytest.mark.parametrize(("version", "code"), [(1, "POLICY_NOT_DRAFT"), (9, "UNKNOWN_POLICY")])
async def test_only_a_draft_is_activated(
    api: Api, live: Living, admin: Connection, version: int, code: str
) -> None:
    await run(api, PROPOSE, live.brand, basedOn=0, policy=POLICY)
    await run(api, ACTIVATE, live.brand, version=1)
    answer = await refusal(api, admin, ACTIVATE, live.brand, version=version)
    assert (answer["__typename"], answer["code"]) == ("InputRefused", code)


async def test_findings_of_no_version_are_refused(api: Api, live: Living) -> None:
    answer = await api.ask(FINDINGS, live.brand, version=9)
    assert answer["errors"][0]["extensions"]["code"] == "UNKNOWN_POLICY"


# --------------------------------------------------------------------------------- who may


@pytest.mark.parametrize(
    ("query", "values"),
    [(PROPOSE, {"basedOn": 0, "policy": POLICY}), (ACTIVATE, {"version": 1})],
    ids=["propose", "activate"],
)
async def test_without_the_permission_the_policy_stays(
    api: Api, live: Living, admin: Connection, query: str, values: dict[str, Any]
) -> None:
    await run(api, PROPOSE, live.brand, basedOn=0, policy=POLICY)
    reader = await user_with(live.runtime, live.world, Permission.STOCK_READ)
    answer = await refusal(api, admin, query, reader, **values)
    assert (answer["__typename"], answer["permission"]) == ("PermissionDenied", "network:write")


async def test_who_may_read_reads_but_finds_nothing_out(api: Api, live: Living) -> None:
    await run(api, PROPOSE, live.brand, basedOn=0, policy=POLICY)
    reader = await user_with(live.runtime, live.world, Permission.STOCK_READ)
    listed = await read(api, LISTED, reader, first=9)
    assert [edge["node"]["version"] for edge in listed["edges"]] == [1]
    answer = await api.ask(FINDINGS, reader, version=1)
    assert answer["errors"][0]["extensions"]["code"] == "PERMISSION_MISSING"


@pytest.mark.parametrize("name", ["dealer", "store", "group"])
async def test_nobody_but_the_brand_proposes(
    api: Api, live: Living, admin: Connection, name: str
) -> None:
    who = getattr(live.world, name)
    answer = await refusal(api, admin, PROPOSE, who, basedOn=0, policy=only())
    assert (answer["__typename"], answer["code"]) == ("InputRefused", "WRITE_REFUSED")


@pytest.mark.parametrize("name", ["dealer", "store", "other_brand"])
async def test_others_see_nothing_of_a_policy(api: Api, live: Living, name: str) -> None:
    who = getattr(live.world, name)
    await run(api, PROPOSE, live.brand, basedOn=0, policy=POLICY)
    await run(api, ACTIVATE, live.brand, version=1)
    assert await read(api, ACTIVE, who) is None
    assert (await read(api, LISTED, who, first=9))["edges"] == []
    answer = await api.ask(FINDINGS, who, version=1)
    assert answer["errors"][0]["extensions"]["code"] == "UNKNOWN_POLICY"
