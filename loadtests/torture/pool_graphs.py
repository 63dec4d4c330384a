"""Random graphs of pools, and what happens to the stock that flows through them; one seed each."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Final, NamedTuple

from core_ext.limits import COUNTED_MOST, FREE_MOST, UNITS_MOST
from core_ext.pool_graph import NO_LIMIT, WHOLE, Mode, PoolGraph
from loadtests.pool_drafts import PoolDraft, Rule

SKUS: Final = (11, 12, 13, -5)
STEPS: Final = 16
SIZES: Final = (1, 2, 3, 5, 8, 13, 40)
"""Vertices; as many sources, or up to twice as many."""
LINKS_INTO_ONE: Final = 3
CALLS: Final = ("put",) * 7 + ("depth",) * 3 + ("take", "give", "cap", "floor", "profile")
ALL_MODES: Final = tuple(Mode)


class Step(NamedTuple):
    """One call: of the book (put, take, give), or a setting."""

    name: str
    sku: int
    arguments: tuple[int, ...]


class Course(NamedTuple):
    """What is played: a graph, and steps after each of which every number is compared."""

    seed: int
    graph: PoolGraph
    steps: list[Step]


def course(seed: int, modes: Sequence[Mode] = ALL_MODES) -> Course:
    """Return the course of a seed; its vertices have some of the modes."""
    random = Random(seed)
    graph = random_graph(random, modes)
    return Course(seed, graph, [_step(random, graph, number) for number in range(STEPS)])


def random_graph(random: Random, modes: Sequence[Mode] = ALL_MODES) -> PoolGraph:
    """Return a graph in which anything that is allowed may occur."""
    vertices = random.choice(SIZES)
    sources = random.randint(vertices, 2 * vertices)
    classes = random.randint(1, random.choice([2, sources, sources]))
    draft = PoolDraft(
        [random.randint(-1, classes - 1) for _ in range(sources)],
        [random.choice([WHOLE, WHOLE, 5_000, random.randint(0, WHOLE)]) for _ in range(sources)],
        profiles=random.randint(1, 3),
    )
    parts: dict[int, list[int]] = {}
    for _ in range(vertices):
        vertex = draft.add(random.choice(modes))
        parts[vertex] = [WHOLE] * draft.profiles
        for _ in range(random.randint(0 if vertex else 1, LINKS_INTO_ONE)):
            _link(random, draft, vertex, parts)
    return _shuffled(random, _with_earmarks(random, draft.graph()))


def _link(random: Random, draft: PoolDraft, target: int, parts: dict[int, list[int]]) -> None:
    if not target or random.random() < 0.4:
        count = random.randint(0, draft.class_count)
        classes = random.sample(range(draft.class_count), count)
        draft.feed_classes(target, classes, *_rules(random, [WHOLE] * draft.profiles))
        return
    giver = random.randrange(target)
    if draft.modes[giver] == Mode.SHARED:
        shared = [vertex for vertex in range(target) if draft.modes[vertex] == Mode.SHARED]
        givers = random.sample(shared, random.randint(0, min(4, len(shared))))
        draft.feed(target, givers or [giver], *_rules(random, [WHOLE] * draft.profiles))
        return
    rules = _rules(random, parts[giver])
    draft.feed(target, [giver], *rules)
    if draft.modes[giver] == Mode.PARTITIONED:
        parts[giver] = [left - rule.ratio for left, rule in zip(parts[giver], rules, strict=True)]


def _rules(random: Random, ratios_most: Sequence[int]) -> list[Rule]:
    """One rule a profile, with no more than the given ratio."""
    return [
        Rule(
            random.choice([most, min(most, 3_333), random.randint(0, most)]),
            random.choice([0, 0, 0, 1, random.randint(0, 30), UNITS_MOST]),
            random.choice([NO_LIMIT, NO_LIMIT, 0, random.randint(1, 40), UNITS_MOST]),
        )
        for most in ratios_most
    ]


def _with_earmarks(random: Random, graph: PoolGraph) -> PoolGraph:
    """The same graph; some of the sources that feed nothing are kept for a vertex."""
    keeper = [
        random.randrange(graph.vertex_count) if feeds < 0 and random.random() < 0.7 else -1
        for feeds in graph.source_class
    ]
    return replace(graph, source_keeper=array("i", keeper))


def _shuffled(random: Random, graph: PoolGraph) -> PoolGraph:
    """The same graph; vertices give in any order."""
    turns = array("i")
    for vertex in range(graph.vertex_count):
        given = list(graph.turns_of(vertex))
        turns.extend(random.sample(given, len(given)))
    return replace(graph, turns=turns)


def _step(random: Random, graph: PoolGraph, number: int) -> Step:
    """Return a call that is allowed, unless stock would leave its range; a put is always newer."""
    name = random.choice(CALLS)
    sku = random.choice(SKUS)
    source, vertex = random.randrange(len(graph.source_class)), random.randrange(graph.vertex_count)
    if name == "put":
        free = random.choice([0, 1, random.randint(-9, 90), COUNTED_MOST, FREE_MOST, -FREE_MOST])
        return Step(name, sku, (source, free, number))
    if name in ("take", "give"):
        return Step(name, sku, (source, random.randint(1, 40)))
    if name == "profile":
        return Step("set_profile", sku, (random.randrange(graph.profile_count),))
    shops = [shop for shop, is_one in enumerate(graph.is_terminal()) if is_one]
    if name == "cap":
        cap = random.choice([NO_LIMIT, 0, random.randint(0, 60)])
        return Step("set_cap", sku, (random.choice(shops), cap))
    if name == "floor":
        return Step("set_floor", sku, (random.choice(shops), random.choice([0, 1, 20, 10**6])))
    return Step("set_depth", sku, (vertex, random.randint(-3, 9)))
