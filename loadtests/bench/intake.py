"""Orders over HTTP as platforms push them: NDJSON pages, routed, reserved and durable.

Three lines an order, 1,000 SKUs over 30 nodes with a daily capacity; a page has 500 records, and
several connections each wait for the answers of a page before they send the next. Every answer is
looked at. Measured for one brand; for one whose orders are all of its 20 dealers' shops, each under
an agreement, with a quota and an allotment of every SKU; and for 200 brands with a page of 10
orders each. After each the audit runs.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from random import Random
from typing import NamedTuple

import uvloop

from backend.audit.audit import audit
from backend.runtime import open_runtime
from loadtests.bench.brands import OrderSource, Size, create_brands, keys_of_brands, sku_code
from loadtests.bench.dealers import create_dealers, dealer_code
from loadtests.bench.ground import Ground, Serving, bench_servers, fresh_database, serving
from loadtests.bench.http_client import Answer, Connection
from loadtests.bench.report import BenchReport, Options, Processor, Stopwatch
from loadtests.fresh_brand import SHOP

DEALERS = 20
PLENTY = 10**14
DEALER_PRICE_MINOR = 13_300
ONE = Size(brands=1, nodes=30, skus=1_000)
MANY = Size(brands=200, nodes=5, skus=50)
PAGE = 500
PAGE_OF_MANY = 10
CONNECTIONS = 8
CONNECTIONS_OF_MANY = 200
WARM_UP_SECONDS = 3.0
PLACED = b'"result":"placed"'
ALLOCATED = b'"status":"allocated"'


class Pushed(NamedTuple):
    """What was pushed in the measured time."""

    orders: int
    seconds: float

    @property
    def orders_per_second(self) -> float:
        return self.orders / self.seconds


class WrongAnswer(RuntimeError):
    """An order was not placed, although there is stock for all."""


def run(options: Options) -> BenchReport:
    """Measure orders per second of the whole intake: for one brand, of dealers, for 200 brands."""
    report = BenchReport(name="intake", metrics={}, seconds=options.seconds, seed=options.seed)
    with bench_servers() as ground:
        uvloop.run(_measure(ground, options, report))
    return report


async def _measure(ground: Ground, options: Options, report: BenchReport) -> None:
    dealers = [dealer_code(number) for number in range(DEALERS)]
    for name, size, page, connections, metric, shops in (
        ("intake", ONE, PAGE, CONNECTIONS, "orders_per_second", [SHOP]),
        ("intake_dealers", ONE, PAGE, CONNECTIONS, "orders_per_second_of_dealers", dealers),
        (
            "intake_many",
            MANY,
            PAGE_OF_MANY,
            CONNECTIONS_OF_MANY,
            "orders_per_second_200_tenants",
            [SHOP],
        ),
    ):
        setting_up = Stopwatch()
        fill = partial(_fill, ground, size=size, seed=options.seed, with_dealers=shops is dealers)
        async with fresh_database(ground, name, fill) as own:
            keys = await keys_of_brands(own.where.database_url)
            async with serving(own, workers=options.workers or 1) as served:
                given = (size.skus, page, options.seed, shops)
                pushing = Pushing(served, list(keys.values()), *given)
                await pushing.push(connections, WARM_UP_SECONDS)
                report.set_up_seconds += setting_up.seconds
                processor = Processor()
                with processor.measured():
                    pushed = await pushing.push(connections, options.seconds)
            report.metrics[metric] = round(pushed.orders_per_second, 1)
            report.cpu_seconds |= {f"{name} {k}": v for k, v in processor.seconds.items()}
            differences = await audit_differences(own, list(keys))
            report.metrics["audit_differences"] = (
                report.metrics.get("audit_differences", 0) + differences
            )

    plain = report.metrics["orders_per_second"]
    of_dealers = report.metrics["orders_per_second_of_dealers"]
    report.metrics["ratio_of_dealers"] = round(of_dealers / plain, 3)


async def _fill(
    ground: Ground, database_url: str, *, size: Size, seed: int, with_dealers: bool
) -> None:
    """Create the brands, and the dealers of one, with more quota and allotments than is sold."""
    where = ground.where
    await create_brands(where, database_url, size, seed)
    if not with_dealers:
        return
    async with open_runtime(
        database_url, where.valkey_url, where.secret, with_maintenance=False
    ) as runtime:
        await create_dealers(
            runtime,
            (await runtime.brands.all())[0].id,
            dealers=DEALERS,
            skus=[sku_code(number) for number in range(size.skus)],
            price_minor=DEALER_PRICE_MINOR,
            limit_minor=PLENTY,
            allotted=size.units,
        )


async def audit_differences(ground: Ground, tenants: Sequence[int]) -> int:
    """Return how many differences the audit finds in some tenants."""
    where = ground.where
    async with open_runtime(
        where.database_url, where.valkey_url, where.secret, with_maintenance=False
    ) as runtime:
        reports = [
            await audit(runtime.database, runtime.admission, runtime.counters, tenant)
            for tenant in tenants
        ]
    return sum(len(report.differences) for report in reports)


class Pushing:
    """Pages of orders from several connections, one brand each or all of one."""

    def __init__(
        self,
        served: Serving,
        keys: Sequence[str],
        skus: int,
        page: int,
        seed: int,
        shops: Sequence[str],
    ) -> None:
        self._shops = shops
        self._served = served
        self._keys = keys
        self._page = page
        self._skus = skus
        self._seed = seed
        self._runs = 0

    async def push(self, connections: int, seconds: float) -> Pushed:
        """Send pages for some seconds; returns the orders placed and the time until the last."""
        self._runs += 1
        watch = Stopwatch()
        counts = await asyncio.gather(
            *(self._push_pages(number, watch, seconds) for number in range(connections))
        )
        return Pushed(sum(counts), watch.seconds)

    async def _push_pages(self, number: int, watch: Stopwatch, seconds: float) -> int:
        key = self._keys[number % len(self._keys)]
        random = Random(f"{self._seed}-{self._runs}-{number}")
        prefix = f"{self._runs}-{number}-"
        source = OrderSource(random, self._skus, prefix=prefix, shops=self._shops)
        connection = await Connection.open(self._served.address, {"authorization": f"Bearer {key}"})
        count = 0
        try:
            while watch.seconds < seconds:
                answer = await connection.post("/intake/orders", source.page(self._page))
                check_page(answer, self._page)
                count += self._page
        finally:
            connection.close()
        return count


def check_page(answer: Answer, orders: int) -> None:
    """Raise WrongAnswer unless every order of a page was placed and has its stock."""
    if answer.body.count(ALLOCATED) == answer.body.count(PLACED) == orders:
        return
    lines = answer.body.split(b"\n")
    wrong = next((line for line in lines if PLACED not in line or ALLOCATED not in line), b"")
    raise WrongAnswer(f"{answer.status}, {len(lines) - 1} answers of {orders}: {wrong.decode()}")
