"""The reaper drops old tokens only, after it has read their counters anew."""

from collections.abc import Sequence

import pytest

from backend.admission.model import ADMITTED, Base, Take
from backend.admission.reaper import TOKEN_AGE_SECONDS, reap
from loadtests.waiting import until
from tests.admission.authority import ON_BOTH, Process, order, orders

pytestmark = ON_BOTH

A5, B2 = Base("a", 5, 1), Base("b", 2, 1)
ALL = -1.0
"""An age that every token has."""


async def reap_all(process: Process) -> int:
    return await reap(process.admission, process.tenant_id, process.authority.read, age_seconds=ALL)


async def test_a_token_becomes_stale_by_its_age(process: Process) -> None:
    await process.warm(A5)
    await process.admit(order("t", ("a", 3)))
    assert await process.admission.stale(process.tenant_id, 60_000, 10) == []
    await until(lambda: process.admission.stale(process.tenant_id, 30, 10))
    assert await process.admission.stale(process.tenant_id, 60_000, 10) == []
    assert await process.tokens() == {"t": [Take("a", 3)]}


async def test_the_oldest_come_first_and_no_more_than_asked_for(process: Process) -> None:
    await process.warm(A5)
    for token in ("z", "y", "x"):
        await process.admit(order(token, ("a", 1)))

        async def has_an_age_of_its_own(token: str = token) -> bool:
            return token in dict(await process.admission.stale(process.tenant_id, 2, 9))

        await until(has_an_age_of_its_own)
    stale = await process.admission.stale(process.tenant_id, 0, 2)
    assert stale == [("z", [Take("a", 1)]), ("y", [Take("a", 1)])]


async def test_young_tokens_are_left_alone(process: Process) -> None:
    await process.warm(A5)
    await process.admit(order("t", ("a", 3)))
    process.authority.set(Base("a", 9, 9))
    assert await reap(process.admission, process.tenant_id, process.authority.read) == 0
    assert await process.look("a") == [(5, 1, 3)]
    assert 2 <= TOKEN_AGE_SECONDS <= 5


LEFT_BEHIND = {
    "before its commit": (A5, (5, 1, 0)),
    "after its commit": (Base("a", 2, 2), (2, 2, 0)),
    "after its commit, before another's": (Base("a", 1, 3), (1, 3, 0)),
}


@pytest.mark.parametrize(("base", "looked"), LEFT_BEHIND.values(), ids=LEFT_BEHIND)
async def test_what_a_dead_process_took_is_given_back_as_the_authority_says(
    process: Process, base: Base, looked: tuple[int, int, int]
) -> None:
    await process.warm(A5)
    await process.admit(order("t", ("a", 3)))
    process.authority.set(base)
    assert await reap_all(process) == 1
    assert await process.look("a") == [looked]
    assert await process.tokens() == {}


async def test_nothing_is_read_where_nothing_is_stale(process: Process) -> None:
    await process.warm(A5)

    async def read(tenant_id: int, counters: Sequence[str]) -> list[Base]:
        raise AssertionError("nobody asked for it")

    assert await reap(process.admission, process.tenant_id, read, age_seconds=ALL) == 0


async def test_each_counter_is_read_once(process: Process) -> None:
    await process.warm(A5, B2)
    await process.admit(order("t", ("b", 1), ("a", 1)), order("u", ("a", 1), ("b", 1)))
    asked: list[tuple[int, Sequence[str]]] = []

    async def read(tenant_id: int, counters: Sequence[str]) -> list[Base]:
        asked.append((tenant_id, counters))
        return []

    assert await reap(process.admission, process.tenant_id, read, age_seconds=ALL) == 2
    assert asked == [(process.tenant_id, ["a", "b"])]
    assert await process.look("a", "b") == [(5, 1, 0), (2, 1, 0)]


async def test_tokens_stay_where_the_authority_cannot_be_read(process: Process) -> None:
    await process.warm(A5)
    await process.admit(order("t", ("a", 3)))

    async def read(tenant_id: int, counters: Sequence[str]) -> list[Base]:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await reap(process.admission, process.tenant_id, read, age_seconds=ALL)
    assert await process.look("a") == [(5, 1, 3)]


async def test_an_older_reading_does_not_undo_a_newer_base(process: Process) -> None:
    await process.warm(A5)
    await process.admit(order("t", ("a", 3)))
    await process.finish([], [Base("a", 1, 7)])
    assert await reap_all(process) == 1
    assert await process.look("a") == [(1, 7, 0)]


async def test_a_pass_has_a_limit_and_the_next_goes_on(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.admission.reaper.TOKENS_PER_PASS", 2)
    await process.warm(A5)
    assert await process.admit(*orders([1, 1, 1])) == [ADMITTED] * 3
    assert [await reap_all(process) for _ in range(3)] == [2, 1, 0]
    assert await process.pending("a") == [0]


async def test_a_late_finish_after_the_reaper_gives_nothing_back_twice(process: Process) -> None:
    await process.warm(A5)
    await process.admit(*orders([3, 2]))
    await process.finish(["t1"])
    assert await reap_all(process) == 1
    await process.admit(order("new", ("a", 4)))
    await process.finish(["t0"], [Base("a", 5, 2)])
    assert await process.look("a") == [(5, 2, 4)]


async def test_those_with_tokens_are_found_in_one_question(process: Process) -> None:
    others = [process._replace(tenant_id=process.tenant_id + n * 1_000_000) for n in (1, 2)]
    for each in (process, *others):
        await each.warm(A5)
    await process.admit(order("t", ("a", 1)))
    await others[1].admit(order("t", ("a", 1)))
    tenants = [each.tenant_id for each in (process, *others)]
    assert await process.admission.with_tokens(tenants) == [tenants[0], tenants[2]]
    await process.finish(["t"])
    assert await process.admission.with_tokens(tenants) == tenants[2:]
