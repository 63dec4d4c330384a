"""Orders that go through several policies, and what the limits of a policy do to a plan."""

from array import array
from dataclasses import replace
from random import Random

import pytest

from core_ext import Plans, Policy, StockBook, plan
from core_ext.demand import MAY_SPLIT, TAKE_WHAT_IS_THERE, Demand
from core_ext.policy import Kind, Limits, Term
from core_ext.results import Reason, Status
from tests.core_ext.small_orders import orders, stocked

NODES, LINES = 5, 4
SEEDS = range(400)


def taken(plans: Plans) -> list[tuple[int, int, int]]:
    """Return (row, node, units) of everything that is taken."""
    columns = plans.allocation_demand, plans.allocation_node, plans.allocation_quantity
    return list(zip(*columns, strict=True))


def random_policy(random: Random, limits: Limits) -> Policy:
    costs = Term(Kind.NODE, array("i", [random.randint(0, 30) for _ in range(NODES)]))
    units = Term(Kind.UNIT, array("i", [random.randint(0, 4) for _ in range(NODES)]))
    allowed = bytes(random.random() < 0.7 for _ in range(NODES))
    return Policy(NODES, 1, [costs, units], allowed, limits)


def random_limits(random: Random) -> Limits:
    return Limits(random.randint(1, 3), random.choice([1, 2, 64]), random.choice([0, 0, 4]))


def random_book(random: Random) -> StockBook:
    book = stocked(*[[random.randint(0, 6) for _ in range(NODES)] for _ in range(LINES)])
    for node in range(NODES):
        book.set_capacity(node, random.randint(0, 2), 1)
    return book


def take_by_hand(book: StockBook, demand: Demand, plans: Plans) -> list[int]:
    """Take a plan from the book, and return what is left; its nodes can still send."""
    left = list(demand.quantity)
    for row, node, units in taken(plans):
        book.take(demand.sku[row], node, units)
        left[row] -= units
    return left


@pytest.mark.parametrize("flags", [TAKE_WHAT_IS_THERE, TAKE_WHAT_IS_THERE | MAY_SPLIT])
def test_two_policies_plan_as_one_after_the_other_by_hand(flags: int) -> None:
    both = 0
    for seed in SEEDS:
        random = Random(seed)
        book = random_book(random)
        policies = [random_policy(random, random_limits(random)), random_policy(random, Limits())]
        quantities = [random.randint(1, 9) for _ in range(LINES)]
        demand = orders(quantities, flags=flags, filters=[0], chain=[0, 1])
        chained = plan(book, policies, demand)
        alone = orders(quantities, flags=flags, filters=[0])
        first = plan(book, policies[:1], alone)
        left = take_by_hand(book, alone, first)
        expected = taken(first)
        if any(left):
            rest = orders(left, flags=flags, filters=[0])
            expected += [(rest.sku[d], n, q) for d, n, q in taken(plan(book, policies[1:], rest))]
            both += bool(taken(first)) and len(expected) > len(taken(first))
        assert taken(chained) == expected, seed
        if taken(first):
            assert chained.costs == first.costs
            assert chained.policy == array("i", [0])
    assert both > 50


def test_an_order_that_no_chain_completes_takes_nothing() -> None:
    completed = 0
    for seed in SEEDS:
        random = Random(seed)
        book = random_book(random)
        policies = [random_policy(random, random_limits(random)) for _ in range(2)]
        quantities = [random.randint(1, 9) for _ in range(LINES)]
        demand = orders(quantities, [1, 1], filters=[0, 0], flags=MAY_SPLIT, chain=[0, 1])
        plans = plan(book, policies, demand)
        assert plans.status[0] in (Status.PLANNED, Status.UNPLACED)
        completed += plans.status[0] == Status.PLANNED
        if plans.status[0] == Status.PLANNED:
            continue
        assert list(plans.short[:LINES]) == quantities
        assert plans.cost(0) == 0
        assert plans.runner_up_node(0) == -1
        alone = plan(book, policies, orders([1, 1], filters=[0], flags=MAY_SPLIT, chain=[0, 1]))
        assert [part[1:] for part in taken(plans)] == [part[1:] for part in taken(alone)]
    assert 20 < completed < 380


def only(*nodes: int, limits: Limits | None = None) -> Policy:
    """Return a policy of filter 0 that uses these of three nodes, the first ones first."""
    allowed = bytes(int(node in nodes) for node in range(3))
    return Policy(3, 1, [Term(Kind.NODE, array("i", range(3)))], allowed, limits or Limits())


@pytest.mark.parametrize(("capacity", "others"), [(1, [Status.UNPLACED]), (2, [Status.PLANNED])])
def test_a_node_that_sends_already_costs_no_second_parcel(
    capacity: int, others: list[Status]
) -> None:
    book = stocked([2, 3, 0], [5, 0, 0])
    book.set_capacity(0, capacity, 1)
    # SKU 0 comes from node 1, as far as one node has it; what is left then from node 0.
    flags = TAKE_WHAT_IS_THERE
    demand = orders([5, 1], [0, 1], filters=[0, 0], flags=flags, chain=[0, 0])
    plans = plan(book, [only(0, 1)], demand)
    assert taken(plans)[:3] == [(0, 1, 3), (1, 0, 1), (0, 0, 2)]
    assert list(plans.status) == [Status.PLANNED, *others]


def test_the_first_policy_that_places_something_gives_the_cost() -> None:
    book = stocked([4, 0, 3])
    policies = [only(1), only(2), only(0)]
    plans = plan(book, policies, orders([6], filters=[0], chain=[0, 1, 2]))
    assert taken(plans) == [(0, 2, 3), (0, 0, 3)]
    assert list(plans.allocation_policy) == [1, 2]
    assert (plans.policy[0], plans.cost(0), plans.proved[0]) == (1, 2, 1)


def test_a_policy_that_takes_no_part_leaves_it_to_the_next() -> None:
    book = stocked([4, 0, 3])
    policies = [only(0, limits=Limits(takes_part=False)), only(2)]
    plans = plan(book, policies, orders([6], filters=[0], chain=[0, 1], flags=TAKE_WHAT_IS_THERE))
    assert taken(plans) == [(0, 2, 3)]
    assert (plans.status[0], plans.short[0]) == (Status.SHORT, 3)


@pytest.mark.parametrize(
    ("stock", "status", "units"), [(9, Status.UNPLACED, 0), (8, Status.SHORT, 8)]
)
def test_what_is_left_is_worth_a_parcel(stock: int, status: Status, units: int) -> None:
    policy = Policy(1, 1, [], b"", Limits(least_value=20))
    demand = orders([10], flags=TAKE_WHAT_IS_THERE, unit_value=10)
    plans = plan(stocked([stock]), [policy], demand)
    assert plans.status[0] == status
    assert sum(plans.allocation_quantity) == units
    if not units:
        assert plans.reason[0] == Reason.TOO_SMALL


def test_a_small_order_goes_as_one_parcel() -> None:
    policy = Policy(2, 1, [], b"", Limits(least_value=50))
    plans = plan(stocked([4, 0], [0, 1]), [policy], orders([2, 0], [2, 1], unit_value=10))
    assert list(plans.status) == [Status.PLANNED, Status.UNPLACED]
    assert plans.reason[1] == Reason.TOO_SMALL


def test_quantities_move_until_each_parcel_is_worth_enough() -> None:
    policy = Policy(2, 1, [Term(Kind.UNIT, array("i", [1, 2]))], b"", Limits(least_value=30))
    plans = plan(stocked([9, 5]), [policy], orders([10], flags=MAY_SPLIT, unit_value=10))
    assert taken(plans) == [(0, 0, 7), (0, 1, 3)]
    # One unit fewer from node 1 would cost less, were it worth a parcel.
    assert (plans.cost(0), plans.proved[0]) == (13, 0)


def refused(
    book: StockBook, limits: Limits, quantities: list[int], flags: int = 0
) -> tuple[Reason, int]:
    plans = plan(
        book, [Policy(book.node_count, 1, [], b"", limits)], orders(quantities, flags=flags)
    )
    assert plans.status[0] == Status.UNPLACED
    return Reason(plans.reason[0]), plans.failed_row[0]


def test_an_order_says_why_it_is_not_whole() -> None:
    book = stocked([3, 3, 3], [9, 0, 0])
    assert refused(book, Limits(), [1, 10], MAY_SPLIT) == (Reason.NOT_ENOUGH, 1)
    assert refused(book, Limits(), [4, 1]) == (Reason.NOT_WHOLE, 0)
    assert refused(book, Limits(max_nodes=2), [9, 1], MAY_SPLIT) == (Reason.TOO_MANY_NODES, 0)
    apart = stocked([3, 0], [0, 3])
    assert refused(apart, Limits(max_parcels=1), [3, 3]) == (Reason.TOO_MANY_NODES, 1)
    assert refused(apart, Limits(least_value=4), [3, 3]) == (Reason.TOO_SMALL, 0)
    assert refused(apart, Limits(least_value=4), [3, 3], MAY_SPLIT) == (Reason.TOO_SMALL, 0)


def test_a_chain_says_why_its_last_policy_left_something() -> None:
    book, demand = stocked([3, 3, 0]), orders([6], chain=[0, 1], filters=[0])
    plans = plan(book, [only(0), only(2)], replace(demand, flags=array("B", [MAY_SPLIT])))
    assert (plans.status[0], plans.reason[0]) == (Status.UNPLACED, Reason.NOT_ENOUGH)
    assert list(plans.available) == [3]
