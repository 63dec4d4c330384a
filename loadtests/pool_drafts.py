"""Graphs of pools, written down vertex by vertex, for benchmarks and random play."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

from core_ext.pool_graph import NO_LIMIT, WHOLE, LinkKind, Mode, PoolGraph


class Rule(NamedTuple):
    """What a link lets through."""

    ratio: int = WHOLE
    reserve: int = 0
    most: int = NO_LIMIT


class _Link(NamedTuple):
    kind: LinkKind
    members: list[int]
    rules: list[Rule]


class PoolDraft:
    """A graph that grows: a vertex first, then the links into it.

    A vertex gives to its links in the order of their numbers, which is that of their targets.
    `source_class` and `source_weight` have one number a source; all weights are whole by default.
    """

    def __init__(
        self,
        source_class: Sequence[int],
        source_weight: Sequence[int] | None = None,
        profiles: int = 1,
    ) -> None:
        self.source_class = array("i", source_class)
        self.source_weight = array("i", source_weight or [WHOLE] * len(source_class))
        self.source_keeper = array("i", [-1]) * len(source_class)
        self.class_count = max(source_class, default=-1) + 1
        self.profiles = profiles
        self.modes: list[Mode] = []
        self._into: list[list[_Link]] = []

    def add(self, mode: Mode = Mode.SHARED) -> int:
        """Add a vertex and return its number."""
        self.modes.append(mode)
        self._into.append([])
        return len(self.modes) - 1

    def feed_classes(self, target: int, classes: Sequence[int], *rules: Rule) -> None:
        """Link classes of sources to a vertex; one rule a profile, or one for all."""
        self._link(target, LinkKind.OF_CLASSES, classes, rules)

    def feed(self, target: int, vertices: Sequence[int], *rules: Rule) -> None:
        """Link vertices to a vertex; one rule a profile, or one for all."""
        self._link(target, LinkKind.OF_VERTICES, vertices, rules)

    def shop(self, pool: int, *rules: Rule) -> int:
        """Add a vertex that one pool feeds."""
        vertex = self.add()
        self.feed(vertex, [pool], *rules)
        return vertex

    def keep(self, vertex: int) -> int:
        """Add a source whose units are kept for a vertex, and return its number."""
        self.source_class.append(-1)
        self.source_weight.append(WHOLE)
        self.source_keeper.append(vertex)
        return len(self.source_keeper) - 1

    def graph(self) -> PoolGraph:
        """Return what was written down."""
        links = [link for into in self._into for link in into]
        turns = [self._turns_of(vertex, links) for vertex in range(len(self.modes))]
        rules = [link.rules[profile] for profile in range(self.profiles) for link in links]
        return PoolGraph(
            source_class=self.source_class,
            source_weight=self.source_weight,
            source_keeper=self.source_keeper,
            class_count=self.class_count,
            mode=bytes(self.modes),
            link_offsets=_offsets(self._into),
            link_kind=bytes(link.kind for link in links),
            member_offsets=_offsets([link.members for link in links]),
            members=array("i", [member for link in links for member in link.members]),
            turn_offsets=_offsets(turns),
            turns=array("i", [link for numbers in turns for link in numbers]),
            ratio=array("i", [rule.ratio for rule in rules]),
            reserve=array("q", [rule.reserve for rule in rules]),
            most=array("q", [rule.most for rule in rules]),
        )

    def _link(
        self, target: int, kind: LinkKind, members: Sequence[int], rules: Sequence[Rule]
    ) -> None:
        given = list(rules or [Rule()])
        repeated = given * self.profiles if len(given) == 1 else given
        self._into[target].append(_Link(kind, sorted(members), repeated))

    def _turns_of(self, vertex: int, links: Sequence[_Link]) -> list[int]:
        if self.modes[vertex] == Mode.SHARED:
            return []
        return [
            number
            for number, link in enumerate(links)
            if link.kind == LinkKind.OF_VERTICES and vertex in link.members
        ]


def _offsets(groups: Sequence[Sequence[object]]) -> array[int]:
    offsets = array("i", [0])
    for group in groups:
        offsets.append(offsets[-1] + len(group))
    return offsets
