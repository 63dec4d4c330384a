"""The roles that speak with the message broker, put together: the relay and the intake topic."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial

import structlog

from backend.db.errors import DatabaseUnavailable
from backend.events.broker import BrokerAway
from backend.events.kafka import kafka_publisher, kafka_source
from backend.events.relay import Relay
from backend.orders.intake_topic import IntakeTopic
from backend.runtime import Runtime
from backend.settings import Settings
from graphql_schema.paging import id_of

log = structlog.get_logger(__name__)

GROUP = "yipan-intake"
ANSWERS = ".answers"
AWAY_SECONDS = 1.0
"""Between two attempts to connect to a broker that is away."""

Stopped = asyncio.Task[None]
"""Done once the process is to stop."""


async def run_relay(settings: Settings, runtime: Runtime, stopped: Stopped) -> None:
    """Publish the event log until `stopped`."""
    relay = Relay(runtime.database)
    runtime.wake_ups.listeners.add(relay.wake)

    async def connected() -> None:
        topic = settings.kafka_events_topic
        async with kafka_publisher(settings.kafka_bootstrap, topic) as publisher:
            await _until(stopped, relay.run(publisher), relay.stop)

    try:
        await _keep_connected(connected, stopped)
    finally:
        runtime.wake_ups.listeners.remove(relay.wake)
        await relay.give_back()


async def run_intake_topic(settings: Settings, runtime: Runtime, stopped: Stopped) -> None:
    """Place the orders of the intake topic until `stopped`."""
    bootstrap, topic = settings.kafka_bootstrap, settings.kafka_intake_topic

    async def connected() -> None:
        async with (
            kafka_publisher(bootstrap, topic + ANSWERS) as answers,
            kafka_source(bootstrap, topic, GROUP) as source,
        ):
            intake = IntakeTopic(
                source, answers, runtime.intake, runtime.brands, partial(id_of, "Order")
            )
            await _until(stopped, intake.run(), intake.stop)

    await _keep_connected(connected, stopped)


async def _keep_connected(connected: Callable[[], Awaitable[None]], stopped: Stopped) -> None:
    """Connect again, from where we were, whenever the broker or the database has gone."""
    while not stopped.done():
        try:
            await connected()
        except (BrokerAway, DatabaseUnavailable) as error:
            log.warning("broker.away", error=error.message)
            await asyncio.wait([stopped], timeout=AWAY_SECONDS)


async def _until(
    stopped: Stopped, run: Coroutine[None, None, None], stop: Callable[[], None]
) -> None:
    """Run until it ends of itself or has been told to stop, and has.

    What ends of itself is not told to stop: a relay goes on with the next connection.
    """
    running = asyncio.create_task(run)
    await asyncio.wait([running, stopped], return_when=asyncio.FIRST_COMPLETED)
    if stopped.done():
        stop()
    await running
