"""Alerts on stock that runs low, their rules, and transfer proposals, through the API."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import pytest

from tenants.principal import Permission, Principal
from tests.api.client import Api
from tests.api.users import user_with
from tests.catalogue import Connection, contents
from tests.inventory.pools.living import Living
from tests.inventory.stock import Figures, figures
from tests.replenishment.scene import Watched, node_rule
from tests.replenishment.scene import rule as rule_draft
from tests.world import HANGZHOU, World, fresh_key

FAULT = "... on UserError { code message path } ... on PermissionDenied { permission }"
RULE = """code scope measure firesBelow clearsAt transfers fillTo leaveDays transitDays where
    regionCode version setBy shop { code } location { code }"""
SET = f"""mutation ($input: AlertRulesSetInput!) {{ alertRulesSet(input: $input) {{
    __typename ... on AlertRulesRecorded {{ rules {{ {RULE} changedAt }} }}
    ... on AlertRuleChanged {{ version }} {FAULT} }} }}"""
DROP = f"""mutation ($input: AlertRuleDropInput!) {{ alertRuleDrop(input: $input) {{
    __typename ... on AlertRuleDropped {{ dropped: code }} {FAULT} }} }}"""
TRANSFER = """id quantity reason state decidedBy decidedAt note supplyCode
    sku { code } source { code } destination { code }"""
APPROVE = f"""mutation ($input: TransferApproveInput!) {{ transferApprove(input: $input) {{
    __typename ... on TransferDecided {{ transfer {{ {TRANSFER} }} }}
    ... on NotEnoughToMove {{ requested available }} {FAULT} }} }}"""
REJECT = f"""mutation ($input: TransferRejectInput!) {{ transferReject(input: $input) {{
    __typename ... on TransferDecided {{ transfer {{ {TRANSFER} }} }} {FAULT} }} }}"""
RULES = f"{{ alertRules {{ {RULE} }} }}"
ALERT = """id rule scope measure regionCode firedAt firedWith clearedAt clearedWith
    sku { code } shop { code } location { code }"""
ALERTS = f"""query ($onlyOpen: Boolean! = true, $first: Int! = 20, $after: String) {{
    stockAlerts(onlyOpen: $onlyOpen, first: $first, after: $after) {{
    edges {{ node {{ {ALERT} }} }} pageInfo {{ hasNextPage endCursor }} }} }}"""
TRANSFERS = f"""query ($state: TransferState, $first: Int! = 20, $after: String) {{
    transferProposals(state: $state, first: $first, after: $after) {{
    edges {{ node {{ {TRANSFER} }} }} pageInfo {{ hasNextPage endCursor }} }} }}"""
SUPPLIES = "{ supplies { edges { node { code kind quantity warehouse { code } } } } }"
FIRST, UNKNOWN = (base64.b64encode(f"TransferProposal:{n}".encode()).decode() for n in (1, 99))


@pytest.fixture
async def watched(live: Living) -> Watched:
    """The process that answers also watches; the brand's books add up in the end."""
    return Watched(live)


@pytest.fixture
async def proposed(watched: Watched) -> Watched:
    await watched.propose_eight()
    return watched


async def run(api: Api, query: str, who: Principal, **values: Any) -> dict[str, Any]:
    values.setdefault("idempotencyKey", fresh_key())
    (answer,) = (await api.data(query, who, input=values)).values()
    return dict(answer)


async def read(api: Api, query: str, who: Principal, **values: Any) -> Any:
    (answer,) = (await api.data(query, who, **values)).values()
    return answer


async def listed(api: Api, query: str, who: Principal, **values: Any) -> list[dict[str, Any]]:
    return [edge["node"] for edge in (await read(api, query, who, **values))["edges"]]


async def code_of(api: Api, query: str, who: Principal, **values: Any) -> str:
    """Return the code of a query that is refused."""
    answer = await api.ask(query, who, **values)
    return str(answer["errors"][0]["extensions"]["code"])


async def pages(api: Api, query: str, who: Principal, **values: Any) -> list[list[dict[str, Any]]]:
    """Return what is listed, page by page of two."""
    found, after = [], None
    while True:
        page = await read(api, query, who, first=2, after=after, **values)
        found.append([edge["node"] for edge in page["edges"]])
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found


@asynccontextmanager
async def unchanged(admin: Connection) -> AsyncIterator[None]:
    """What is inside changes nothing."""
    before = await contents(admin)
    yield
    assert await contents(admin) == before


def rule(**changes: Any) -> dict[str, Any]:
    """Return a rule "low" for the node "wh": fires below 5 units, clears at 8."""
    given = {"code": "low", "scope": "NODE", "subject": "wh", "firesBelow": 5, "clearsAt": 8}
    return given | changes


def among(attribute: str, *values: str) -> dict[str, Any]:
    return {"test": {"attribute": attribute, "operator": "IN", "values": list(values)}}


# ------------------------------------------------------------------------------------- rules


async def test_a_rule_is_kept_as_it_was_given(api: Api, world: World) -> None:
    given = rule(
        measure="DAYS",
        transfers="PROPOSE",
        fillTo=20,
        leaveDays=7,
        transitDays=2,
        where=among("sku.code", "A", "B"),
    )
    done = await run(api, SET, world.brand, rules=[given])
    assert (done["__typename"], len(done["rules"])) == ("AlertRulesRecorded", 1)
    (kept,) = done["rules"]
    assert kept.pop("changedAt")
    test = {"attribute": "sku.code", "operator": "in", "values": ["A", "B"]}
    assert kept.pop("where")["test"] == test
    same = {name: given[name] for name in ("code", "scope", "measure", "transfers")}
    assert kept == same | {
        "firesBelow": 5,
        "clearsAt": 8,
        "fillTo": 20,
        "leaveDays": 7,
        "transitDays": 2,
        "regionCode": None,
        "version": 1,
        "setBy": world.brand.subject,
        "shop": None,
        "location": {"code": "wh"},
    }


async def test_rules_are_listed_by_code_and_name_their_subject(api: Api, world: World) -> None:
    given = [
        rule(code="c", scope="SHOP", subject="dshop"),
        rule(code="b", scope="REGION", subject=str(HANGZHOU)),
        rule(code="a"),
    ]
    done = await run(api, SET, world.brand, rules=given)
    assert [one["code"] for one in done["rules"]] == ["c", "b", "a"]
    found = await read(api, RULES, world.brand)
    assert [(one["code"], one["scope"]) for one in found] == [
        ("a", "NODE"),
        ("b", "REGION"),
        ("c", "SHOP"),
    ]
    assert [one["location"] for one in found] == [{"code": "wh"}, None, None]
    assert [one["regionCode"] for one in found] == [None, HANGZHOU, None]
    assert [one["shop"] for one in found] == [None, None, {"code": "dshop"}]
    # What they do not say has its default.
    assert {(one["measure"], one["transfers"], one["fillTo"]) for one in found} == {
        ("UNITS", "NONE", 8)
    }
    assert {(one["leaveDays"], one["transitDays"], one["where"]) for one in found} == {
        (28, 3, None)
    }


async def test_the_same_rules_again_are_set_once(api: Api, world: World, admin: Connection) -> None:
    first = await run(api, SET, world.brand, idempotencyKey="k", rules=[rule()])
    async with unchanged(admin):
        assert await run(api, SET, world.brand, idempotencyKey="k", rules=[rule()]) == first
        other = await run(api, SET, world.brand, idempotencyKey="k", rules=[rule(clearsAt=9)])
        assert (other["__typename"], other["code"]) == ("InputRefused", "IDEMPOTENCY_CONFLICT")
        drop = await run(api, DROP, world.brand, idempotencyKey="k", code="low")
        assert (drop["__typename"], drop["code"]) == ("InputRefused", "IDEMPOTENCY_CONFLICT")
    later = await run(api, SET, world.brand, rules=[rule(firesBelow=2)])
    assert later["rules"][0]["version"] == 2
    assert await run(api, SET, world.brand, idempotencyKey="k", rules=[rule()]) == first
    assert (await read(api, RULES, world.brand))[0]["firesBelow"] == 2


async def test_who_decided_on_an_older_rule_is_told_its_version(
    api: Api, world: World, admin: Connection
) -> None:
    await run(api, SET, world.brand, rules=[rule(compareVersion=0)])
    changed = await run(api, SET, world.brand, rules=[rule(clearsAt=9, compareVersion=1)])
    assert changed["rules"][0]["version"] == 2
    async with unchanged(admin):
        old = await run(api, SET, world.brand, rules=[rule(code="x"), rule(compareVersion=1)])
    assert (old["__typename"], old["code"]) == ("AlertRuleChanged", "ALERT_RULE_CHANGED")
    assert (old["version"], old["path"]) == (2, ["rules", "1", "compareVersion"])


BAD_RULES: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({"firesBelow": 0}, "INVALID_ALERT_RULE", "clearsAt"),
    ({"clearsAt": 4}, "INVALID_ALERT_RULE", "clearsAt"),
    ({"fillTo": 7}, "INVALID_ALERT_RULE", "clearsAt"),
    ({"leaveDays": -1}, "INVALID_ALERT_RULE", "leaveDays"),
    ({"transitDays": 3_651}, "INVALID_ALERT_RULE", "transitDays"),
    ({"code": ""}, "INVALID_ALERT_RULE", "code"),
    ({"code": "a\0b"}, "INVALID_ALERT_RULE", "code"),
    ({"scope": "REGION", "subject": None}, "INVALID_ALERT_RULE", "subject"),
    ({"scope": "SHOP", "transfers": "AUTOMATIC"}, "INVALID_ALERT_RULE", "transfers"),
    ({"subject": "nowhere"}, "UNKNOWN_NODE", "subject"),
    ({"scope": "SHOP", "subject": "z"}, "UNKNOWN_SHOP", "subject"),
    ({"scope": "REGION", "subject": "9"}, "UNKNOWN_REGION", "subject"),
    ({"where": {}}, "INVALID_CONDITION", "where"),
    ({"where": among("shop.code", "a")}, "INVALID_CONDITION", "where"),
)


async def test_a_bad_rule_is_refused_with_the_place_of_its_fault(
    api: Api, world: World, admin: Connection
) -> None:
    async with unchanged(admin):
        for changes, code, at in BAD_RULES:
            bad = await run(api, SET, world.brand, rules=[rule(code="good"), rule(**changes)])
            assert (bad["__typename"], bad["code"]) == ("InputRefused", code)
            assert bad["path"][:3] == ["rules", "1", at]
            assert bad["message"]
        for rules in ([], [rule(), rule()], [rule(code=str(n)) for n in range(201)]):
            bad = await run(api, SET, world.brand, rules=rules)
            assert (bad["code"], bad["path"]) == ("INVALID_ALERT_RULE", ["rules"])


async def test_a_dropped_rule_ends_its_alerts_once(
    api: Api, world: World, proposed: Watched, admin: Connection
) -> None:
    for _ in range(2):
        done = await run(api, DROP, world.brand, idempotencyKey="k", code="low")
        assert done == {"__typename": "AlertRuleDropped", "dropped": "low"}
        assert await read(api, RULES, world.brand) == []
        assert await listed(api, ALERTS, world.brand) == []
    (alert,) = await listed(api, ALERTS, world.brand, onlyOpen=False)
    assert (alert["rule"], alert["clearedWith"]) == ("low", None)
    (transfer,) = await listed(api, TRANSFERS, world.brand)
    assert (transfer["state"], transfer["decidedBy"]) == ("LAPSED", None)
    async with unchanged(admin):
        again = await run(api, DROP, world.brand, code="low")
    assert (again["__typename"], again["code"]) == ("InputRefused", "UNKNOWN_ALERT_RULE")


# ------------------------------------------------------------------------------------ alerts


async def test_an_alert_says_what_was_left_and_when_it_ended(
    api: Api, world: World, watched: Watched
) -> None:
    await watched.live.receive("wh", 4)
    await watched.set(node_rule())
    await watched.look()
    (fired,) = await listed(api, ALERTS, world.brand)
    assert fired.pop("id")
    assert fired.pop("firedAt")
    expected = {
        "rule": "low",
        "scope": "NODE",
        "measure": "UNITS",
        "regionCode": None,
        "firedWith": 4,
        "clearedAt": None,
        "clearedWith": None,
        "sku": {"code": "A"},
        "shop": None,
        "location": {"code": "wh"},
    }
    assert fired == expected
    await watched.live.receive("wh", 5)
    await watched.look()
    assert await listed(api, ALERTS, world.brand) == []
    (ended,) = await listed(api, ALERTS, world.brand, onlyOpen=False)
    assert (ended["firedWith"], ended["clearedWith"]) == (4, 9)
    assert ended["clearedAt"] >= ended["firedAt"]
    # Others name their region or shop.
    await watched.live.receive("store", 4)
    await watched.set(
        rule_draft(code="r", scope="region", subject=str(HANGZHOU)),
        rule_draft(code="s", scope="shop", subject="shop", fires_below=99, clears_at=99),
    )
    await watched.look()
    found = {one["rule"]: one for one in await listed(api, ALERTS, world.brand)}
    assert (found["r"]["regionCode"], found["r"]["shop"]) == (HANGZHOU, None)
    assert (found["s"]["regionCode"], found["s"]["shop"]) == (None, {"code": "shop"})
    assert (found["r"]["location"], found["s"]["location"]) == (None, None)


async def test_alerts_and_proposals_come_page_by_page_the_newest_first(
    api: Api, world: World, watched: Watched
) -> None:
    for sku in ("A", "B", "C"):
        await watched.live.receive("wh", 2, sku)
        await watched.live.receive("far", 20, sku)
    await watched.set(node_rule(transfers="propose"))
    await watched.look()
    for query in (ALERTS, TRANSFERS):
        found = await pages(api, query, world.brand)
        assert [[one["sku"]["code"] for one in page] for page in found] == [["C", "B"], ["A"]]
    await run(api, REJECT, world.brand, transferId=found[0][0]["id"])
    await run(api, APPROVE, world.brand, transferId=found[0][1]["id"])
    for state, skus in (("REJECTED", ["C"]), ("APPROVED", ["B"]), ("PROPOSED", ["A"])):
        listing = await listed(api, TRANSFERS, world.brand, state=state)
        assert [one["sku"]["code"] for one in listing] == skus
    assert await listed(api, TRANSFERS, world.brand, state="LAPSED") == []


async def test_a_bad_page_is_refused(api: Api, world: World) -> None:
    for query in (ALERTS, TRANSFERS):
        for key in ("0-0", "x", str(2**63)):
            cursor = base64.b64encode(f"after:{key}".encode()).decode()
            assert await code_of(api, query, world.brand, after=cursor) == "INVALID_PAGE"
        for first in (0, 101):
            assert await code_of(api, query, world.brand, first=first) == "INVALID_PAGE"
        assert await listed(api, query, world.brand, first=100) == []


# --------------------------------------------------------------------------------- decisions


async def test_what_is_approved_leaves_once_and_is_on_its_way(
    api: Api, world: World, proposed: Watched, admin: Connection
) -> None:
    waiting = {
        "id": FIRST,
        "quantity": 8,
        "reason": "low: 2 units, below 5",
        "state": "PROPOSED",
        "decidedBy": None,
        "decidedAt": None,
        "note": "",
        "supplyCode": None,
        "sku": {"code": "A"},
        "source": {"code": "far"},
        "destination": {"code": "wh"},
    }
    assert await listed(api, TRANSFERS, world.brand) == [waiting]
    done = await run(api, APPROVE, world.brand, idempotencyKey="k", transferId=FIRST)
    assert done["__typename"] == "TransferDecided"
    assert done["transfer"] == waiting | {
        "state": "APPROVED",
        "decidedBy": world.brand.subject,
        "decidedAt": done["transfer"]["decidedAt"],
        "supplyCode": "transfer-1",
    }
    assert await listed(api, TRANSFERS, world.brand) == [done["transfer"]]
    assert await listed(api, SUPPLIES, world.brand) == [
        {"code": "transfer-1", "kind": "TRANSFER", "quantity": 8, "warehouse": {"code": "wh"}}
    ]
    async with unchanged(admin):
        again = await run(api, APPROVE, world.brand, idempotencyKey="k", transferId=FIRST)
        assert again == done
        for query in (APPROVE, REJECT):
            late = await run(api, query, world.brand, transferId=FIRST)
            assert (late["__typename"], late["code"]) == ("InputRefused", "UNKNOWN_TRANSFER")
        other = {"idempotencyKey": "k", "transferId": FIRST, "quantity": 8}
        fewer = await run(api, APPROVE, world.brand, **other)
        assert (fewer["__typename"], fewer["code"]) == ("InputRefused", "IDEMPOTENCY_CONFLICT")
    assert await figures(admin, world, "far") == Figures(12, version=2)


async def test_what_is_rejected_stays_where_it_is(
    api: Api, world: World, proposed: Watched, admin: Connection
) -> None:
    given = {"idempotencyKey": "k", "transferId": FIRST, "note": " no truck "}
    done = await run(api, REJECT, world.brand, **given)
    assert (done["transfer"]["state"], done["transfer"]["note"]) == ("REJECTED", "no truck")
    assert done["transfer"]["supplyCode"] is None
    async with unchanged(admin):
        assert await run(api, REJECT, world.brand, **given) == done
        other = await run(api, REJECT, world.brand, **(given | {"note": "else"}))
        assert (other["__typename"], other["code"]) == ("InputRefused", "IDEMPOTENCY_CONFLICT")
        crossed = await run(api, APPROVE, world.brand, idempotencyKey="k", transferId=FIRST)
        assert crossed["code"] == "IDEMPOTENCY_CONFLICT"
    assert (await figures(admin, world, "far")).on_hand == 20


async def test_of_units_that_are_gone_it_says_how_many_are_left(
    api: Api, world: World, proposed: Watched, admin: Connection
) -> None:
    await proposed.live.adjust("far", -13)
    await proposed.live.runtime.settle()
    given = {"idempotencyKey": "k", "transferId": FIRST}
    async with unchanged(admin):
        short = await run(api, APPROVE, world.brand, **given)
    assert (short["__typename"], short["code"]) == ("NotEnoughToMove", "NOT_ENOUGH_TO_MOVE")
    assert (short["requested"], short["available"]) == (8, 7)
    # The key is free again, the proposal still waits, and fewer may leave than were proposed.
    done = await run(api, APPROVE, world.brand, quantity=3, **given)
    assert (done["transfer"]["state"], done["transfer"]["quantity"]) == ("APPROVED", 3)
    # The process that answered knows at once that they left.
    book = (await proposed.live.runtime.books.open(world.tenant_id)).book
    assert sorted(dict(book.free_of(world.skus["A"])).values()) == [2, 4]


BAD_DECISIONS: tuple[tuple[str, dict[str, Any], str, list[str]], ...] = (
    (APPROVE, {"quantity": 0}, "INVALID_QUANTITY", ["quantity"]),
    (APPROVE, {"quantity": 9}, "INVALID_QUANTITY", ["quantity"]),
    (APPROVE, {"quantity": -(2**31)}, "INVALID_QUANTITY", ["quantity"]),
    (APPROVE, {"transferId": UNKNOWN}, "UNKNOWN_TRANSFER", []),
    (APPROVE, {"transferId": "x"}, "INVALID_ID", []),
    (APPROVE, {"transferId": base64.b64encode(b"Order:1").decode()}, "INVALID_ID", []),
    (APPROVE, {"idempotencyKey": ""}, "INVALID_IDEMPOTENCY_KEY", []),
    (REJECT, {"transferId": UNKNOWN}, "UNKNOWN_TRANSFER", []),
    (REJECT, {"transferId": "1"}, "INVALID_ID", []),
    (REJECT, {"note": "x" * 501}, "INVALID_REASON", ["note"]),
    (REJECT, {"idempotencyKey": "k" * 201}, "INVALID_IDEMPOTENCY_KEY", []),
)


async def test_a_bad_decision_is_refused_as_data(
    api: Api, world: World, proposed: Watched, admin: Connection
) -> None:
    async with unchanged(admin):
        for query, changes, code, path in BAD_DECISIONS:
            bad = await run(api, query, world.brand, **({"transferId": FIRST} | changes))
            assert (bad["__typename"], bad["code"], bad["path"]) == ("InputRefused", code, path)
            assert bad["message"]


async def test_nobody_takes_the_code_of_a_transfer(
    api: Api, world: World, proposed: Watched, admin: Connection
) -> None:
    line = {"code": "transfer-1", "lineNo": 1, "kind": "PURCHASE", "warehouse": "wh", "sku": "B"}
    line |= {"quantity": 5, "expectedOn": date(2030, 1, 1).isoformat()}
    query = f"""mutation ($input: SuppliesSetInput!) {{ suppliesSet(input: $input) {{
        __typename {FAULT} }} }}"""
    async with unchanged(admin):
        refused = await run(api, query, world.brand, supplies=[line])
    assert (refused["code"], refused["path"]) == ("INVALID_SUPPLY", ["supplies", "0", "code"])


# ------------------------------------------------------------------------------- who may what


def decisions() -> list[tuple[str, dict[str, Any]]]:
    """Return every mutation with what it is given."""
    return [
        (SET, {"rules": [rule(clearsAt=9)]}),
        (DROP, {"code": "low"}),
        (APPROVE, {"transferId": FIRST}),
        (REJECT, {"transferId": FIRST}),
    ]


async def test_it_takes_permissions_to_read_and_to_decide(
    api: Api, world: World, proposed: Watched, admin: Connection
) -> None:
    reader = await user_with(proposed.live.runtime, world, Permission.STOCK_READ)
    async with unchanged(admin):
        for query, values in decisions():
            may_not = await run(api, query, reader, **values)
            assert (may_not["__typename"], may_not["permission"]) == (
                "PermissionDenied",
                Permission.STOCK_WRITE.value,
            )
    for listing in (ALERTS, TRANSFERS):
        assert len(await listed(api, listing, reader)) == 1
    assert await read(api, RULES, reader) == await read(api, RULES, world.brand)
    nobody = await user_with(proposed.live.runtime, world, Permission.STOCK_WRITE)
    for query in (RULES, ALERTS, TRANSFERS):
        assert await code_of(api, query, nobody) == "PERMISSION_MISSING"
        answer = await api.ask(query)
        assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_rules_alerts_and_proposals_are_the_brands_and_its_groups_alone(
    api: Api, world: World, proposed: Watched
) -> None:
    for who in (world.dealer, world.other_dealer, world.store, world.other_brand):
        assert await read(api, RULES, who) == []
        assert await listed(api, ALERTS, who, onlyOpen=False) == []
        assert await listed(api, TRANSFERS, who) == []
    assert await read(api, RULES, world.group) == await read(api, RULES, world.brand)
    for query in (ALERTS, TRANSFERS):
        assert await listed(api, query, world.group) == await listed(api, query, world.brand) != []


async def test_nobody_but_the_brand_decides(
    api: Api, world: World, proposed: Watched, admin: Connection
) -> None:
    async with unchanged(admin):
        for who in (world.dealer, world.other_dealer, world.store, world.group):
            for query, values in decisions():
                answer = await run(api, query, who, **values)
                assert (answer["__typename"], answer["code"]) == ("InputRefused", "WRITE_REFUSED")
        for query, values in decisions()[1:]:
            answer = await run(api, query, world.other_brand, **values)
            assert answer["__typename"] == "InputRefused"
            assert answer["code"] in ("UNKNOWN_ALERT_RULE", "UNKNOWN_TRANSFER")
    # Another brand's rule of the same code is its own, and leaves this one as it is.
    await run(api, SET, world.other_brand, rules=[rule(clearsAt=9)])
    assert [one["clearsAt"] for one in await read(api, RULES, world.other_brand)] == [9]
    assert [one["clearsAt"] for one in await read(api, RULES, world.brand)] == [8]
    assert len(await listed(api, ALERTS, world.brand)) == 1
