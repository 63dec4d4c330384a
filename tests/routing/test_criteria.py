"""Each criterion is what was worked out by hand; bands and limits hold a parcel, then all add up.

A policy of one criterion makes its value the cost of a plan.
"""

from pathlib import Path
from typing import Any

import pytest

from backend.network.geo import distance_m
from backend.network.model import Node
from backend.routing import criteria
from backend.routing.criteria import CRITERIA
from tests.routing.small_worlds import (
    ONE_DEGREE_EAST,
    SmallWorld,
    node,
    policy,
    request,
    warehouse,
)

PLENTY = 10_000
MINOR_LIMIT = 1_048_575
"""Of the freight of one parcel: 2^20 - 1."""


def cost_at(only: Node, criterion: str, band: int | None = None, **order: Any) -> int:
    """Return what an order of one unit (by default) costs from the one node there is."""
    units = order.pop("units", {1: 1})
    stock = {10 * only.id: dict.fromkeys(units, PLENTY)}
    return SmallWorld([only], stock, policy(criterion, band)).cost(request(units, **order))


def test_every_criterion_is_listed_under_its_name() -> None:
    modules = {path.stem for path in Path(criteria.__file__).parent.glob("*.py")}
    assert set(CRITERIA) == modules - {"__init__", "criterion", "of_goods"}
    for name, criterion in CRITERIA.items():
        assert criterion.name == name
        assert all((criterion.unit, criterion.range, criterion.source))


# -------------------------------------------------------------------------------- distance

HALF_AROUND_M = 20_015_114
"""π · 6,371,008.8 m."""


@pytest.mark.parametrize(
    ("longitude_e6", "latitude_e6", "metres"),
    [
        (0, 0, 0),
        (0, 9, 1),
        (0, 1_000_000, 111_195),
        (1_000_000, 0, 111_195),
        (-1_000_000, 0, 111_195),
        (0, -90_000_000, HALF_AROUND_M // 2),
        (180_000_000, 0, HALF_AROUND_M),
    ],
)
def test_distance_is_metres_on_the_globe(longitude_e6: int, latitude_e6: int, metres: int) -> None:
    there = node(1, longitude_e6=longitude_e6, latitude_e6=latitude_e6)
    assert cost_at(there, "distance") == metres


def test_distance_is_to_the_orders_region() -> None:
    assert cost_at(node(1), "distance", region_code=ONE_DEGREE_EAST) == 111_195


def test_meridians_draw_together_towards_the_pole() -> None:
    """A degree of longitude at 60° is half as far; the great circle does not save half a metre."""
    assert distance_m(0, 60_000_000, 1_000_000, 60_000_000) == 111_195 // 2
    assert distance_m(179_500_000, 0, -179_500_000, 0) == 111_195


# --------------------------------------------------------------------------------- freight


@pytest.mark.parametrize(
    ("metres", "minor"),
    [
        (0, 600 + 100),
        (100_000, 600 + 100),
        (100_001, 800 + 150),
        (300_000, 800 + 150),
        (300_001, 1_000 + 250),
        (800_000, 1_000 + 250),
        (800_001, 1_200 + 400),
        (1_500_000, 1_200 + 400),
        (1_500_001, 1_500 + 700),
        (9_000_000, 1_500 + 700),
    ],
)
def test_freight_of_a_kilogram_by_zone(metres: int, minor: int) -> None:
    assert cost_at(node(1, metres), "freight", grams=1_000) == minor


@pytest.mark.parametrize(
    ("grams", "minor"),
    [
        (0, 1_000),
        (1, 1_000 + 250),
        (1_000, 1_000 + 250),
        (1_001, 1_000 + 2 * 250),
        (2_000, 1_000 + 2 * 250),
        (2_001, 1_000 + 3 * 250),
    ],
)
def test_freight_counts_each_begun_kilogram(grams: int, minor: int) -> None:
    assert cost_at(node(1, 500_000), "freight", grams=grams) == minor


def test_freight_weighs_a_parcel_as_a_whole() -> None:
    """3 · 400 g and 2 · 400 g are 2 kg together, not 2 kg and 1 kg."""
    assert cost_at(node(1), "freight", units={1: 3, 2: 2}, grams=400) == 600 + 2 * 100


def test_freight_of_two_parcels_is_two_freights() -> None:
    nodes = [node(1), node(2, 100_001)]
    world = SmallWorld(nodes, {10: {1: 1}, 20: {2: 1}}, policy("freight"))
    assert world.cost(request({1: 1, 2: 1}, grams=500)) == (600 + 100) + (800 + 150)


def test_freight_has_a_limit() -> None:
    """1,500 + 700 · 1,495 kg lies just below it, 5 kg more do not."""
    far = node(1, 2_000_000)
    assert cost_at(far, "freight", grams=1_495_000) == 1_500 + 700 * 1_495
    assert cost_at(far, "freight", grams=1_500_000) == MINOR_LIMIT


# ----------------------------------------------------------------------------------- split


def test_split_counts_the_nodes_of_an_order() -> None:
    stock = {10: {1: 1, 2: 1}, 20: {3: 1}, 30: {4: 1}}
    world = SmallWorld([node(n) for n in (1, 2, 3)], stock, policy("split"))
    assert world.cost(request({1: 1, 2: 1})) == 1
    assert world.cost(request({1: 1, 3: 1})) == 2
    assert world.cost(request({1: 1, 3: 1, 4: 1})) == 3


def test_split_counts_nodes_not_functional_warehouses() -> None:
    sources = [warehouse(10, 1), warehouse(11, 1)]
    world = SmallWorld([node(1)], {10: {1: 1}, 11: {1: 1}}, policy("split"), sources)
    assert world.cost(request({1: 2})) == 1


# ----------------------------------------------------------------------------- stock depth


@pytest.mark.parametrize(
    ("free", "taken", "units"),
    [(150, 20, 0), (120, 20, 0), (119, 20, 1), (100, 20, 20), (20, 20, 100)],
)
def test_stock_depth_is_what_lacks_to_a_hundred_units(free: int, taken: int, units: int) -> None:
    world = SmallWorld([node(1)], {10: {1: free}}, policy("stock_depth"))
    assert world.cost(request({1: taken})) == units


def test_stock_depth_adds_up_over_the_skus_of_a_parcel() -> None:
    world = SmallWorld([node(1)], {10: {1: 100, 2: 60, 3: 500}}, policy("stock_depth"))
    assert world.cost(request({1: 20, 2: 60, 3: 20})) == 20 + 100 + 0


def test_stock_depth_counts_all_functional_warehouses_of_the_node() -> None:
    sources = [warehouse(10, 1), warehouse(11, 1)]
    stock = {10: {1: 30}, 11: {1: 40}}
    world = SmallWorld([node(1)], stock, policy("stock_depth"), sources)
    assert world.cost(request({1: 10})) == 100 - (30 + 40 - 10)


def test_stock_depth_has_a_limit_a_parcel() -> None:
    """Eleven SKUs without a unit left would be 1,100."""
    units = dict.fromkeys(range(1, 12), 1)
    world = SmallWorld([node(1)], {10: units}, policy("stock_depth"))
    assert world.cost(request(units)) == 1_000


# ---------------------------------------------------------------- priority, load, lead time


@pytest.mark.parametrize("priority", [0, 1, 1_000])
def test_node_priority_is_the_rank_of_the_node(priority: int) -> None:
    assert cost_at(node(1, priority=priority), "node_priority") == priority


@pytest.mark.parametrize(
    ("daily_capacity", "free", "permille"),
    [
        (100, 100, 0),
        (100, 37, 630),
        (100, 1, 990),
        (1_000, 991, 0),
        (1_000, 990, 10),
        (1_000, 381, 610),
        (3, 2, 330),
    ],
)
def test_node_load_is_how_much_of_the_day_is_taken(
    daily_capacity: int, free: int, permille: int
) -> None:
    only = node(1, daily_capacity=daily_capacity)
    world = SmallWorld([only], {10: {1: 1}}, policy("node_load"))
    world.set_capacity(1, free)
    assert world.cost(request({1: 1})) == permille


def test_a_node_without_a_daily_capacity_has_no_load() -> None:
    assert cost_at(node(1), "node_load") == 0


@pytest.mark.parametrize(
    ("metres", "own_minutes", "minutes"),
    [
        (0, 0, 30),
        (999, 0, 30),
        (1_000, 0, 31),
        (250_999, 60, 60 + 30 + 250),
        (0, 65_504, 65_534),
        (0, 65_505, 65_535),
        (0, 525_600, 65_535),
    ],
)
def test_lead_time_is_the_nodes_own_and_the_road(
    metres: int, own_minutes: int, minutes: int
) -> None:
    assert cost_at(node(1, metres, lead_time_minutes=own_minutes), "lead_time") == minutes


# ---------------------------------------------------------------------------- legal entity


@pytest.mark.parametrize(
    ("of_order", "of_node", "others"),
    [(7, 7, 0), (7, 8, 1), (7, None, 0), (None, 7, 0), (None, None, 0)],
)
def test_legal_entity_tells_another_one_from_the_same(
    of_order: int | None, of_node: int | None, others: int
) -> None:
    there = node(1, legal_entity_id=of_node)
    assert cost_at(there, "legal_entity", legal_entity_id=of_order) == others


# ------------------------------------------------------------------------ bands and limits


@pytest.mark.parametrize(
    ("metres", "band", "value"),
    [
        (49_999, 50_000, 0),
        (50_000, 50_000, 1),
        (99_999, 50_000, 1),
        (100_000, 50_000, 2),
        (7, 1, 7),
        (7, None, 7),
        (9_000_000, 20_000_000, 0),
    ],
)
def test_a_band_makes_its_values_equal(metres: int, band: int | None, value: int) -> None:
    assert cost_at(node(1, metres), "distance", band) == value


def test_bands_apply_to_each_parcel_before_they_add_up() -> None:
    nodes = [node(1, 49_999), node(2, 49_999)]
    world = SmallWorld(nodes, {10: {1: 1}, 20: {2: 1}}, policy("distance", 50_000))
    assert world.cost(request({1: 1, 2: 1})) == 0


@pytest.mark.parametrize(
    ("criterion", "band", "value"),
    [("freight", 1_000, 1_048), ("lead_time", 240, 273), ("stock_depth", 300, 3)],
)
def test_limits_are_banded_too(criterion: str, band: int, value: int) -> None:
    """2^20 - 1 minor units, 65,535 minutes and 1,000 units, in whole bands."""
    units = dict.fromkeys(range(1, 14), 1)
    slow = node(1, 2_000_000, lead_time_minutes=525_600)
    world = SmallWorld([slow], {10: units}, policy(criterion, band))
    assert world.cost(request(units, grams=150_000)) == value


def test_limits_hold_a_parcel_not_an_order() -> None:
    nodes = [node(n, lead_time_minutes=525_600) for n in (1, 2)]
    world = SmallWorld(nodes, {10: {1: 1}, 20: {2: 1}}, policy("lead_time"))
    assert world.cost(request({1: 1, 2: 1})) == 2 * 65_535
