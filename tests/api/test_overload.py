"""Whoever cannot be served now is told when to come back, and nothing has happened."""

import asyncio
from typing import Any

import pytest

from backend.db.errors import DatabaseUnavailable
from backend.runtime import Runtime
from backend.turnstile import TooManyWaiting, Turnstile
from tenants.authenticate import Authenticator
from tests.api.client import PLACE, Api, order
from tests.orders.checks import facts
from tests.world import World, receive


async def test_a_full_line_says_when_to_come_back(
    api: Api, runtime: Runtime, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 1)
    before = await facts(runtime, world)

    def full(self: Turnstile, tenant: int) -> None:
        assert tenant == world.tenant_id
        raise TooManyWaiting

    with monkeypatch.context() as patched:
        patched.setattr(Turnstile, "turn", full)
        answer = await api.ask(PLACE, world.brand, input=order("k"))
    assert answer["data"] is None
    assert answer["errors"][0]["extensions"] == {"code": "TOO_BUSY", "retryAfterSeconds": 1.0}
    assert await facts(runtime, world) == before
    assert (await api.place(world.brand, order("k")))["status"] == "ALLOCATED"


@pytest.mark.parametrize("path", ["/graphql", "/intake/orders"])
async def test_without_a_database_there_is_a_time_to_come_back(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    async def away(self: Authenticator, credential: str) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(Authenticator, "principal_of", away)
    answer = await api.client.post(
        path, content=b'{"query": "{ __typename }"}', headers=api.headers(world.brand)
    )
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_who_asks_as_the_same_at_once_is_looked_up_once(
    runtime: Runtime, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[Any] = []
    real = Authenticator._principal_of_member

    async def counted(self: Authenticator, claimed: Any) -> Any:
        looked_up.append(claimed)
        return await real(self, claimed)

    monkeypatch.setattr(Authenticator, "_principal_of_member", counted)
    token = runtime.tokens.issue(world.brand)
    found = await asyncio.gather(*(runtime.authenticator.principal_of(token) for _ in range(50)))
    assert {principal.subject for principal in found} == {world.brand.subject}
    assert len(looked_up) == 1
