"""Policies that grow or change, and what parcels of certain goods cost."""

from array import array
from collections.abc import Callable
from random import Random

import pytest

from core_ext import Plans, Policy, parcel_cost_twin, plan
from core_ext.policy import Kind, Limits, Size, Term
from tests.core_ext.small_orders import orders, stocked

NODES = 4
STOCK = [[5, 4, 3, 2], [2, 3, 4, 5], [1, 0, 1, 0]]
SMALL, LARGE = Size(NODES, 1, 1), Size(NODES, 3, 2)
KINDS = tuple(Kind)
MADE = [Policy, parcel_cost_twin.Policy]


def terms(size: Size, seed: int = 1) -> list[Term]:
    """Return a term of every kind; those of a smaller size are the beginning of a larger one's."""
    made = []
    for kind in KINDS:
        random = Random(f"{seed} {kind}")
        table = array("i", [random.randint(0, 40) for _ in range(size.cells(kind))])
        rates = table if kind is Kind.TARIFF else array("i")
        made.append(Term(kind, table, rates, step=3, limit=1_000, multiplier=int(kind) + 1))
    return made


def planned(policy: Policy, goods: list[int]) -> Plans:
    return plan(stocked(*STOCK), [policy], orders([4, 5, 1], [1, 1, 0], goods=goods))


def test_a_policy_that_has_grown_plans_as_one_made_anew() -> None:
    for seed in range(50):
        grown = Policy(NODES, 1, terms(SMALL, seed), b"\1\1\1\1", Limits(), 1)
        planned(grown, [0, -1, 0])
        grown.grow(3, 2, terms(LARGE, seed), b"\1\1\1\1\0\1\1\1")
        anew = Policy(NODES, 3, terms(LARGE, seed), b"\1\1\1\1\0\1\1\1", Limits(), 2)
        assert planned(grown, [1, 0, -1]) == planned(anew, [1, 0, -1])
        assert (grown.place_count, grown.goods_count, grown.filter_count) == (3, 2, 2)


def test_other_values_of_nodes_plan_as_a_policy_made_anew() -> None:
    for seed in range(50):
        changed, others = Policy(NODES, 1, terms(SMALL, seed), goods_count=1), terms(SMALL, -seed)
        planned(changed, [0, 0, 0])
        changed.set_node_values(0, others[0].values)
        anew = Policy(NODES, 1, [others[0], *terms(SMALL, seed)[1:]], goods_count=1)
        assert planned(changed, [0, 0, 0]) == planned(anew, [0, 0, 0])


def shortened(kind: Kind) -> list[Term]:
    """Terms of the large size but for one, which lacks a number."""
    return [
        Term(t.kind, t.values[:-1], t.rates[:-1], t.step) if t.kind == kind else t
        for t in terms(LARGE)
    ]


def negative(kind: Kind) -> list[Term]:
    large = terms(LARGE)
    large[kind].values[-1] = -1
    return large


GROWN: dict[str, Callable[[Policy], None]] = {
    "a table lacks a number": lambda p: p.grow(3, 2, shortened(Kind.GOODS), p.filters),
    "a table of rates too": lambda p: p.grow(3, 2, shortened(Kind.TARIFF), p.filters),
    "a value below 0": lambda p: p.grow(3, 2, negative(Kind.GOODS), p.filters),
    "a term is gone": lambda p: p.grow(3, 2, terms(LARGE)[:-1], p.filters),
    "fewer places": lambda p: p.grow(0, 2, terms(LARGE), p.filters),
    "fewer classes": lambda p: p.grow(3, 0, terms(LARGE), p.filters),
    "fewer filters": lambda p: p.grow(3, 2, terms(LARGE), b""),
    "half a filter": lambda p: p.grow(3, 2, terms(LARGE), p.filters + b"\1"),
    "no byte of a filter": lambda p: p.grow(3, 2, terms(LARGE), p.filters + b"\1\1\1\2"),
    "no term of nodes": lambda p: p.set_node_values(1, array("i", [1] * NODES)),
    "no term at all": lambda p: p.set_node_values(-len(KINDS), array("i", [1] * NODES)),
    "too few nodes": lambda p: p.set_node_values(0, array("i", [1])),
    "a node below 0": lambda p: p.set_node_values(0, array("i", [1, 1, 1, -1])),
    "numbers of another size": lambda p: p.set_node_values(0, array("q", [1] * NODES)),
}


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("change", GROWN.values(), ids=GROWN.keys())
def test_a_refused_change_leaves_the_policy_as_it_was(
    made: type[Policy], change: Callable[[Policy], None]
) -> None:
    policy = made(NODES, 1, terms(SMALL), b"\1\1\1\1", Limits(), 1)
    before = policy.place_count, policy.goods_count, policy.terms, policy.filters
    with pytest.raises(ValueError, match=r"\w"):
        change(policy)
    assert (policy.place_count, policy.goods_count, policy.terms, policy.filters) == before
    if isinstance(policy, Policy):
        anew = Policy(NODES, 1, terms(SMALL), b"\1\1\1\1", Limits(), 1)
        assert planned(policy, [0, -1, 0]) == planned(anew, [0, -1, 0])


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("kind", [k for k in Kind if k != Kind.DEPTH])
def test_no_policy_is_made_of_values_below_0(made: type[Policy], kind: Kind) -> None:
    table = array("i", [-1, *[0] * (NODES - 1)])
    term = Term(kind, table, array("i", [0] * NODES if kind == Kind.TARIFF else []))
    with pytest.raises(ValueError, match="negative"):
        made(NODES, 1, [term], goods_count=1)


@pytest.mark.parametrize(
    ("goods", "band", "limit", "cost"),
    [
        ([0, 1], 1, 100, 7 * (3 * 2 + 5 * 1)),
        ([0, -1], 1, 100, 7 * (3 * 2)),
        ([-1, -1], 1, 100, 0),
        ([1, 1], 1, 100, 7 * (5 * 3)),
        ([0, 1], 3, 100, 7 * 3),
        ([0, 1], 3, 2, 7 * 2),
    ],
)
def test_what_goods_add_to_a_parcel(goods: list[int], band: int, limit: int, cost: int) -> None:
    # Class 0 costs 3 a unit at node 0, class 1 costs 5; node 1 is dearer.
    worth = Term(Kind.GOODS, array("i", [3, 9, 5, 9]), band=band, limit=limit, multiplier=7)
    policy = Policy(2, 1, [Term(Kind.NODE, array("i", [0, 1_000])), worth], goods_count=2)
    plans = plan(stocked([2, 2], [1, 1]), [policy], orders([2, 1], goods=goods))
    assert (plans.cost(0), plans.proved[0]) == (cost, 1)
    assert set(plans.allocation_node) == {0}


def test_goods_go_where_each_class_is_worth_most() -> None:
    worth = Term(Kind.GOODS, array("i", [1, 5, 5, 1]))
    policy = Policy(2, 1, [Term(Kind.NODE, array("i", [2, 2])), worth], goods_count=2)
    demand = orders([4, 4], goods=[0, 1])
    plans = plan(stocked([9, 9], [9, 9]), [policy], demand)
    assert list(plans.allocation_node) == [0, 1]
    assert plans.cost(0) == 2 + 2 + 4 * 1 + 4 * 1
