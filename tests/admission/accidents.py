"""What befalls a Valkey, through a connection of its own."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote

import redis


def flush(url: str) -> None:
    """Lose all data; the functions stay."""
    _ask(url, "FLUSHALL")


def forget_functions(url: str) -> None:
    _ask(url, "FUNCTION", "FLUSH")


def forget_scripts(url: str) -> None:
    _ask(url, "SCRIPT", "FLUSH")


def lose_listeners(url: str) -> None:
    """Close every connection that is subscribed to something."""
    _ask(url, "CLIENT", "KILL", "TYPE", "pubsub")


def lose_connections(url: str) -> None:
    """Close every connection, as a server does that hands over."""
    _ask(url, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def pause(url: str, milliseconds: int) -> None:
    """Answer nobody for so long, but keep the connections."""
    _ask(url, "CLIENT", "PAUSE", str(milliseconds), "ALL")


def fill_up(url: str) -> None:
    """Leave no memory for anything that writes."""
    _ask(url, "CONFIG", "SET", "maxmemory", "1")


def make_room(url: str) -> None:
    """Undo `fill_up`."""
    _ask(url, "CONFIG", "SET", "maxmemory", "0")


def change_replication(url: str) -> None:
    """Give the server another replication id in the same life: it followed one that is away."""
    _ask(url, "REPLICAOF", "127.0.0.1", "1")
    _ask(url, "REPLICAOF", "NO", "ONE")


def _ask(url: str, *command: str) -> Any:
    with redis.Redis.from_url(url) as client:
        return client.execute_command(*command)


class Address:
    """One address behind which now this and now that server stands, or none."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "v"
        self._leads_to = ""
        self.url = f"unix://{self._socket}"

    def lead_to(self, url: str) -> None:
        """End every connection, and let those to come end at a server."""
        self.lead_nowhere()
        self._socket.symlink_to(unquote(url.removeprefix("unix://")))
        self._leads_to = url

    def lead_nowhere(self) -> None:
        """End every connection, and let nobody connect."""
        self._socket.unlink(missing_ok=True)
        if self._leads_to:
            lose_connections(self._leads_to)
            self._leads_to = ""
