"""Orders are found over HTTP, by pages, and what cannot be found by is said."""

from typing import Any

import pytest

from backend.runtime import Runtime
from tests.api.client import Api
from tests.orders.searching import Searching
from tests.world import World, receive

FOUND = """
query ($search: OrderSearchInput!, $first: Int! = 20, $after: String) {
  ordersFound(search: $search, first: $first, after: $after) {
    edges { node { externalId status } }
    pageInfo { hasNextPage endCursor } } }
"""


@pytest.fixture
async def searching(runtime: Runtime, world: World) -> Searching:
    await receive(runtime.database, world.brand, "wh", "A", 500)
    return Searching(runtime, world)


async def test_the_api_finds_by_pages(searching: Searching, api: Api) -> None:
    for number in range(3):
        await searching.place(external_id=f"N{number}")
    await searching.indexed()
    world = searching.world
    like = {"skus": ["A"], "statuses": ["ALLOCATED"]}
    page = (await api.data(FOUND, world.brand, search=like, first=2))["ordersFound"]
    assert [edge["node"]["externalId"] for edge in page["edges"]] == ["N2", "N1"]
    assert page["pageInfo"]["hasNextPage"]
    after = page["pageInfo"]["endCursor"]
    rest = (await api.data(FOUND, world.brand, search=like, after=after))["ordersFound"]
    assert [edge["node"]["externalId"] for edge in rest["edges"]] == ["N0"]
    assert not rest["pageInfo"]["hasNextPage"]


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"search": {"phone": "1"}}, "INVALID_SEARCH"),
        ({"search": {}, "after": "nonsense"}, "INVALID_PAGE"),
        ({"search": {}, "first": 101}, "INVALID_PAGE"),
        ({"search": {"shopId": "nonsense"}}, "INVALID_ID"),
    ],
)
async def test_the_api_says_what_is_wrong(
    searching: Searching, api: Api, variables: dict[str, Any], code: str
) -> None:
    answer = await api.ask(FOUND, searching.world.brand, **variables)
    assert answer["errors"][0]["extensions"]["code"] == code


async def test_nobody_searches_without_a_name(searching: Searching, api: Api) -> None:
    answer = await api.ask(FOUND, None, search={})
    assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
