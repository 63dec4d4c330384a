"""Ask PostgreSQL for a session, as `pg_isready` does, but to the end.

Written against the socket because `start` may be called inside a running event loop, where
asyncpg cannot be used from synchronous code. The messages are those of PostgreSQL's protocol 3.0.
"""

import socket
import struct
from pathlib import Path

PROTOCOL_3_0 = 3 << 16
READY_FOR_QUERY = b"Z\0\0\0\x05I"
TERMINATE = b"X\0\0\0\x04"
ANSWER_TIMEOUT_SECONDS = 1.0
# The greeting is some 400 bytes; a refusal ends the connection.
ANSWER_LIMIT_BYTES = 64 * 1024


def takes_connections(path: Path, user: str) -> bool:
    """Whether the server at `path` gives `user` a session, not merely listens or recovers."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(ANSWER_TIMEOUT_SECONDS)
        try:
            client.connect(str(path))
            client.sendall(_startup_message(user))
            return _is_ready(client)
        except OSError:
            return False


def _startup_message(user: str) -> bytes:
    fields = b"".join(part.encode() + b"\0" for part in ("user", user, "database", "postgres", ""))
    return struct.pack("!II", 8 + len(fields), PROTOCOL_3_0) + fields


def _is_ready(client: socket.socket) -> bool:
    answer = b""
    while len(answer) < ANSWER_LIMIT_BYTES:
        received = client.recv(4096)
        answer += received
        if answer.endswith(READY_FOR_QUERY):
            client.sendall(TERMINATE)
            return True
        if not received:
            return False
    return False
