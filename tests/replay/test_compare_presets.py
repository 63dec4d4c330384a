"""What presets make of the same orders, each figure by hand.

Two nodes of another state are near and have one SKU each; a farther one in the order's own state
has both, is cheaper and faster.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import pytest

from backend.inventory.model import LevelKey
from backend.network.model import Lane, Node
from backend.network.terms import NetworkTerms
from backend.routing.model import PlanRequest, Preset
from backend.routing.network_view import NOWHERE, NetworkView
from loadtests.replay.compare_presets import PresetFigures, figures_under, policy_of
from tests.routing.small_worlds import (
    HERE,
    ONE_DEGREE_EAST,
    REGIONS,
    node,
    own_warehouses,
    request,
)

NOON = datetime(2018, 3, 1, 12, tzinfo=UTC)
A_DAY = 1_440
NODES = (
    node(1, 5_000, region_code=ONE_DEGREE_EAST, lead_time_minutes=A_DAY),
    node(2, 10_000, region_code=ONE_DEGREE_EAST, lead_time_minutes=A_DAY),
    node(3, 100_000, region_code=HERE, lead_time_minutes=A_DAY),
)
STOCK = {
    LevelKey(10, 1): 1,
    LevelKey(20, 2): 1,
    LevelKey(30, 1): 2,
    LevelKey(30, 2): 2,
}
BOTH = request({1: 1, 2: 1}, grams=600, takes_what_is_there=True)
UNKNOWN = request({3: 1}, takes_what_is_there=True)


def lane(number: int, base_minor: int, step_minor: int, days: int) -> Lane:
    """Return the lane from the node of a number to where the orders go."""
    return Lane(
        id=number,
        node_id=number,
        carrier="carrier",
        region_code=HERE,
        base_minor=base_minor,
        step_minor=step_minor,
        step_g=1_000,
        transit_minutes=days * A_DAY,
        is_active=True,
    )


def view_of(nodes: Sequence[Node], lanes: Sequence[Lane]) -> NetworkView:
    terms = NetworkTerms(0, date(2018, 3, 1), {}, {one.node_id: (one,) for one in lanes}, {}, {})
    return NetworkView(nodes, own_warehouses(nodes), REGIONS, terms=terms)


VIEW = view_of(NODES, [lane(1, 1_500, 200, 2), lane(2, 1_500, 200, 2), lane(3, 1_000, 100, 1)])


def under(preset: Preset, *requests: PlanRequest) -> PresetFigures:
    return figures_under(preset, VIEW, STOCK, requests, NOON)


def test_the_nearest_nodes_send_two_parcels_across_the_border() -> None:
    found = under(Preset.NEAREST, BOTH, BOTH, UNKNOWN)
    # The first order in two parcels of 15.00, the second one in one of two begun kilograms.
    assert (found.orders, found.parcels, found.split_orders, found.split_share) == (2, 3, 1, 0.5)
    assert (found.freight_minor, found.freight_minor_per_order) == (1_500 + 1_500 + 1_100, 2_050.0)
    assert found.mean_distance_m == pytest.approx((5_000 + 10_000 + 100_000) / 3, abs=1)
    assert (found.cross_region_parcels, found.cross_region_share) == (2, 0.6667)
    assert (found.cross_region_orders, found.cross_region_orders_share) == (1, 0.5)
    # A day until it leaves, and two days on the road, or one.
    assert (found.mean_days, found.unplaced_units) == (2.5, 1)


@pytest.mark.parametrize("preset", [Preset.FEWEST_SPLITS, Preset.COST, Preset.TIME])
def test_the_node_that_has_both_sends_one_parcel(preset: Preset) -> None:
    found = under(preset, BOTH, BOTH)
    assert (found.orders, found.parcels, found.split_orders) == (2, 2, 0)
    assert (found.freight_minor, found.cross_region_share) == (2_200, 0.0)
    assert found.mean_distance_m == pytest.approx(100_000, abs=1)
    assert (found.mean_days, found.unplaced_units) == (2.0, 0)


def test_what_is_left_is_sent_in_parts() -> None:
    found = under(Preset.COST, BOTH, BOTH, BOTH, BOTH)
    assert (found.orders, found.parcels, found.unplaced_units) == (3, 4, 2)


def test_a_batch_finds_what_the_one_before_it_left() -> None:
    orders = [request({1: 1}, takes_what_is_there=True)] * 250
    stock = {LevelKey(10, 1): 210, LevelKey(30, 1): 30}
    found = figures_under(Preset.NEAREST, VIEW, stock, orders, NOON)
    assert (found.cross_region_parcels, found.parcels, found.unplaced_units) == (210, 240, 10)


def test_who_has_not_said_where_to_gets_nothing() -> None:
    found = under(Preset.NEAREST, request({1: 1, 2: 1}, region_code=NOWHERE), BOTH)
    assert (found.orders, found.parcels, found.unplaced_units) == (1, 2, 2)


def test_a_policy_of_a_preset_is_for_all_orders() -> None:
    (strategy,) = policy_of(Preset.COST).strategies
    assert (strategy.name, strategy.when, strategy.preset) == ("cost", None, Preset.COST)


def test_no_orders_are_no_figures() -> None:
    assert under(Preset.COST) == PresetFigures()
