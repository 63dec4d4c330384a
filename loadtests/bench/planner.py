"""The planner by itself: batches of 200 orders of three lines over 50 nodes, under all criteria and
a policy of ten strategies.

Pure computing in this process and one thread: a rate is the median over repetitions, per second of
the thread's processor time, so that what else the machine does is not counted. Only `core_ext.plan`
is timed, and the whole of `OrderPlanner.plan` for the rate "with shaping". Under the policy of ten
strategies each order goes through those that are for it; nearly all are settled with one node.
Under the weighted one, a single sum, it pays to split some orders, and the exact program has to
run. The ratios compare the same batches, and the plans must be
the same; the gaps are against HiGHS, on samples and under the weighted policy, with all 50 nodes.
"""

from collections.abc import Callable, Iterable, Sequence
from random import Random
from statistics import fmean, median, quantiles
from time import thread_time
from typing import NamedTuple, TypeVar

import numpy as np
from msgspec.structs import replace

from backend.routing.criteria import CRITERIA
from backend.routing.kpis import Figures, figures_of
from backend.routing.model import PlanRequest
from backend.routing.plan_orders import OrderPlanner
from backend.routing.promises import delivery_promise
from backend.routing.slot_book import SlotBook
from backend.settings import read_settings
from core_ext import Plans, Policy, StockBook, plan, planner_twin
from core_ext.demand import Demand
from core_ext.stock_book_twin import StockBook as TwinBook
from loadtests.bench.milp import optimum_of_whole_lines
from loadtests.bench.numpy_baseline import NumpyPlanner, free_by_node
from loadtests.bench.planner_terms import INSTALLED, month_of_slots
from loadtests.bench.planner_world import (
    CHEAPEST,
    POLICY,
    WEIGHTED,
    Brand,
    book_of,
    contested_requests,
    drawn_requests,
    last_units,
    made_up_brand,
    planner_of,
    twin_book_of,
    twin_policies,
)
from loadtests.bench.report import BenchReport, Options, Processor, Stopwatch
from loadtests.bench.wholesale import FOLDER, read_sales, requests_of, stocked_with

ORDERS, BATCHES = 200, 10
LINES, MANY_LINES = 3, 10
ORDERS_OF_MANY_LINES = 20
TWINS_ORDERS = 20
SALES_A_BATCH = 20
PROMISES = 300
CONTESTED_BATCHES = 40
GAP_SAMPLE, GAP_SAMPLE_OF_MANY_LINES = 40, 4
REPETITIONS_MIN = 5
SHARES = 8
"""Rates that share the seconds."""

Batch = TypeVar("Batch")
Metrics = dict[str, float]


class Ground(NamedTuple):
    """What all parts measure on."""

    brand: Brand
    book: StockBook
    twin_book: TwinBook
    planner: OrderPlanner
    """Under the policy of ten strategies."""
    weighted: OrderPlanner
    random: Random
    seconds: float
    """For one rate."""


def run(options: Options) -> BenchReport:
    """Measure rates, ratios to the twin and to NumPy, and how good the plans are."""
    report = BenchReport(name="planner", metrics={}, seconds=0.0, seed=options.seed)
    setting_up = Stopwatch()
    ground = make_ground(Random(options.seed), options.seconds / SHARES)
    wholesale = wholesale_batches(ground)
    report.set_up_seconds = round(setting_up.seconds, 3)
    processor, watch = Processor(), Stopwatch()
    with processor.measured():
        parts = (_three_lines, _against_twin, _against_numpy, _many_lines, _promises, _together)
        for part in parts:
            report.metrics |= part(ground)
        report.metrics["optimality_gap"] = largest_gap(ground, LINES, GAP_SAMPLE)
        gap = largest_gap(ground, MANY_LINES, GAP_SAMPLE_OF_MANY_LINES)
        report.metrics["optimality_gap_10_lines"] = gap
        if wholesale:
            report.metrics |= _wholesale(ground, *wholesale)
    report.seconds = round(watch.seconds, 3)
    report.cpu_seconds = processor.seconds
    return report


def make_ground(random: Random, seconds: float) -> Ground:
    """Make a brand, with its books and policies; each rate may take so many seconds."""
    brand = made_up_brand(random)
    return Ground(
        brand=brand,
        book=book_of(brand),
        twin_book=twin_book_of(brand),
        planner=planner_of(brand, POLICY),
        weighted=planner_of(brand, WEIGHTED),
        random=random,
        seconds=seconds,
    )


def _rate(
    work: Callable[[Batch], object], batches: Sequence[Batch], orders: int, seconds: float
) -> float:
    """Return the median of orders per second over batches of so many orders, taken in turn."""
    rates: list[float] = []
    watch = Stopwatch()
    work(batches[0])
    while len(rates) < REPETITIONS_MIN or watch.seconds < seconds:
        batch = batches[len(rates) % len(batches)]
        started = thread_time()
        work(batch)
        rates.append(orders / (thread_time() - started))
    return round(median(rates), 1)


def _requests(ground: Ground, orders: int, lines: int) -> list[list[PlanRequest]]:
    return [drawn_requests(ground.brand, ground.random, orders, lines) for _ in range(BATCHES)]


def _prepared(
    planner: OrderPlanner, book: StockBook, requests: Iterable[Sequence[PlanRequest]]
) -> tuple[list[Policy], list[Demand]]:
    """Return what the core plans batches by; the policies know the places of all of them."""
    policies: list[Policy] = []
    demands = []
    for batch in requests:
        policies, demand = planner.prepare(batch, book)
        demands.append(demand)
    return policies, demands


def _three_lines(ground: Ground) -> Metrics:
    """The rate of the core, with and without what makes requests and plans of it."""
    requests = _requests(ground, ORDERS, LINES)
    policies, demands = _prepared(ground.planner, ground.book, requests)

    def core(demand: Demand) -> Plans:
        return plan(ground.book, policies, demand)

    return {
        "criteria": float(len(CRITERIA)),
        "strategies": float(len(policies)),
        "strategies_an_order": round(fmean(len(d.chain) / ORDERS for d in demands), 2),
        "orders_per_second": _rate(core, demands, ORDERS, ground.seconds),
        "orders_per_second_with_shaping": _rate(
            lambda batch: ground.planner.plan(batch, ground.book), requests, ORDERS, ground.seconds
        ),
        "proved_share": _proved_share([core(demand) for demand in demands]),
    }


def _many_lines(ground: Ground) -> Metrics:
    requests = _requests(ground, ORDERS_OF_MANY_LINES, MANY_LINES)
    policies, demands = _prepared(ground.planner, ground.book, requests)

    def core(demand: Demand) -> Plans:
        return plan(ground.book, policies, demand)

    rate = _rate(core, demands, ORDERS_OF_MANY_LINES, ground.seconds)
    proved = _proved_share([core(demand) for demand in demands])
    return {"orders_per_second_10_lines": rate, "proved_share_10_lines": proved}


def _promises(ground: Ground) -> Metrics:
    """Milliseconds for the promise of a cart, with places that were asked for before.

    Of days of arrival alone, and with times at which everything is delivered and installed.
    """
    slots = month_of_slots(ground.brand.view)
    return _promise("10_lines", ground, None) | _promise("10_lines_with_times", ground, slots)


def _promise(of: str, ground: Ground, slots: SlotBook | None) -> Metrics:
    requests = drawn_requests(ground.brand, ground.random, PROMISES, MANY_LINES)
    given = (ground.book, slots, frozenset({INSTALLED}))
    for request in requests:
        delivery_promise(ground.planner, request, *given)
    taken = []
    for request in requests:
        started = thread_time()
        delivery_promise(ground.planner, request, *given)
        taken.append(1_000 * (thread_time() - started))
    cuts = quantiles(taken, n=100)
    return {
        f"promise_p50_ms_{of}": round(cuts[49], 3),
        f"promise_p99_ms_{of}": round(cuts[98], 3),
    }


def _together(ground: Ground) -> Metrics:
    """What batches that want the same last units cost, planned together, of that one by one.

    Freight and fees, by the cheapest way; with the units that nobody sends, which are as many.
    """
    few = last_units(ground.brand, ground.random)
    batches = [contested_requests(few, ground.random) for _ in range(CONTESTED_BATCHES)]
    sums: dict[bool, Figures] = {}
    seconds: dict[bool, float] = {}
    for plans_together in (False, True):
        planner = planner_of(few, replace(CHEAPEST, plans_together=plans_together))
        book, figures = book_of(few), Figures()
        planner.plan(batches[0], book)
        started = thread_time()
        planned = [planner.plan(batch, book) for batch in batches]
        seconds[plans_together] = thread_time() - started
        for batch, plans in zip(batches, planned, strict=True):
            for request, found in zip(batch, plans, strict=True):
                figures = figures.plus(figures_of(few.view, request, found))
        sums[plans_together] = figures
    in_turn, together = sums[False], sums[True]
    cost, better = [f.freight_minor + f.fees_minor for f in (in_turn, together)]
    return {
        "together_saves_share": round(1 - better / cost, 4),
        "together_units_unplaced": together.units_unplaced,
        "in_turn_units_unplaced": in_turn.units_unplaced,
        "together_takes_times": round(seconds[True] / seconds[False], 1),
    }


def _proved_share(plans: Sequence[Plans]) -> float:
    """Return the share of the orders whose plan says that it is proved."""
    return round(sum(sum(p.proved) for p in plans) / sum(len(p.proved) for p in plans), 4)


def _against_twin(ground: Ground) -> Metrics:
    """The same batch through the twin, under the same policy and from the same stock."""
    requests = drawn_requests(ground.brand, ground.random, TWINS_ORDERS, LINES)
    policies, demand = ground.planner.prepare(requests, ground.book)
    twins = twin_policies(policies)

    def core(demand: Demand) -> Plans:
        return plan(ground.book, policies, demand)

    def twin(demand: Demand) -> Plans:
        return planner_twin.plan(ground.twin_book, twins, demand)

    assert core(demand) == twin(demand), "the twin plans otherwise"
    slow = _rate(twin, [demand], TWINS_ORDERS, ground.seconds)
    fast = _rate(core, [demand], TWINS_ORDERS, ground.seconds)
    return {"ratio_to_twin": round(fast / slow, 1), "orders_per_second_of_twin": slow}


def _against_numpy(ground: Ground) -> Metrics:
    """The same batches through NumPy, under the weighted policy and from the same stock."""
    brand = ground.brand
    shape = len(brand.unit_weights_g), len(brand.view.nodes)
    free = free_by_node(brand.stock[:3], brand.view.source_node, *shape)
    parcels = np.array(brand.free_parcels)
    requests = _requests(ground, ORDERS, LINES)
    policies, demands = _prepared(ground.weighted, ground.book, requests)
    baseline = NumpyPlanner(twin_policies(policies)[0], free, parcels)

    def core(demand: Demand) -> Plans:
        return plan(ground.book, policies, demand)

    for demand in demands:
        plans, others = core(demand), baseline.plan(demand)
        assert [plans.cost(order) for order in range(ORDERS)] == [other.cost for other in others]
        assert [*plans.allocation_node] == [node for other in others for node in other.nodes]
    slow = _rate(baseline.plan, demands, ORDERS, ground.seconds)
    fast = _rate(core, demands, ORDERS, ground.seconds)
    return {
        "ratio_to_numpy": round(fast / slow, 1),
        "orders_per_second_of_numpy": slow,
        "orders_per_second_weighted": fast,
    }


def largest_gap(ground: Ground, lines: int, sample: int) -> float:
    """Return how far a plan that says proved is above the optimum, at most: 0 if it is right."""
    gaps = []
    for request in drawn_requests(ground.brand, ground.random, sample, lines):
        policies, demand = ground.weighted.prepare([request], ground.book)
        policy = twin_policies(policies)[0]
        plans = plan(ground.book, policies, demand)
        order = planner_twin.order_as_seen(ground.twin_book, policy, demand, 0)
        optimum = optimum_of_whole_lines(policy, order)
        assert optimum is not None, "there is a plan"
        assert plans.cost(0) >= optimum, "no plan costs less than the optimum"
        if plans.proved[0]:
            gaps.append((plans.cost(0) - optimum) / optimum)
    assert gaps, "nothing is proved, so there is nothing to compare"
    return max(gaps)


def wholesale_batches(ground: Ground) -> tuple[StockBook, list[list[PlanRequest]]] | None:
    """Return a book and all real sales, or None where there is no real data."""
    data = read_settings().test_data
    if data is None or not (data / FOLDER).is_dir():
        return None
    sales = read_sales(data / FOLDER)
    brand, ids = stocked_with(ground.brand, sales, ground.random)
    requests = list(requests_of(brand, sales, ids, ground.random))
    ends = range(SALES_A_BATCH, len(requests) + 1, SALES_A_BATCH)
    return book_of(brand), [requests[end - SALES_A_BATCH : end] for end in ends]


def _wholesale(ground: Ground, book: StockBook, requests: list[list[PlanRequest]]) -> Metrics:
    """The rate over all sales; how many are proved, and how far the others are above the bound."""
    policies, demands = _prepared(ground.planner, book, requests)
    sums, summed = _prepared(ground.weighted, book, requests)

    def core(demand: Demand) -> Plans:
        return plan(book, policies, demand)

    rate = _rate(core, demands, SALES_A_BATCH, ground.seconds)
    plans = [core(demand) for demand in demands]
    weighted = [plan(book, sums, demand) for demand in summed]
    return {
        "wholesale_orders_per_second": rate,
        "wholesale_proved_share": _proved_share(plans),
        "wholesale_mean_gap_to_bound": _mean_gap_to_bound(plans),
        "wholesale_mean_gap_to_bound_weighted": _mean_gap_to_bound(weighted),
    }


def _mean_gap_to_bound(plans: Sequence[Plans]) -> float:
    """Return how far plans that are not proved lie above their lower bounds, on average."""
    gaps = [
        (p.cost(order) - p.lower_bound(order)) / p.lower_bound(order)
        for p in plans
        for order in range(len(p.proved))
        if not p.proved[order] and p.lower_bound(order)
    ]
    return round(fmean(gaps), 4) if gaps else 0.0
