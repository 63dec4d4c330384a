"""Kafka as a stranger sees it: through confluent-kafka, which is not the client we use."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from confluent_kafka import Consumer, Producer
from confluent_kafka import Message as Raw

FLUSH_SECONDS = 30
QUIET_SECONDS = 2.0


class Read(NamedTuple):
    """A message as it was read."""

    key: str
    value: bytes
    headers: dict[str, str]
    partition: int

    @property
    def event_id(self) -> str:
        return self.headers["ce_id"]


async def read_until(
    bootstrap: str, topic: str, enough: Callable[[list[Read]], bool], seconds: float = 30
) -> list[Read]:
    """Read a topic from its beginning until there is enough; what there is at the end of the time.

    Goes on for a moment afterwards: what comes twice comes late.
    """
    return await asyncio.to_thread(_read_until, bootstrap, topic, enough, seconds)


def _read_until(
    bootstrap: str, topic: str, enough: Callable[[list[Read]], bool], seconds: float
) -> list[Read]:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"foreign-{time.monotonic_ns()}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    found: list[Read] = []
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            messages = consumer.consume(500, timeout=0.2)
            found += [_read(message) for message in messages if message.error() is None]
            if enough(found):
                deadline = min(deadline, time.monotonic() + QUIET_SECONDS)
    finally:
        consumer.close()
    return found


def _read(message: Raw) -> Read:
    headers: Any = message.headers() or []
    return Read(
        (message.key() or b"").decode(),
        message.value() or b"",
        {name: bytes(value).decode() for name, value in headers},
        message.partition() or 0,
    )


async def write(
    bootstrap: str, topic: str, records: Sequence[tuple[str, bytes, dict[str, str]]]
) -> None:
    """Write records of (key, value, headers), and wait until all of them are kept."""
    await asyncio.to_thread(_write, bootstrap, topic, records)


def _write(
    bootstrap: str, topic: str, records: Sequence[tuple[str, bytes, dict[str, str]]]
) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    for key, value, headers in records:
        producer.produce(topic, value, key, headers=list(headers.items()))
    assert producer.flush(FLUSH_SECONDS) == 0


def by_key(messages: Iterable[Read]) -> dict[str, list[Read]]:
    """Return the messages of each key in order, those that came again left out."""
    seen: set[str] = set()
    found: defaultdict[str, list[Read]] = defaultdict(list)
    for message in messages:
        if message.event_id not in seen:
            seen.add(message.event_id)
            found[message.key].append(message)
    return found
