"""Planning takes from nodes that may send, order by order, and leaves the book as it was."""

import msgspec
import pytest

from backend.network.model import Condition, FunctionalWarehouse, Node
from backend.routing import plan_orders
from backend.routing.model import DEFAULT_POLICY, OrderPlan
from backend.routing.plan_orders import OrderPlanner
from tests.routing.small_worlds import (
    HERE,
    ONE_DEGREE_EAST,
    POLICY_VERSION,
    SmallWorld,
    node,
    policy,
    request,
    shares,
    warehouse,
)

NOTHING = ()


def assert_unplaced(plan: OrderPlan, short: tuple[int, ...], available: tuple[int, ...]) -> None:
    assert not plan.is_whole
    assert (plan.allocations, plan.short, plan.available) == ((), short, available)
    assert plan.decision.winner_nodes == NOTHING


# ------------------------------------------------------------------------ who sends at all


@pytest.mark.parametrize(
    ("serves_all", "dealer_id", "expected"),
    [
        (False, 5, (2,)),
        (False, 6, (1,)),
        (False, None, (1,)),
        (True, 5, (2,)),
        (True, 6, (2,)),
        (True, None, (2,)),
    ],
)
def test_a_dealers_node_sends_its_own_orders_or_all(
    serves_all: bool, dealer_id: int | None, expected: tuple[int, ...]
) -> None:
    nodes = [node(1, 900_000), node(2, dealer_id=5, serves_all=serves_all)]
    world = SmallWorld(nodes, {10: {1: 9}, 20: {1: 9}})
    assert world.nodes_of(request({1: 1}, dealer_id=dealer_id)) == expected


def test_anothers_dealers_node_does_not_even_lend() -> None:
    world = SmallWorld([node(2, dealer_id=5, serves_all=False)], {20: {1: 9}})
    (plan,) = world.plan(request({1: 1}, dealer_id=6, takes_what_is_there=True))
    assert_unplaced(plan, (1,), (0,))


@pytest.mark.parametrize(
    ("only", "source"),
    [
        (node(1, is_active=False), warehouse(10, 1)),
        (node(1), warehouse(10, 1, condition=Condition.DEFECTIVE)),
        (node(1), warehouse(10, 1, condition=Condition.INSPECTION)),
        (node(1), warehouse(10, 1, purpose="gifts")),
        (node(1), warehouse(10, 1, dealer_id=5)),
        (node(1, dealer_id=5), warehouse(10, 1)),
    ],
    ids=["closed", "defective", "inspection", "purpose", "a dealer's goods", "the brand's goods"],
)
def test_what_cannot_be_sold_gives_nothing(only: Node, source: FunctionalWarehouse) -> None:
    world = SmallWorld([only], {10: {1: 9}}, warehouses=[source])
    (plan,) = world.plan(request({1: 2}, dealer_id=5))
    assert_unplaced(plan, (2,), (0,))


def test_beside_what_cannot_be_sold_the_rest_is() -> None:
    sources = [warehouse(10, 1, condition=Condition.DEFECTIVE, rank=-1), warehouse(11, 1)]
    world = SmallWorld([node(1)], {10: {1: 9}, 11: {1: 2}}, warehouses=sources)
    (plan,) = world.plan(request({1: 2}))
    assert shares(plan) == [(0, 11, 2)]


@pytest.mark.parametrize(("parcels", "expected"), [(0, (2,)), (-3, (2,)), (1, (1,))])
def test_a_node_that_takes_no_parcel_today_is_passed_over(
    parcels: int, expected: tuple[int, ...]
) -> None:
    nodes = [node(1, daily_capacity=50), node(2, 900_000)]
    world = SmallWorld(nodes, {10: {1: 9}, 20: {1: 9}}, policy("distance"))
    world.set_capacity(1, parcels)
    assert world.nodes_of(request({1: 1})) == expected


def test_a_tenant_without_nodes_sends_nothing() -> None:
    first, second = SmallWorld([], {}).plan(request({1: 2, 2: 3}), request({1: 1}))
    assert_unplaced(first, (2, 3), (0, 0))
    assert_unplaced(second, (1,), (0,))
    assert first.decision.policy_version == POLICY_VERSION


def test_a_tenant_with_closed_nodes_alone_sends_nothing() -> None:
    (plan,) = SmallWorld([node(1, is_active=False)], {10: {1: 9}}).plan(request({1: 2}))
    assert_unplaced(plan, (2,), (0,))


def test_a_node_without_functional_warehouses_sends_nothing() -> None:
    (plan,) = SmallWorld([node(1)], {}, warehouses=[]).plan(request({1: 2}))
    assert_unplaced(plan, (2,), (0,))


# -------------------------------------------------------------------------- how much of it


def test_functional_warehouses_are_used_by_rank() -> None:
    sources = [warehouse(10, 1, rank=2), warehouse(11, 1, rank=1), warehouse(12, 1, rank=3)]
    stock = {10: {1: 5}, 11: {1: 2}, 12: {1: 5}}
    (plan,) = SmallWorld([node(1)], stock, warehouses=sources).plan(request({1: 4}))
    assert shares(plan) == [(0, 11, 2), (0, 10, 2)]


def test_an_order_that_does_not_fit_takes_nothing() -> None:
    world = SmallWorld([node(1), node(2)], {10: {1: 3, 2: 9}, 20: {1: 2}})
    (plan,) = world.plan(request({1: 6, 2: 1}))
    assert_unplaced(plan, (6, 1), (5, 9))


def test_an_order_may_take_what_is_there() -> None:
    world = SmallWorld([node(1), node(2)], {10: {1: 3}, 20: {1: 2}})
    (plan,) = world.plan(request({1: 6, 2: 1}, takes_what_is_there=True))
    assert sorted(shares(plan)) == [(0, 10, 3), (0, 20, 2)]
    assert (plan.short, plan.available, plan.is_whole) == ((1, 1), (5, 0), False)


def test_what_is_oversold_is_no_stock() -> None:
    (plan,) = SmallWorld([node(1)], {10: {1: -4}}).plan(request({1: 1}))
    assert_unplaced(plan, (1,), (0,))


def test_a_quantity_stays_together_where_the_policy_says_so() -> None:
    document = policy("split", may_split_lines=False)
    world = SmallWorld([node(1), node(2)], {10: {1: 3, 2: 1}, 20: {1: 3}}, document)
    apart, together = world.plan(request({1: 4}), request({1: 3, 2: 1}))
    assert_unplaced(apart, (4,), (6,))
    assert together.decision.winner_nodes == (1,)


@pytest.mark.parametrize(("max_nodes", "is_whole"), [(1, False), (2, False), (3, True)])
def test_a_quantity_is_split_over_so_many_nodes(max_nodes: int, is_whole: bool) -> None:
    stock = {10: {1: 2}, 20: {1: 2}, 30: {1: 2}}
    document = policy("split", max_nodes=max_nodes)
    (plan,) = SmallWorld([node(n) for n in (1, 2, 3)], stock, document).plan(request({1: 6}))
    assert plan.is_whole == is_whole
    assert bool(plan.allocations) == is_whole


def test_an_order_of_more_than_2000_tonnes_is_planned() -> None:
    world = SmallWorld([node(1), node(2, 200_000)], {10: {1: 9}, 20: {1: 9}})
    assert world.nodes_of(request({1: 3}, grams=10**9)) == (1,)


# ---------------------------------------------------------------------- orders of a batch


def test_an_order_sees_what_earlier_ones_take() -> None:
    world = SmallWorld([node(1), node(2, 900_000)], {10: {1: 4}, 20: {1: 3}})
    plans = world.plan(*[request({1: 2})] * 4)
    assert [plan.decision.winner_nodes for plan in plans] == [(1,), (1,), (2,), NOTHING]
    assert [plan.available for plan in plans] == [(7,), (5,), (3,), (1,)]


def test_rows_are_numbered_in_each_order_by_itself() -> None:
    world = SmallWorld([node(1)], {10: {1: 9, 2: 9}})
    plans = world.plan(request({1: 1, 2: 2}), request({2: 3, 1: 4}))
    assert [shares(plan) for plan in plans] == [
        [(0, 10, 1), (1, 10, 2)],
        [(0, 10, 3), (1, 10, 4)],
    ]


def test_an_order_that_takes_nothing_leaves_all_to_the_next() -> None:
    world = SmallWorld([node(1)], {10: {1: 4}})
    refused, placed = world.plan(request({1: 5}), request({1: 4}))
    assert (refused.is_whole, placed.is_whole) == (False, True)


def test_an_order_sees_the_parcels_of_earlier_ones() -> None:
    nodes = [node(1, daily_capacity=2), node(2, 900_000)]
    world = SmallWorld(nodes, {10: {1: 9}, 20: {1: 9}}, policy("distance"))
    world.set_capacity(1, 2)
    plans = world.plan(*[request({1: 1})] * 3)
    assert [plan.decision.winner_nodes for plan in plans] == [(1,), (1,), (2,)]


def batch_world() -> SmallWorld:
    nodes = [node(1), node(2, 70_000, daily_capacity=5), node(3, dealer_id=5, serves_all=False)]
    world = SmallWorld(nodes, {10: {1: 4, 2: 1}, 20: {1: 9, 2: 9}, 30: {1: 2}})
    world.set_capacity(2, 2)
    return world


BATCH = [
    request({1: 3, 2: 1}),
    request({1: 2}, dealer_id=5),
    request({1: 8}, region_code=ONE_DEGREE_EAST),
    request({1: 9}, takes_what_is_there=True),
    request({2: 99}),
]


def test_planning_leaves_the_book_as_it_was() -> None:
    world = batch_world()

    def state() -> tuple[object, ...]:
        capacities = [world.book.capacity(index) for index in range(3)]
        return world.book.entries(1), world.book.entries(2), capacities, world.book.position

    before = state()
    assert any(plan.allocations for plan in world.plan(*BATCH))
    assert state() == before


def test_the_same_again_gives_the_same() -> None:
    world = batch_world()
    first = world.plan(*BATCH)
    assert world.plan(*BATCH) == first
    assert batch_world().plan(*BATCH) == first


def test_no_orders_have_no_plans() -> None:
    assert batch_world().plan() == []


# --------------------------------------------------------- what a planner has compiled before


def test_a_planner_that_has_seen_others_plans_the_same() -> None:
    """New places, dealers and loads come one by one; nothing of the earlier ones sticks."""
    used, orders = batch_world(), BATCH[:3]
    for order in orders:
        used.plan(order)
    assert [used.plan(order) for order in orders] == [batch_world().plan(o) for o in orders]


def test_new_loads_count_from_the_next_batch_on() -> None:
    nodes = [node(1, daily_capacity=10), node(2, daily_capacity=10)]
    world = SmallWorld(nodes, {10: {1: 9}, 20: {1: 9}}, policy("node_load"))
    chosen = []
    for version, free in enumerate([(5, 5), (5, 6), (7, 6)], 1):
        world.book.set_capacity(0, free[0], version)
        world.book.set_capacity(1, free[1], version)
        chosen.append(world.nodes_of(request({1: 1})))
    assert chosen == [(1,), (2,), (1,)]


def test_places_beyond_the_most_are_planned_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_orders, "PLACES_MAX", 1)
    east = node(2, longitude_e6=1_000_000)
    world = SmallWorld([node(1), east], {10: {1: 9}, 20: {1: 9}})
    regions = [HERE, ONE_DEGREE_EAST, HERE, ONE_DEGREE_EAST, HERE]
    chosen = [world.nodes_of(request({1: 1}, region_code=code)) for code in regions]
    assert chosen == [(1,), (2,), (1,), (2,), (1,)]
    assert len(world.planner._tables.places) == 1


# ------------------------------------------------------------------- what is kept of a plan


def test_a_decision_says_how_it_came_about() -> None:
    world = SmallWorld([node(1, 3), node(2, 5)], {10: {1: 9}, 20: {1: 9}}, policy("distance"))
    _, plan = world.plan(request({1: 1}), request({1: 1}))
    assert msgspec.structs.asdict(plan.decision) == {
        "policy_version": POLICY_VERSION,
        "book_position": 2,
        "batch_index": 1,
        "is_proved": True,
        "cost": 3,
        "lower_bound": 3,
        "winner_nodes": (1,),
        "runner_up_node": 2,
        "runner_up_cost": 5,
        "strategies": ("only",),
    }


def test_a_decision_without_an_alternative_has_no_runner_up() -> None:
    (plan,) = SmallWorld([node(1)], {10: {1: 9}}).plan(request({1: 1}))
    assert (plan.decision.runner_up_node, plan.decision.runner_up_cost) == (None, None)


def test_plans_name_ids_not_the_planners_numbers() -> None:
    """A closed node stands before the open ones, so numbers and ids lie apart."""
    nodes = [node(1, is_active=False), node(4), node(9)]
    world = SmallWorld(nodes, {40: {1: 1}, 90: {2: 1}})
    (plan,) = world.plan(request({1: 1, 2: 1}))
    assert [(a.node_id, a.functional_warehouse_id) for a in plan.allocations] == [(4, 40), (9, 90)]
    assert plan.decision.winner_nodes == (4, 9)


def test_a_planner_keeps_its_version() -> None:
    world = SmallWorld([node(1)], {10: {1: 9}})
    planner = OrderPlanner(world.view, DEFAULT_POLICY, 12)
    (plan,) = planner.plan([request({1: 1})], world.book)
    assert plan.decision.policy_version == 12
