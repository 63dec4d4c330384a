"""`yipan serve --workers N` keeps serving while processes are replaced or die, and ends whole."""

import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Event
from typing import NamedTuple

import httpx2
import pytest

from loadtests.processes import free_port
from tenants.tokens import TokenIssuer
from tests.api.client import PLACE, order
from tests.cli import databases
from tests.cli.databases import settings_for
from tests.cli.records import record
from tests.cli.running import (
    Finished,
    Process,
    ask,
    children,
    end_of,
    is_ready,
    read_until,
    started,
    wait_until,
)
from tests.cli.streaming import Stream
from tests.conftest import SECRET, Servers
from tests.embedded.asking import comes_true, is_alive
from tests.world import World

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for children")

WORKERS = 2
BUYERS = 3
ATTEMPTS = 3
"""A connection that an ending process has just accepted breaks; its client asks again."""
STORED = "select array_agg(external_id) from orders"
COMMAND = ("serve", "--workers", str(WORKERS))


class Service(NamedTuple):
    """A supervisor that runs, and where its processes serve."""

    process: Process
    port: int
    token: str

    def workers(self) -> set[int]:
        return children(self.process)

    def wait_for_new(self, new: int, old: set[int]) -> set[int]:
        """Wait until all are there, and so many of them are new; returns them."""

        def are_there() -> bool:
            now = self.workers()
            return (len(now), len(now - old)) == (WORKERS, new)

        wait_until(are_there, self.process)
        return self.workers()

    def buy(self, buyer: int, enough: Event) -> list[str]:
        """Place one order after another, and return the keys of those that were answered."""
        bought: list[str] = []
        for number in count():
            if enough.is_set():
                break
            key = f"{buyer}-{number}"
            bought.append(self.place(key))
        return bought

    def place(self, key: str) -> str:
        """Place an order over a connection of its own, again where that one breaks."""
        draft = order(key, externalId=key, isPaid=True)
        for _ in range(ATTEMPTS):
            with suppress(httpx2.TransportError):
                placed = ask(self.port, PLACE, self.token, input=draft)["orderPlace"]
                assert placed["status"] == "BACKORDERED"
                return key
        pytest.fail(f"{key} was not answered")


class Replacement(NamedTuple):
    """What was seen while every process was replaced."""

    old: set[int]
    new: set[int]
    bought: set[str]
    stored: set[str]
    """Each by the key of its order."""


class Death(NamedTuple):
    """What was seen when one process was killed."""

    killed: int
    kept: int
    was_served: bool
    workers: set[int]


class Ending(NamedTuple):
    """How the supervisor ended while a stream was under way."""

    results: list[str]
    workers: set[int]
    finished: Finished


@pytest.fixture(scope="module")
def service(
    servers: Servers, ready_world: World, world_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    port, token = free_port(), TokenIssuer(SECRET).issue(ready_world.brand)
    settings = settings_for(servers, world_url)
    with started(tmp_path_factory.mktemp("supervised"), *COMMAND, port=port, **settings) as process:
        assert "supervisor.ready" in read_until("supervisor.ready", process.stderr)
        yield Service(process, port, token)


@pytest.fixture(scope="module")
def replacement(service: Service, world_url: str) -> Replacement:
    """Every process is replaced while buyers come."""
    old, enough = service.workers(), Event()
    with ThreadPoolExecutor(BUYERS) as buyers:
        buying = [buyers.submit(service.buy, buyer, enough) for buyer in range(BUYERS)]
        try:
            service.process.send_signal(signal.SIGHUP)
            new = service.wait_for_new(WORKERS, old)
        finally:
            enough.set()
    bought = {key for future in buying for key in future.result()}
    return Replacement(old, new, bought, set(databases.ask(world_url, STORED)))


@pytest.fixture(scope="module")
def death(service: Service, replacement: Replacement) -> Death:
    """One process is killed."""
    killed, kept = sorted(replacement.new)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: service.workers() == {kept}, service.process)
    was_served = is_ready(service.port) and service.workers() == {kept}
    return Death(killed, kept, was_served, service.wait_for_new(1, replacement.new))


@pytest.fixture(scope="module")
def ending(service: Service, death: Death) -> Ending:
    """The supervisor is told to end between two lines of a stream."""
    lines = [f"{record(number)}\n".encode() for number in (1, 2)]
    with Stream(service.port, service.token, sum(map(len, lines))) as stream:
        stream.place(lines[0], 1)
        service.process.terminate()
        wait_until(lambda: len(service.workers()) == 1, service.process)
        stream.place(lines[1], 2)
        results = stream.results()
    return Ending(results, death.workers, end_of(service.process))


def test_each_is_replaced_once(replacement: Replacement) -> None:
    assert replacement.old.isdisjoint(replacement.new)
    assert not any(map(is_alive, replacement.old))


def test_whoever_buys_meanwhile_is_answered(replacement: Replacement) -> None:
    assert len(replacement.bought) > BUYERS
    assert replacement.stored >= replacement.bought


def test_the_others_serve_when_one_is_killed(death: Death) -> None:
    assert death.was_served


def test_a_killed_one_is_started_anew(death: Death) -> None:
    assert death.kept in death.workers
    assert death.killed not in death.workers


def test_the_end_comes_after_what_is_in_flight(ending: Ending) -> None:
    assert ending.results == ["placed", "placed"]


def test_all_end_with_status_0(ending: Ending) -> None:
    assert (ending.finished.status, ending.finished.out) == (0, "")
    assert not any(map(is_alive, ending.workers))
    assert "Traceback" not in ending.finished.err


def test_what_happened_is_in_the_log(ending: Ending) -> None:
    words = ("supervisor.replaced", "supervisor.process_died")
    assert [ending.finished.err.count(word) for word in words] == [1, 1]


def test_none_outlives_a_killed_supervisor(
    servers: Servers, world_url: str, tmp_path: Path
) -> None:
    port = free_port()
    with started(tmp_path, *COMMAND, port=port, **settings_for(servers, world_url)) as process:
        read_until("supervisor.ready", process.stderr)
        workers = children(process)
        assert len(workers) == WORKERS
    assert comes_true(lambda: not any(map(is_alive, workers)))
    assert not is_ready(port)
