"""The compiled core and its pure-Python twins give the same answers, to the last field."""

import os
import subprocess
import sys
from array import array
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import core_ext
import core_ext.parcel_cost_twin
import core_ext.planner
import core_ext.planner_twin
import core_ext.reservation
import core_ext.reservation_twin
import core_ext.stock_book
import core_ext.stock_book_twin
from core_ext.demand import Demand
from tests.core_ext.instances import instance

ROOT = Path(__file__).parents[2]
SEEDS_A_TEST = 60
NO_TWIN_OF_ITS_OWN = {
    "answers": "planner_twin",
    "large_bound": "large_orders_twin",
    "memory": "planner_twin",
    "pool_flow": "availability_twin",
    "split_parcels": "split_lines_twin",
    "takings": "planner_twin",
    "whole_bound": "whole_lines_twin",
}
"""Part of an algorithm whose twin stands in one module."""
TWIN_IS_THE_DRIVER = {"row_arrays"}
"""See tests/db/test_row_arrays.py."""


@pytest.mark.parametrize("first", range(0, 600, SEEDS_A_TEST))
def test_plans_are_the_same(first: int) -> None:
    for seed in range(first, first + SEEDS_A_TEST):
        books, policies, demand = instance(seed)
        compiled = core_ext.planner.plan(books[0], policies[0], demand)
        twin = core_ext.planner_twin.plan(books[1], policies[1], demand)
        for field in fields(compiled):
            assert getattr(compiled, field.name) == getattr(twin, field.name), (seed, field.name)


def test_planning_leaves_the_book_as_it_was() -> None:
    for seed in range(100):
        books, policies, demand = instance(seed)
        skus, nodes = sorted(set(demand.sku)), range(books[0].node_count)
        before = [books[0].entries(sku) for sku in skus]
        capacities = [books[0].capacity(node) for node in nodes]
        first = core_ext.planner.plan(books[0], policies[0], demand)
        assert [books[0].entries(sku) for sku in skus] == before
        assert [books[0].capacity(node) for node in nodes] == capacities
        again = core_ext.planner.plan(books[0], policies[0], demand)
        assert again.costs == first.costs
        assert again.allocation_source == first.allocation_source


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [([0], b""), ([1], b"\1\1"), ([-2], b"\1\1"), ([0], b"\1"), ([0], b"\2\1"), ([0, 0], b"\1\1")],
)
def test_a_bad_scope_is_refused(scope: list[int], scopes: bytes) -> None:
    one, many = array("i", [0]), array("q", [1])
    demand = Demand(array("i", [0, 1]), many, many, many, one, one, array("B", [0]))
    demand = replace(demand, filter=array("i", [-1]), scope=array("i", scope), scopes=scopes)
    compiled = core_ext.StockBook(array("i", [0, 0]), 1), [core_ext.Policy(1, 1, [])]
    with pytest.raises(ValueError, match="scope"):
        core_ext.plan(*compiled, demand)
    twin_book = core_ext.stock_book_twin.StockBook(array("i", [0, 0]), 1)
    twin_policy = [core_ext.parcel_cost_twin.Policy(1, 1, [])]
    with pytest.raises(ValueError, match="scope"):
        core_ext.planner_twin.plan(twin_book, twin_policy, demand)


def test_an_order_takes_from_the_sources_of_its_scope() -> None:
    book = core_ext.StockBook(array("i", [0, 0, 1]), 2)
    for source in range(3):
        book.put(1, source, 5, 1)
    demand = Demand(
        array("i", [0, 1]), array("q", [1]), array("q", [4]), array("q", [0]), array("i", [0]),
        array("i", [-1]), array("B", [0]), array("i", [0]), b"\0\1\1",
    )  # fmt: skip
    plans = core_ext.plan(book, [core_ext.Policy(2, 1, [])], demand)
    assert (list(plans.available), list(plans.allocation_source)) == ([10], [1])


amounts = st.integers(-5, 30)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 4), st.integers(0, 3), amounts, st.integers(0, 9)),
        st.tuples(st.just("take"), st.integers(0, 4), st.integers(0, 3), st.integers(-1, 9)),
        st.tuples(st.just("give"), st.integers(0, 4), st.integers(0, 3), st.integers(-1, 9)),
        st.tuples(st.just("set_capacity"), st.integers(0, 2), amounts, st.integers(0, 9)),
        st.tuples(st.just("take_capacity"), st.integers(0, 2), st.integers(-1, 3)),
    ),
    max_size=40,
)


@given(operations)
def test_books_are_the_same(steps: list[tuple[str | int, ...]]) -> None:
    source_node = array("i", [0, 1, 1, 0])
    books = (
        core_ext.stock_book.StockBook(source_node, 2),
        core_ext.stock_book_twin.StockBook(source_node, 2),
    )
    for name, *arguments in steps:
        answers = [_call(book, str(name), arguments) for book in books]
        assert answers[0] == answers[1], (name, arguments)
    for sku in range(5):
        assert books[0].entries(sku) == books[1].entries(sku)
        assert [books[0].node_free(sku, n) for n in (0, 1)] == [
            books[1].node_free(sku, n) for n in (0, 1)
        ]
    assert books[0].position == books[1].position


def _call(book: object, name: str, arguments: list[str | int]) -> object:
    try:
        return getattr(book, name)(*arguments)
    except ValueError:
        return ValueError


rows = st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6)), max_size=4), max_size=12)


@given(st.lists(st.integers(-2, 12), min_size=4, max_size=4), rows)
def test_reservations_are_the_same_and_never_beyond(
    free: list[int], orders: list[list[tuple[int, int]]]
) -> None:
    offsets, counters, quantities = array("i", [0]), array("i"), array("q")
    for order in orders:
        counters.extend(counter for counter, _ in order)
        quantities.extend(quantity for _, quantity in order)
        offsets.append(len(counters))
    given_free = array("q", free)
    compiled = core_ext.reservation.reserve(given_free, offsets, counters, quantities)
    twin = core_ext.reservation_twin.reserve(given_free, offsets, counters, quantities)
    assert compiled == twin
    assert list(given_free) == free
    left = list(free)
    for order, accepted in zip(orders, compiled.accepted, strict=True):
        needs = [0] * 4
        for counter, quantity in order:
            needs[counter] += quantity
        assert bool(accepted) == all(
            need <= have for need, have in zip(needs, left, strict=True) if need
        )
        if accepted:
            left = [have - need for have, need in zip(left, needs, strict=True)]
    taken = [have - rest for have, rest in zip(free, left, strict=True)]
    assert list(compiled.taken) == taken


@pytest.mark.parametrize("quantity", [0, -1])
def test_a_bad_reservation_changes_nothing(quantity: int) -> None:
    free = array("q", [5])
    with pytest.raises(ValueError, match=r"\d"):
        core_ext.reserve(free, array("i", [0, 1]), array("i", [0]), array("q", [quantity]))
    assert list(free) == [5]


def test_every_compiled_module_has_its_kin() -> None:
    for source in sorted((ROOT / "core_ext").glob("*.pyx")):
        kins = [f"{source.stem}.pxd", f"{source.stem}.pyi"]
        if source.stem not in TWIN_IS_THE_DRIVER:
            kins.append(NO_TWIN_OF_ITS_OWN.get(source.stem, f"{source.stem}_twin") + ".py")
        for kin in kins:
            assert (source.parent / kin).exists(), kin


def test_the_core_is_compiled() -> None:
    assert core_ext.plan is core_ext.planner.plan
    assert core_ext.planner.__file__.endswith((".so", ".pyd"))


@pytest.mark.timeout(300)
def test_the_checked_build_finds_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "YIPAN_CORE_DEBUG": "1"}
    build = [sys.executable, "setup.py", "--quiet", "build_ext"]
    folders = ["--build-lib", str(tmp_path / "lib"), "--build-temp", str(tmp_path / "temp")]
    copy = tmp_path / "source"
    subprocess.run(["git", "init", "--quiet", str(copy)], check=True)
    for name in ("setup.py", "core_ext"):
        subprocess.run(["cp", "-r", str(ROOT / name), str(copy / name)], check=True)
    subprocess.run([*build, *folders], check=True, env=environment, cwd=copy, capture_output=True)
    for part in ROOT.glob("core_ext/*.py"):
        (tmp_path / "lib" / "core_ext" / part.name).write_text(part.read_text())
    program = (
        "from tests.core_ext.instances import instance\n"
        "import core_ext.planner, core_ext.planner_twin\n"
        f"assert core_ext.planner.__file__.startswith({str(tmp_path)!r})\n"
        "for seed in range(150):\n"
        "    books, policies, demand = instance(seed)\n"
        "    compiled = core_ext.planner.plan(books[0], policies[0], demand)\n"
        "    assert compiled == core_ext.planner_twin.plan(books[1], policies[1], demand)\n"
        "from loadtests.torture.availability import availability, play\n"
        "from loadtests.torture.pool_graphs import course\n"
        f"assert availability.__file__.startswith({str(tmp_path)!r})\n"
        "assert not any(play(course(seed), against_twin=True) for seed in range(150))\n"
    )
    for name in ("tests", "loadtests"):
        (tmp_path / "lib" / name).symlink_to(ROOT / name)
    run = [sys.executable, "-c", program]
    paths = {**os.environ, "PYTHONPATH": str(tmp_path / "lib")}
    subprocess.run(run, check=True, env=paths, cwd=tmp_path / "lib")
