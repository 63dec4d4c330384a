"""`orderPlace` over HTTP: a web shop's checkout of three lines, one order a request.

First a closed loop: each of several connections sends the next order when it has the answer. Then
an open loop at 500 orders per second, whose requests start when their time has come whether or not
the earlier ones are answered; latency counts from that time on, so waiting is not hidden.
"""

import asyncio
from collections.abc import Iterator
from functools import partial
from random import Random
from time import perf_counter
from typing import Any

import msgspec
import uvloop

from loadtests.bench.brands import OrderSource, Size, create_brands, keys_of_brands
from loadtests.bench.ground import Ground, Serving, bench_servers, fresh_database, serving
from loadtests.bench.http_client import Connection
from loadtests.bench.intake import WrongAnswer, audit_differences
from loadtests.bench.report import BenchReport, Options, Processor, Stopwatch, quantile

SIZE = Size(brands=1, nodes=30, skus=1_000)
PROCESSES = 1
"""With a second one more orders pass on two cores, and the slowest of them wait longer."""
CONNECTIONS = 64
OPEN_RATE = 500
OPEN_CONNECTIONS = 200
WARM_UP_SECONDS = 3.0
DOCUMENT = """mutation Checkout($input: OrderPlaceInput!) { orderPlace(input: $input) {
  __typename
  ... on OrderPlaced { orderId status lines { lineNo reserved backordered } parcels }
  ... on UserError { code message path } } }"""
PLACED = b'"status":"ALLOCATED"'


def run(options: Options) -> BenchReport:
    """Measure orders per second of a closed loop, and latency of an open one."""
    report = BenchReport(name="checkout", metrics={}, seconds=options.seconds, seed=options.seed)
    with bench_servers() as ground:
        uvloop.run(_measure(ground, options, report))
    return report


async def _measure(ground: Ground, options: Options, report: BenchReport) -> None:
    setting_up = Stopwatch()
    fill = partial(create_brands, ground.where, size=SIZE, seed=options.seed)
    async with fresh_database(ground, "intake", fill) as own:
        keys = await keys_of_brands(own.where.database_url)
        async with serving(own, workers=options.workers or PROCESSES) as served:
            shoppers = Shoppers(served, next(iter(keys.values())), options.seed)
            await shoppers.close_loop(WARM_UP_SECONDS)
            report.set_up_seconds = setting_up.seconds
            closed = Processor()
            with closed.measured():
                orders, seconds = await shoppers.close_loop(options.seconds)
            report.metrics["orders_per_second"] = round(orders / seconds, 1)
            opened = Processor()
            with opened.measured():
                latencies = await shoppers.open_loop(options.seconds)
        report.cpu_seconds = {f"closed {k}": v for k, v in closed.seconds.items()} | {
            f"open {k}": v for k, v in opened.seconds.items()
        }
        for name, share in (("p50_ms_at_500", 0.5), ("p99_ms_at_500", 0.99), ("max_ms_at_500", 1)):
            report.metrics[name] = round(quantile(latencies, share) * 1000, 2)
        report.metrics["audit_differences"] = await audit_differences(own, list(keys))


class Shoppers:
    """Who orders."""

    def __init__(self, served: Serving, key: str, seed: int) -> None:
        self._served = served
        self._key = key
        self._bodies = _bodies(Random(seed))

    async def close_loop(self, seconds: float) -> tuple[int, float]:
        """Order on every connection as fast as answers come; returns orders and seconds."""
        watch = Stopwatch()
        connections = [await self._open() for _ in range(CONNECTIONS)]
        counts = await asyncio.gather(
            *(self._order(connection, watch, seconds) for connection in connections)
        )
        for connection in connections:
            connection.close()
        return sum(counts), watch.seconds

    async def open_loop(self, seconds: float) -> list[float]:
        """Order at OPEN_RATE; returns the latencies in seconds, in no order."""
        idle = [await self._open() for _ in range(OPEN_CONNECTIONS)]
        connections = list(idle)
        latencies: list[float] = []

        async def order(due: float) -> None:
            connection = idle.pop() if idle else await self._open()
            if not connection.is_open:  # the server closes what was idle for some seconds
                connection = await self._open()
            answer = await connection.post("/graphql", next(self._bodies))
            latencies.append(perf_counter() - due)
            _check(answer.body)
            idle.append(connection)

        started = perf_counter()
        tasks = []
        for number in range(int(seconds * OPEN_RATE)):
            due = started + number / OPEN_RATE
            await asyncio.sleep(max(0.0, due - perf_counter()))
            tasks.append(asyncio.create_task(order(due)))
        await asyncio.gather(*tasks)
        for connection in {*connections, *idle}:
            connection.close()
        return latencies

    async def _order(self, connection: Connection, watch: Stopwatch, seconds: float) -> int:
        count = 0
        while watch.seconds < seconds:
            answer = await connection.post("/graphql", next(self._bodies))
            _check(answer.body)
            count += 1
        return count

    async def _open(self) -> Connection:
        headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json"}
        return await Connection.open(self._served.address, headers)


def _bodies(random: Random) -> Iterator[bytes]:
    source = OrderSource(random, SIZE.skus)
    number = 0
    while True:
        number += 1
        fields: dict[str, Any] = {**source.fields(), "idempotencyKey": f"k{number}"}
        yield msgspec.json.encode({"query": DOCUMENT, "variables": {"input": fields}})


def _check(body: bytes) -> None:
    if PLACED not in body:
        raise WrongAnswer(body[:500].decode())
