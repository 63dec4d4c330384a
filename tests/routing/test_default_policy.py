"""The default policy picks what a person would: fewest nodes, same entity, near, and so on."""

from collections.abc import Mapping
from typing import NamedTuple

import pytest

from backend.network.model import Node
from tests.routing.small_worlds import SmallWorld, node, request

US, THEM = 7, 8
FULL, ONE = {1: 500}, {1: 1}


class Choice(NamedTuple):
    """A node that is better in one respect, and one that is better in all that count less.

    The second has the smaller number: where both are equal it would win.
    """

    wins: Node
    loses: Node
    stock: Mapping[int, Mapping[int, int]]
    free: Mapping[int, int] = {}
    """Parcels that the nodes still take."""


CHOICES = {
    "the same legal entity before the nearest": Choice(
        node(2, 900_000, legal_entity_id=US, priority=900),
        node(1, 0, legal_entity_id=THEM, priority=0),
        {10: FULL, 20: ONE},
    ),
    "the nearest before the first in rank": Choice(
        node(2, 49_999, priority=1_000),
        node(1, 50_000, priority=0),
        {10: FULL, 20: ONE},
    ),
    "the first in rank before the one with less to do": Choice(
        node(2, priority=1, daily_capacity=100),
        node(1, priority=2, daily_capacity=100),
        {10: FULL, 20: ONE},
        {1: 100, 2: 1},
    ),
    "the one with less to do before the fastest": Choice(
        node(2, daily_capacity=100, lead_time_minutes=9_000),
        node(1, daily_capacity=100),
        {10: FULL, 20: ONE},
        {1: 80, 2: 81},
    ),
    "the fastest before the cheapest": Choice(
        node(2, 100_001, lead_time_minutes=239 - 30 - 100),
        node(1, 100_000, lead_time_minutes=240 - 30 - 100),
        {10: FULL, 20: ONE},
    ),
    "the cheapest before the fullest": Choice(
        node(2, 100_000), node(1, 100_001), {10: FULL, 20: ONE}
    ),
    "the fullest in the end": Choice(node(2), node(1), {10: {1: 50}, 20: {1: 51}}),
}


@pytest.mark.parametrize("name", CHOICES)
def test_what_counts_more_decides(name: str) -> None:
    wins, loses, stock, free = CHOICES[name]
    world = SmallWorld([loses, wins], stock)
    for node_id, parcels in free.items():
        world.set_capacity(node_id, parcels)
    assert world.nodes_of(request({1: 1}, legal_entity_id=US)) == (wins.id,)


def test_one_far_node_before_two_near_ones() -> None:
    """The far one is also another entity's, and last in rank."""
    near = [node(1, legal_entity_id=US), node(2, legal_entity_id=US)]
    far = node(3, 1_900_000, legal_entity_id=THEM, priority=1_000, lead_time_minutes=9_000)
    world = SmallWorld([*near, far], {10: {1: 9}, 20: {2: 9}, 30: {1: 1, 2: 1}})
    assert world.nodes_of(request({1: 1, 2: 1}, legal_entity_id=US)) == (3,)


def test_two_nodes_before_three() -> None:
    nodes = [node(1), node(2), node(3), node(4, 1_000_000)]
    stock = {10: {1: 9}, 20: {2: 9}, 30: {3: 9}, 40: {2: 1, 3: 1}}
    assert SmallWorld(nodes, stock).nodes_of(request({1: 1, 2: 1, 3: 1})) == (1, 4)


def test_of_two_pairs_the_nearer_one_sends() -> None:
    """100 km and 150 km are 2 + 3 bands; 0 km and 300 km are 6."""
    nodes = [node(1, 0), node(2, 300_000), node(3, 100_000), node(4, 150_000)]
    stock = {10: {1: 9}, 20: {2: 9, 3: 9}, 30: {1: 9, 2: 9}, 40: {3: 9}}
    assert SmallWorld(nodes, stock).nodes_of(request({1: 1, 2: 1, 3: 1})) == (3, 4)


@pytest.mark.parametrize(
    ("first", "better"),
    [
        (node(1, 49_000), node(2, 1_000)),
        (node(1, daily_capacity=100), node(2, daily_capacity=1_000)),
        (node(1, lead_time_minutes=209), node(2)),
    ],
    ids=["50 km", "a tenth of the day's capacity", "four hours"],
)
def test_within_a_band_nobody_is_better(first: Node, better: Node) -> None:
    """So the smaller number sends; of the days' capacities 19 % and 10 % are taken."""
    world = SmallWorld([first, better], {10: FULL, 20: FULL})
    world.set_capacity(1, 81)
    world.set_capacity(2, 900)
    assert world.nodes_of(request({1: 1})) == (1,)


def test_one_node_with_the_whole_quantity_before_two_nearer_ones_with_parts() -> None:
    nodes = [node(1), node(2), node(3, 1_500_000)]
    world = SmallWorld(nodes, {10: {1: 3}, 20: {1: 3}, 30: {1: 4}})
    assert world.nodes_of(request({1: 4})) == (3,)


def test_a_node_that_fills_up_gives_way_to_its_neighbour() -> None:
    """From a tenth of the day's capacity on, the other one has less to do."""
    nodes = [node(1, daily_capacity=10), node(2, daily_capacity=10)]
    world = SmallWorld(nodes, {10: FULL, 20: FULL})
    world.set_capacity(2, 10)
    for free, expected in ((10, (1,)), (9, (2,))):
        world.book.set_capacity(0, free, 20 - free)
        assert world.nodes_of(request({1: 1})) == expected
