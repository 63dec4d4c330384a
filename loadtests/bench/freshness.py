"""From the commit of a movement to its number elsewhere: readable, and shown by a platform.

A brand of 20,000 SKUs in 20 nodes, with five pools and 40 shops, is moved 1,000 times a second, ten
movements a transaction, each one unit that arrives. Another process follows the numbers as the API
does and notes when it could read each; `yipan worker` pushes those of PUBLISHED shops to the
simulated platform, which notes when it was told. Each movement raises the numbers of these shops by
one, so it is told by the number. The time of a movement begins when its commit has returned.
"""

import asyncio
import signal
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from collections import defaultdict
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import httpx2
import uvloop

from backend.catalog.find_skus import SkuCache
from backend.channels.model import ShopDraft
from backend.channels.shops import active_shops, create_shop
from backend.db.pool import Database
from backend.environment import Servers
from backend.inventory import ledger
from backend.inventory.model import CauseKind, LevelKey, Movement
from backend.inventory.movement_types import MovementType
from backend.inventory.pools.layouts import activate_layout, propose_layout
from backend.inventory.pools.model import Feed, Layer, Layout, Pool, Share, Supply
from backend.network.regions.table import bundled_regions
from backend.runtime import Runtime, open_runtime
from loadtests.bench.brands import Size, create_brands, sku_code
from loadtests.bench.ground import Ground, bench_servers, fresh_database
from loadtests.bench.report import BenchReport, Options, Processor, Stopwatch, quantile
from loadtests.fresh_brand import ACTOR
from loadtests.platform import SimulatedPlatform, platform_process
from loadtests.processes import start_role
from tenants.principal import system_principal

SIZE = Size(brands=1, nodes=20, skus=20_000, units=1_000)
SHOPS, PUBLISHED = 40, 4
"""A platform's own rate bounds what more shops would show; see docs/benchmarks.md."""
MOVEMENTS_PER_SECOND, MOVEMENTS_A_COMMIT = 1_000, 10
CALLS_PER_SECOND = 200
"""What the platform takes of one shop: more than it is given."""
SETTLED_SECONDS_MAX = 120.0
WARM_UP_SECONDS = 3.0
"""Not measured: the first movement has Valkey filled with the brand's counters."""
TAIL_SECONDS = 5.0
"""Given to the last movements to arrive."""


class Moved(NamedTuple):
    """A movement: which SKU, the number that the shops have after it, and when it had committed."""

    sku_id: int
    number: int
    committed_ns: int


def run(options: Options) -> BenchReport:
    """Measure how long numbers take to be readable elsewhere, and to be shown."""
    report = BenchReport(name="freshness", metrics={}, seconds=options.seconds, seed=options.seed)
    with bench_servers() as ground:
        uvloop.run(_measure(ground, options, report))
    return report


async def _measure(ground: Ground, options: Options, report: BenchReport) -> None:
    setting_up = Stopwatch()
    fill = partial(_create_brand, ground.where, seed=options.seed)
    async with (
        fresh_database(ground, "freshness", fill) as own,
        open_runtime(
            own.where.database_url, own.where.valkey_url, own.where.secret, with_maintenance=False
        ) as runtime,
        httpx2.AsyncClient(timeout=30) as http,
    ):
        tenant_id = (await runtime.brands.all())[0].id
        with (
            tempfile.TemporaryDirectory() as folder,
            platform_process(CALLS_PER_SECOND) as url,
            _Processes() as processes,
        ):
            platform = _Platform(url, http)
            await platform.open(runtime, tenant_id)
            environment = own.environment()
            processes.role("worker", environment)
            await platform.settle()
            noted = Path(folder) / "noted"
            reader = processes.reader(environment, tenant_id, noted)
            report.set_up_seconds = round(setting_up.seconds, 1)
            processor = Processor()
            await _move(runtime, tenant_id, options, WARM_UP_SECONDS)
            with processor.measured():
                moved = await _move(runtime, tenant_id, options, options.seconds)
                await asyncio.sleep(TAIL_SECONDS)
            report.cpu_seconds = processor.seconds
            pushes = await platform.pushes(runtime, tenant_id)
            processes.end(reader)
            report.metrics |= _figures(moved, _noted(noted), pushes, options.seconds)


async def _create_brand(where: Servers, database_url: str, seed: int) -> None:
    """Create the brand, its shops and its layout."""
    await create_brands(where, database_url, SIZE, seed)
    database = await Database.connect(database_url)
    try:
        principal = system_principal(1, "bench")
        async with database.tenant_transaction(principal) as tx:
            for number in range(SHOPS):
                await create_shop(tx, ShopDraft(_shop(number), _shop(number), "bench"))
            draft = await propose_layout(
                tx, _layout(), based_on=0, comment="", key="propose", regions=bundled_regions()
            )
            await activate_layout(tx, draft.version, key="activate", regions=bundled_regions())
    finally:
        await database.close()


def _shop(number: int) -> str:
    return f"shop-{number:02}"


def _layout() -> Layout:
    """Three supply pools, two dispatch pools; the published shops show all there is."""
    nodes = [f"node-{number:03}" for number in range(SIZE.nodes)]
    thirds = (nodes[0::3], nodes[1::3], nodes[2::3])
    pools = [
        Pool(
            code=f"supply-{number}",
            name=f"Supply {number}",
            layer=Layer.SUPPLY,
            supplies=(Supply(warehouses=tuple(third)),),
        )
        for number, third in enumerate(thirds)
    ]
    supplied = tuple(pool.code for pool in pools)
    online = Pool(code="online", name="Online", layer=Layer.DISPATCH, feeds=(Feed(pools=supplied),))
    half = Feed(pools=supplied, ratio_bp=5_000)
    dealers = Pool(code="dealers", name="Dealers", layer=Layer.DISPATCH, feeds=(half,))
    shares = [
        Share(
            pool="online" if number < SHOPS // 2 else "dealers",
            shop=_shop(number),
            ratio_bp=10_000 if number < PUBLISHED else 10_000 - 100 * number,
        )
        for number in range(SHOPS)
    ]
    return Layout(pools=(*pools, online, dealers), shares=tuple(shares))


class _Processes:
    """The processes of a run; all end with it."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[Any]] = []

    def __enter__(self) -> "_Processes":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started:
            self.end(process)

    def reader(
        self, environment: dict[str, str], tenant_id: int, output: Path
    ) -> "subprocess.Popen[str]":
        """Start the reader and wait until it hears."""
        words = ["loadtests.bench.freshness_reader", str(tenant_id), str(output)]
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", "the reader did not start"
        return process

    def role(self, role: str, environment: dict[str, str]) -> None:
        self._started.append(start_role(role, environment))

    def end(self, process: "subprocess.Popen[Any]") -> None:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=SETTLED_SECONDS_MAX)


class _Platform(SimulatedPlatform):
    """The platform, with the published shops on it."""

    def __init__(self, url: str, http: httpx2.AsyncClient) -> None:
        super().__init__(url, http, CALLS_PER_SECOND)
        self._started_ns = 0

    async def open(self, runtime: Runtime, tenant_id: int) -> None:
        """Open the shops; every one lists every SKU."""
        await self._read_clock()
        principal = system_principal(tenant_id, "bench")
        skus = [sku_code(number) for number in range(SIZE.skus)]
        for number in range(PUBLISHED):
            await self.open_shop(runtime, principal, _shop(number), skus)

    async def _read_clock(self) -> None:
        """Learn when the platform started, to half a round trip; it has nothing to tell yet."""
        await self.state()  # connects
        asked_ns = time.time_ns()
        seconds = (await self.state())["seconds"]
        self._started_ns = (asked_ns + time.time_ns()) // 2 - int(seconds * 1e9)

    async def settle(self) -> None:
        """Wait until every listing has been told once."""
        watch = Stopwatch()
        while True:
            shops = (await self.state())["shops"].values()
            if all(min(_told(shop)) > 0 for shop in shops):
                return
            assert watch.seconds < SETTLED_SECONDS_MAX, "the numbers do not arrive"
            await asyncio.sleep(1.0)

    async def pushes(self, runtime: Runtime, tenant_id: int) -> dict[tuple[int, int], list[Any]]:
        """Return, by shop and SKU, what was shown from when on: (number, nanoseconds), rising."""
        state = await self.state()
        async with runtime.database.tenant_transaction(
            system_principal(tenant_id, "bench"), read_only=True
        ) as tx:
            shops = await active_shops(tx)
        skus = await _sku_ids(runtime, tenant_id)
        found: defaultdict[tuple[int, int], list[Any]] = defaultdict(list)
        for code, shop in state["shops"].items():
            for push in shop["pushes"]:
                at = self._started_ns + int(push["seconds"] * 1e9)
                found[shops[code].id, skus[push["listing"]]].append((push["stored"], at))
        return found


def _told(shop: dict[str, Any]) -> list[int]:
    """Return the sequence of every listing of a shop; 0 where it was never told."""
    listings = shop["listings"]
    rows = listings.values() if isinstance(listings, dict) else listings
    return [row["sequence"] for row in rows]


async def _sku_ids(runtime: Runtime, tenant_id: int) -> dict[str, int]:
    async with runtime.database.tenant_transaction(
        system_principal(tenant_id, "bench"), read_only=True
    ) as tx:
        found = await SkuCache().fetch(tx, [sku_code(n) for n in range(SIZE.skus)])
    return {code: sku.id for code, sku in found.items()}


async def _move(runtime: Runtime, tenant_id: int, options: Options, seconds: float) -> list[Moved]:
    """Let units arrive at the rate, and return when each had been committed."""
    live = await runtime.books.open(tenant_id)
    await live.freshen()
    pools = live.book.pools
    assert pools is not None, "the brand has a layout"
    shop_id = pools.layout.shops[0].id
    random = Random(options.seed)
    sku_ids = sorted((await _sku_ids(runtime, tenant_id)).values())
    warehouses = [source.functional_warehouse_id for source in live.book.view.sources]
    numbers = {sku: pools.of_shop(sku, shop_id) or 0 for sku in sku_ids}
    moved: list[Moved] = []
    watch = Stopwatch()
    tasks: list[asyncio.Task[None]] = []
    for commit in range(int(seconds * MOVEMENTS_PER_SECOND / MOVEMENTS_A_COMMIT)):
        due = commit * MOVEMENTS_A_COMMIT / MOVEMENTS_PER_SECOND
        await asyncio.sleep(max(0.0, due - watch.seconds))
        chosen = random.sample(sku_ids, MOVEMENTS_A_COMMIT)
        keys = [LevelKey(random.choice(warehouses), sku) for sku in chosen]
        tasks.append(asyncio.create_task(_commit(runtime, tenant_id, keys, numbers, moved)))
    await asyncio.gather(*tasks)
    return moved


async def _commit(
    runtime: Runtime,
    tenant_id: int,
    keys: list[LevelKey],
    numbers: dict[int, int],
    moved: list[Moved],
) -> None:
    movements = [
        Movement(key=key, type=MovementType.RECEIVED, quantity=1, cause_kind=CauseKind.RECEIPT)
        for key in keys
    ]
    async with runtime.database.tenant_transaction(system_principal(tenant_id, "bench")) as tx:
        levels = await ledger.record(tx, movements, ACTOR)
    committed_ns = time.time_ns()
    for key in keys:
        numbers[key.sku_id] += 1
        moved.append(Moved(key.sku_id, numbers[key.sku_id], committed_ns))
    await runtime.publish_levels(tenant_id, list(levels.values()))


def _noted(output: Path) -> dict[int, list[tuple[int, int]]]:
    """Return, by SKU, the numbers that could be read and since when, rising."""
    found: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for line in output.read_text().splitlines():
        sku, number, at = map(int, line.split())
        found[sku].append((number, at))
    return found


def _figures(
    moved: list[Moved],
    noted: dict[int, list[tuple[int, int]]],
    pushes: dict[tuple[int, int], list[tuple[int, int]]],
    seconds: float,
) -> dict[str, float]:
    readable = [_seconds(movement, noted.get(movement.sku_id, [])) for movement in moved]
    shops = sorted({shop for shop, _ in pushes})
    published = [
        _seconds(movement, pushes.get((shop, movement.sku_id), []))
        for movement in moved
        for shop in shops
    ]
    known = [each for each in readable if each is not None]
    shown = [each for each in published if each is not None]
    return {
        "movements_per_second": round(len(moved) / seconds, 1),
        "p50_ms_readable": round(quantile(known, 0.5) * 1000, 2),
        "p99_ms_readable": round(quantile(known, 0.99) * 1000, 2),
        "max_ms_readable": round(quantile(known, 1) * 1000, 2),
        "never_readable": len(readable) - len(known),
        "p50_ms_published": round(quantile(shown, 0.5) * 1000, 2),
        "p99_ms_published": round(quantile(shown, 0.99) * 1000, 2),
        "never_published": len(published) - len(shown),
        "shops_published": len(shops),
        "pushes_per_second": round(
            sum(at >= moved[0].committed_ns for told in pushes.values() for _, at in told)
            / seconds,
            1,
        ),
    }


def _seconds(movement: Moved, seen: list[tuple[int, int]]) -> float | None:
    """Return how long after the commit the number, or a later one, was there; None for never."""
    at = bisect_left(seen, (movement.number, 0))
    return None if at == len(seen) else max(0.0, (seen[at][1] - movement.committed_ns) / 1e9)
