"""A client that speaks as any principal."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tenants.principal import Principal
from tenants.tokens import TokenIssuer

PLACE = """
mutation ($input: OrderPlaceInput!) { orderPlace(input: $input) {
  __typename
  ... on OrderPlaced { orderId status lines { lineNo reserved } }
  ... on UserError { code message path }
  ... on InsufficientStock { lines { sku requested available } } } }
"""
ORDER_EVENTS = "subscription { orderEvents { type orderId sequence } }"


class Api:
    """GraphQL and the intake, over HTTP."""

    def __init__(self, client: httpx2.AsyncClient, tokens: TokenIssuer, address: str) -> None:
        self.client = client
        self._tokens = tokens
        self._address = address

    def headers(self, who: Principal | None) -> dict[str, str]:
        return {} if who is None else {"authorization": f"Bearer {self._tokens.issue(who)}"}

    async def ask(
        self, query: str, who: Principal | None = None, **variables: Any
    ) -> dict[str, Any]:
        """Return the whole answer."""
        response = await self.client.post(
            "/graphql",
            json={"query": query, "variables": variables},
            headers=self.headers(who),
        )
        answer: dict[str, Any] = response.json()
        return answer

    async def data(self, query: str, who: Principal, **variables: Any) -> dict[str, Any]:
        """Return the data of an answer without errors."""
        answer = await self.ask(query, who, **variables)
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    async def place(self, who: Principal, order: dict[str, Any]) -> dict[str, Any]:
        placed: dict[str, Any] = (await self.data(PLACE, who, input=order))["orderPlace"]
        return placed

    @asynccontextmanager
    async def subscribed(
        self, who: Principal, query: str = ORDER_EVENTS, **variables: Any
    ) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """Follow a subscription of one field; what happens from inside the block on is seen."""
        uri = f"ws://{self._address}/graphql"
        async with connect(uri, subprotocols=[Subprotocol("graphql-transport-ws")]) as socket:
            token = self.headers(who)["authorization"]
            start = {"type": "connection_init", "payload": {"Authorization": token}}
            await socket.send(json.dumps(start))
            assert json.loads(await socket.recv())["type"] == "connection_ack"
            payload = {"query": query, "variables": variables}
            await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))

            async def events() -> AsyncIterator[dict[str, Any]]:
                async for message in socket:
                    body = json.loads(message)
                    assert body["type"] == "next", body
                    assert "errors" not in body["payload"], body["payload"]["errors"]
                    (event,) = body["payload"]["data"].values()
                    yield event

            yield events()


def order(key: str, sku: str = "A", quantity: int = 1, **changes: Any) -> dict[str, Any]:
    """Return the input of an order."""
    return {
        "shop": "shop",
        "idempotencyKey": key,
        "address": {"detail": "x", "regionCode": 310104},
        "lines": [{"sku": sku, "quantity": quantity, "unitPriceMinor": 100}],
        **changes,
    }
