"""Each preset prefers what its name says: of two nodes that are otherwise alike, or better."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

import pytest

from backend.network.model import DealerTerms, Node
from backend.network.terms import NetworkTerms
from backend.routing.check_policy import check_policy
from backend.routing.model import Objective, PolicyDocument, Preset, SourcingWeights
from tests.routing.policies import document, strategy
from tests.routing.small_worlds import HERE, SmallWorld, lane, node, request, terms

THURSDAY = datetime(2026, 11, 26, 10)
FULL, LOW = {1: 500}, {1: 5}


def by(preset: Preset, weights: SourcingWeights | None = None, **changes: Any) -> PolicyDocument:
    policy = document(strategy(preset=preset, weights=weights, **changes))
    check_policy(policy)
    return policy


class Choice(NamedTuple):
    """Node 2 wins, though node 1 is better in what counts less, and comes first."""

    preset: Preset
    loses: Node
    wins: Node
    stock: Mapping[int, Mapping[int, int]] = {10: FULL, 20: LOW}
    agreed: NetworkTerms | None = None
    promised_on: date | None = None


def dear(minor: int) -> NetworkTerms:
    """Return lanes of which that of node 1 costs so much."""
    return terms(lane(1, base_minor=minor, transit_minutes=60), lane(2, transit_minutes=600))


CHOICES = {
    "nearest": Choice(Preset.NEAREST, node(1, 20_000, priority=0), node(2, 19_999, priority=900)),
    "nearest, then first in rank": Choice(
        Preset.NEAREST, node(1, 1_000, priority=2), node(2, 19_000, priority=1)
    ),
    "fewest splits, then nearest": Choice(
        Preset.FEWEST_SPLITS, node(1, 50_000, priority=0), node(2, 49_000, priority=900)
    ),
    "the deepest stock": Choice(
        Preset.STOCK_DEPTH, node(1), node(2, 900_000), {10: {1: 50}, 20: {1: 51}}
    ),
    "cost": Choice(Preset.COST, node(1), node(2, 900_000), agreed=dear(801)),
    "cost with handling": Choice(
        Preset.COST, node(1, handling_minor=300), node(2, handling_minor=1), agreed=dear(502)
    ),
    "cost with what the dealer gets": Choice(
        Preset.COST,
        node(1, dealer_id=7),
        node(2),
        agreed=dear(700)._replace(dealers={7: DealerTerms(dealer_id=7, service_fee_minor=200)}),
    ),
    "cost, then time": Choice(
        Preset.COST,
        node(1, lead_time_minutes=300),
        node(2),
        agreed=terms(lane(1, transit_minutes=0), lane(2, transit_minutes=0)),
    ),
    "time: what was promised": Choice(
        Preset.TIME,
        node(1, lead_time_minutes=3_000),
        node(2, 500_000, cut_off_minute=60),
        promised_on=date(2026, 11, 27),
    ),
    "time: who dispatches today": Choice(Preset.TIME, node(1, cut_off_minute=60), node(2, 500_000)),
    "time: the fastest": Choice(Preset.TIME, node(1, lead_time_minutes=90), node(2, 50_000)),
}


@pytest.mark.parametrize("name", CHOICES)
def test_a_preset_prefers_what_its_name_says(name: str) -> None:
    preset, loses, wins, stock, agreed, promised_on = CHOICES[name]
    world = SmallWorld([loses, wins], stock, by(preset), terms=agreed, local=THURSDAY)
    assert world.nodes_of(request({1: 1}, grams=500, promised_on=promised_on)) == (2,)


def test_one_node_for_all_lines_or_the_nearest_for_each() -> None:
    """Fewest splits takes the far one that has both; the nearest are two."""
    nodes = [node(1), node(2, 1_000), node(3, 900_000)]
    stock = {10: {1: 9}, 20: {2: 9}, 30: {1: 9, 2: 9}}
    order = request({1: 1, 2: 1})
    assert SmallWorld(nodes, stock, by(Preset.FEWEST_SPLITS)).nodes_of(order) == (3,)
    assert SmallWorld(nodes, stock, by(Preset.NEAREST)).nodes_of(order) == (1, 2)


@pytest.mark.parametrize("preset", Preset)
def test_every_preset_can_be_used_and_added_to(preset: Preset) -> None:
    added = by(preset, objectives=(Objective("customer_level"),))
    assert SmallWorld([node(1)], {10: FULL}, added).nodes_of(request({1: 1})) == (1,)


# -------------------------------------------------------------------------------- sourcing

NEAR, CHEAP, FAST = 1, 2, 3
AGREED = terms(
    lane(NEAR, base_minor=2_000, transit_minutes=1_500),
    lane(CHEAP, base_minor=500, transit_minutes=1_500),
    lane(FAST, base_minor=2_000, transit_minutes=150),
)
SOURCES = [node(NEAR), node(CHEAP, 1_000_000), node(FAST, 1_000_000)]


def sourced(near: int, cheap: int, fast: int) -> tuple[int, ...]:
    weights = SourcingWeights(near=near, cheap=cheap, fast=fast)
    stock = {10 * n: FULL for n in (NEAR, CHEAP, FAST)}
    world = SmallWorld(SOURCES, stock, by(Preset.SOURCING, weights), terms=AGREED)
    return world.nodes_of(request({1: 1}, grams=500))


@pytest.mark.parametrize(
    ("near", "cheap", "fast", "winner"),
    [
        (1_000, 1, 1, NEAR),
        (0, 1, 0, CHEAP),
        (1, 100, 1, CHEAP),
        (1, 1, 1_000, FAST),
        (14, 1, 0, CHEAP),
        (16, 1, 0, NEAR),
        (0, 1, 16, CHEAP),
        (0, 1, 17, FAST),
    ],
)
def test_sourcing_weighs_near_cheap_and_fast(near: int, cheap: int, fast: int, winner: int) -> None:
    """15.00 of freight stand against 100 bands of 10 km, and against 90 quarters of an hour.

    So 14 a band are too little and 16 are enough; 16 a quarter are 14.40, and 17 are 15.30.
    """
    assert sourced(near, cheap, fast) == (winner,)


def test_sourcing_counts_what_the_dealer_gets_as_cost() -> None:
    agreed = AGREED._replace(dealers={7: DealerTerms(dealer_id=7, service_fee_minor=5_000)})
    nodes = [node(1), node(2, dealer_id=7)]
    world = SmallWorld(nodes, {10: FULL, 20: FULL}, by(Preset.SOURCING), terms=agreed)
    assert world.nodes_of(request({1: 1}, grams=500, region_code=HERE)) == (1,)
