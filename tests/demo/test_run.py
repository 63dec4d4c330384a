"""`yipan demo` lives: it is there after a start, gone after Ctrl-C, and finds its data again."""

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from backend.embedded.folders import runtime_folder
from loadtests.processes import free_port
from tests.cli.running import (
    Finished,
    Process,
    ask,
    end_of,
    is_ready,
    read_until,
    start,
    started,
    wait_until,
)
from tests.embedded.asking import is_alive, postmaster, valkey

RESTART_SECONDS = 10.0
ENOUGH = 3
"""Orders that show that they arrive: a second or two."""
LOG_IN_PRINTED = re.compile(r"│ (\w+) \S+ *│ (\S+@\S+) *│ (\S+) *│")
LOG_IN = """mutation ($email: String!, $password: String!) {
    logIn(input: {email: $email, password: $password}) { ... on LoggedIn { token kind brand } } }"""
ORDERS = "{ orders(first: 100) { edges { node { id } } } }"


class Life(NamedTuple):
    """What was seen of a demo from its start to its end."""

    seconds: float
    """Until it was ready."""
    kinds: dict[str, str]
    """As what each of the printed log-ins acts, by what is printed beside it."""
    found: set[str]
    """The orders that were there at once."""
    orders: set[str]
    servers: list[int]
    beside: dict[str, Finished]
    """What other commands said that were given meanwhile, in the same folder."""
    finished: Finished


class Demo:
    """A demo that runs, for somebody who has its output before them."""

    def __init__(self, process: Process, port: int) -> None:
        self._process = process
        self._port = port

    def log_ins(self) -> dict[str, dict[str, str]]:
        """Log in as everybody who is printed, and return the sessions by who they are."""
        sessions = {}
        greeting = read_until("Ctrl-C stops everything", self._process.stdout)
        for who, email, password in LOG_IN_PRINTED.findall(greeting):
            answer = ask(self._port, LOG_IN, email=email, password=password)
            sessions[who] = answer["logIn"]
        return sessions

    def orders(self, token: str) -> set[str]:
        edges = ask(self._port, ORDERS, token)["orders"]["edges"]
        return {edge["node"]["id"] for edge in edges}


def live(folder: Path, end: signal.Signals, *beside: str) -> Life:
    """Start a demo, look at it until orders have arrived, and send it a signal."""
    port, data = free_port(), folder / ".yipan"
    began = time.monotonic()
    with started(folder, "demo", data=data, port=port) as process:
        wait_until(lambda: is_ready(port), process)
        seconds, demo = time.monotonic() - began, Demo(process, port)
        sessions = demo.log_ins()
        token = sessions["brand"]["token"]
        found = demo.orders(token)
        others = {name: start(folder, *name.split(), data=data, port=port) for name in beside}
        said = {name: end_of(other) for name, other in others.items()}
        wait_until(lambda: len(demo.orders(token) - found) >= ENOUGH, process)
        servers = [postmaster(data), valkey(data)]
        assert all(map(is_alive, servers))
        orders = demo.orders(token)
        os.killpg(process.pid, end)  # as a terminal does, to all that belong to it
        finished = end_of(process)
    kinds = {who: session["kind"] for who, session in sessions.items()}
    return Life(seconds, kinds, found, orders, servers, said, finished)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def first(folder: Path) -> Life:
    """In an empty folder, until Ctrl-C."""
    return live(folder, signal.SIGINT, "audit --json", "demo")


@pytest.fixture(scope="module")
def second(folder: Path, first: Life) -> Life:
    """With the data of the first, until it is killed."""
    assert first.finished
    return live(folder, signal.SIGKILL)


@pytest.fixture(scope="module")
def third(folder: Path, second: Life) -> Life:
    """Right after that, until it is told to end."""
    assert second.finished
    return live(folder, signal.SIGTERM)


def test_the_printed_log_ins_work(first: Life) -> None:
    assert first.kinds == {"brand": "BRAND", "dealer": "DEALER", "store": "STORE"}


def test_it_is_audited_while_orders_arrive(first: Life) -> None:
    audited = first.beside["audit --json"]
    report = json.loads(audited.out)
    assert (audited.status, report["brand"], report["differences"]) == (0, "haiyun", [])
    assert report["levels"] > 0


def test_another_one_on_its_port_is_refused(first: Life) -> None:
    refused = first.beside["demo"]
    assert (refused.status, refused.out) == (1, "")
    (line,) = refused.said
    assert "Address already in use" in line


def test_ctrl_c_ends_it_whole(first: Life) -> None:
    assert (first.finished.status, first.finished.err.count("CancelledError")) == (0, 0)
    assert "Stopped. The data stays in" in first.finished.out
    assert not any(map(is_alive, first.servers))


def test_the_next_start_is_fast_and_finds_the_orders(first: Life, second: Life) -> None:
    assert second.seconds < RESTART_SECONDS
    assert second.found >= first.orders


def test_a_killed_one_is_recovered(second: Life, third: Life) -> None:
    assert second.finished.status == -signal.SIGKILL
    assert third.seconds < RESTART_SECONDS
    assert third.found >= second.orders
    assert not any(map(is_alive, second.servers))


def test_a_signal_to_end_is_as_good_as_ctrl_c(third: Life, folder: Path) -> None:
    assert (third.finished.status, third.finished.err.count("CancelledError")) == (0, 0)
    assert not any(map(is_alive, third.servers))
    assert not runtime_folder(folder / ".yipan").exists()
