"""A policy that cannot be used is refused, and says where; one that can is compiled as it reads."""

import pytest

from backend.routing.check_policy import check_policy
from backend.routing.criteria import CRITERIA
from backend.routing.errors import InvalidPolicy
from backend.routing.model import (
    DEFAULT_POLICY,
    Objective,
    PlanRequest,
    PolicyDocument,
)
from backend.routing.network_view import NetworkView
from backend.routing.plan_orders import OrderPlanner
from core_ext import Policy, StockBook
from core_ext.policy import Kind, unpack_lexicographic
from tests.routing.small_worlds import SmallWorld, compared_by, node, policy, request

EVERYTHING = tuple(Objective(name) for name in CRITERIA)

REFUSED: dict[str, tuple[PolicyDocument, tuple[str | int, ...], str]] = {
    "no strategy": (PolicyDocument(()), ("strategies",), "1 to 50"),
    "no objective": (compared_by(), ("strategies", 0, "objectives"), "at least one"),
    "unknown criterion": (
        compared_by(Objective("split"), Objective("beauty")),
        ("strategies", 0, "objectives", 1, "criterion"),
        "no criterion 'beauty'; there are carbon, carrier_coverage",
    ),
    "band 0": (policy("distance", 0), ("strategies", 0, "objectives", 0, "band"), "lies between"),
    "band below 0": (
        policy("distance", -5),
        ("strategies", 0, "objectives", 0, "band"),
        "lies between",
    ),
    "a criterion twice": (
        compared_by(Objective("distance", 50_000), Objective("split"), Objective("distance")),
        ("strategies", 0, "objectives", 2),
        "stands twice",
    ),
    "band above 2^62": (
        policy("distance", 2**63),
        ("strategies", 0, "objectives", 0, "band"),
        "lies between",
    ),
    "too fine": (compared_by(*EVERYTHING), ("strategies", 0, "objectives"), "wider bands"),
    "no node": (policy("split", max_nodes=0), ("strategies", 0, "maxNodes"), "between 1 and 10"),
    "too many nodes": (
        policy("split", max_nodes=11),
        ("strategies", 0, "maxNodes"),
        "between 1 and 10",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_refused(name: str) -> None:
    document, path, says = REFUSED[name]
    with pytest.raises(InvalidPolicy, match=says) as refusal:
        check_policy(document)
    assert refusal.value.code == "INVALID_POLICY"
    assert refusal.value.path == path


@pytest.mark.parametrize(
    "document",
    [
        DEFAULT_POLICY,
        policy("distance", 1),
        policy("split", max_nodes=1),
        policy("split", max_nodes=10),
        *(policy(name) for name in CRITERIA),
    ],
    ids=lambda document: "+".join(o.criterion for o in document.strategies[0].objectives),
)
def test_what_can_be_used_is_compiled(document: PolicyDocument) -> None:
    check_policy(document)
    world = SmallWorld([node(1)], {10: {1: 1}}, document)
    assert world.nodes_of(request({1: 1})) == (1,)


def compiled(document: PolicyDocument, view: NetworkView, *requests: PlanRequest) -> Policy:
    """Return the one strategy of a policy, compiled for some orders."""
    planner = OrderPlanner(view, document, 1)
    book = StockBook(view.source_node, len(view.nodes))
    policies, _ = planner.prepare(requests or [request({1: 1})], book)
    return policies[0]


def test_the_objectives_keep_their_order_and_their_bands() -> None:
    world = SmallWorld([node(1, 120_000, priority=7), node(2, 60_000)], {})
    document = compared_by(Objective("node_priority"), Objective("distance", 50_000))
    terms = compiled(document, world.view).terms
    assert [term.kind for term in terms] == [Kind.NODE, Kind.PLACE]
    assert [list(term.values) for term in terms] == [[7, 100], [120_000, 60_000]]
    assert [(term.band, term.limit) for term in terms] == [(1, 1_000), (50_000, 400)]


def test_a_cost_can_be_read_back_objective_by_objective() -> None:
    """Split 1, other entity 1, 120 km, priority 7, no load, 150 min, 6.50 + 2 · 1.50, depth 99."""
    world = SmallWorld([node(1, 120_000, priority=7, legal_entity_id=8)], {10: {1: 3}})
    cost = world.cost(request({1: 2}, grams=700, legal_entity_id=7))
    terms = compiled(DEFAULT_POLICY, world.view).terms
    fields = unpack_lexicographic(terms, cost)
    assert fields == (1, 1, 120_000 // 50_000, 7, 0, 150 // 240, 800 + 2 * 150, 99)


def test_each_dealer_has_its_own_filter() -> None:
    nodes = [node(1), node(2, dealer_id=5, serves_all=False), node(3, dealer_id=6)]
    view = SmallWorld(nodes, {}).view
    orders = [request({1: 1}, dealer_id=dealer_id) for dealer_id in (None, 5, 6)]
    found = compiled(DEFAULT_POLICY, view, *orders)
    assert found.filters == bytes([1, 0, 1, 1, 1, 1, 1, 0, 1])
