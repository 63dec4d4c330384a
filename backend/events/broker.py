"""What the relay and the intake need of a message broker: an interface, and what goes over it."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from backend.db.errors import YipanError


class BrokerAway(YipanError):
    """The message broker does not answer at the moment; what was to be sent is sent later."""

    code = "BROKER_UNAVAILABLE"


class Message(NamedTuple):
    """What is published: one key's messages stay in order."""

    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


class ReceivedRecord(NamedTuple):
    """What was read, and where it stood."""

    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: dict[str, bytes]


class Publisher(Protocol):
    """Publishes to one topic."""

    async def publish(self, messages: Sequence[Message]) -> None:
        """Return once the broker keeps all of them; raises BrokerAway.

        Those of one key are kept in the order given. After an error any of them may have been
        kept: they are published again, with the same ids.
        """


class Source(Protocol):
    """Reads one topic, as one member of a group."""

    async def read(self) -> list[ReceivedRecord]:
        """Return what has come, nothing after a moment without news; raises BrokerAway."""

    async def done(self, records: Sequence[ReceivedRecord]) -> None:
        """Record that nothing up to these is to be read again; raises BrokerAway."""
