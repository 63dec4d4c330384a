"""The benchmark of availability measures what it says: numbers that move, and equal worlds."""

from itertools import islice
from random import Random

import pytest

from core_ext.pool_graph import Mode
from loadtests.bench import availability
from loadtests.bench.report import Options
from loadtests.torture import availability as torture

SKUS = 30


@pytest.fixture(scope="module")
def world() -> availability.World:
    made = availability.made_up_world(Random(7), SKUS)
    made.availability.recompute()
    return made


def test_the_graph_is_the_one_described() -> None:
    graph = availability.pools_and_shops()
    assert (len(graph.source_class), graph.profile_count, sum(graph.is_terminal())) == (300, 3, 40)
    assert list(graph.mode[:9]) == [Mode.SHARED] * 7 + [Mode.PARTITIONED, Mode.RANKED]
    assert [len(graph.turns_of(vertex)) for vertex in (6, 7, 8)] == [0, 13, 13]


def test_every_sku_lies_in_a_tenth_of_the_nodes(world: availability.World) -> None:
    assert world.sku_count == SKUS
    assert {len(world.book.entries(sku)) for sku in range(SKUS)} == {30}


def test_every_pool_and_shop_offers_something(world: availability.World) -> None:
    numbers = [world.availability.numbers(sku) for sku in range(SKUS)]
    assert all(any(of_vertex) for of_vertex in zip(*numbers, strict=True))


def test_each_repetition_has_numbers_to_write(world: availability.World) -> None:
    changed = [world.availability.recompute() for _ in islice(availability.stirred(world), 5)]
    assert min(changed) == SKUS


def test_a_movement_is_a_put_and_an_update(world: availability.World) -> None:
    position = world.book.position
    metrics = availability.movements(world, Random(1), 0.0)
    moved = world.book.position - position
    assert metrics["movement_microseconds"] > 0
    assert moved > 100
    assert world.availability.recompute() == 0


def test_the_twin_computes_the_same() -> None:
    worlds = [availability.made_up_world(Random(3), 5, of_twin=twin) for twin in (False, True)]
    assert availability.numbers_of(worlds[0]) == availability.numbers_of(worlds[1])
    assert (worlds[0].book.__class__, worlds[1].book.__class__) == (
        torture.COMPILED[0].StockBook,
        torture.TWIN[0].StockBook,
    )


def test_a_twin_that_differs_is_no_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core_ext.availability_twin._Flowing.units", lambda *_: 1)
    with pytest.raises(AssertionError, match="otherwise"):
        availability.against_twin(7, 3, 0.0)


def test_the_report_has_every_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(availability, "SKUS", 1_000)
    monkeypatch.setattr(availability, "TWINS_SKUS", 3)
    metrics = availability.run(Options(seconds=0.0)).metrics
    assert metrics["skus"] == 1_000
    assert metrics["ratio_to_twin"] > 1
    assert min(metrics.values()) > 0
