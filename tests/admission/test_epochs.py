"""Counters are read once an epoch, by one process; what is lost is noticed and read anew."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from backend.admission import epochs
from backend.admission.epochs import Epochs
from backend.admission.keys import epoch_keys, warm_key, warming_key
from backend.admission.model import ADMITTED, COLD, Base, Refused
from backend.admission.valkey import Identity
from backend.db.errors import DatabaseUnavailable
from backend.db.pool import Record
from loadtests.waiting import until
from tests.admission.accidents import flush, forget_functions, forget_scripts
from tests.admission.authority import Process, order
from tests.admission.conftest import Another

A5, B2, C3 = Base("a", 5, 10), Base("b", 2, 10), Base("c", 3, 10)
FIRST, SECOND = 2, 3
"""A tenant's first warm-up raises the epoch to 2."""


class Crash(Exception):
    """The process dies here."""


async def nothing() -> None:
    """Let a chunk pass."""


async def test_the_first_warm_up_reads_everything_once(process: Process) -> None:
    await process.warm(A5, B2, C3)
    await process.warm()
    assert await process.look("a", "b", "c") == [(5, 10, 0), (2, 10, 0), (3, 10, 0)]
    assert (await process.epoch(), process.authority.reads) == (FIRST, 1)


async def test_a_tenant_without_counters_is_warm_too(process: Process) -> None:
    await process.warm()
    assert await process.admit(order("t")) == [ADMITTED]


async def test_another_process_finds_it_warm(process: Process, another: Another) -> None:
    await process.warm(A5)
    async with another() as other:
        assert await other.admission.ensure_warm(other.tenant_id)
        assert await other.admit(order("t", ("a", 5))) == [ADMITTED]
    assert await process.admit(order("u", ("a", 1))) == [Refused("a", 0, 5)]
    assert (await process.epoch(), process.authority.reads) == (FIRST, 1)


# ------------------------------------------------------------------------------ what is lost


async def notices_when_asked(process: Process) -> None:
    assert await process.admission.ensure_warm(process.tenant_id)


async def notices_in_its_rhythm(process: Process) -> None:
    assert await process.admission.ensure_used([process.tenant_id]) == [process.tenant_id]


async def notices_with_an_order(process: Process) -> None:
    assert await process.admit(order("t", ("a", 1))) == [COLD]

    async def is_warm() -> bool:
        return await process.epoch() == SECOND and await process.look("a") != [None]

    await until(is_warm)


NOTICES = [notices_when_asked, notices_in_its_rhythm, notices_with_an_order]
Notice = Callable[[Process], Awaitable[None]]


@pytest.mark.parametrize("notices", NOTICES)
async def test_a_flush_is_noticed_and_a_new_epoch_raised(
    process: Process, valkey_url: str, notices: Notice
) -> None:
    await process.warm(A5)
    process.authority.set(Base("a", 4, 11))
    flush(valkey_url)
    await notices(process)
    assert await process.look("a") == [(4, 11, 0)]
    assert (await process.epoch(), process.authority.reads) == (SECOND, 2)


async def test_what_is_finished_after_a_flush_waits_for_the_warm_up(
    process: Process, valkey_url: str
) -> None:
    await process.warm(A5)
    await process.admit(order("t", ("a", 3)))
    flush(valkey_url)
    assert await process.finish(["t"], [Base("a", 2, 11)])
    assert await process.look("a") == [None]
    await process.warm(Base("a", 2, 11))
    assert await process.look("a") == [(2, 11, 0)]


CALLS: dict[str, Callable[[Process], Awaitable[object]]] = {
    "admit": lambda process: process.admit(order("t", ("a", 5))),
    "finish": lambda process: process.finish(["x"], [A5]),
    "look": lambda process: process.look("a"),
    "stale": lambda process: process.tokens(),
}
ANSWERS = {"admit": [ADMITTED], "finish": True, "look": [(5, 10, 0)], "stale": {}}


@pytest.mark.parametrize("lose", [forget_functions, forget_scripts])
@pytest.mark.parametrize("call", CALLS)
async def test_lost_functions_are_loaded_again(
    process: Process, valkey_url: str, lose: Callable[[str], None], call: str
) -> None:
    await process.warm(A5)
    lose(valkey_url)
    assert await CALLS[call](process) == ANSWERS[call]
    assert (await process.epoch(), process.authority.reads) == (FIRST, 1)


async def test_functions_lost_in_a_warm_up_are_loaded_again(
    process: Process, valkey_url: str
) -> None:
    process.authority.meanwhile = [lambda: asyncio.to_thread(forget_functions, valkey_url)] * 2
    await process.warm(A5, B2)
    assert await process.look("a", "b") == [(5, 10, 0), (2, 10, 0)]


async def test_a_flush_in_a_warm_up_is_no_warm_tenant(process: Process, valkey_url: str) -> None:
    process.authority.set(A5, B2)
    process.authority.meanwhile = [lambda: asyncio.to_thread(flush, valkey_url)]
    assert not await process.admission.ensure_warm(process.tenant_id)
    assert await process.admit(order("t", ("a", 1))) == [COLD]
    await process.warmed()
    assert await process.look("a", "b") == [(5, 10, 0), (2, 10, 0)]


# ---------------------------------------------------------------------------- older epochs


async def lose_the_mark(process: Process) -> None:
    """Lose the key that says which epoch is warm, and nothing else."""
    await process.valkey.command("DEL", warm_key(process.tenant_id))


async def test_values_of_an_older_epoch_are_never_read(process: Process) -> None:
    await process.warm(A5, B2)
    await process.admit(order("t", ("a", 3)))
    await lose_the_mark(process)
    assert await process.admit(order("u", ("a", 1))) == [COLD]
    process.authority.bases = {"a": Base("a", 4, 1)}
    await process.warmed()
    assert await process.look("a", "b") == [(4, 1, 0), None]
    assert await process.tokens() == {}


async def test_an_older_epoch_leaves_nothing_behind(process: Process) -> None:
    await process.warm(A5)
    await process.admit(order("t", ("a", 3)))
    old = epoch_keys(process.tenant_id, FIRST)
    assert await process.valkey.command("EXISTS", *old) == len(old)
    await lose_the_mark(process)
    await process.warm()
    await process.finish(["t"], [Base("a", 2, 11)])
    assert await process.valkey.command("EXISTS", *old) == 0
    assert await process.look("a") == [(2, 11, 0)]


async def test_who_believes_in_an_older_epoch_takes_nothing(
    process: Process, another: Another
) -> None:
    await process.warm(A5)
    async with another() as other:
        await other.warm()
        await lose_the_mark(process)
        await process.warm()
        assert await other.admit(order("t", ("a", 1))) == [COLD]
        await other.warmed()
        assert await other.admit(order("t", ("a", 1))) == [ADMITTED]
    assert (await process.pending("a"), await process.epoch()) == ([1], SECOND)


async def test_who_believes_in_an_older_epoch_publishes_under_the_new_one(
    process: Process, another: Another
) -> None:
    await process.warm(A5)
    async with another() as other:
        await other.warm()
        await lose_the_mark(process)
        await process.warm()
        assert await other.finish([], [Base("a", 4, 11)])
    assert await process.look("a") == [(4, 11, 0)]


# ------------------------------------------------------------------------- several processes


async def test_processes_that_warm_at_once_raise_the_epoch_once(
    process: Process, another: Another
) -> None:
    process.authority.set(A5, B2)
    async with AsyncExitStack() as stack:
        others = [await stack.enter_async_context(another()) for _ in range(4)]
        await asyncio.gather(
            *(each.admission.ensure_warm(each.tenant_id) for each in (process, *others))
        )
        await asyncio.gather(*(each.warmed() for each in (process, *others)))
    assert (await process.epoch(), process.authority.reads) == (FIRST, 1)


async def test_one_process_warms_once_however_many_orders_come(process: Process) -> None:
    process.authority.set(A5)
    batches = [process.admit(order(f"t{number}", ("a", 1))) for number in range(20)]
    assert await asyncio.gather(*batches) == [[COLD]] * 20
    await process.warmed()
    assert (await process.epoch(), process.authority.reads) == (FIRST, 1)


async def test_while_one_warms_others_leave_it_to_finish(
    process: Process, another: Another
) -> None:
    process.authority.set(A5, B2)
    async with another() as other:

        async def asks() -> None:
            assert not await other.admission.ensure_warm(other.tenant_id)
            assert await other.admit(order("t", ("a", 1))) == [COLD]

        process.authority.meanwhile = [asks, asks]
        assert await process.admission.ensure_warm(process.tenant_id)
        assert await other.admission.ensure_warm(other.tenant_id)
    assert (await process.epoch(), process.authority.reads) == (FIRST, 1)


@pytest.mark.parametrize("knows", ["nothing", "the epoch before"])
@pytest.mark.parametrize("chunk", [0, 1])
async def test_what_is_published_while_another_warms_is_not_lost(
    process: Process, another: Another, chunk: int, knows: str
) -> None:
    await process.warm(A5, B2)
    async with another() as other:
        if knows == "the epoch before":
            await other.warm()
        await lose_the_mark(process)

        async def publishes() -> None:
            assert await other.finish([], [Base("a", 4, 11), Base("b", 1, 11), C3])

        process.authority.meanwhile = [*[nothing] * chunk, publishes]
        await process.warm()
    assert await process.look("a", "b", "c") == [(4, 11, 0), (1, 11, 0), (3, 10, 0)]


async def test_who_comes_too_late_to_raise_finds_it_warm(
    process: Process, another: Another, monkeypatch: pytest.MonkeyPatch
) -> None:
    process.authority.set(A5)
    raises = Epochs._raise_epoch
    async with another() as other:

        async def late(self: Epochs, tenant_id: int, row: Record, identity: Identity) -> bool:
            monkeypatch.undo()
            await process.valkey.command("DEL", warming_key(tenant_id))
            await other.warm()
            return await raises(self, tenant_id, row, identity)

        monkeypatch.setattr(Epochs, "_raise_epoch", late)
        assert await process.admission.ensure_warm(process.tenant_id)
    assert (await process.epoch(), process.authority.reads) == (FIRST, 1)
    assert await process.valkey.command("EXISTS", warming_key(process.tenant_id)) == 0


# --------------------------------------------------------------------- warm-ups that go wrong


async def dies() -> None:
    raise Crash


@pytest.mark.parametrize("chunk", [0, 1])
async def test_a_warm_up_that_died_is_taken_over_after_its_time(
    process: Process, another: Another, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(epochs, "WARMING_SECONDS", 0.3)
    process.authority.set(A5, B2)
    process.authority.meanwhile = [*[nothing] * chunk, dies]
    with pytest.raises(Crash):
        await process.admission.ensure_warm(process.tenant_id)
    async with another() as other:
        assert not await other.admission.ensure_warm(other.tenant_id)
        assert await other.admit(order("t", ("a", 1))) == [COLD]
        await other.warmed()
        assert await other.look("a", "b") == [(5, 10, 0), (2, 10, 0)]
        assert (await other.epoch(), other.authority.reads) == (SECOND, 2)


async def test_each_chunk_gives_a_warm_up_more_time(process: Process) -> None:
    key, left = warming_key(process.tenant_id), []

    async def nearly_over() -> None:
        await process.valkey.command("PEXPIRE", key, 1_000)

    async def looks() -> None:
        left.append(await process.valkey.command("PTTL", key))

    process.authority.meanwhile = [nearly_over, looks]
    await process.warm(A5, B2)
    assert 1_000 < left[0] <= epochs.WARMING_SECONDS * 1_000


@pytest.mark.parametrize("chunk", [0, 1])
async def test_a_warm_up_that_was_taken_over_gives_up(
    process: Process, another: Another, chunk: int
) -> None:
    process.authority.set(A5, B2)
    async with another() as other:

        async def is_taken_over() -> None:
            await other.valkey.command("DEL", warming_key(process.tenant_id))
            await other.warm(Base("b", 1, 5))

        process.authority.meanwhile = [*[nothing] * chunk, is_taken_over]
        assert not await process.admission.ensure_warm(process.tenant_id)
    assert await process.epoch() == SECOND
    assert await process.valkey.command("EXISTS", *epoch_keys(process.tenant_id, FIRST)) == 0
    await process.warmed()
    assert await process.look("a", "b") == [(5, 10, 0), (1, 5, 0)]


async def test_orders_stay_cold_while_no_epoch_can_be_raised(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epochs, "WARMING_SECONDS", 0.1)
    process.authority.set(A5)
    tried: list[int] = []

    async def away(self: Epochs, tenant_id: int, *_: object) -> bool:
        tried.append(tenant_id)
        raise DatabaseUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(Epochs, "_raise_epoch", away)
        assert await process.admit(order("t", ("a", 1))) == [COLD]
        await until(lambda: tried)
        assert await process.admit(order("t", ("a", 1))) == [COLD]
    await process.warmed()
    assert await process.admit(order("t", ("a", 1))) == [ADMITTED]


async def test_a_warm_up_ends_with_its_process(process: Process, another: Another) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def hangs() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    process.authority.set(A5, B2)
    process.authority.meanwhile = [hangs]
    async with another() as other:
        await other.admit(order("t", ("a", 1)))
        await started.wait()
    assert ended.is_set()


# ------------------------------------------------------------------------ many tenants at once


async def test_a_tenant_that_nobody_used_is_left_cold(process: Process) -> None:
    assert await process.admission.ensure_used([process.tenant_id]) == []
    assert (await process.epoch(), process.authority.reads) == (0, 0)


async def test_what_another_process_warmed_is_used(process: Process, another: Another) -> None:
    await process.warm(A5)
    async with another() as other:
        assert await other.admission.ensure_used([other.tenant_id]) == [other.tenant_id]
        assert await other.admit(order("t", ("a", 5))) == [ADMITTED]
    assert process.authority.reads == 1


async def test_only_what_was_lost_is_read_anew(process: Process) -> None:
    lost, kept, unused = (
        process._replace(tenant_id=process.tenant_id + n * 1_000_000) for n in range(3)
    )
    for each in (lost, kept):
        await each.warm(A5)
    await lose_the_mark(lost)
    tenants = [unused.tenant_id, lost.tenant_id, kept.tenant_id]
    assert await process.admission.ensure_used(tenants) == tenants[1:]
    assert [await each.epoch() for each in (lost, kept, unused)] == [SECOND, FIRST, 0]
    assert process.authority.reads == 3


async def test_what_another_process_raised_is_followed(process: Process, another: Another) -> None:
    await process.warm(A5)
    async with another() as other:
        await lose_the_mark(other)
        await other.warm()
    assert await process.admission.ensure_used([process.tenant_id]) == [process.tenant_id]
    assert await process.admit(order("t", ("a", 5))) == [ADMITTED]
    assert (await process.epoch(), process.authority.reads) == (SECOND, 2)
