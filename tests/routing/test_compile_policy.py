"""A policy that cannot be used is refused, and says where; one that can is compiled as it reads."""

import pytest

from backend.routing.compile_policy import check_policy, compile_policy
from backend.routing.criteria import CRITERIA
from backend.routing.model import (
    DEFAULT_POLICY,
    InvalidPolicy,
    Objective,
    Place,
    PolicyDocument,
)
from backend.routing.places import Places
from core_ext.policy import Kind, unpack_lexicographic
from tests.routing.small_worlds import HERE, SmallWorld, node, policy, request

EVERYTHING = tuple(Objective(name) for name in CRITERIA)
BANDED = {"distance": 50_000, "freight": 100, "lead_time": 60, "stock_depth": 10}

REFUSED: dict[str, tuple[PolicyDocument, tuple[str | int, ...], str]] = {
    "no objective": (PolicyDocument(()), ("objectives",), "at least one"),
    "unknown criterion": (
        PolicyDocument((Objective("split"), Objective("beauty"))),
        ("objectives", 1, "criterion"),
        "no criterion 'beauty'; there are distance, freight",
    ),
    "band 0": (policy("distance", 0), ("objectives", 0, "band"), "lies between"),
    "band below 0": (policy("distance", -5), ("objectives", 0, "band"), "lies between"),
    "a criterion twice": (
        PolicyDocument((Objective("distance", 50_000), Objective("split"), Objective("distance"))),
        ("objectives",),
        "stands once",
    ),
    "band above 2^62": (policy("distance", 2**63), ("objectives", 0, "band"), "lies between"),
    "too fine": (PolicyDocument(EVERYTHING), ("objectives",), "wider bands"),
    "no node": (policy("split", max_nodes=0), ("maxNodes",), "between 1 and 10"),
    "too many nodes": (policy("split", max_nodes=11), ("maxNodes",), "between 1 and 10"),
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
        PolicyDocument(tuple(Objective(name, BANDED.get(name)) for name in CRITERIA)),
        *(policy(name) for name in CRITERIA),
    ],
    ids=lambda document: "+".join(objective.criterion for objective in document.objectives),
)
def test_what_can_be_used_is_compiled(document: PolicyDocument) -> None:
    check_policy(document)
    world = SmallWorld([node(1)], {10: {1: 1}}, document)
    assert world.nodes_of(request({1: 1})) == (1,)


def places(*region_codes: int) -> Places:
    listed = Places()
    listed.add([Place(code, None) for code in region_codes])
    return listed


def test_the_objectives_keep_their_order_and_their_bands() -> None:
    world = SmallWorld([node(1, 120_000, priority=7), node(2, 60_000)], {})
    document = PolicyDocument((Objective("node_priority"), Objective("distance", 50_000)))
    terms = compile_policy(document, world.view, places(HERE), [None]).terms
    assert [term.kind for term in terms] == [Kind.NODE, Kind.PLACE]
    assert [list(term.values) for term in terms] == [[7, 100], [120_000, 60_000]]
    assert [(term.band, term.limit) for term in terms] == [(1, 1_000), (50_000, 400)]


def test_a_cost_can_be_read_back_objective_by_objective() -> None:
    """Split 1, other entity 1, 120 km, priority 7, no load, 150 min, 6.50 + 2 · 1.50, depth 99."""
    world = SmallWorld([node(1, 120_000, priority=7, legal_entity_id=8)], {10: {1: 3}})
    cost = world.cost(request({1: 2}, grams=700, legal_entity_id=7))
    terms = compile_policy(DEFAULT_POLICY, world.view, places(HERE), [None]).terms
    fields = unpack_lexicographic(terms, cost)
    assert fields == (1, 1, 120_000 // 50_000, 7, 0, 150 // 240, 800 + 2 * 150, 99)


def test_each_dealer_has_its_own_filter() -> None:
    nodes = [node(1), node(2, dealer_id=5, serves_all=False), node(3, dealer_id=6)]
    view = SmallWorld(nodes, {}).view
    compiled = compile_policy(DEFAULT_POLICY, view, places(HERE), [None, 5, 6])
    assert compiled.filters == bytes([1, 0, 1, 1, 1, 1, 1, 0, 1])
