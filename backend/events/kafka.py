"""Kafka as the message broker, through aiokafka (0.14 against brokers of 4.x)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from backend.events.broker import BrokerAway, Message, ReceivedRecord

PARTITIONS = 12
"""Of a topic that we create: as many relays or workers can share it."""
REPLICAS_MAX = 3
"""Of a topic that we create, where there are as many brokers."""
REQUEST_TIMEOUT_MS = 10_000
"""Past this a message counts as not kept; much shorter than a relay's lease."""
LINGER_MS = 5
READ_RECORDS_MAX = 500
"""Records read at once: a batch of the pipeline."""
READ_TIMEOUT_MS = 500


class KafkaPublisher:
    """Publishes to one topic, each message kept once and in order however often it is sent."""

    def __init__(self, producer: Any, topic: str) -> None:
        self._producer = producer
        self._topic = topic

    async def publish(self, messages: Sequence[Message]) -> None:
        try:
            sent = [
                await self._producer.send(
                    self._topic, value=m.value, key=m.key, headers=list(m.headers)
                )
                for m in messages
            ]
            await asyncio.gather(*sent)
        except (KafkaError, OSError, TimeoutError) as error:
            raise BrokerAway(f"{BrokerAway.__doc__} ({error!r})") from error


class KafkaSource:
    """Reads one topic as a member of a group; offsets are committed by hand."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer

    async def read(self) -> list[ReceivedRecord]:
        try:
            found = await self._consumer.getmany(
                timeout_ms=READ_TIMEOUT_MS, max_records=READ_RECORDS_MAX
            )
        except (KafkaError, OSError, TimeoutError) as error:
            raise BrokerAway(f"{BrokerAway.__doc__} ({error!r})") from error
        return [
            ReceivedRecord(
                partition.partition,
                record.offset,
                record.key or b"",
                record.value or b"",
                dict(record.headers),
            )
            for partition, records in found.items()
            for record in records
        ]

    async def done(self, records: Sequence[ReceivedRecord]) -> None:
        last = {record.partition: record.offset + 1 for record in records}
        try:
            await self._consumer.commit({self._place(p): offset for p, offset in last.items()})
        except (KafkaError, OSError, TimeoutError) as error:
            raise BrokerAway(f"{BrokerAway.__doc__} ({error!r})") from error

    def _place(self, partition: int) -> TopicPartition:
        (topic,) = self._consumer.subscription()
        return TopicPartition(topic, partition)


@asynccontextmanager
async def kafka_publisher(bootstrap: str, topic: str) -> AsyncIterator[KafkaPublisher]:
    """Connect a producer, and create the topic if it is not there; raises BrokerAway."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        enable_idempotence=True,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        linger_ms=LINGER_MS,
    )
    try:
        await _create_topic(bootstrap, topic)
        await producer.start()
    except (KafkaError, OSError, TimeoutError) as error:
        await producer.stop()
        raise BrokerAway(f"{BrokerAway.__doc__} ({error!r})") from error
    try:
        yield KafkaPublisher(producer, topic)
    finally:
        with suppress(KafkaError, OSError, TimeoutError):
            await producer.stop()


@asynccontextmanager
async def kafka_source(bootstrap: str, topic: str, group: str) -> AsyncIterator[KafkaSource]:
    """Join a group that reads a topic, creating it if it is not there; raises BrokerAway."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    try:
        await _create_topic(bootstrap, topic)
        await consumer.start()
    except (KafkaError, OSError, TimeoutError) as error:
        await consumer.stop()
        raise BrokerAway(f"{BrokerAway.__doc__} ({error!r})") from error
    try:
        yield KafkaSource(consumer)
    finally:
        with suppress(KafkaError, OSError, TimeoutError):
            await consumer.stop()


async def _create_topic(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        if topic not in await admin.list_topics():
            brokers = len((await admin.describe_cluster())["brokers"])
            wanted = NewTopic(topic, PARTITIONS, min(brokers, REPLICAS_MAX))
            with suppress(TopicAlreadyExistsError):
                await admin.create_topics([wanted])
    finally:
        await admin.close()
