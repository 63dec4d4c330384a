"""A client that takes its time: a stream of orders over HTTP, line by line."""

import json
import socket
from typing import Self

from tests.cli.running import WAIT_SECONDS


class Stream:
    """A stream of orders over HTTP, sent line by line."""

    def __init__(self, port: int, token: str, length: int) -> None:
        self._connection = socket.create_connection(("127.0.0.1", port), WAIT_SECONDS)
        self._received = b""
        head = (
            "POST /intake/orders HTTP/1.1\r\nHost: test\r\n"
            f"Authorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n"
        )
        self._connection.sendall(head.encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def place(self, line: bytes, number: int) -> None:
        """Send a line, and wait for its answer."""
        self._connection.sendall(line)
        while f'"line":{number}' not in (text := self._received.decode()):
            more = self._connection.recv(4096)
            assert more, f"no answer to line {number}: {text}"
            self._received += more

    def results(self) -> list[str]:
        """Return what became of the lines, after the end of the answer."""
        while more := self._connection.recv(4096):
            self._received += more
        lines = self._received.decode().splitlines()
        return [json.loads(line)["result"] for line in lines if line.startswith("{")]
