"""One dealer's quota that allows 1,000 orders, 5,000 orders at once, two processes.

There is stock for all of them. Through the pipeline of two processes on the same servers, 2,500
orders each. Exactly as many pass as the quota allows, and nothing of it is lost: the account is
what the orders took, to the last minor unit, and so are its entries.
"""

import asyncpg
import uvloop

from backend.orders.dealing.errors import QuotaExceeded
from backend.runtime import open_runtime
from loadtests.bench.buyers import SKU, create_sale
from loadtests.bench.crowd import Bought, let_buy
from loadtests.bench.dealers import create_dealers, dealer_code
from loadtests.bench.ground import Ground, bench_servers, fresh_database
from loadtests.bench.intake import audit_differences
from loadtests.bench.report import BenchReport, Options, Processor, Stopwatch

ORDERS = 5_000
ALLOWED = 1_000
PRICE_MINOR = 7_333
LEFT_OVER_MINOR = PRICE_MINOR - 1
"""Of the quota, too little for one more."""
PROCESSES = 2
DEALER = dealer_code(0)


def run(options: Options) -> BenchReport:
    """Measure attempts per second, how many passed, and by how much the account is wrong."""
    report = BenchReport(name="hotquota", metrics={}, seconds=0.0, seed=options.seed)
    with bench_servers() as ground:
        uvloop.run(_measure(ground, report))
    return report


async def _measure(ground: Ground, report: BenchReport) -> None:
    setting_up = Stopwatch()

    async def fill(database_url: str) -> None:
        await _fill(ground, database_url)

    async with fresh_database(ground, "hotquota", fill) as own:
        report.set_up_seconds = setting_up.seconds
        processor = Processor()
        with processor.measured():
            bought, seconds = await _order(own)
        used, of_entries, orders, tenant = await _books(own)
        report.metrics["audit_differences"] = await audit_differences(own, [tenant])
    if bought.placed != orders or bought.placed + bought.refused != ORDERS:
        raise RuntimeError(f"{bought} does not go with {orders} orders")
    report.seconds = round(seconds, 3)
    report.cpu_seconds = processor.seconds
    report.metrics |= {
        "attempts_per_second": round(ORDERS / seconds, 1),
        "passed": orders,
        "wrong_minor": abs(used - orders * PRICE_MINOR) + abs(of_entries - used),
    }


async def _fill(ground: Ground, database_url: str) -> None:
    where = ground.where
    await create_sale(where, database_url, units=ORDERS)
    async with open_runtime(
        database_url, where.valkey_url, where.secret, with_maintenance=False
    ) as runtime:
        await create_dealers(
            runtime,
            (await runtime.brands.all())[0].id,
            dealers=1,
            skus=[SKU],
            price_minor=PRICE_MINOR,
            limit_minor=ALLOWED * PRICE_MINOR + LEFT_OVER_MINOR,
        )


async def _order(ground: Ground) -> tuple[Bought, float]:
    count = str(ORDERS // PROCESSES)
    commands = [
        ["loadtests.bench.buyers", count, str(number), DEALER, QuotaExceeded.code]
        for number in range(PROCESSES)
    ]

    async def nothing() -> None:
        return

    return await let_buy(commands, ground.environment(), nothing)


async def _books(ground: Ground) -> tuple[int, int, int, int]:
    """Return what is used of the quota, by the account and its entries, the orders, the tenant."""
    connection = await asyncpg.connect(ground.where.migration_database_url)  # door-ok: looks only
    try:
        (row,) = await connection.fetch(
            "select a.used_minor, "  # sql-ok: looks only
            "(select sum(used_delta)::bigint from quota_entry), "
            "(select count(*)::int from orders), a.tenant_id from quota_account a"
        )
    finally:
        await connection.close()
    return tuple(row)
