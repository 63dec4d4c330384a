"""What-if: two policies over the past of a brand, orders per second for both together.

200,000 orders of one to three lines, 50 nodes and 2,000 SKUs; as many movements, and a till sale
for every fifth order, spread over the month so far. A fiftieth of the orders is cancelled. The
default policy against cost; then against time, whose tables depend on the hour.
"""

from datetime import UTC, datetime, timedelta
from functools import partial

import asyncpg
import uvloop

from backend.db.pool import Database
from backend.network.regions.table import bundled_regions
from backend.orders.simulation.model import Finding, Simulation, SimulationState
from backend.orders.simulation.run_simulation import run_simulation
from backend.routing.model import Otherwise, PolicyDocument, Preset, Strategy
from backend.routing.policies import propose_policy
from loadtests.bench.brands import Size, create_brands, districts
from loadtests.bench.ground import Ground, bench_servers, fresh_database
from loadtests.bench.report import BenchReport, Options, Processor, Stopwatch
from tenants.brands import Brand, BrandDirectory
from tenants.principal import system_principal

ORDERS = 200_000
SIZE = Size(brands=1, nodes=50, skus=2_000, units=10_000)
MONTH = timedelta(days=31)
CANDIDATES = (Preset.COST, Preset.TIME)

PAST = """
    create temporary table past as
    select n, now() - (now() - date_trunc('month', now())) * (1 - n::float8 / $1) as at,
           ($2::bigint[])[1 + (n * 7919) % cardinality($2::bigint[])] as region,
           n % 50 = 0 as is_cancelled
    from generate_series(1, $1) as n
"""
FILL = """
create temporary table brand as select id as tenant_id from platform.brand;

create temporary table home as
select distinct on (sku_id) sku_id, functional_warehouse_id, node_id, s.code,
       dense_rank() over (order by sku_id) as number
from stock_level join sku s on s.id = sku_id;
create unique index on home (number);

create temporary table wanted as
select p.n, p.at, p.is_cancelled, line_no, h.*
from past p cross join generate_series(1, 3) as line_no
join home h on h.number = 1 + (p.n * 31 + line_no * 1009) % (select count(*) from home)
where line_no <= 1 + p.n % 3;

insert into orders (tenant_id, id, shop_id, status, shortage, currency, goods_minor,
    line_discount_minor, order_discount_minor, freight_minor, fees_minor, total_minor, buyer_name,
    buyer_phone, region_code, address, ordered_at, placed_at, event_sequence, fulfilment_count,
    reservation_count, decision_count, traits)
select tenant_id, p.n, (select min(id) from shop), case when is_cancelled then 'cancelled'
       else 'allocated' end, 'backorder', 'CNY', 0, 0, 0, 0, 0, 0, '', '', region, '', at, at, 2, 1,
       1, 1, '{}'
from past p cross join brand;

insert into order_line (tenant_id, order_id, line_no, sku_id, sku_code, quantity, reserved,
    backordered, held, cancelled, unit_price_minor, line_discount_minor, order_discount_minor,
    amount_minor)
select tenant_id, n, line_no, sku_id, code, 1, 1 - is_cancelled::integer, 0, 0,
       is_cancelled::integer, 0, 0, 0, 0
from wanted cross join brand;

insert into stock_movement (tenant_id, recorded_at, functional_warehouse_id, sku_id, node_id, type,
    quantity, on_hand_delta, reserved_delta, level_version, cause_kind, cause_id, cause_line, actor)
select tenant_id, at, functional_warehouse_id, sku_id, node_id, 'reserved', 1, 0, 1, 1, 'order', n,
       line_no, 'bench'
from wanted cross join brand;

insert into stock_movement (tenant_id, recorded_at, functional_warehouse_id, sku_id, node_id, type,
    quantity, on_hand_delta, reserved_delta, level_version, cause_kind, actor)
select tenant_id, at, functional_warehouse_id, h.sku_id, node_id, 'moved_out', 1, -1, 0, 1, 'till',
       'bench'
from past p join home h on h.number = 1 + (p.n * 17) % (select count(*) from home)
cross join brand where p.n % 5 = 0;

insert into outbox (tenant_id, type, order_id, sequence, payload)
select tenant_id, 'order.cancelled', p.n, 2, json_build_object(
    'orderId', p.n, 'status', 'cancelled', 'units', 1 + p.n % 3, 'reason', '')
from past p cross join brand where is_cancelled;

analyze;
"""


def run(options: Options) -> BenchReport:
    """Measure orders per second, of a candidate by cost and of one by time."""
    report = BenchReport(name="whatif", metrics={}, seconds=0.0, seed=options.seed)
    with bench_servers() as ground:
        uvloop.run(_measure(ground, options, report))
    return report


async def _measure(ground: Ground, options: Options, report: BenchReport) -> None:
    setting_up = Stopwatch()
    fill = partial(_fill, ground, seed=options.seed)
    async with fresh_database(ground, "whatif", fill) as own:
        database = await Database.connect(own.where.database_url)
        try:
            (brand,) = await BrandDirectory(database).all()
            report.set_up_seconds = setting_up.seconds
            processor, total = Processor(), Stopwatch()
            with processor.measured():
                for preset in CANDIDATES:
                    watch = Stopwatch()
                    found = await _simulate(database, brand, preset)
                    assert found.result.baseline.orders == ORDERS, "all are played"
                    speed = round(ORDERS / watch.seconds, 1)
                    report.metrics[f"orders_per_second_by_{preset.value}"] = speed
            report.seconds, report.cpu_seconds = total.seconds, processor.seconds
        finally:
            await database.close()


async def _simulate(database: Database, brand: Brand, preset: Preset) -> Finding:
    principal = system_principal(brand.id, "bench")
    strategy = Strategy(name=preset.value, preset=preset, otherwise=Otherwise.BACKORDER)
    async with database.tenant_transaction(principal) as tx:
        proposed = await propose_policy(
            tx,
            PolicyDocument((strategy,)),
            based_on=0,
            comment="",
            key=preset.value,
            regions=bundled_regions(),
        )
    now = datetime.now(UTC)

    async def report(_done: int, _total: int) -> None:
        return

    asked = Simulation(
        id=0,
        baseline=0,
        candidate=proposed.version,
        since=now - MONTH,
        until=now,
        state=SimulationState.RUNNING,
        orders_done=0,
        orders_total=0,
        requested_by="bench",
        requested_at=now,
        finished_at=None,
        result=None,
        error="",
    )
    return await run_simulation(
        database,
        principal,
        asked,
        time_zone=brand.time_zone,
        regions=bundled_regions(),
        report=report,
    )


async def _fill(ground: Ground, database_url: str, *, seed: int) -> None:
    """Make a brand, and a past for it."""
    await create_brands(ground.where, database_url, SIZE, seed)
    admin = await asyncpg.connect(database_url)  # door-ok: makes a past
    try:
        await admin.execute(PAST.replace("$1", str(ORDERS)).replace("$2", _array(districts())))
        await admin.execute(FILL)
    finally:
        await admin.close()


def _array(numbers: list[int]) -> str:
    return "'{" + ",".join(map(str, numbers)) + "}'"
