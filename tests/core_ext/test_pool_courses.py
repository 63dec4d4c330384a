"""On random courses all ways to the numbers agree, and the numbers keep the laws of stock."""

from array import array
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import pytest

from core_ext import Availability, PoolGraph, StockBook, availability_twin
from core_ext.pool_graph import WHOLE, Mode
from core_ext.results import Derivation
from loadtests.pool_drafts import PoolDraft, Rule
from loadtests.torture.availability import COMPILED, Engine, play
from loadtests.torture.pool_graphs import SKUS, Course, course

COURSES = 360
COURSES_A_TEST = 60


def walked(seeds: range) -> Iterator[tuple[PoolGraph, Derivation]]:
    """The derivation of every SKU after every step of the courses."""
    for seed in seeds:
        played = course(seed)
        engine = Engine(played, COMPILED)
        for step in played.steps:
            engine.apply(step)
            yield from ((played.graph, found) for found in engine.derivations())


@pytest.mark.parametrize("first", range(0, COURSES, COURSES_A_TEST))
def test_updates_recomputations_and_the_twin_agree(first: int) -> None:
    courses = map(course, range(first, first + COURSES_A_TEST))
    assert [bad for played in courses if (bad := play(played, against_twin=True))] == []


def test_the_courses_meet_everything() -> None:
    played = [course(seed) for seed in range(COURSES)]
    met = {step.name for one in played for step in one.steps}
    assert met == {"put", "take", "give", "set_profile", "set_cap", "set_depth", "set_floor"}
    assert sum(keeper >= 0 for one in played for keeper in one.graph.source_keeper) > 50
    turns = [
        (one.graph.mode[v], len(one.graph.turns_of(v)))
        for one in played
        for v in range(one.graph.vertex_count)
    ]
    for mode in (Mode.PARTITIONED, Mode.RANKED, Mode.DEEPEST):
        assert sum(found == mode and count > 1 for found, count in turns) > 50
    joined = [len(one.graph.members_of(link)) for one in played for link in links_of_vertices(one)]
    assert sum(count > 1 for count in joined) > 50


def links_of_vertices(played: Course) -> list[int]:
    return [link for link, kind in enumerate(played.graph.link_kind) if kind]


DEFECTS: dict[str, tuple[str, Any]] = {
    "no reserve": ("_Flowing.rule", lambda self, link: (WHOLE, 0, 2**48)),
    "earmarks seen by nobody": ("Availability._earmarks_of", lambda *_: 0),
    "turns in no order": ("_Flowing.give_in_turn", lambda self, vertex: None),
    "parts of nothing": ("_Flowing.give_parts", lambda self, vertex: None),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_planted_defect_is_found(name: str) -> None:
    place, defect = DEFECTS[name]
    with patch(f"{availability_twin.__name__}.{place}", defect):
        assert any(play(course(seed), against_twin=True) for seed in range(60))


# ------------------------------------------------------------------------------------- laws


def test_nothing_but_earmarks_is_offered_beyond_the_stock() -> None:
    for _, found in walked(range(100)):
        rows = zip(found.number, found.pool_part, found.earmarks, found.bound, strict=True)
        for number, pool_part, earmarks, bound in rows:
            assert 0 <= number <= pool_part + earmarks
            assert pool_part <= bound <= sum(found.class_units)


def test_what_a_vertex_gives_in_turns_is_no_more_than_it_has() -> None:
    for graph, found in walked(range(100)):
        for vertex, mode in enumerate(graph.mode):
            given = [found.flow[link] for link in graph.turns_of(vertex)]
            assert min(given, default=0) >= 0
            assert mode == Mode.SHARED or sum(given) <= found.pool_part[vertex]


def test_flows_keep_within_their_rules() -> None:
    for graph, found in walked(range(100)):
        for link, flow in enumerate(found.flow):
            most = [graph.most[at] for at in range(link, len(graph.most), graph.link_count)]
            assert flow <= found.quantity[link]
            assert min(most) < 0 or flow <= max(most)


def test_parts_that_make_a_whole_leave_nothing() -> None:
    draft = PoolDraft([0])
    draft.feed_classes(draft.add(Mode.PARTITIONED), [0])
    for ratio in (1_234, 5_677, 3_089):
        draft.shop(0, Rule(ratio))
    book = StockBook(array("i", [0]), 1)
    availability = Availability(book, replace(draft.graph(), turns=array("i", [3, 1, 2])))
    for free in range(3_000):
        book.put(1, 0, free, version=free)
        availability.update(1)
        assert sum(availability.numbers(1)[1:]) == free


@pytest.mark.parametrize("first", range(0, 120, 60))
def test_more_stock_never_lowers_a_shared_pool(first: int) -> None:
    for seed in range(first, first + 60):
        played = course(seed, modes=[Mode.SHARED])
        engine = Engine(played, COMPILED)
        for step in played.steps:
            engine.apply(step)
        for source in range(len(played.graph.source_class)):
            parts = [list(part_with(engine, source, more)) for more in (0, 1, 2, 30)]
            for less, more in pairwise(parts):
                assert all(a <= b for a, b in zip(less, more, strict=True)), seed


def part_with(engine: Engine, source: int, more: int) -> array:  # type: ignore[type-arg]
    """The pool parts of the first SKU with so many more units in one source."""
    if more and engine.book.free(SKUS[0], source) < 2**40:
        engine.book.give(SKUS[0], source, more)
    found: Derivation = engine.availability.derive(SKUS[0])
    return found.pool_part
