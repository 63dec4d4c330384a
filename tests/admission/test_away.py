"""Orders are cold while Valkey is away, and what it was not told it hears later."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from backend.admission import admission, valkey
from backend.admission.model import ADMITTED, COLD, Base, Take
from backend.admission.reaper import reap
from backend.admission.valkey import ValkeyAway
from tests.admission.accidents import Address, fill_up, make_room, pause
from tests.admission.authority import Process, order
from tests.admission.conftest import Another
from tests.admission.losing_replies import Way

A5, B2 = Base("a", 5, 10), Base("b", 2, 10)
FIRST, SECOND = 2, 3


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try a server again soon that failed."""
    monkeypatch.setattr(valkey, "RETRY_AFTER_SECONDS", 0.02)


async def test_orders_are_cold_and_nothing_is_taken(
    follower: Process, address: Address, server_urls: list[str]
) -> None:
    await follower.warm(A5)
    address.lead_nowhere()
    assert await follower.admit(order("t", ("a", 1)), order("u", ("a", 9))) == [COLD, COLD]
    address.lead_to(server_urls[0])
    await follower.answered()
    assert await follower.look("a") == [(5, 10, 0)]


ASKING: dict[str, Callable[[Process], Awaitable[object]]] = {
    "look": lambda process: process.look("a"),
    "stale": lambda process: process.tokens(),
    "ensure_warm": lambda process: process.admission.ensure_warm(process.tenant_id),
    "ensure_used": lambda process: process.admission.ensure_used([process.tenant_id]),
    "with_tokens": lambda process: process.admission.with_tokens([process.tenant_id]),
    "reap": lambda process: reap(process.admission, process.tenant_id, process.authority.read),
}


@pytest.mark.parametrize("asks", ASKING.values(), ids=ASKING)
async def test_who_has_to_know_is_told_that_it_is_away(
    follower: Process, address: Address, asks: Callable[[Process], Awaitable[object]]
) -> None:
    await follower.warm(A5)
    address.lead_nowhere()
    with pytest.raises(ValkeyAway) as caught:
        await asks(follower)
    assert caught.value.code == "UNAVAILABLE"
    assert (await follower.epoch(), follower.authority.reads) == (FIRST, 1)


async def test_a_process_starts_without_valkey(follower: Process, address: Address) -> None:
    address.lead_nowhere()
    assert await follower.admit(order("t", ("a", 1))) == [COLD]
    assert not await follower.finish(["t"], [A5])
    assert await follower.epoch() == 0


async def test_a_server_that_failed_is_left_alone_for_a_moment(
    follower: Process, address: Address, server_urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await follower.warm(A5)
    monkeypatch.setattr(valkey, "RETRY_AFTER_SECONDS", 0.3)
    address.lead_nowhere()
    assert await follower.admit(order("t", ("a", 1))) == [COLD]
    address.lead_to(server_urls[0])
    connections = follower.valkey.connections_made
    assert await follower.admit(order("t", ("a", 1))) == [COLD]
    assert follower.valkey.connections_made == connections
    await follower.answered()
    assert await follower.admit(order("t", ("a", 1))) == [ADMITTED]


async def test_a_server_that_does_not_answer_is_not_waited_for(
    another: Another, server_urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(valkey, "TIMEOUT_SECONDS", 0.1)
    async with another(valkey_url=server_urls[0]) as impatient:
        await impatient.warm(A5)
        pause(server_urls[0], 600)
        assert await impatient.admit(order("t", ("a", 1))) == [COLD]
        assert not await impatient.finish([], [Base("a", 4, 11)])
        await impatient.answered()
        assert await impatient.finish()
        assert await impatient.look("a") == [(4, 11, 0)]


# ------------------------------------------------------------------------------ what is owed


async def told_with_the_next(process: Process) -> None:
    assert await process.finish()


async def told_with_the_next_bases(process: Process) -> None:
    assert await process.finish([], [Base("b", 1, 11)])


async def told_when_asked_to_warm(process: Process) -> None:
    assert await process.admission.ensure_warm(process.tenant_id)


async def told_in_its_rhythm(process: Process) -> None:
    assert await process.admission.ensure_used([process.tenant_id]) == [process.tenant_id]


TOLD = [told_with_the_next, told_with_the_next_bases, told_when_asked_to_warm, told_in_its_rhythm]


@pytest.mark.parametrize("told", TOLD)
async def test_what_it_was_not_told_goes_with_the_next_call(
    follower: Process,
    address: Address,
    server_urls: list[str],
    told: Callable[[Process], Awaitable[None]],
) -> None:
    await follower.warm(A5, B2)
    address.lead_nowhere()
    assert not await follower.finish([], [Base("a", 4, 11), Base("c", 1, 1)])
    address.lead_to(server_urls[0])
    await follower.answered()
    assert await follower.look("a", "c") == [(5, 10, 0), None]
    await told(follower)
    assert await follower.look("a", "c") == [(4, 11, 0), (1, 1, 0)]
    assert (await follower.epoch(), follower.authority.reads) == (FIRST, 1)


@pytest.mark.parametrize("versions", [(11, 12), (12, 11)])
async def test_of_each_counter_the_newest_is_owed(
    follower: Process, address: Address, server_urls: list[str], versions: tuple[int, int]
) -> None:
    await follower.warm(A5)
    address.lead_nowhere()
    for version in versions:
        assert not await follower.finish([], [Base("a", version, version)])
    address.lead_to(server_urls[0])
    await follower.answered()
    assert await follower.finish()
    assert await follower.look("a") == [(12, 12, 0)]


async def test_what_is_owed_does_not_undo_what_others_told(
    follower: Process, another: Another, address: Address, server_urls: list[str]
) -> None:
    await follower.warm(A5)
    address.lead_nowhere()
    assert not await follower.finish([], [Base("a", 4, 11)])
    address.lead_to(server_urls[0])
    async with another(valkey_url=server_urls[0]) as other:
        assert await other.finish([], [Base("a", 3, 12)])
    await follower.answered()
    assert await follower.finish()
    assert await follower.look("a") == [(3, 12, 0)]


async def test_tokens_it_was_not_told_to_drop_are_the_reapers(
    follower: Process, address: Address, server_urls: list[str]
) -> None:
    await follower.warm(A5)
    await follower.admit(order("t", ("a", 3)))
    address.lead_nowhere()
    assert not await follower.finish(["t"], [Base("a", 2, 11)])
    address.lead_to(server_urls[0])
    await follower.answered()
    assert await follower.finish()
    assert await follower.look("a") == [(2, 11, 3)]
    await reap(follower.admission, follower.tenant_id, follower.authority.read, age_seconds=-1.0)
    assert await follower.look("a") == [(2, 11, 0)]


@pytest.mark.parametrize(("count", "epoch"), [(3, FIRST), (4, SECOND)])
async def test_owed_over_the_limit_everything_is_read_anew(
    follower: Process,
    address: Address,
    server_urls: list[str],
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    epoch: int,
) -> None:
    monkeypatch.setattr(admission, "OWED_MAX", 3)
    await follower.warm(A5)
    address.lead_nowhere()
    bases = [Base(f"n{number}", 1, 1) for number in range(count)]
    follower.authority.set(*bases)
    for base in bases:
        assert not await follower.finish([], [base])
    address.lead_to(server_urls[0])
    await follower.answered()
    await follower.warm()
    assert await follower.look("a", *(base.counter for base in bases)) == [
        (5, 10, 0),
        *[(1, 1, 0)] * count,
    ]
    assert (await follower.epoch(), follower.authority.reads) == (epoch, epoch - 1)


@pytest.mark.parametrize("in_rhythm", [True, False])
async def test_owed_over_the_limit_no_order_is_admitted_before_the_refill(
    follower: Process,
    address: Address,
    server_urls: list[str],
    monkeypatch: pytest.MonkeyPatch,
    in_rhythm: bool,
) -> None:
    monkeypatch.setattr(admission, "OWED_MAX", 0)
    await follower.warm(A5)
    address.lead_nowhere()
    follower.authority.set(Base("a", 1, 11))
    assert not await follower.finish([], [Base("a", 1, 11)])
    address.lead_to(server_urls[0])
    await follower.answered()
    if in_rhythm:
        await follower.admission.ensure_used([follower.tenant_id])
    else:
        assert await follower.admit(order("t", ("a", 5))) == [COLD]
        await follower.warmed()
    assert await follower.look("a") == [(1, 11, 0)]
    assert await follower.epoch() == SECOND


# ------------------------------------------------------------------------- lost on the way


@pytest.fixture
async def way(valkey_url: str) -> AsyncIterator[Way]:
    """A way to the server on which answers may get lost."""
    with TemporaryDirectory(prefix="yipan-test-") as folder:
        async with Way(valkey_url, Path(folder) / "w").open() as opened:
            yield opened


@pytest.fixture
async def wayfarer(another: Another, way: Way) -> AsyncIterator[Process]:
    """A process that reaches its Valkey on that way; it is warm."""
    async with another(valkey_url=way.url) as opened:
        await opened.warm(A5)
        assert await opened.admit(order("first")) == [ADMITTED]
        assert await opened.finish(["first"])
        yield opened


async def test_an_admission_whose_answer_is_lost_is_cold_and_never_sent_again(
    process: Process, wayfarer: Process, way: Way
) -> None:
    way.loses, way.asked = True, b""
    assert await wayfarer.admit(order("t", ("a", 3))) == [COLD]
    way.loses = False
    assert way.asked.count(b"yipan_admit") == 1
    await process.warm()
    assert await process.tokens() == {"t": [Take("a", 3)]}
    await reap(process.admission, process.tenant_id, process.authority.read, age_seconds=-1.0)
    assert await process.look("a") == [(5, 10, 0)]


async def test_a_finish_whose_answer_is_lost_may_be_told_twice(
    process: Process, wayfarer: Process, way: Way
) -> None:
    await wayfarer.admit(order("t", ("a", 3)))
    way.loses = True
    assert not await wayfarer.finish(["t"], [Base("a", 2, 11)])
    way.loses = False
    await process.warm()
    assert await process.look("a") == [(2, 11, 0)]
    await process.finish([], [Base("a", 1, 12)])
    await wayfarer.answered()
    assert await wayfarer.finish(["t"])
    assert await process.look("a") == [(1, 12, 0)]


# -------------------------------------------------------------------------- there, but not well


async def test_a_server_without_memory_makes_orders_cold_and_is_owed(
    follower: Process, server_urls: list[str]
) -> None:
    await follower.warm(A5)
    fill_up(server_urls[0])
    try:
        assert await follower.admit(order("t", ("a", 1))) == [COLD]
        assert not await follower.finish([], [Base("a", 4, 11)])
        assert await follower.look("a") == [(5, 10, 0)]
    finally:
        make_room(server_urls[0])
    assert await follower.finish()
    assert await follower.look("a") == [(4, 11, 0)]


async def test_who_finds_all_connections_in_use_waits_for_one(
    another: Another, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(valkey, "CONNECTIONS_MAX", 2)
    async with another() as narrow:
        await narrow.warm(Base("a", 100, 1))
        batches = [narrow.admit(order(f"t{number}", ("a", 1))) for number in range(100)]
        assert await asyncio.gather(*batches) == [[ADMITTED]] * 100
        assert narrow.valkey.connections_made <= 2
