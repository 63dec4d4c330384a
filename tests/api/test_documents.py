"""Documents and deposits through the API, and documents as PDF, for whoever may see them."""

from typing import Any

import pytest

from backend.documents.issue import issue_next
from backend.runtime import Runtime
from graphql_schema.paging import id_of
from tests.api.client import Api
from tests.world import World, fresh_key

OPEN = """mutation ($input: QuotaOpenInput!) { quotaOpen(input: $input) {
    __typename ... on UserError { code message path } } }"""
MOVE = """mutation ($input: DepositMoveInput!) { depositMove(input: $input) { __typename
    ... on DepositMoved { deposit { balanceMinor entries { type amountMinor reference } } }
    ... on UserError { code path } } }"""
DOCUMENTS = """{ documents(first: 10) { edges { node { id kind code amountMinor currency pdfPath
    facts { name value } lines { text } } } } }"""
DEPOSITS = "{ dealerDeposits { dealerId balanceMinor } }"


@pytest.fixture
async def issued(api: Api, runtime: Runtime, world: World) -> list[dict[str, Any]]:
    """A quota of dealer d1 was opened, and there is a document of it."""
    brand = await runtime.brands.get(world.tenant_id)
    await issue_next(runtime.database, brand)
    given = {"idempotencyKey": fresh_key(), "code": "Q", "dealer": "d1", "kind": "PREPAID"}
    await api.data(OPEN, world.brand, input=given)
    await issue_next(runtime.database, brand)
    return await documents(api, world.brand)


async def documents(api: Api, who: Any) -> list[dict[str, Any]]:
    edges = (await api.data(DOCUMENTS, who))["documents"]["edges"]
    return [edge["node"] for edge in edges]


async def test_a_document_is_read_by_the_brand_and_its_dealer(
    api: Api, world: World, issued: list[dict[str, Any]]
) -> None:
    (found,) = issued
    assert (found["kind"], found["amountMinor"], found["currency"]) == ("QUOTA_NOTE", 0, "CNY")
    assert {"name": "account", "value": "Q"} in found["facts"]
    assert await documents(api, world.dealer) == issued
    assert await documents(api, world.other_dealer) == []
    assert await documents(api, world.other_brand) == []


async def test_it_is_printed_for_who_may_see_it(
    api: Api, world: World, issued: list[dict[str, Any]]
) -> None:
    path = issued[0]["pdfPath"]
    for who, status in (
        (world.brand, 200),
        (world.dealer, 200),
        (world.other_dealer, 404),
        (world.other_brand, 404),
        (world.store, 404),
        (None, 401),
    ):
        answer = await api.client.get(path, headers=api.headers(who))
        assert answer.status_code == status
        assert answer.content.startswith(b"%PDF-") == (status == 200)


async def test_a_deposit_is_moved_and_read(api: Api, world: World) -> None:
    dealer = id_of("Dealer", world.dealers["d1"])
    given = {"dealerId": dealer, "type": "PAID", "amountMinor": 900, "reference": "BANK-1"}
    done = await api.data(MOVE, world.brand, input={"idempotencyKey": fresh_key(), **given})
    assert done["depositMove"]["deposit"] == {
        "balanceMinor": 900,
        "entries": [{"type": "PAID", "amountMinor": 900, "reference": "BANK-1"}],
    }
    again = await api.data(MOVE, world.brand, input={"idempotencyKey": fresh_key(), **given})
    assert again["depositMove"]["code"] == "INVALID_DEPOSIT"
    read = await api.data(DEPOSITS, world.dealer)
    assert read["dealerDeposits"] == [{"dealerId": dealer, "balanceMinor": 900}]
    assert (await api.data(DEPOSITS, world.other_dealer))["dealerDeposits"] == []
