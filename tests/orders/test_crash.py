"""A failure at every effect boundary: one outcome a key, nothing lost, nothing taken twice."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from backend.admission.admission import Admission
from backend.admission.reaper import reap
from backend.db.errors import DatabaseUnavailable
from backend.db.pool import Database
from backend.orders import pipeline
from backend.orders.commit import commit_admitted
from backend.runtime import Runtime
from tests.orders.checks import assert_clean, facts, placed
from tests.world import World, draft, receive


class Crash(Exception):
    """The process dies here."""


finish = Admission.finish


async def dies_with_tokens(self: Admission, tenant_id: int, tokens: Any, bases: Any) -> None:
    """Publish as ever, but die where tokens are to be dropped."""
    if tokens:
        raise Crash
    await finish(self, tenant_id, tokens, bases)


async def pending(runtime: Runtime, world: World) -> int:
    return len(await runtime.admission.stale(world.tenant_id, 0, 100))


async def reap_all(runtime: Runtime, world: World) -> int:
    return await reap(runtime.admission, world.tenant_id, runtime.counters.read, age_seconds=-1.0)


async def test_dying_after_admit_leaves_a_token_that_is_reaped(
    runtime: Runtime, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 1)
    assert await runtime.admission.ensure_warm(world.tenant_id)
    order = draft({"A": 1})

    async def dies(*_: Any, **__: Any) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "commit_admitted", dies)
        patched.setattr(Admission, "finish", dies_with_tokens)
        with pytest.raises(Crash):
            await runtime.intake.place(order, world.brand)
    assert (await facts(runtime, world)).orders == 0
    assert await pending(runtime, world) == 1
    assert await reap_all(runtime, world) == 1
    assert await pending(runtime, world) == 0
    placed(await runtime.intake.place(order, world.brand))
    await assert_clean(runtime, world)


async def test_dying_between_commit_and_finish_keeps_the_order(
    runtime: Runtime, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    assert await runtime.admission.ensure_warm(world.tenant_id)
    order = draft({"A": 2})
    with monkeypatch.context() as patched:
        patched.setattr(Admission, "finish", dies_with_tokens)
        first = placed(await runtime.intake.place(order, world.brand))
    assert await reap_all(runtime, world) == 1
    assert placed(await runtime.intake.place(order, world.brand)) == first
    assert (await facts(runtime, world)).reserved == 2
    await assert_clean(runtime, world)


@pytest.mark.parametrize("committed", [True, False])
async def test_a_connection_lost_in_commit_gives_one_order(
    runtime: Runtime, world: World, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    order = draft({"A": 2})
    placed(await runtime.intake.place(draft({"A": 1}), world.brand))
    lost: list[int] = []
    real = Database.tenant_transaction

    @asynccontextmanager
    async def breaks(self: Database, principal: Any, **options: Any) -> AsyncIterator[Any]:
        is_commit = principal.subject == "system:orders" and not options and not lost
        if is_commit and not committed:
            lost.append(1)
            raise ConnectionResetError
        async with real(self, principal, **options) as tx:
            yield tx
        if is_commit:
            lost.append(1)
            raise ConnectionResetError

    with monkeypatch.context() as patched:
        patched.setattr(Database, "tenant_transaction", breaks)
        first = placed(await runtime.intake.place(order, world.brand))
    assert lost == [1]
    assert placed(await runtime.intake.place(order, world.brand)) == first
    assert (await facts(runtime, world)).reserved == 3
    await assert_clean(runtime, world)


async def test_an_error_inside_the_commit_leaves_nothing(
    runtime: Runtime, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    assert await runtime.admission.ensure_warm(world.tenant_id)
    before, order, real = await facts(runtime, world), draft({"A": 2}), commit_admitted

    async def dies(*arguments: Any, **options: Any) -> None:
        await real(*arguments, **options)
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "commit_admitted", dies)
        with pytest.raises(Crash):
            await runtime.intake.place(order, world.brand)
    assert await facts(runtime, world) == before
    assert await pending(runtime, world) == 0
    placed(await runtime.intake.place(order, world.brand))
    await assert_clean(runtime, world)


async def test_a_database_that_stays_away_is_said_so(
    runtime: Runtime, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    placed(await runtime.intake.place(draft({"A": 1}), world.brand))
    before, real = await facts(runtime, world), Database.tenant_transaction

    @asynccontextmanager
    async def away(self: Database, principal: Any, **options: Any) -> AsyncIterator[Any]:
        if principal.subject == "system:orders":
            raise ConnectionRefusedError
        async with real(self, principal, **options) as tx:
            yield tx

    with monkeypatch.context() as patched:
        patched.setattr(Database, "tenant_transaction", away)
        patched.setattr(pipeline, "RETRY_PAUSE_SECONDS", 0.0)
        with pytest.raises((DatabaseUnavailable, ConnectionRefusedError)):
            await runtime.intake.place(draft({"A": 1}), world.brand)
    assert await facts(runtime, world) == before
    await assert_clean(runtime, world)
