"""The view numbers the open nodes and their sellable goods, and knows who serves whom."""

from collections.abc import Sequence

import pytest

from backend.network.model import Condition, FunctionalWarehouse, Node
from backend.routing.network_view import NetworkView
from tests.routing.small_worlds import HERE, ONE_DEGREE_EAST, REGIONS, node, warehouse

OPEN = [node(1), node(2), node(5, dealer_id=5)]
CLOSED = node(3, is_active=False)


def view_of(nodes: Sequence[Node], warehouses: Sequence[FunctionalWarehouse] = ()) -> NetworkView:
    return NetworkView(nodes, warehouses, REGIONS)


def test_closed_nodes_have_no_number() -> None:
    view = view_of([OPEN[0], CLOSED, OPEN[1]])
    assert [n.id for n in view.nodes] == [1, 2]
    assert view.node_index == {1: 0, 2: 1}


def test_sources_stand_by_rank_then_id() -> None:
    listed = [warehouse(13, 1, rank=2), warehouse(12, 2), warehouse(11, 1, rank=2), warehouse(9, 2)]
    view = view_of(OPEN, listed)
    assert [source.functional_warehouse_id for source in view.sources] == [9, 12, 11, 13]
    assert view.source_index == {(9, 0): 0, (12, 0): 1, (11, 0): 2, (13, 0): 3}
    assert list(view.source_node) == [1, 1, 0, 0]


@pytest.mark.parametrize(
    "unsellable",
    [
        warehouse(99, 1, condition=Condition.DEFECTIVE),
        warehouse(99, 1, condition=Condition.INSPECTION),
        warehouse(99, 1, purpose="gifts"),
        warehouse(99, 1, dealer_id=5),
        warehouse(99, 5),
        warehouse(99, 5, dealer_id=6),
        warehouse(99, 3),
        warehouse(99, 77),
    ],
    ids=[
        "defective",
        "inspection",
        "another purpose",
        "a dealer's goods in the brand's node",
        "the brand's goods in a dealer's node",
        "one dealer's goods in another's node",
        "of a closed node",
        "of an unknown node",
    ],
)
def test_what_cannot_be_sold_is_no_source(unsellable: FunctionalWarehouse) -> None:
    view = view_of([*OPEN, CLOSED], [warehouse(10, 1), unsellable])
    assert [source.functional_warehouse_id for source in view.sources] == [10]


def test_a_dealers_own_goods_are_a_source() -> None:
    assert view_of(OPEN, [warehouse(50, 5, dealer_id=5)]).source_index == {(50, 0): 0}


def test_nodes_with_a_daily_capacity_are_limited() -> None:
    nodes = [node(1), node(2, daily_capacity=9), node(3, daily_capacity=0)]
    assert view_of(nodes).limited_nodes == {2, 3}
    assert view_of([node(2, daily_capacity=9, is_active=False)]).limited_nodes == set()


def test_distances_are_by_node_for_each_region() -> None:
    view = view_of([node(1, 70_000), node(2)])
    assert view.distances_m(HERE) == [70_000, 0]
    assert view.distances_m(ONE_DEGREE_EAST)[1] == 111_195
    assert view.distances_m(HERE) is view.distances_m(HERE)


@pytest.mark.parametrize(
    ("dealer_id", "serving"), [(None, [1, 0, 1]), (5, [1, 1, 1]), (6, [1, 0, 1])]
)
def test_a_dealers_node_serves_its_own_or_all(dealer_id: int | None, serving: list[int]) -> None:
    nodes = [
        node(1, serves_all=False),
        node(2, dealer_id=5, serves_all=False),
        node(3, dealer_id=6),
    ]
    assert list(view_of(nodes).serving(dealer_id)) == serving


@pytest.mark.parametrize(
    ("daily_capacity", "free", "permille"),
    [
        (100, 100, 0),
        (100, 150, 0),
        (100, 0, 1_000),
        (100, -20, 1_000),
        (1_000, 991, 0),
        (1_000, 381, 610),
        (0, 0, 0),
        (None, 2**62, 0),
    ],
)
def test_loads_are_in_steps_of_ten_permille(
    daily_capacity: int | None, free: int, permille: int
) -> None:
    assert view_of([node(1, daily_capacity=daily_capacity)]).loads([free]) == [permille]


def test_loads_are_none_until_they_are_set() -> None:
    view = view_of([node(1), node(2)])
    assert list(view.load_permille) == [0, 0]
    view.set_loads([10, 20])
    assert list(view.load_permille) == [10, 20]
