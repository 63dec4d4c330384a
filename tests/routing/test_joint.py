"""Orders of a batch that want the same last units are planned together where that is cheaper."""

import msgspec
import pytest

from backend.routing.model import Objective, PlanRequest, PolicyDocument
from tests.routing.small_worlds import (
    HERE,
    ONE_DEGREE_EAST,
    SmallWorld,
    compared_by,
    node,
    request,
)

IN_TURN = compared_by(Objective("freight"))
TOGETHER = msgspec.structs.replace(IN_TURN, plans_together=True)
KILOGRAM = 1_000


def world(document: PolicyDocument) -> SmallWorld:
    """Node 1 has one unit of both SKUs, node 2 in the east one of the first."""
    nodes = [node(1), node(2, longitude_e6=2_500_000)]
    return SmallWorld(nodes, {10: {1: 1, 2: 1}, 20: {1: 1}}, document)


EAST = request({1: 1}, grams=KILOGRAM, region_code=ONE_DEGREE_EAST)
"""Sent from node 2 as cheaply as from node 1, and the tie goes to node 1."""
BOTH = request({1: 1, 2: 1}, grams=KILOGRAM, region_code=HERE)
"""Sent from node 1, or else in two parcels."""


def nodes_of(document: PolicyDocument, *orders: PlanRequest) -> list[tuple[int, ...]]:
    return [plan.decision.winner_nodes for plan in world(document).plan(*orders)]


def test_in_turn_the_first_takes_the_last_unit() -> None:
    assert nodes_of(IN_TURN, EAST, BOTH) == [(1,), (2, 1)]


def test_together_the_one_who_would_lose_by_it_has_it() -> None:
    assert nodes_of(TOGETHER, EAST, BOTH) == [(2,), (1,)]


def test_nobody_gets_less_than_in_turn() -> None:
    """There is one unit for two: who came first keeps it, however far it goes."""
    only = [node(1)]
    far = request({1: 1}, grams=KILOGRAM, region_code=ONE_DEGREE_EAST)
    near = request({1: 1}, grams=KILOGRAM, region_code=HERE)
    plans = SmallWorld(only, {10: {1: 1}}, TOGETHER).plan(far, near)
    assert [plan.is_whole for plan in plans] == [True, False]


@pytest.mark.parametrize("document", [IN_TURN, TOGETHER])
def test_where_nothing_is_contested_both_ways_are_the_same(document: PolicyDocument) -> None:
    orders = [request({2: 1}, grams=KILOGRAM), EAST]
    assert nodes_of(document, *orders) == [(1,), (1,)]


def test_the_book_is_left_as_it_was() -> None:
    there = world(TOGETHER)
    before = [there.book.entries(sku) for sku in (1, 2)]
    there.plan(EAST, BOTH, EAST)
    assert [there.book.entries(sku) for sku in (1, 2)] == before


def test_the_same_again_gives_the_same() -> None:
    orders = [EAST, BOTH, EAST, BOTH]
    assert nodes_of(TOGETHER, *orders) == nodes_of(TOGETHER, *orders)
