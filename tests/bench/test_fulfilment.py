"""The benchmark of fulfilment measures what it says: the bound, the policies, their costs."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.random import Generator, default_rng

from loadtests.bench.fulfilment import measure, protocols, run
from loadtests.bench.fulfilment.bound import Bound, deterministic_bound
from loadtests.bench.fulfilment.cheapest import Cheapest
from loadtests.bench.fulfilment.clairvoyant import counted, least_cost, optimum
from loadtests.bench.fulfilment.coupling import coupled
from loadtests.bench.fulfilment.instance import (
    NO_ITEM,
    Arrivals,
    Instance,
    Numbers,
    Setting,
    drawn_arrivals,
    drawn_instance,
    nearest_carrying,
)
from loadtests.bench.fulfilment.lookahead import SampledPrices, served_ahead
from loadtests.bench.fulfilment.network import (
    CENTRES,
    METROS,
    METROS_FILE,
    PARCEL_COST,
    Floats,
    Network,
    large_network,
    miles_between,
    network_of,
    small_network,
)
from loadtests.bench.fulfilment.outcome import served, taken_units, total_cost
from loadtests.bench.fulfilment.planned import PlannerServer
from loadtests.bench.fulfilment.prices import StockPrices
from loadtests.bench.fulfilment.rounding import Rounding
from loadtests.bench.fulfilment.transport import TransportPrices
from loadtests.bench.report import Options

TINY = Setting(items=4, largest=3, sets_a_size=2, periods=60, carried=0.75, has_safety=False)
SEEDS = range(4)
CLOSE = 1e-6


def tiny_network() -> Network:
    return network_of(METROS[:3], CENTRES[:2])


def tiny(seed: int, setting: Setting = TINY) -> tuple[Instance, Generator]:
    random = default_rng(seed)
    return drawn_instance(tiny_network(), setting, random), random


def one_kind(stock: list[list[int]], items: list[int], periods: int = 10) -> Instance:
    """Every period the first metro orders the same set."""
    units = np.array(stock)
    return Instance(
        network=tiny_network(),
        periods=periods,
        items=np.array([items]),
        metro=np.zeros(1, np.int64),
        rate=np.ones(1),
        carries=units > 0,
        stock=units,
    )


def cost_by_hand(instance: Instance, arrivals: Arrivals, choices: Numbers) -> float:
    network, total = instance.network, 0.0
    for kind, centres in zip(arrivals.kind, choices, strict=True):
        used = [k for i, k in zip(instance.items[kind], centres, strict=True) if i != NO_ITEM]
        total += sum(network.unit_cost[instance.metro[kind], k] for k in used)
        total += sum(network.parcel_cost[k] for k in set(used))
    return total


# ---------------------------------------------------------------------------------- the ground


def test_miles_are_those_of_the_map() -> None:
    assert miles_between(METROS[0], METROS[1]) == pytest.approx(2_445, rel=0.01)
    network = small_network()
    assert network.unit_cost.shape == (10, 6)
    assert network.share.sum() == pytest.approx(1.0)
    farthest = network.unit_cost[:, :-1].max(axis=1)
    assert network.unit_cost[:, -1] == pytest.approx(2 * farthest)
    assert list(network.parcel_cost) == [PARCEL_COST] * 5 + [2 * PARCEL_COST]


def test_the_large_network_needs_its_file(tmp_path: Path) -> None:
    assert large_network(tmp_path) is None
    lines = "city,state,latitude,longitude,population\nA,X,40.0,-74.0,300\nB,Y,34.0,-118.0,100\n"
    (tmp_path / METROS_FILE).write_text(lines, "utf-8")
    network = large_network(tmp_path)
    assert network is not None
    assert (network.centres, list(network.share)) == (10, [0.75, 0.25])


def test_stock_is_what_the_nearest_needs() -> None:
    instance, _ = tiny(1, TINY._replace(periods=1_000))
    rates, nearest = instance.item_rates(), nearest_carrying(instance)
    for centre, item in product(range(2), range(4)):
        rate = sum(rates[j, item] for j in range(3) if nearest[j, item] == centre)
        assert instance.stock[centre, item] == np.ceil(1_000 * rate - CLOSE)
    safe, _ = tiny(1, TINY._replace(periods=1_000, has_safety=True))
    assert (safe.carries == instance.carries).all()
    assert (safe.stock >= instance.stock - 1).all()
    assert safe.stock.sum() > instance.stock.sum()


def test_orders_come_as_often_as_expected() -> None:
    instance, random = tiny(2, TINY._replace(periods=40_000))
    arrivals = drawn_arrivals(instance, random)
    share = counted(instance, arrivals) / instance.periods
    assert share == pytest.approx(instance.rate, abs=0.01)
    assert (np.diff(arrivals.period) > 0).all()


# ----------------------------------------------------------------------------------- the bound


def test_the_bound_of_a_case_made_by_hand() -> None:
    """Ten orders of both items; the near centre has six of each, the other four of one."""
    network = tiny_network()
    near, far = network.unit_cost[0].argsort()[:2]
    stock = np.zeros((2, 2), np.int64)
    stock[near], stock[far] = (6, 6), (4, 0)
    instance = one_kind(stock.tolist(), [0, 1])
    bound = deterministic_bound(instance)
    unit, parcel = network.unit_cost[0], PARCEL_COST
    whole = 6 * (parcel + 2 * unit[near])
    # The dummy sends the second item of the rest, and it is cheaper to add the first to it.
    alone = parcel + unit[far] + 2 * parcel + unit[-1]
    with_dummy = 2 * parcel + 2 * unit[-1]
    assert bound.cost == pytest.approx(whole + 4 * min(alone, with_dummy))
    assert bound.share[0].sum(axis=1) == pytest.approx([1.0, 1.0])
    assert bound.share[0, :, near] == pytest.approx([0.6, 0.6])


@pytest.mark.parametrize("seed", SEEDS)
def test_prices_are_what_one_more_unit_saves(seed: int) -> None:
    instance, _ = tiny(seed)
    bound = deterministic_bound(instance)
    for cell in np.argwhere(instance.carries)[:3]:
        stock = instance.stock.copy()
        stock[tuple(cell)] += 1
        more = deterministic_bound(instance._replace(stock=stock)).cost
        assert bound.cost - more <= bound.price[tuple(cell)] + CLOSE


@pytest.mark.parametrize("seed", SEEDS)
def test_the_program_of_ways_is_no_weaker(seed: int) -> None:
    instance, _ = tiny(seed)
    program = StockPrices(instance)
    program.prices(instance.stock, instance.periods * instance.rate)
    assert program.cost >= deterministic_bound(instance).cost - CLOSE


# ---------------------------------------------------------------------------- what is published


@pytest.fixture(scope="module")
def rounded() -> tuple[Instance, Bound]:
    """An instance of which the bound splits items over centres."""
    instance, _ = tiny(3, TINY._replace(periods=400))
    bound = deterministic_bound(instance)
    assert ((bound.share > 0.05) & (bound.share < 0.95)).any()
    return instance, bound


@pytest.mark.parametrize("name", ["independent", "correlated", "dilated", "force_open"])
def test_rounding_keeps_the_probability_of_every_item(
    rounded: tuple[Instance, Bound], name: str
) -> None:
    instance, bound = rounded
    draws, kinds = 4_000, len(instance.rate)
    arrivals = Arrivals(np.repeat(np.arange(kinds), draws), np.arange(kinds * draws))
    choices = getattr(Rounding(instance, bound), name)(arrivals, default_rng(5))
    found = np.stack([choices.reshape(kinds, draws, -1) == k for k in range(3)], axis=-1)
    seen = found.mean(axis=1)[instance.is_item]
    assert seen == pytest.approx(bound.share[instance.is_item], abs=0.04)


def test_coupling_keeps_shares_exactly_and_two_items_together() -> None:
    share = np.array([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5], [0.1, 0.8, 0.1]])
    pieces = coupled(share)
    for item, of_item in enumerate(share):
        for centre, expected in enumerate(of_item):
            length = sum(part for part, chosen in pieces if chosen[item] == centre)
            assert length == pytest.approx(expected)
    together = sum(part for part, chosen in coupled(share[:2]) if len(set(chosen)) == 1)
    assert together == pytest.approx(np.minimum(share[0], share[1]).sum())


def test_what_is_out_of_stock_comes_from_the_dummy_in_turn() -> None:
    instance = one_kind([[2, 1], [0, 0]], [0, 1])
    arrivals = Arrivals(np.zeros(3, np.int64), np.arange(3))
    outcome = served(instance, arrivals, np.zeros((3, 2), np.int64))
    assert outcome.tolist() == [[0, 0], [0, 2], [2, 2]]


@pytest.mark.parametrize("seed", SEEDS)
def test_costs_are_those_counted_by_hand(seed: int) -> None:
    instance, random = tiny(seed)
    arrivals = drawn_arrivals(instance, random)
    choices = random.integers(0, 3, (len(arrivals.kind), instance.items.shape[1]))
    by_hand = cost_by_hand(instance, arrivals, choices)
    assert total_cost(instance, arrivals, choices) == pytest.approx(by_hand)


# --------------------------------------------------------------------------- stock-aware choices


@pytest.mark.parametrize("seed", SEEDS)
def test_the_cheapest_way_is_that_of_all(seed: int) -> None:
    instance, random = tiny(seed)
    price, has = 5 * random.random((2, 4)), random.random((2, 4)) < 0.7
    kinds = np.arange(len(instance.rate))
    ways = Cheapest(instance).ways(kinds, price, has)
    for kind, cost in zip(kinds, ways.cost, strict=True):
        items = instance.items[kind][instance.is_item[kind]]
        one = Arrivals(kinds[kind : kind + 1], np.zeros(1, np.int64))
        every = [
            priced(instance, one, np.array([centres]), price)
            for centres in product(range(3), repeat=len(items))
            if all(k == 2 or has[k, i] for k, i in zip(centres, items, strict=True))
        ]
        assert cost == pytest.approx(min(every))


def priced(instance: Instance, one: Arrivals, centres: Numbers, price: Floats) -> float:
    """Return the cost of one order with the price of what it takes."""
    padded = np.zeros((1, instance.items.shape[1]), np.int64)
    padded[:, : centres.shape[1]] = centres
    units = taken_units(instance, one, padded)[:-1]
    return total_cost(instance, one, padded) + float((units * price).sum())


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_served_leaves_the_stock(seed: int) -> None:
    instance, random = tiny(seed, TINY._replace(periods=300))
    arrivals, stock = drawn_arrivals(instance, random), instance.stock.copy()
    choices = PlannerServer(instance).serve(arrivals, stock, np.zeros(stock.shape))
    assert (taken_units(instance, arrivals, choices)[:-1] + stock == instance.stock).all()
    assert stock.min() >= 0


@pytest.mark.parametrize("seed", SEEDS)
def test_every_order_is_served_for_least_cost_and_price(seed: int) -> None:
    instance, random = tiny(seed, TINY._replace(periods=60))
    arrivals, price = drawn_arrivals(instance, random), 3 * random.random((2, 4))
    server, stock = PlannerServer(instance), instance.stock.copy()
    cheapest = Cheapest(instance)
    for at in range(len(arrivals.kind)):
        one = Arrivals(arrivals.kind[at : at + 1], arrivals.period[at : at + 1])
        best = cheapest.ways(one.kind, price, stock > 0).centres
        least = priced(instance, one, best, price)
        choice = server.serve(one, stock, price)
        assert priced(instance, one, choice, price) == pytest.approx(least, abs=0.01)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_batch_is_served_as_one_order_after_another(seed: int) -> None:
    instance, random = tiny(seed, TINY._replace(periods=500))
    arrivals, price = drawn_arrivals(instance, random), 3 * random.random((2, 4))
    server, stock = PlannerServer(instance), instance.stock.copy()
    batch = server.serve(arrivals, instance.stock.copy(), price)
    for at in range(len(arrivals.kind)):
        one = Arrivals(arrivals.kind[at : at + 1], arrivals.period[at : at + 1])
        assert (server.serve(one, stock, price)[0] == batch[at]).all()
    assert (stock == 0).any()


def scarce() -> Instance:
    """New York and Chicago order one item; IND1 is nearer to both, and has 8 of 10 units."""
    instance = one_kind([[10], [8]], [0])
    metros, rate = np.array([0, 2]), np.array([0.6, 0.4])
    return instance._replace(items=np.array([[0], [0]]), metro=metros, rate=rate)


def test_a_scarce_unit_is_worth_what_the_last_one_saves() -> None:
    instance = scarce()
    saved = instance.network.unit_cost[2, 0] - instance.network.unit_cost[2, 1]
    of_ways = StockPrices(instance).prices(instance.stock, 10 * instance.rate)
    of_items = TransportPrices(instance).prices(instance.stock, 10)
    assert of_ways[:, 0] == pytest.approx([0.0, saved])
    assert of_items[:, 0] == pytest.approx([0.0, saved])


def test_a_price_keeps_units_for_whom_they_save_more() -> None:
    instance = scarce()
    saved = instance.network.unit_cost[[0, 2], 0] - instance.network.unit_cost[[0, 2], 1]
    price = np.array([[0.0], [saved.mean()]])
    arrivals = Arrivals(np.array([1, 0]), np.arange(2))
    choices = PlannerServer(instance).serve(arrivals, instance.stock.copy(), price)
    assert choices.tolist() == [[0], [1]]


@pytest.mark.parametrize("seed", SEEDS)
def test_policies_that_look_ahead_take_what_there_is(seed: int) -> None:
    instance, random = tiny(seed)
    arrivals, program = drawn_arrivals(instance, random), StockPrices(instance)
    for source in (TransportPrices(instance), SampledPrices(instance, program, random, 2)):
        choices = served_ahead(instance, PlannerServer(instance), arrivals, source, 10)
        assert (taken_units(instance, arrivals, choices)[:-1] <= instance.stock).all()


# ------------------------------------------------------------------------------- the clairvoyant


def test_the_optimum_of_few_orders_is_that_of_all_ways() -> None:
    instance, random = tiny(6, TINY._replace(periods=5))
    arrivals = drawn_arrivals(instance, random)
    is_item = instance.is_item[arrivals.kind]
    every = []
    for centres in product(range(3), repeat=int(is_item.sum())):
        choices = np.zeros(is_item.shape, np.int64)
        choices[is_item] = centres
        if (taken_units(instance, arrivals, choices)[:-1] <= instance.stock).all():
            every.append(total_cost(instance, arrivals, choices))
    assert len(every) > 1
    assert optimum(StockPrices(instance), instance, arrivals) == pytest.approx(min(every))


@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_is_cheaper_than_the_clairvoyant(seed: int) -> None:
    instance, random = tiny(seed)
    bound = deterministic_bound(instance)
    protocol = protocols.Protocol("", TINY, 1, 1, prices_made=10, has_optimum=True)
    for _ in range(3):
        arrivals = drawn_arrivals(instance, random)
        costs = {
            name: costing(arrivals, random)
            for name, costing in measure.costings(instance, bound, protocol).items()
        }
        assert min(costs.values()) == pytest.approx(costs[measure.CLAIRVOYANT_BOUND], rel=1e-6)
        least = costs.pop(measure.CLAIRVOYANT)
        del costs[measure.CLAIRVOYANT_BOUND]
        assert least <= min(costs.values()) * (1 + CLOSE)


def test_the_bound_lies_below_the_mean_of_the_clairvoyant() -> None:
    instance, random = tiny(2)
    program, bound = StockPrices(instance), deterministic_bound(instance)
    costs = [least_cost(program, instance, drawn_arrivals(instance, random)) for _ in range(200)]
    error = np.std(costs) / np.sqrt(len(costs))
    assert np.mean(costs) > bound.cost - 3 * error


# ---------------------------------------------------------------------------------- the report


def test_intervals_follow_student() -> None:
    assert measure.half_width([1.0, 3.0]) == pytest.approx(12.71)
    assert measure.half_width([1.0] * 30) == 0.0
    assert measure.half_width([1.0]) == float("inf")


def test_the_report_has_every_policy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("YIPAN_TEST_DATA", str(tmp_path))
    small = protocols.Protocol("small", TINY, 2, 2, prices_made=5, has_optimum=True)
    large = small._replace(name="large", is_large=True)
    monkeypatch.setattr("loadtests.bench.fulfilment.compare.QUICK", (small, large))
    report = run(Options(quick=True))
    ratios = report.metrics["cost_ratio_small"]
    assert ratios.keys() == report.metrics["interval_small"].keys()
    assert {"myopic", "independent", "correlated", "dilated", "force_open"} < ratios.keys()
    assert {measure.MYOPIC, "acimovic_graves", measure.YIPAN, measure.CLAIRVOYANT} < ratios.keys()
    assert report.metrics["gap_closed_small"]["to_clairvoyant"] <= 1.0
    assert report.skipped == ["large: the file of metros is not there"]


def test_the_same_seed_gives_the_same_figures() -> None:
    protocol = protocols.Protocol("", TINY, 2, 2, prices_made=5)
    first, again = (measure.measured(tiny_network(), protocol, 7) for _ in range(2))
    assert first.cost_ratio == again.cost_ratio
