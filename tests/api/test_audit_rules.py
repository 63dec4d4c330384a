"""Audit rules over the API: set, read back, and what they may ask about."""

from typing import Any

import pytest

from tests.api.client import Api
from tests.catalogue import Connection, contents
from tests.world import World

SET = """mutation ($input: AuditRulesSetInput!) { auditRulesSet(input: $input) { __typename
    ... on AuditRulesSaved { rules { code name action condition } }
    ... on UserError { code path } } }"""
READ = "{ auditRules { code action } auditAttributes { name type operators meaning } }"


def rule(attribute: str = "order.tags", **changes: Any) -> dict[str, Any]:
    test = {"attribute": attribute, "operator": "CONTAINS", "values": ["risk"]}
    return {"code": "risk", "name": "risk", "condition": {"test": test}} | changes


async def test_rules_are_set_and_read_back(api: Api, world: World) -> None:
    asked = {"idempotencyKey": "k", "rules": [rule(), rule(code="vip", action="PASS")]}
    (saved,) = (await api.data(SET, world.brand, input=asked)).values()
    assert [one["action"] for one in saved["rules"]] == ["HOLD", "PASS"]
    assert saved["rules"][0]["condition"]["test"]["values"] == ["risk"]
    read = await api.data(READ, world.brand)
    assert [one["code"] for one in read["auditRules"]] == ["risk", "vip"]
    assert len(read["auditAttributes"]) == 23
    assert (await api.data(READ, world.store))["auditRules"] == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"code": ""}, "INVALID_AUDIT_RULE"),
        ({"condition": {}}, "INVALID_CONDITION"),
        (rule("order.nothing"), "INVALID_CONDITION"),
    ],
)
async def test_what_cannot_be_used_is_refused(
    api: Api, world: World, admin: Connection, change: dict[str, Any], code: str
) -> None:
    before = await contents(admin)
    asked = {"idempotencyKey": "k", "rules": [rule() | change]}
    (answer,) = (await api.data(SET, world.brand, input=asked)).values()
    assert (answer["code"], answer["path"][:2]) == (code, ["rules", "0"])
    assert await contents(admin) == before
