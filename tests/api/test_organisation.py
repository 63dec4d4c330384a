"""Departments, roles and posts through the API."""

from typing import Any

from graphql_schema.paging import id_of
from tests.api.client import Api
from tests.world import World, fresh_key

FOUND = """__typename ... on OrganisationChanged { changedId } ... on UserError { code path }"""
DEPARTMENT = f"""mutation ($input: DepartmentSaveInput!) {{
    departmentSave(input: $input) {{ {FOUND} }} }}"""
ROLE = f"mutation ($input: RoleSaveInput!) {{ roleSave(input: $input) {{ {FOUND} }} }}"
GIVE = f"mutation ($input: PostGiveInput!) {{ postGive(input: $input) {{ {FOUND} }} }}"
STAND_IN = f"mutation ($input: PostStandInInput!) {{ postStandIn(input: $input) {{ {FOUND} }} }}"
END = f"mutation ($input: PostEndInput!) {{ postEnd(input: $input) {{ {FOUND} }} }}"
DELETE = f"""mutation ($input: DepartmentDeleteInput!) {{
    departmentDelete(input: $input) {{ {FOUND} }} }}"""
ALL = """{ departments { code parentId } roles { code permissions }
    posts { postId role department endsOn deputyForPostId } members { edges { node { id } } } }"""


async def do(api: Api, who: Any, mutation: str, **given: Any) -> Any:
    data = await api.data(mutation, who, input={"idempotencyKey": fresh_key(), **given})
    (answer,) = data.values()
    return answer.get("changedId") or answer["code"]


async def test_from_department_to_deputy(api: Api, world: World) -> None:
    for who in (world.brand, world.dealer):
        east = await do(api, who, DEPARTMENT, code="east", name="华东")
        await do(api, who, DEPARTMENT, code="sh", name="上海", parent="east")
        await do(api, who, ROLE, code="clerk", name="客服", permissions=["ORDERS_READ"])
        found = await api.data(ALL, who)
        assert found["departments"] == [
            {"code": "east", "parentId": None},
            {"code": "sh", "parentId": east},
        ]
        assert found["roles"] == [{"code": "clerk", "permissions": ["ORDERS_READ"]}]
        member = found["members"]["edges"][0]["node"]["id"]
        given = {"memberId": member, "role": "clerk", "startsOn": "2020-01-01", "department": "sh"}
        post = await do(api, who, GIVE, **given)
        await do(api, who, END, postId=post, lastDay="2020-01-31")
        (listed,) = (await api.data(ALL, who))["posts"]
        assert listed == {
            "postId": post,
            "role": "clerk",
            "department": "sh",
            "endsOn": "2020-01-31",
            "deputyForPostId": None,
        }


async def test_what_is_wrong_is_told(api: Api, world: World) -> None:
    who = world.brand
    assert await do(api, who, DEPARTMENT, code="", name="x") == "INVALID_ORGANISATION"
    assert await do(api, who, DELETE, code="nowhere") == "INVALID_ORGANISATION"
    given = {"memberId": id_of("Member", 10**9), "role": "none", "startsOn": "2020-01-01"}
    assert await do(api, who, GIVE, **given) == "INVALID_ORGANISATION"
    days = {"startsOn": "2020-01-01", "endsOn": "2020-01-02"}
    one = {"postId": id_of("Post", 1), "memberId": id_of("Member", 1)}
    assert await do(api, who, STAND_IN, **one, **days) == "INVALID_ORGANISATION"
    assert await do(api, world.store, ROLE, code="x", name="x", permissions=[]) == (
        "PERMISSION_MISSING"
    )
