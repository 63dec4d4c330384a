"""What processes tell one another through Valkey: newer bases, and that there are events.

Messages may be lost; whoever listens also looks by itself now and then.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import structlog
from redis.exceptions import RedisError

from backend.admission.model import Base
from backend.admission.valkey import Valkey, ValkeyAway, unpack

log = structlog.get_logger(__name__)

CHANGES = "changes"
EVENTS = "events"
CHANNEL = re.compile(r"^y:\{(\d+)\}:(\w+)$")
RECONNECT_SECONDS = 0.5


def channel(tenant_id: int, subject: str) -> str:
    """Return the channel of a tenant for a subject."""
    return f"y:{{{tenant_id}}}:{subject}"


class Announcements:
    """Listens for all tenants at once, and reconnects for ever."""

    def __init__(
        self,
        valkey: Valkey,
        on_bases: Callable[[int, list[Base]], None],
        on_events: Callable[[int], None],
    ) -> None:
        self._valkey = valkey
        self._on_bases = on_bases
        self._on_events = on_events

    async def announce_events(self, tenant_id: int) -> None:
        """Tell other processes that a tenant has new events."""
        try:
            await self._valkey.command("PUBLISH", channel(tenant_id, EVENTS), "")
        except ValkeyAway:
            log.debug("announcements.away", tenant=tenant_id)

    async def listen(self) -> None:
        """Hand messages to the callbacks until cancelled."""
        while True:
            subscriber = self._valkey.subscriber()
            try:
                await subscriber.psubscribe(f"y:*:{CHANGES}", f"y:*:{EVENTS}")
                async for message in subscriber.listen():
                    self._take(message)
            except (RedisError, OSError, TimeoutError):
                await asyncio.sleep(RECONNECT_SECONDS)
            finally:
                await subscriber.aclose()

    def _take(self, message: dict[str, Any]) -> None:
        """Hand one message on; one that cannot be taken does not end the listening."""
        match = CHANNEL.match(message["channel"].decode())
        if match is None or message["type"] != "pmessage":
            return
        try:
            if match[2] == EVENTS:
                self._on_events(int(match[1]))
            else:
                bases = [Base(*item) for item in unpack(message["data"])]
                self._on_bases(int(match[1]), bases)
        except Exception:
            log.exception("announcements.not_taken", channel=match[0])
