"""Kafka as a stranger sees it: through confluent-kafka, which is not the client we use.

It alone cannot make members leave a group.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.protocol.group import LeaveGroupRequest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka import Message as Raw
from confluent_kafka.admin import AdminClient

FLUSH_SECONDS = 30
METADATA_SECONDS = 10
LOOK_AGAIN_SECONDS = 0.05
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
    bootstrap: str,
    topic: str,
    enough: Callable[[list[Read]], bool],
    seconds: float = 30,
    *,
    quiet_seconds: float = QUIET_SECONDS,
) -> list[Read]:
    """Read a topic from its beginning until there is enough; what there is at the end of the time.

    Goes on for a moment afterwards: what comes twice comes late.
    """
    return await asyncio.to_thread(_read_until, bootstrap, topic, enough, seconds, quiet_seconds)


def _read_until(
    bootstrap: str,
    topic: str,
    enough: Callable[[list[Read]], bool],
    seconds: float,
    quiet_seconds: float,
) -> list[Read]:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"foreign-{time.monotonic_ns()}",
            "enable.auto.commit": False,
        }
    )
    found: list[Read] = []
    deadline = time.monotonic() + seconds
    try:
        # Without a group, whose members wait for each other: nobody else reads with us.
        consumer.assign(_beginnings(consumer, topic, deadline))
        while time.monotonic() < deadline:
            messages = consumer.consume(500, timeout=0.2)
            found += [_read(message) for message in messages if message.error() is None]
            if enough(found):
                deadline = min(deadline, time.monotonic() + quiet_seconds)
    finally:
        consumer.close()
    return found


def _beginnings(consumer: Consumer, topic: str, deadline: float) -> list[TopicPartition]:
    """Return where each partition of a topic begins, once there is that topic."""
    while time.monotonic() < deadline:
        found = consumer.list_topics(topic, timeout=METADATA_SECONDS).topics[topic]
        if found.error is None:
            return [TopicPartition(topic, n, OFFSET_BEGINNING) for n in found.partitions]
        time.sleep(LOOK_AGAIN_SECONDS)
    return []


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


async def expel_members(bootstrap: str, group: str) -> None:
    """Leave a group in the name of its members, who are dead, before it gives them up itself."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    (asked,) = admin.describe_consumer_groups([group]).values()
    members = (await asyncio.to_thread(asked.result)).members
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        coordinator = await client.coordinator_lookup(CoordinationType.GROUP, group)
        for member in members:
            left = await client.send(coordinator, LeaveGroupRequest(group, member.member_id))
            assert left.error_code == 0
    finally:
        await client.close()
