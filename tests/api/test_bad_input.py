"""What the API refuses, how it says so, and that nothing has changed."""

from typing import Any

import pytest

from backend.app import BODY_BYTES_MAX
from backend.runtime import Runtime
from graphql_schema.limits import BUDGET_MAX, Budgets
from tenants.tokens import TokenIssuer
from tests.api.client import Api, order
from tests.orders.checks import facts
from tests.world import World, receive

BAD_ORDERS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown SKU": ({"lines": [{"sku": "Z", "quantity": 1}]}, "UNKNOWN_SKU"),
    "unknown shop": ({"shop": "z"}, "UNKNOWN_SHOP"),
    "quantity 0": ({"lines": [{"sku": "A", "quantity": 0}]}, "INVALID_ORDER"),
    "no lines": ({"lines": []}, "INVALID_ORDER"),
    "amounts": ({"totalMinor": 1}, "AMOUNTS_DO_NOT_ADD_UP"),
    "too much": ({"lines": [{"sku": "A", "quantity": 9}]}, "INSUFFICIENT_STOCK"),
}


@pytest.mark.parametrize("name", BAD_ORDERS)
async def test_a_bad_order_is_refused_as_data(
    runtime: Runtime, world: World, api: Api, name: str
) -> None:
    changes, code = BAD_ORDERS[name]
    await receive(runtime.database, world.brand, "wh", "A", 5)
    before = await facts(runtime, world)
    answer = await api.place(world.brand, order("k", **changes))
    assert answer["code"] == code
    assert answer["message"]
    assert await facts(runtime, world) == before


async def test_a_dealer_cannot_read_anothers_order(
    runtime: Runtime, world: World, api: Api
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    placed = await api.place(world.dealer, order("k", shop="dshop"))
    query = "query ($id: ID!) { order(id: $id) { id } node(id: $id) { id } }"
    for who, sees in ((world.dealer, True), (world.other_dealer, False), (world.store, False)):
        answer = (await api.ask(query, who, id=placed["orderId"]))["data"]
        found = [] if answer is None else [value for value in answer.values() if value]
        assert bool(found) == sees


@pytest.mark.parametrize("kind", ["forged", "expired", "nonsense"])
async def test_a_bad_token_is_refused(runtime: Runtime, world: World, api: Api, kind: str) -> None:
    tokens = {
        "forged": TokenIssuer("another secret of more than 32 characters").issue(world.brand),
        "expired": runtime.tokens.issue(world.brand, lifetime_seconds=-10),
        "nonsense": "nonsense",
    }
    for path in ("/graphql", "/intake/orders"):
        response = await api.client.post(
            path,
            json={"query": "{ viewer { kind } }"},
            headers={"authorization": f"Bearer {tokens[kind]}"},
        )
        assert response.status_code == 401
    answer = await api.ask("{ viewer { kind } }")
    assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


LINES = "lines { sku { code } } fulfilments { reservations { quantity } location { code } }"
TOO_MUCH: dict[str, str] = {
    "depth": "{ orders { edges { node { lines { sku " + "{ id " * 10 + "}" * 15,
    "cost": "{"
    + " ".join(f"a{n}: orders(first: 100) {{ edges {{ node {{ {LINES} }} }} }}" for n in range(9))
    + "}",
    "aliases": "{" + " ".join(f"a{n}: viewer {{ kind }}" for n in range(40)) + "}",
    "tokens": "{" + " viewer { kind }" * 2_000 + "}",
    "page": "{ orders(first: 101) { edges { node { id } } } }",
    "cursor": '{ orders(after: "nonsense") { edges { node { id } } } }',
    "id": '{ order(id: "nonsense") { id } }',
    "unknown": "{ nonsense }",
}


@pytest.mark.parametrize("name", TOO_MUCH)
async def test_a_document_that_asks_too_much_is_refused(world: World, api: Api, name: str) -> None:
    answer = await api.ask(TOO_MUCH[name], world.brand)
    assert answer["errors"][0]["message"] not in ("", "Unexpected error.")
    assert not any((answer.get("data") or {}).values())


async def test_a_body_over_the_limit_is_refused(world: World, api: Api) -> None:
    response = await api.client.post("/graphql", content=b" " * (BODY_BYTES_MAX + 1))
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "TOO_LARGE"


async def test_stock_is_changed_by_whoever_may(runtime: Runtime, world: World, api: Api) -> None:
    query = """mutation ($i: StockSetInput!) { stockSet(input: $i) {
        ... on StockRecorded { levels { onHand } }
        ... on UserError { code } ... on StockChanged { onHand version } } }"""
    await receive(runtime.database, world.brand, "wh", "A", 5)
    values = {"warehouse": "wh", "sku": "A", "onHand": 9, "idempotencyKey": "k"}
    wrong = await api.data(query, world.brand, i={**values, "compareOnHand": 4})
    assert wrong["stockSet"] == {"code": "STOCK_CHANGED", "onHand": 5, "version": 1}
    right = await api.data(query, world.brand, i={**values, "compareOnHand": 5})
    assert right["stockSet"]["levels"] == [{"onHand": 9}]


async def test_a_nul_in_any_text_is_refused(runtime: Runtime, world: World, api: Api) -> None:
    receive_it = """mutation ($i: StockReceiveInput!) { stockReceive(input: $i) {
        ... on UserError { code message } } }"""
    read_it = """query ($sku: String!) { availability(sku: $sku, shop: "shop") { number } }"""
    before = await facts(runtime, world)
    values = {"warehouse": "wh", "sku": "a\0b", "quantity": 1, "idempotencyKey": "k"}
    answer = await api.data(receive_it, world.brand, i=values)
    assert answer["stockReceive"]["code"] == "TEXT_NOT_STORABLE"
    (error,) = (await api.ask(read_it, world.brand, sku="a\0b"))["errors"]
    assert error["extensions"]["code"] == "TEXT_NOT_STORABLE"
    assert await facts(runtime, world) == before


async def test_health_and_metrics(runtime: Runtime, world: World, api: Api) -> None:
    assert (await api.client.get("/healthz")).json() == {"status": "ok"}
    ready = await api.client.get("/readyz")
    assert ready.json()["parts"] == {"database": "ok", "valkey": "ok"}
    assert ready.headers["x-request-id"]
    assert "yipan_http_seconds" in (await api.client.get("/metrics")).text


def test_a_budget_runs_out_and_fills_again() -> None:
    budgets = Budgets()
    assert budgets.spend("a", BUDGET_MAX) == 0
    assert budgets.spend("a", 1_000) > 0
    assert budgets.spend("b", 1_000) == 0
