"""Announcements carry what was newer and nothing else, to every process but the one that set it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from backend.admission import announcements, valkey
from backend.admission.announcements import (
    Announcements,
    bases_of,
    changes_channel,
    events_channel,
)
from backend.admission.model import Base
from backend.admission.reaper import reap
from backend.admission.valkey import Valkey
from loadtests.waiting import until
from tests.admission.accidents import lose_listeners
from tests.admission.authority import Process, order
from tests.admission.conftest import Another

A5, B2 = Base("a", 5, 10), Base("b", 2, 10)


class Listener:
    """A process that listens and writes down what it hears."""

    def __init__(self, url: str) -> None:
        self.heard: list[tuple[int, list[Base]]] = []
        self.events: list[int] = []
        self.refuses: set[int] = set()
        self.valkey = Valkey(url)
        self.announcements = Announcements(self.valkey, self._changes, self.events.append)

    def _changes(self, tenant_id: int, message: bytes) -> None:
        if tenant_id in self.refuses:
            raise ValueError("what is this?")
        self.heard.append((tenant_id, bases_of(message)))

    async def everything(self) -> list[tuple[int, list[Base]]]:
        """Return what was heard of all that was announced until now: messages keep their order."""
        mark = len(self.events) + 1
        sender = Announcements(self.valkey, lambda *_: None, lambda _: None)
        await sender.announce_events(mark)
        await until(lambda: mark in self.events)
        return self.heard


@pytest.fixture
async def listener(valkey_url: str) -> AsyncIterator[Listener]:
    """A process that listens already."""
    opened = Listener(valkey_url)
    listening = asyncio.create_task(opened.announcements.listen())
    await until(lambda: opened.announcements.hearing is not None)
    yield opened
    listening.cancel()
    await asyncio.wait([listening])
    await opened.valkey.close()


NEWS = {
    "newer": ([Base("a", 4, 11)], [Base("a", 4, 11)]),
    "new": ([Base("c", 1, 0)], [Base("c", 1, 0)]),
    "below zero": ([Base("a", -4, 11)], [Base("a", -4, 11)]),
    "the newer of several": ([Base("a", 4, 10), Base("b", 1, 11)], [Base("b", 1, 11)]),
}


@pytest.mark.parametrize(("told", "news"), NEWS.values(), ids=NEWS)
async def test_what_was_newer_is_announced(
    process: Process, listener: Listener, told: list[Base], news: list[Base]
) -> None:
    await process.warm(A5, B2)
    await process.finish([], told)
    assert await listener.everything() == [(process.tenant_id, news)]


async def test_nothing_is_announced_where_nothing_is_newer(
    process: Process, listener: Listener
) -> None:
    await process.warm(A5, B2)
    await process.admit(order("t", ("a", 1)))
    await process.finish(["t"], [A5, Base("b", 9, 9)])
    await process.finish()
    assert await listener.everything() == []


async def test_a_large_announcement_is_one_message(process: Process, listener: Listener) -> None:
    await process.warm()
    bases = [Base(f"c{number}", number, 1) for number in range(5_000)]
    await process.finish([], bases)
    assert await listener.everything() == [(process.tenant_id, bases)]


async def test_what_the_reaper_read_is_announced(process: Process, listener: Listener) -> None:
    await process.warm(A5)
    await process.admit(order("t", ("a", 3)))
    process.authority.set(Base("a", 2, 11))
    await reap(process.admission, process.tenant_id, process.authority.read, age_seconds=-1.0)
    assert await listener.everything() == [(process.tenant_id, [Base("a", 2, 11)])]


async def test_without_an_epoch_everything_is_announced_and_nothing_set(
    process: Process, listener: Listener
) -> None:
    assert await process.finish([], [A5, B2])
    assert await listener.everything() == [(process.tenant_id, [A5, B2])]
    assert await process.look("a", "b") == [None, None]


async def test_who_believed_in_an_older_epoch_announces_once(
    process: Process, another: Another, listener: Listener
) -> None:
    await process.warm(A5)
    async with another() as newcomer:
        assert await newcomer.finish([], [Base("a", 4, 11)])
    assert await listener.everything() == [(process.tenant_id, [Base("a", 4, 11)])]
    assert await process.look("a") == [(4, 11, 0)]


async def test_a_process_does_not_listen_to_itself(process: Process, listener: Listener) -> None:
    await process.warm(A5)
    themselves = changes_channel(process.tenant_id, listener.valkey.process)
    await process.valkey.command("PUBLISH", themselves, b"\x90")
    await process.finish([], [Base("a", 4, 11)])
    assert await listener.everything() == [(process.tenant_id, [Base("a", 4, 11)])]


async def test_events_are_announced_by_tenant(process: Process, listener: Listener) -> None:
    sender = Announcements(process.valkey, lambda *_: None, lambda _: None)
    await sender.announce_events(7)
    await sender.announce_events(8)
    await until(lambda: len(listener.events) == 2)
    assert (listener.events, listener.heard) == ([7, 8], [])


async def test_a_message_that_cannot_be_taken_does_not_end_the_listening(
    process: Process, listener: Listener
) -> None:
    await process.warm(A5)
    listener.refuses.add(99)
    for channel, message in (
        (changes_channel(99, "p"), b"\x90"),
        (changes_channel(1, "p"), b"no msgpack"),
        ("y:{x}:changes:p", b"\x90"),
        ("y:{1}:changes:p:q", b"\x90"),
    ):
        await process.valkey.command("PUBLISH", channel, message)
    await process.finish([], [Base("a", 4, 11)])
    assert await listener.everything() == [(process.tenant_id, [Base("a", 4, 11)])]


async def test_a_lost_connection_is_made_again_and_has_another_number(
    process: Process, listener: Listener, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcements, "RECONNECT_SECONDS", 0.05)
    first = listener.announcements.hearing
    lose_listeners(valkey_url)
    await until(lambda: listener.announcements.hearing == 2)
    assert first == 1
    await process.finish([], [A5])
    assert await listener.everything() == [(process.tenant_id, [A5])]


async def test_silence_is_no_lost_connection(
    valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(valkey, "TIMEOUT_SECONDS", 0.05)
    opened = Listener(valkey_url)
    listening = asyncio.create_task(opened.announcements.listen())
    await until(lambda: opened.announcements.hearing)
    await asyncio.wait([listening], timeout=0.2)
    assert opened.announcements.hearing == 1
    listening.cancel()
    await asyncio.wait([listening])
    await opened.valkey.close()


async def test_who_no_longer_listens_hears_nothing(valkey_url: str) -> None:
    opened = Listener(valkey_url)
    assert opened.announcements.hearing is None
    listening = asyncio.create_task(opened.announcements.listen())
    await until(lambda: opened.announcements.hearing)
    listening.cancel()
    await asyncio.wait([listening])
    assert opened.announcements.hearing is None
    await opened.valkey.close()


def test_channels_say_whose_they_are() -> None:
    assert events_channel(7) == "y:{7}:events"
    assert changes_channel(7, "ab12") == "y:{7}:changes:ab12"
