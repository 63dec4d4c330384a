"""The availability engine by itself: 300 nodes, nine pools, 40 shops, three profiles.

Pure computing in this process and one thread. `full_seconds` is the median over repetitions of
`recompute` of all SKUs by an engine that already has a row for each, after one unit more or less in
every SKU, so that every repetition has numbers to write; `first_seconds` is the first one, which
opens the rows. `movement_microseconds` is the median over batches of one `put` and the `update` of
its SKU, as Python calls, SKUs and nodes drawn. `ratio_to_twin` compares the same smaller world, per
SKU. Times are of the thread's processor, so that what else the machine does is not counted.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from itertools import count
from random import Random
from statistics import median
from time import thread_time
from typing import Any, NamedTuple

from core_ext import Availability, PoolGraph, StockBook, availability_twin, stock_book_twin
from core_ext.pool_graph import WHOLE, Mode
from loadtests.bench.report import BenchReport, Options, Processor, Stopwatch
from loadtests.pool_drafts import PoolDraft, Rule

SKUS, TWINS_SKUS = 100_000, 200
NODES, ENTRIES = 300, 30
"""Nodes, and how many of them have something of a SKU."""
REGIONS = 10
SHOPS, PROFILES = 40, 3
MOVEMENTS_A_BATCH = 1_000
MOVEMENTS_FIRST_VERSION = 2**40
"""Newer than whatever was put before."""
REPETITIONS_MIN = 5
SHARES = 3
"""Figures that share the seconds."""

SUPPLY: tuple[tuple[int, ...], ...] = ((0, 1, 2), (2, 3, 4), (4, 5, 6), (6, 7, 8), (0, 8, 9))
"""Regions of each supply pool; one more pool has all."""


class World(NamedTuple):
    """A book, the engine on it, and what is free where, as rows of a `put_many`."""

    book: Any
    availability: Any
    skus: array[int]
    sources: array[int]
    free: array[int]

    @property
    def sku_count(self) -> int:
        return int(self.book.sku_count)


def run(options: Options) -> BenchReport:
    """Measure a full recomputation, one movement, and the ratio to the twin."""
    report = BenchReport(name="availability", metrics={}, seconds=0.0, seed=options.seed)
    setting_up = Stopwatch()
    world = made_up_world(Random(options.seed), SKUS)
    report.set_up_seconds = round(setting_up.seconds, 3)
    processor, watch = Processor(), Stopwatch()
    seconds = options.seconds / SHARES
    with processor.measured():
        report.metrics |= full(world, seconds)
        report.metrics |= movements(world, Random(options.seed), seconds)
        report.metrics |= against_twin(options.seed, TWINS_SKUS, seconds)
    report.seconds = round(watch.seconds, 3)
    report.cpu_seconds = processor.seconds
    return report


def pools_and_shops() -> PoolGraph:
    """Six supply pools over ten regions, three dispatch pools, and 40 shops below them.

    A dispatch pool that is shared draws from everything; one that is divided and one that is ranked
    draw from overlapping regions.
    """
    draft = PoolDraft([node % REGIONS for node in range(NODES)], profiles=PROFILES)
    supply = [draft.add() for _ in (*SUPPLY, range(REGIONS))]
    for pool, regions in zip(supply, (*SUPPLY, range(REGIONS)), strict=True):
        draft.feed_classes(pool, regions, Rule(), Rule(9_000, reserve=2), Rule(8_000))
    shared, divided, ranked = (
        draft.add(mode) for mode in (Mode.SHARED, Mode.PARTITIONED, Mode.RANKED)
    )
    draft.feed(shared, [supply[-1]])
    draft.feed(divided, supply[:3])
    draft.feed(ranked, supply[2:5], Rule(), Rule(5_000), Rule(most=50))
    for shop in range(SHOPS):
        pool = (shared, divided, ranked)[shop % 3]
        draft.shop(pool, *_rules(draft.modes[pool], shop))
    return draft.graph()


def _rules(mode: Mode, shop: int) -> list[Rule]:
    """One rule a profile, so that every shop gets something."""
    if mode == Mode.SHARED:
        ratio = WHOLE - 100 * shop
        return [Rule(ratio), Rule(ratio // 2), Rule(ratio, reserve=1, most=20)]
    if mode == Mode.PARTITIONED:
        part = WHOLE // (SHOPS // 3 + 1)
        return [Rule(part), Rule(part // 2), Rule(part, reserve=1, most=20)]
    return [Rule(most=12), Rule(2_000), Rule(3_000, most=20)]


def made_up_world(random: Random, skus: int, *, of_twin: bool = False) -> World:
    """Fill a book: each SKU in a tenth of the nodes; the profiles go round."""
    books: Any = stock_book_twin.StockBook if of_twin else StockBook
    engines: Any = availability_twin.Availability if of_twin else Availability
    book = books(array("i", range(NODES)), NODES)
    rows = array("q"), array("i"), array("q")
    for sku in range(skus):
        sources = sorted(random.sample(range(NODES), ENTRIES))
        rows[0].extend([sku] * len(sources))
        rows[1].extend(sources)
        rows[2].extend(random.choices(range(-2, 30), k=len(sources)))
    book.put_many(*rows, array("q", bytes(8 * len(rows[0]))))
    availability = engines(book, pools_and_shops())
    for sku in range(skus):
        availability.set_profile(sku, sku % PROFILES)
    return World(book, availability, *rows)


def repeated(work: Callable[[], object], stir: Iterator[object], seconds: float) -> list[float]:
    """Seconds of processor time that the work took, each time after a stir, for so many seconds."""
    times: list[float] = []
    watch = Stopwatch()
    while len(times) < REPETITIONS_MIN or watch.seconds < seconds:
        next(stir)
        started = thread_time()
        work()
        times.append(thread_time() - started)
    return times


def full(world: World, seconds: float) -> dict[str, float]:
    """Recompute everything, over and over, with other stock each time."""
    started = thread_time()
    world.availability.recompute()
    first = thread_time() - started
    middle = median(repeated(world.availability.recompute, stirred(world), seconds))
    return {
        "full_seconds": round(middle, 4),
        "first_seconds": round(first, 4),
        "skus": world.sku_count,
        "skus_per_second": round(world.sku_count / middle),
    }


def stirred(world: World) -> Iterator[None]:
    """Before each step, one source of every SKU has one unit more than before, or one fewer."""
    skus, sources = world.skus[::ENTRIES], world.sources[::ENTRIES]
    for version in count(1):
        free = array("q", [40 + version % 2] * len(skus))
        world.book.put_many(skus, sources, free, array("q", [version] * len(skus)))
        yield


def movements(world: World, random: Random, seconds: float) -> dict[str, float]:
    """Put one level and update its SKU, over and over, with drawn entries of the world."""
    put, update = world.book.put, world.availability.update
    drawn: list[tuple[int, int, int, int]] = []

    def draw() -> Iterator[None]:
        for version in count(MOVEMENTS_FIRST_VERSION):
            rows = random.choices(range(len(world.skus)), k=MOVEMENTS_A_BATCH)
            drawn[:] = [
                (world.skus[row], world.sources[row], random.randint(-2, 60), version)
                for row in rows
            ]
            yield

    def move() -> None:
        for sku, source, free, version in drawn:
            put(sku, source, free, version)
            update(sku)

    times = repeated(move, draw(), seconds)
    return {"movement_microseconds": round(median(times) / MOVEMENTS_A_BATCH * 1e6, 3)}


def against_twin(seed: int, skus: int, seconds: float) -> dict[str, float]:
    """Recompute the same small world with both cores; the numbers must be the same."""
    twin, compiled = (made_up_world(Random(seed), skus, of_twin=is_one) for is_one in (True, False))
    assert numbers_of(compiled) == numbers_of(twin), "the twin computes otherwise"
    slow = median(repeated(twin.availability.recompute, stirred(twin), seconds / 2))
    fast = median(repeated(compiled.availability.recompute, stirred(compiled), seconds / 2))
    return {
        "ratio_to_twin": round(slow / fast, 1),
        "skus_per_second_of_twin": round(skus / slow),
    }


def numbers_of(world: World) -> list[array[int]]:
    """The numbers of every SKU of the world, recomputed."""
    world.availability.recompute()
    return [world.availability.numbers(sku) for sku in range(world.sku_count)]
