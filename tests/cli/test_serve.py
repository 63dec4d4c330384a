"""`yipan serve` ends at a signal: nobody else is let in, and what is in flight is answered."""

import json
import signal
import socket
import time
from typing import NamedTuple

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from loadtests.processes import free_port
from tenants.tokens import TokenIssuer
from tests.cli.databases import settings_for
from tests.cli.records import record
from tests.cli.running import (
    WAIT_SECONDS,
    Finished,
    end_of,
    is_ready,
    started,
    wait_until,
)
from tests.cli.streaming import Stream
from tests.conftest import SECRET, Servers
from tests.world import World

SERVICE_RESTART = 1012
"""The code with which a server closes a web socket that may come back."""
LINGER_SECONDS = 0.5
"""What the stream lets the server wait: one that gives up at once would be gone by then."""
GRACE_SECONDS = 5.0
"""Half of what requests in flight get; whoever waits for a follower takes longer."""


class Ending(NamedTuple):
    """How a server ended while a stream of orders was under way and somebody followed."""

    answered: list[str]
    code: int | None
    seconds: float
    finished: Finished


def follow(socket: ClientConnection, token: str) -> None:
    """Subscribe to the events of orders."""
    start = {"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}
    socket.send(json.dumps(start))
    assert json.loads(socket.recv())["type"] == "connection_ack"
    payload = {"query": "subscription { orderEvents { type } }"}
    socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))


def code_of_end(socket: ClientConnection) -> int | None:
    """Return the code with which the other side closes."""
    try:
        while True:
            socket.recv(WAIT_SECONDS)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module", params=[signal.SIGTERM, signal.SIGINT], ids=["term", "int"])
def ending(
    request: pytest.FixtureRequest,
    servers: Servers,
    ready_world: World,
    world_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Ending:
    """A server that gets a signal between the two lines of a stream."""
    port, token = free_port(), TokenIssuer(SECRET).issue(ready_world.brand)
    folder = tmp_path_factory.mktemp("serve")
    lines = [f"{record(number)}\n".encode() for number in (1, 2)]
    with started(folder, "serve", port=port, **settings_for(servers, world_url)) as process:
        wait_until(lambda: is_ready(port), process)
        protocols = [Subprotocol("graphql-transport-ws")]
        with (
            Stream(port, token, sum(map(len, lines))) as stream,
            connect(f"ws://127.0.0.1:{port}/graphql", subprotocols=protocols) as follower,
        ):
            follow(follower, token)
            stream.place(lines[0], 1)
            began = time.monotonic()
            process.send_signal(request.param)
            wait_until(lambda: not accepts(port), process)
            time.sleep(LINGER_SECONDS)
            stream.place(lines[1], 2)
            results = stream.results()
            code = code_of_end(follower)
        finished = end_of(process)
        seconds = time.monotonic() - began
    return Ending(results, code, seconds, finished)


def test_the_stream_in_flight_is_answered(ending: Ending) -> None:
    assert ending.answered == ["placed", "placed"]


def test_a_follower_is_told_to_come_back(ending: Ending) -> None:
    assert ending.code == SERVICE_RESTART
    assert ending.seconds < GRACE_SECONDS


def test_it_ends_with_status_0_and_says_nothing_of_it(ending: Ending) -> None:
    assert (ending.finished.status, ending.finished.out) == (0, "")
    assert "Traceback" not in ending.finished.err
