"""Orders from a topic: placed once and answered, whoever dies meanwhile."""

import asyncio
import json
import subprocess
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from backend.messaging import ANSWERS, GROUP, run_intake_topic
from backend.runtime import Runtime
from backend.settings import Settings, environment_of
from loadtests.processes import start_role
from loadtests.waiting import until
from tests.catalogue import Connection
from tests.conftest import SECRET
from tests.kafka.broker import KafkaBroker
from tests.kafka.foreign import Read, expel_members, read_until, write
from tests.orders.checks import assert_clean
from tests.world import World, receive

BRAND = {"brand": "acme"}


def record(external_id: str, **changes: Any) -> bytes:
    order = {
        "shop": "shop",
        "externalId": external_id,
        "address": {"regionCode": 310104, "detail": "某路 1 号", "name": "张三", "phone": "138"},
        "lines": [{"sku": "A", "quantity": 1, "unitPriceMinor": 1000}],
    }
    return json.dumps(order | changes).encode()


def place_of(answer: Read) -> tuple[str, str]:
    return answer.headers["partition"], answer.headers["offset"]


async def answers_to(settings: Settings, records: int, seconds: float = 60) -> list[Read]:
    """Read the answers until every record has one."""
    return await read_until(
        settings.kafka_bootstrap,
        settings.kafka_intake_topic + ANSWERS,
        lambda found: len({place_of(answer) for answer in found}) >= records,
        seconds,
    )


async def place_from_topic(settings: Settings, runtime: Runtime, records: int) -> list[Read]:
    """Run the intake topic until every record has its answer."""
    stop = asyncio.Event()

    async def wait() -> None:
        await stop.wait()

    running = asyncio.create_task(run_intake_topic(settings, runtime, asyncio.create_task(wait())))
    try:
        return await answers_to(settings, records)
    finally:
        stop.set()
        await running


def committed(settings: Settings, partitions: Sequence[int]) -> dict[int, int]:
    """Return how far the group has committed."""
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap, "group.id": GROUP})
    places = [TopicPartition(settings.kafka_intake_topic, n) for n in partitions]
    try:
        return {place.partition: place.offset for place in consumer.committed(places, timeout=10)}
    finally:
        consumer.close()


async def test_records_are_placed_and_answered(
    settings: Settings, broker: KafkaBroker, runtime: Runtime, world: World, admin: Connection
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 2)
    records = [
        ("k1", record("o-1"), BRAND),
        ("k2", record("o-2"), BRAND),
        ("k1", record("o-1"), BRAND),
        ("k3", record("o-3", lines=[]), BRAND),
        ("k4", b"not json", BRAND),
        ("k5", record("o-5"), {"brand": "nobody"}),
        ("k6", record("o-6"), {}),
    ]
    await broker.create_topic(settings.kafka_intake_topic)
    await write(broker.bootstrap, settings.kafka_intake_topic, records)
    answers = await place_from_topic(settings, runtime, len(records))
    found = Counter(
        (answer.key, said["result"], said.get("code"))
        for answer in answers
        for said in [json.loads(answer.value)]
    )
    assert found == {
        ("k1", "placed", None): 2,
        ("k2", "placed", None): 1,
        ("k3", "refused", "INVALID_ORDER"): 1,
        ("k4", "refused", "INVALID_ORDER"): 1,
        ("k5", "refused", "UNKNOWN_BRAND"): 1,
        ("k6", "refused", "UNKNOWN_BRAND"): 1,
    }
    first, again = [json.loads(answer.value) for answer in answers if answer.key == "k1"]
    assert first["orderId"] == again["orderId"]
    assert await admin.fetchval("select count(*) from orders") == 2
    done = committed(settings, range(12))
    assert sum(offset for offset in done.values() if offset > 0) == len(records)


async def test_a_worker_that_is_killed_is_simply_started_again(
    settings: Settings,
    broker: KafkaBroker,
    runtime: Runtime,
    world: World,
    admin: Connection,
    database_url: str,
    valkey_url: str,
) -> None:
    """The group gives up the first that died by itself, 10 s later; of the others it is told."""
    orders = 6_000
    await receive(runtime.database, world.brand, "wh", "A", orders)
    records = [(f"k{n}", record(f"o-{n}"), BRAND) for n in range(orders)]
    await broker.create_topic(settings.kafka_intake_topic)
    environment = environment_of(
        settings,
        environment="production",
        database_url=database_url,
        valkey_url=valkey_url,
        jwt_secret=SECRET,
        kafka_bootstrap=broker.bootstrap,
        log_level="error",
    )
    worker = start_role("worker", environment)
    try:
        await write(broker.bootstrap, settings.kafka_intake_topic, records)
        for part in (1, 2, 3):
            enough = orders * part // 4
            await until(partial(_there_are, admin, enough))
            await _kill(worker)
            if part > 1:
                await expel_members(broker.bootstrap, GROUP)
            assert not await _there_are(admin, orders)
            worker = start_role("worker", environment)
        answers = await answers_to(settings, orders, 90)
    finally:
        await _kill(worker)
    assert len({place_of(answer) for answer in answers}) == orders
    said: dict[tuple[str, str], set[str]] = {}
    for answer in answers:
        said.setdefault(place_of(answer), set()).add(json.loads(answer.value)["orderId"])
    assert all(len(ids) == 1 for ids in said.values())
    assert await admin.fetchval("select count(*) from orders") == orders
    assert await admin.fetchval("select sum(reserved) from stock_level") == orders
    await assert_clean(runtime, world)


async def _there_are(admin: Connection, orders: int) -> bool:
    found: int = await admin.fetchval("select count(*) from orders")
    return found >= orders


async def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    await asyncio.to_thread(process.wait)
