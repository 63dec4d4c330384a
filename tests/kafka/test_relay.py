"""What happened is published: all of it, in order per order, whatever goes away meanwhile."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import jsonschema
import pytest

from backend.events import relay
from backend.events.broker import BrokerAway, Message
from backend.events.relay import Relay
from backend.messaging import run_relay
from backend.orders.cancel_orders import cancel_order
from backend.runtime import Runtime
from backend.settings import Settings
from loadtests.waiting import until
from tests.catalogue import Connection
from tests.conftest import SECRET
from tests.kafka.broker import KafkaBroker
from tests.kafka.foreign import QUIET_SECONDS, Read, by_key, read_until
from tests.orders.checks import placed
from tests.world import World, fresh_key, paid, receive

EVERYTHING_SECONDS = 40
SCHEMAS = Path("docs/reference/events")
IDS = "select event_id::text, tenant_id, order_id, sequence, type from outbox"


@asynccontextmanager
async def relaying(settings: Settings, runtime: Runtime) -> AsyncIterator[None]:
    """A relay runs meanwhile."""
    stop = asyncio.Event()
    stopped = asyncio.create_task(_wait(stop))
    running = asyncio.create_task(run_relay(settings, runtime, stopped))
    try:
        yield
    finally:
        stop.set()
        await running


async def _wait(stop: asyncio.Event) -> None:
    await stop.wait()


async def place_and_cancel(runtime: Runtime, world: World, orders: int) -> None:
    """Give orders a history: placed, partly waiting, cancelled."""
    outcomes = await asyncio.gather(
        *(runtime.intake.place(paid(fresh_key(), {"A": 1}), world.brand) for _ in range(orders))
    )
    for outcome in outcomes[::2]:
        order_id = placed(outcome).order_id
        await cancel_order(runtime.database, world.brand, order_id, None, fresh_key())


async def everything(
    broker: KafkaBroker,
    settings: Settings,
    admin: Connection,
    *,
    quiet_seconds: float = QUIET_SECONDS,
) -> list[Read]:
    """Read the topic until every event of the log is there, and a moment longer."""

    wanted = {row["event_id"] for row in await admin.fetch(IDS)}
    assert wanted
    messages = await read_until(
        broker.bootstrap,
        settings.kafka_events_topic,
        lambda found: wanted <= {message.event_id for message in found},
        EVERYTHING_SECONDS,
        quiet_seconds=quiet_seconds,
    )
    assert {message.event_id for message in messages} == wanted
    return messages


def assert_in_order(messages: list[Read]) -> None:
    """What happened to an order comes in its order, on one partition."""
    for key, found in by_key(messages).items():
        sequences = [int(message.headers["ce_sequence"]) for message in found]
        assert sequences == sorted(sequences), key
        assert len({message.partition for message in found}) == 1


async def test_a_stranger_reads_what_happened(
    settings: Settings, broker: KafkaBroker, runtime: Runtime, world: World, admin: Connection
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 30)
    await receive(runtime.database, world.other_brand, "wh", "A", 3)
    async with relaying(settings, runtime):
        await place_and_cancel(runtime, world, 20)
        await runtime.intake.place(paid("o-1", {"A": 1}), world.other_brand)
        messages = await everything(broker, settings, admin)
    rows = {row["event_id"]: row for row in await admin.fetch(IDS)}
    assert len(messages) == len(rows)
    assert_in_order(messages)
    for message in messages:
        row, headers = rows[message.event_id], message.headers
        assert message.key == f"{row['tenant_id']}:{row['order_id']}"
        assert headers["ce_specversion"] == "1.0"
        assert headers["ce_source"] == f"yipan/{row['tenant_id']}"
        assert (headers["ce_type"], headers["ce_tenant"]) == (row["type"], str(row["tenant_id"]))
        assert headers["ce_sequence"] == str(row["sequence"])
        assert headers["content-type"] == "application/json"
        schema = json.loads((SCHEMAS / f"{row['type']}.json").read_text())
        jsonschema.validate(json.loads(message.value), schema)


async def test_a_broker_that_dies_loses_nothing(
    settings: Settings, broker: KafkaBroker, runtime: Runtime, world: World, admin: Connection
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 2_000)
    async with relaying(settings, runtime):
        for number in (signal.SIGTERM, signal.SIGKILL):
            await place_and_cancel(runtime, world, 200)
            await asyncio.gather(place_and_cancel(runtime, world, 200), broker.stop(number))
            await place_and_cancel(runtime, world, 50)
            await broker.start()
        messages = await everything(broker, settings, admin)
    assert_in_order(messages)


async def test_a_relay_that_comes_back_goes_on_where_it_was(
    settings: Settings, broker: KafkaBroker, runtime: Runtime, world: World, admin: Connection
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 100)
    for _ in range(3):
        async with relaying(settings, runtime):
            await place_and_cancel(runtime, world, 10)
            await everything(broker, settings, admin, quiet_seconds=0)
    messages = await everything(broker, settings, admin)
    ids = [message.event_id for message in messages]
    assert len(ids) == len(set(ids))
    assert_in_order(messages)


# -------------------------------------------------------------------- leases, without a broker


class Kept:
    """A broker in memory that can be told to fail."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.fails = False

    async def publish(self, messages: Sequence[Message]) -> None:
        self.messages += messages
        if self.fails:
            raise BrokerAway

    def of(self, tenant_id: int) -> int:
        return sum(m.key.startswith(f"{tenant_id}:".encode()) for m in self.messages)


@asynccontextmanager
async def publishing(runtime: Runtime, publisher: Relay, kept: Kept) -> AsyncIterator[None]:
    """A relay runs meanwhile; it keeps its leases at the end, like one that died."""
    runtime.wake_ups.listeners.add(publisher.wake)
    running = asyncio.create_task(publisher.run(kept))
    try:
        yield
    finally:
        runtime.wake_ups.listeners.remove(publisher.wake)
        publisher.stop()
        await running


async def place_in_both(runtime: Runtime, world: World) -> None:
    for brand in (world.brand, world.other_brand):
        await runtime.intake.place(paid(fresh_key(), {"A": 1}), brand)


async def test_two_relays_share_the_tenants(runtime: Runtime, world: World) -> None:
    first, second = Relay(runtime.database), Relay(runtime.database)
    kept, others = Kept(), Kept()
    async with publishing(runtime, first, kept):
        await place_in_both(runtime, world)
        await until(lambda: kept.of(world.tenant_id) and kept.of(world.other_tenant_id))
        async with publishing(runtime, second, others):
            await place_in_both(runtime, world)
            await until(lambda: len(kept.messages) + len(others.messages) >= 4, 20)
    assert len({message.headers[1] for message in kept.messages + others.messages}) == 4


async def test_a_message_that_was_not_kept_is_published_again(
    runtime: Runtime, world: World
) -> None:
    first, kept = Relay(runtime.database), Kept()
    kept.fails = True
    await place_in_both(runtime, world)
    with pytest.raises(BrokerAway):
        await first.run(kept)
    kept.fails = False
    assert len(kept.messages) == 2
    async with publishing(runtime, first, kept):
        await until(lambda: len(kept.messages) == 4)
    assert kept.messages[:2] == kept.messages[2:] or kept.messages[:2] == kept.messages[:1:-1]


async def test_the_tenants_of_a_relay_that_died_fall_to_the_others(
    runtime: Runtime, world: World, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "RENEW_SECONDS", 1.0)
    died, heir = Relay(runtime.database), Relay(runtime.database)
    kept = Kept()
    async with publishing(runtime, died, kept):
        await place_in_both(runtime, world)
        await until(lambda: len(kept.messages) == 2)
    kept = Kept()
    async with publishing(runtime, heir, kept):
        await place_in_both(runtime, world)
        await asyncio.sleep(0.5)
        assert not kept.messages
        await admin.execute("update platform.relay set seen_until = now()")
        await admin.execute("update platform.relay_position set leased_until = now()")
        await until(lambda: kept.of(world.tenant_id) and kept.of(world.other_tenant_id))
    assert len(kept.messages) == 2


async def test_a_relay_goes_on_after_the_broker_did_not_keep_a_message(
    runtime: Runtime, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Kept()
    kept.fails = True

    @asynccontextmanager
    async def connected(*_: object) -> AsyncIterator[Kept]:
        yield kept

    monkeypatch.setattr("backend.messaging.kafka_publisher", connected)
    monkeypatch.setattr("backend.messaging.AWAY_SECONDS", 0.05)
    async with relaying(Settings(jwt_secret=SECRET, kafka_bootstrap="nowhere:1"), runtime):
        await place_in_both(runtime, world)
        await until(lambda: len(kept.messages) >= 1)
        kept.fails = False
        kept.messages.clear()
        await until(lambda: len(kept.messages) >= 2, 10)
