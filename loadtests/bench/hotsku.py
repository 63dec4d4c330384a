"""The flash sale: one SKU at one node, 5,000 units, 20,000 buyers at once, two processes.

First through the pipeline of two processes on the same servers, 10,000 buyers each; a buyer who is
told that the queue is full asks again when told to. Then over HTTP from 20,000 connections to two
serving processes: undisturbed; with Valkey killed when half is sold, and back a second later; with
one of the serving processes killed then. Sold is what PostgreSQL has reserved at the end; oversold
is what was sold beyond the stock. Undersold is what is left although somebody was refused; and
nobody may have been refused before the last unit was taken (`refused_early` counts the sales in
which somebody was).
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

import asyncpg
import psutil
import uvloop

from loadtests.bench.brands import keys_of_brands
from loadtests.bench.buyers import create_sale
from loadtests.bench.crowd import Bought, let_buy
from loadtests.bench.ground import Ground, Serving, bench_servers, fresh_database, serving
from loadtests.bench.report import BenchReport, Options, Processor, Stopwatch
from loadtests.waiting import until

UNITS = 5_000
BUYERS = 20_000
PROCESSES = 2
VALKEY_AWAY_SECONDS = 1.0

Disturb = Callable[[Ground, Serving], Awaitable[None]]


class Books(NamedTuple):
    """What PostgreSQL says of a sale."""

    left: int
    reserved: int
    orders: int
    last_placed_at: float


def run(options: Options) -> BenchReport:
    """Measure attempts per second through the pipeline and over HTTP, and what was sold."""
    report = BenchReport(name="hotsku", metrics={}, seconds=0.0, seed=options.seed)
    with bench_servers() as ground:
        uvloop.run(_measure(ground, report))
    return report


async def _measure(ground: Ground, report: BenchReport) -> None:
    await _sale(ground, report, "", _sell_in_processes)
    for prefix, disturb in (
        ("http_", _leave_alone),
        ("http_valkey_killed_", _kill_valkey),
        ("http_process_killed_", _kill_a_process),
    ):
        await _sale(ground, report, prefix, partial(_sell_over_http, disturb=disturb))


async def _sale(
    ground: Ground,
    report: BenchReport,
    prefix: str,
    sell: Callable[[Ground], Awaitable[tuple[Bought, float]]],
) -> None:
    setting_up = Stopwatch()
    async with fresh_database(
        ground, "hotsku", partial(create_sale, ground.where, units=UNITS)
    ) as own:
        report.set_up_seconds += setting_up.seconds
        processor = Processor()
        with processor.measured():
            bought, seconds = await sell(own)
        books = await _books(own)
    if (bought.placed, bought.placed + bought.refused) != (books.orders, BUYERS):
        raise RuntimeError(f"{bought} does not go with {books}")
    is_early = bought.refused and (bought.first_refused_at or 0) < books.last_placed_at
    report.seconds += round(seconds, 3)
    report.cpu_seconds |= {f"{prefix}{k}": v for k, v in processor.seconds.items()}
    report.metrics |= {
        f"{prefix}attempts_per_second": round(BUYERS / seconds, 1),
        f"{prefix}sold": books.reserved,
        f"{prefix}oversold": max(0, -books.left),
        f"{prefix}undersold": max(0, books.left) if bought.refused else 0,
        f"{prefix}refused_early": int(is_early),
    }


async def _sell_in_processes(ground: Ground) -> tuple[Bought, float]:
    count = str(BUYERS // PROCESSES)
    commands = [["loadtests.bench.buyers", count, str(n)] for n in range(PROCESSES)]

    async def nothing() -> None:
        return

    return await let_buy(commands, ground.environment(), nothing)


async def _sell_over_http(ground: Ground, *, disturb: Disturb) -> tuple[Bought, float]:
    key = next(iter((await keys_of_brands(ground.where.database_url)).values()))
    count = str(BUYERS // PROCESSES)
    async with serving(ground, workers=PROCESSES) as served:
        commands = [
            ["loadtests.bench.http_buyers", count, str(n), str(served.address[1]), key]
            for n in range(PROCESSES)
        ]
        return await let_buy(
            commands, ground.environment(), partial(_at_half, ground, served, disturb)
        )


# --------------------------------------------------------------------- disturbances


async def _at_half(ground: Ground, served: Serving, disturb: Disturb) -> None:
    async def is_half_sold() -> bool:
        return (await _books(ground)).reserved >= UNITS // 2

    await until(is_half_sold)
    await disturb(ground, served)


async def _leave_alone(ground: Ground, served: Serving) -> None:
    return


async def _kill_valkey(ground: Ground, served: Serving) -> None:
    valkey = ground.services.valkey
    psutil.Process(valkey.process_id).kill()
    await asyncio.sleep(VALKEY_AWAY_SECONDS)
    await asyncio.to_thread(valkey.stop)
    await asyncio.to_thread(valkey.start)


async def _kill_a_process(ground: Ground, served: Serving) -> None:
    psutil.Process(served.process.pid).children()[0].send_signal(signal.SIGKILL)


# ---------------------------------------------------------------------------- books


async def _books(ground: Ground) -> Books:
    connection = await asyncpg.connect(ground.where.migration_database_url)  # door-ok: looks only
    try:
        (row,) = await connection.fetch(
            "select (select sum(on_hand - reserved)::int from stock_level), "  # sql-ok: looks only
            "(select sum(reserved)::int from stock_level), (select count(*)::int from orders), "
            "(select coalesce(extract(epoch from max(placed_at)), 0)::float8 from orders)"
        )
    finally:
        await connection.close()
    return Books(*row)
