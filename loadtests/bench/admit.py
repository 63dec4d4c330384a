"""Admission by itself: admit and finish batches of 200 orders, each with 3 lines and 6 counters.

Three stock levels and the capacities of three nodes an order, over 20,000 levels and 300 nodes; two
batches are on their way at once, as in a lane. Nothing of PostgreSQL is asked in the measured part.
The baseline is Valkey's own `PING`, one at a time on one connection.
"""

import asyncio
import itertools
from datetime import date
from functools import partial
from random import Random

import uvloop

from backend.admission.model import (
    ADMITTED,
    Base,
    Request,
    Take,
    capacity_counter,
    stock_counter,
)
from backend.runtime import Runtime, open_runtime
from loadtests.bench.brands import Size, create_brands
from loadtests.bench.ground import Ground, bench_servers, fresh_database
from loadtests.bench.report import BenchReport, Options, Processor, Stopwatch

SIZE = Size(brands=1, nodes=2, skus=10)
ORDERS = 200
LEVELS, NODES = 20_000, 300
LINES = 3
BATCHES_AT_ONCE = 2
BATCHES_MADE = 100
FREE = 10**9
PINGS = 2_000
DAY = date(2026, 11, 11)


def run(options: Options) -> BenchReport:
    """Measure orders per second of admit and finish."""
    report = BenchReport(name="admit", metrics={}, seconds=options.seconds, seed=options.seed)
    with bench_servers() as ground:
        uvloop.run(_measure(ground, options, report))
    return report


async def _measure(ground: Ground, options: Options, report: BenchReport) -> None:
    setting_up = Stopwatch()
    fill = partial(create_brands, ground.where, size=SIZE, seed=options.seed)
    async with fresh_database(ground, "admit", fill) as own:
        where = own.where
        async with open_runtime(
            where.database_url, where.valkey_url, where.secret, with_maintenance=False
        ) as runtime:
            tenant = (await runtime.brands.all())[0].id
            assert await runtime.admission.ensure_warm(tenant), "nobody else warms here"
            levels = [stock_counter(n // 100, n) for n in range(LEVELS)]
            nodes = [capacity_counter(n, DAY) for n in range(NODES)]
            await runtime.admission.finish(tenant, [], [Base(c, FREE, 1) for c in levels + nodes])
            batches = _batches(Random(options.seed), levels, nodes)
            report.metrics["pings_per_second"] = await _pings(runtime)
            report.set_up_seconds = setting_up.seconds
            processor, watch = Processor(), Stopwatch()
            with processor.measured():
                counts = await asyncio.gather(
                    *(
                        _admit(runtime, tenant, batches[place::BATCHES_AT_ONCE], options, watch)
                        for place in range(BATCHES_AT_ONCE)
                    )
                )
            report.metrics["orders_per_second"] = round(sum(counts) / watch.seconds, 1)
            report.cpu_seconds = processor.seconds


def _batches(random: Random, levels: list[str], nodes: list[str]) -> list[list[list[Take]]]:
    """Return what the orders of some batches take."""
    return [
        [
            [Take(counter, 1) for counter in random.sample(levels, LINES)]
            + [Take(counter, 1) for counter in random.sample(nodes, LINES)]
            for _ in range(ORDERS)
        ]
        for _ in range(BATCHES_MADE)
    ]


async def _admit(
    runtime: Runtime,
    tenant: int,
    batches: list[list[list[Take]]],
    options: Options,
    watch: Stopwatch,
) -> int:
    tokens, versions = itertools.count(), itertools.count(2)
    count = 0
    for takes in itertools.cycle(batches):
        if watch.seconds >= options.seconds:
            break
        requests = [Request(f"{id(batches)}:{next(tokens)}", order) for order in takes]
        verdicts = await runtime.admission.admit(tenant, requests)
        assert verdicts.count(ADMITTED) == ORDERS, "there is enough for all"
        version = next(versions)
        counters = {take.counter for order in takes for take in order}
        bases = [Base(counter, FREE, version) for counter in counters]
        await runtime.admission.finish(tenant, [request.token for request in requests], bases)
        count += ORDERS
    return count


async def _pings(runtime: Runtime) -> float:
    watch = Stopwatch()
    for _ in range(PINGS):
        await runtime.valkey.command("PING")
    return round(PINGS / watch.seconds, 1)
