"""A graph that is not as described is refused, by the name of what is wrong with it."""

from array import array
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import core_ext.availability
import core_ext.availability_twin
import core_ext.limits
import core_ext.stock_book
import core_ext.stock_book_twin
from core_ext import PoolGraph
from core_ext.graph_tables import tables_of
from core_ext.limits import MAX_CLASSES, MAX_LINKS, MAX_VERTICES, UNITS_MOST
from core_ext.pool_graph import WHOLE, Mode, check_graph
from loadtests.pool_drafts import PoolDraft, Rule


def ints(*numbers: int) -> "array[int]":
    return array("i", numbers)


def longs(*numbers: int) -> "array[int]":
    return array("q", numbers)


def good() -> PoolGraph:
    """Two sources; a shared pool (0), a divided one (1) below it, two shops (2, 3), two profiles.

    Links: 0 classes to 0, 1 classes to 1, 2 pool 0 to 1, 3 pool 1 to 2, 4 pool 1 to 3.
    """
    draft = PoolDraft([0, 1], profiles=2)
    shared, divided = draft.add(), draft.add(Mode.PARTITIONED)
    draft.feed_classes(shared, [0, 1])
    draft.feed_classes(divided, [1])
    draft.feed(divided, [shared])
    draft.shop(divided, Rule(6_000))
    draft.shop(divided, Rule(4_000))
    return draft.graph()


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "longs for ints": ({"turns": longs(3, 4)}, r"turns must be an array\('i'\)"),
    "ints for longs": ({"most": ints(*[0] * 10)}, r"most must be an array\('q'\)"),
    "a list": ({"members": [0, 1]}, r"members must be an array\('i'\)"),
    "a class beyond": ({"source_class": ints(0, 2)}, "greatest source_class is 2"),
    "a class below": ({"source_class": ints(0, -2)}, "least source_class is -2"),
    "no classes": ({"class_count": -1}, "class_count is -1"),
    "many classes": ({"class_count": MAX_CLASSES + 1}, "class_count is"),
    "one weight missing": ({"source_weight": ints(1)}, "source_weight has 1 numbers instead of 2"),
    "more than the whole": ({"source_weight": ints(1, WHOLE + 1)}, "source_weight is 10001"),
    "less than nothing": ({"source_weight": ints(1, -1)}, "source_weight is -1"),
    "longs of keepers": (
        {"source_keeper": longs(-1, -1)},
        r"source_keeper must be an array\('i'\)",
    ),
    "one keeper missing": ({"source_keeper": ints(-1)}, "source_keeper has 1 numbers instead of 2"),
    "a keeper beyond": ({"source_keeper": ints(-1, 4)}, "greatest source_keeper is 4"),
    "a keeper below": ({"source_keeper": ints(-1, -2)}, "least source_keeper is -2"),
    "a kept source that feeds": ({"source_keeper": ints(-1, 3)}, "kept for a vertex feeds a class"),
    "many sources": ({"source_class": ints(*[0] * (2**16 + 1))}, "sources is 65537"),
    "no vertices": ({"mode": b""}, "number of vertices is 0"),
    "many vertices": ({"mode": bytes(MAX_VERTICES + 1)}, "number of vertices is"),
    "many links": ({"link_kind": bytes(MAX_LINKS + 1)}, "number of links is"),
    "many members": ({"members": ints(*[0] * (2**20 + 1))}, "number of members is"),
    "many rules": ({"ratio": ints(*[0] * (2**20 + 4))}, "number of ratios is"),
    "a fifth mode": ({"mode": bytes([4, 0, 0, 0])}, "mode must be bytes below 4"),
    "a third kind": ({"link_kind": bytes([2, 0, 1, 1, 1])}, "link_kind must be bytes below 2"),
    "a vertex without offsets": ({"link_offsets": ints(0, 1, 3, 5)}, "link_offsets has 4"),
    "offsets that fall": ({"link_offsets": ints(0, 3, 1, 4, 5)}, "link_offsets must rise"),
    "offsets from one": ({"link_offsets": ints(1, 1, 3, 4, 5)}, "link_offsets must rise"),
    "offsets too short": ({"link_offsets": ints(0, 1, 3, 4, 4)}, "link_offsets must rise from 0 t"),
    "no end of members": ({"member_offsets": ints(0, 2, 3, 4, 5, 5)}, "member_offsets must rise"),
    "no end of turns": ({"turn_offsets": ints(0, 0, 2, 2, 1)}, "turn_offsets must rise"),
    "a class twice": ({"members": ints(0, 0, 1, 0, 1, 1)}, "link 0 into vertex 0 do not rise"),
    "a falling class": ({"members": ints(1, 0, 1, 0, 1, 1)}, "link 0 into vertex 0 do not rise"),
    "no such class": ({"members": ints(0, 2, 1, 0, 1, 1)}, "vertex 0 has the member 2"),
    "a negative class": ({"members": ints(-1, 1, 1, 0, 1, 1)}, "vertex 0 has the member -1"),
    "a link upward": ({"members": ints(0, 1, 1, 1, 1, 1)}, "vertex 1 has the member 1"),
    "no turns": ({"turns": ints(), "turn_offsets": ints(*[0] * 5)}, r"vertex 1 must be .*\[3, 4\]"),
    "a turn twice": ({"turns": ints(3, 3)}, "the turns of vertex 1"),
    "a turn too many": (
        {"turns": ints(3, 4, 4), "turn_offsets": ints(0, 0, 3, 3, 3)},
        "the turns of vertex 1",
    ),
    "a turn of others": ({"turns": ints(2, 4)}, "the turns of vertex 1"),
    "turns of a shared one": ({"mode": bytes(4)}, "the turns of vertex 1"),
    "a ratio below": ({"ratio": ints(*[0] * 9, -1)}, "ratio is -1"),
    "a ratio beyond": ({"ratio": ints(*[0] * 9, WHOLE + 1)}, "ratio is 10001"),
    "no whole profile": ({"ratio": ints(*[0] * 9)}, "ratio has 9 numbers instead of 5"),
    "no profile": ({"ratio": ints()}, "number of ratios is 0"),
    "a reserve missing": ({"reserve": longs(*[0] * 9)}, "reserve has 9 numbers instead of 10"),
    "a reserve below": ({"reserve": longs(*[0] * 9, -1)}, "reserve is -1"),
    "a reserve beyond": ({"reserve": longs(*[0] * 9, UNITS_MOST + 1)}, "reserve is"),
    "a limit missing": ({"most": longs(*[0] * 9)}, "most has 9 numbers instead of 10"),
    "a limit below": ({"most": longs(*[0] * 9, -2)}, "most is -2"),
    "a limit beyond": ({"most": longs(*[0] * 9, UNITS_MOST + 1)}, "most is"),
    "parts beyond": (
        {"ratio": ints(*[WHOLE] * 3, 6_000, 4_000, *[WHOLE] * 3, 6_000, 4_001)},
        "parts of vertex 1 in profile 1 are 10001",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_graph_is_refused_by_name(name: str) -> None:
    changes, message = BAD[name]
    check_graph(good())
    with pytest.raises(ValueError, match=message):
        check_graph(replace(good(), **changes))


def test_a_vertex_that_gives_in_turns_gives_to_each_link_alone() -> None:
    draft = PoolDraft([0])
    ranked, shared = draft.add(Mode.RANKED), draft.add()
    draft.feed(draft.add(), [ranked, shared])
    with pytest.raises(ValueError, match="vertex 0 is not SHARED and shares link 0 into vertex 2"):
        check_graph(draft.graph())


def test_a_deepest_vertex_has_a_bounded_number_of_turns() -> None:
    draft = PoolDraft([0])
    draft.add(Mode.DEEPEST)
    for _ in range(core_ext.limits.MAX_DEEPEST_TURNS):
        draft.shop(0)
    check_graph(draft.graph())
    draft.shop(0)
    with pytest.raises(ValueError, match="turns of vertex 0 is 2049"):
        check_graph(draft.graph())


def test_sets_with_too_many_classes_together_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core_ext.graph_tables.MAX_SET_MEMBERS", 2)
    with pytest.raises(ValueError, match="3 classes together, at most 2"):
        tables_of(good())


@pytest.mark.parametrize(
    "stand",
    [
        lambda graph: core_ext.availability.Availability(
            core_ext.stock_book.StockBook(ints(0, 0), 1), graph
        ),
        lambda graph: core_ext.availability_twin.Availability(
            core_ext.stock_book_twin.StockBook(ints(0, 0), 1), graph
        ),
    ],
    ids=["compiled", "twin"],
)
def test_nothing_stands_on_a_bad_graph(stand: Callable[[PoolGraph], object]) -> None:
    assert stand(good())
    with pytest.raises(ValueError, match="number of vertices is 0"):
        stand(replace(good(), mode=b""))


def test_pools_that_the_same_classes_reach_share_a_set() -> None:
    tables = tables_of(good())
    assert tables.set_count == 2
    assert list(tables.set_of_vertex) == [0, 0, 0, 0]
    assert list(tables.set_of_link) == [0, 1, 0, 0, 0]
    assert list(tables.below) == [0, 1, 2, 3, 1, 2, 3, 2, 3]
