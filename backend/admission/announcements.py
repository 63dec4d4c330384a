"""What processes tell one another through Valkey: newer bases, and that there are events.

Messages may be lost; whoever listens also looks by itself now and then.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import structlog

from backend.admission.model import Base
from backend.admission.valkey import Valkey, ValkeyAway, unpack

log = structlog.get_logger(__name__)

CHANGES = "changes"
EVENTS = "events"
CHANNEL = re.compile(r"^y:\{(\d+)\}:(\w+)(?::(\w+))?$")
RECONNECT_SECONDS = 0.5


def events_channel(tenant_id: int) -> str:
    """Return the channel on which a tenant's events are announced."""
    return f"y:{{{tenant_id}}}:{EVENTS}"


def changes_channel(tenant_id: int, process: str) -> str:
    """Return the channel on which a process announces the bases of a tenant that it set."""
    return f"y:{{{tenant_id}}}:{CHANGES}:{process}"


def bases_of(message: bytes) -> list[Base]:
    """Return what an announcement of changes says."""
    return [Base(*item) for item in unpack(message)]


class Announcements:
    """Listens for all tenants at once, and reconnects for ever."""

    def __init__(
        self,
        valkey: Valkey,
        on_changes: Callable[[int, bytes], None],
        on_events: Callable[[int], None],
    ) -> None:
        self._valkey = valkey
        self._on_changes = on_changes
        self._on_events = on_events
        self._connections = 0
        self._is_listening = False

    @property
    def hearing(self) -> int | None:
        """Return the number of the connection that listens, or None while there is none.

        Whoever sees the same number twice has missed nothing in between.
        """
        return self._connections if self._is_listening else None

    async def announce_events(self, tenant_id: int) -> None:
        """Tell other processes that a tenant has new events."""
        try:
            await self._valkey.command("PUBLISH", events_channel(tenant_id), "")
        except ValkeyAway:
            log.debug("announcements.away", tenant=tenant_id)

    async def listen(self) -> None:
        """Hand messages to the callbacks until cancelled."""
        while True:
            subscriber = self._valkey.subscriber()
            try:
                await subscriber.psubscribe(f"y:*:{CHANGES}:*", f"y:*:{EVENTS}")
                self._connections += 1
                self._is_listening = True
                async for message in subscriber.listen():
                    self._take(message)
            except self._valkey.failures:
                self._is_listening = False
                await asyncio.sleep(RECONNECT_SECONDS)
            finally:
                self._is_listening = False
                await subscriber.aclose()

    def _take(self, message: dict[str, Any]) -> None:
        """Hand one message on; one that cannot be taken does not end the listening."""
        match = CHANNEL.match(message["channel"].decode())
        if match is None or message["type"] != "pmessage" or match[3] == self._valkey.process:
            return
        try:
            if match[2] == EVENTS:
                self._on_events(int(match[1]))
            else:
                self._on_changes(int(match[1]), message["data"])
        except Exception:
            log.exception("announcements.not_taken", channel=match[0])
