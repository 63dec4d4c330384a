"""The graph over which stock is offered: from classes of sources through pools to shops.

Vertices are pools and shops, numbered so that every link runs from lower to higher numbers. A
vertex that no link leaves is a terminal, a shop.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import Final

from core_ext.limits import (
    MAX_CLASSES,
    MAX_DEEPEST_TURNS,
    MAX_LINK_MEMBERS,
    MAX_LINKS,
    MAX_RULES,
    MAX_SOURCES,
    MAX_VERTICES,
    UNITS_MOST,
)

WHOLE: Final = 10_000
"""Basis points of everything."""

NO_LIMIT: Final = -1
"""`most` of a link that may carry everything, and the cap of a terminal that has none."""


INTS: Final = (
    "source_class",
    "source_weight",
    "source_keeper",
    "link_offsets",
    "member_offsets",
    "members",
    "turn_offsets",
    "turns",
    "ratio",
)
"""Fields that are array('i')."""


class Mode(IntEnum):
    """How a vertex gives to the links that leave it."""

    SHARED = 0
    """Each link sees all of it: two shops may be offered the same unit."""
    PARTITIONED = 1
    """Each link has a part of its own; parts of a whole leave no unit behind by rounding."""
    RANKED = 2
    """One link after another takes of what is left, in the order of turns."""
    DEEPEST = 3
    """As RANKED; the target with the greatest depth of the SKU comes first."""


class LinkKind(IntEnum):
    """What the members of a link are."""

    OF_CLASSES = 0
    OF_VERTICES = 1


@dataclass(frozen=True, slots=True)
class PoolGraph:
    """Which pools and shops are fed by what; V vertices, L links, P profiles, S sources.

    | field | shape, dtype | meaning |
    | source_class | S, 'i' | class of each source of the stock book, -1: it feeds nothing |
    | source_weight | S, 'i' | basis points of its free units that a source offers |
    | source_keeper | S, 'i' | vertex that the units of a source are kept for (an earmark): they are
                               added to its number and to those of all below; -1 for none |
    | class_count | int | sources of one class feed the same links |
    | mode | V bytes | `Mode` of each vertex |
    | link_offsets | V + 1, 'i' | links into v are link_offsets[v] .. link_offsets[v + 1] - 1 |
    | link_kind | L bytes | `LinkKind` of each link |
    | member_offsets | L + 1, 'i' | members of l: member_offsets[l] .. member_offsets[l + 1] - 1 |
    | members | M, 'i' | distinct, rising; classes, or vertices below the link's target |
    | turn_offsets | V + 1, 'i' | turns of v are turn_offsets[v] .. turn_offsets[v + 1] - 1 |
    | turns | T, 'i' | the links that leave a vertex that is not SHARED, in the order of giving |
    | ratio | P x L, 'i' | basis points that flow, per profile and link |
    | reserve | P x L, 'q' | units kept back before the ratio, 0 or more |
    | most | P x L, 'q' | most units that flow, -1 for no limit |

    A source that is kept feeds no class. A link out of a vertex that is not SHARED has that vertex
    as its only member. The ratios of a PARTITIONED vertex's turns sum to at most 10,000 in every
    profile. `check_graph` checks all of it.
    """

    source_class: array[int]
    source_weight: array[int]
    source_keeper: array[int]
    class_count: int
    mode: bytes
    link_offsets: array[int]
    link_kind: bytes
    member_offsets: array[int]
    members: array[int]
    turn_offsets: array[int]
    turns: array[int]
    ratio: array[int]
    reserve: array[int]
    most: array[int]

    @property
    def vertex_count(self) -> int:
        """Pools and shops."""
        return len(self.mode)

    @property
    def link_count(self) -> int:
        """Links of all vertices."""
        return len(self.link_kind)

    @property
    def profile_count(self) -> int:
        """Profiles; a graph without links has one, which says nothing."""
        return len(self.ratio) // self.link_count if self.link_count else 1

    def links_into(self, vertex: int) -> range:
        """Links whose target is the vertex."""
        return range(self.link_offsets[vertex], self.link_offsets[vertex + 1])

    def members_of(self, link: int) -> array[int]:
        """Classes or vertices that feed the link."""
        return self.members[self.member_offsets[link] : self.member_offsets[link + 1]]

    def turns_of(self, vertex: int) -> array[int]:
        """Links in the order in which the vertex gives to them; empty for a SHARED one."""
        return self.turns[self.turn_offsets[vertex] : self.turn_offsets[vertex + 1]]

    def feeding_vertices(self, vertex: int) -> Iterator[int]:
        """Vertices that are members of a link into the vertex; some of them more than once."""
        for link in self.links_into(vertex):
            if self.link_kind[link] == LinkKind.OF_VERTICES:
                yield from self.members_of(link)

    def is_terminal(self) -> bytes:
        """One byte a vertex: 1 where no link leaves it."""
        found = bytearray(b"\1" * self.vertex_count)
        for vertex in range(self.vertex_count):
            for member in self.feeding_vertices(vertex):
                found[member] = 0
        return bytes(found)


def check_graph(graph: PoolGraph) -> None:
    """ValueError, which names what is wrong, unless the parts form a graph as described."""
    _check_sizes(graph)
    _check_numbers("source_class", graph.source_class, -1, graph.class_count - 1)
    _check_numbers("source_weight", graph.source_weight, 0, WHOLE)
    _check_numbers("source_keeper", graph.source_keeper, -1, graph.vertex_count - 1)
    both = zip(graph.source_keeper, graph.source_class, strict=True)
    if any(kept >= 0 and feeds >= 0 for kept, feeds in both):
        raise ValueError("a source that is kept for a vertex feeds a class")
    _check_bytes("mode", graph.mode, len(Mode))
    _check_bytes("link_kind", graph.link_kind, len(LinkKind))
    _check_offsets("link_offsets", graph.link_offsets, graph.vertex_count, graph.link_count)
    _check_offsets("member_offsets", graph.member_offsets, graph.link_count, len(graph.members))
    _check_offsets("turn_offsets", graph.turn_offsets, graph.vertex_count, len(graph.turns))
    for vertex in range(graph.vertex_count):
        for link in graph.links_into(vertex):
            _check_members(graph, vertex, link)
    _check_numbers("ratio", graph.ratio, 0, WHOLE)
    _check_numbers("reserve", graph.reserve, 0, UNITS_MOST)
    _check_numbers("most", graph.most, NO_LIMIT, UNITS_MOST)
    _check_turns(graph)


def _check_sizes(graph: PoolGraph) -> None:
    for name in INTS:
        _check_type(name, getattr(graph, name), "i")
    for name in ("reserve", "most"):
        _check_type(name, getattr(graph, name), "q")
    _check_range("number of sources", len(graph.source_class), 0, MAX_SOURCES)
    _check_range("class_count", graph.class_count, 0, MAX_CLASSES)
    _check_range("number of vertices", graph.vertex_count, 1, MAX_VERTICES)
    _check_range("number of links", graph.link_count, 0, MAX_LINKS)
    _check_range("number of members", len(graph.members), 0, MAX_LINK_MEMBERS)
    _check_length("source_weight", graph.source_weight, len(graph.source_class))
    _check_length("source_keeper", graph.source_keeper, len(graph.source_class))
    rules = graph.profile_count * graph.link_count
    _check_range("number of ratios", len(graph.ratio), graph.link_count, MAX_RULES)
    for name in ("ratio", "reserve", "most"):
        _check_length(name, getattr(graph, name), rules)


def _check_members(graph: PoolGraph, vertex: int, link: int) -> None:
    members = graph.members_of(link)
    of_classes = graph.link_kind[link] == LinkKind.OF_CLASSES
    end = graph.class_count if of_classes else vertex
    what = f"link {link} into vertex {vertex}"
    if any(earlier >= later for earlier, later in pairwise(members)):
        raise ValueError(f"the members of {what} do not rise")
    if members and not (members[0] >= 0 and members[-1] < end):
        outside = members[0] if members[0] < 0 else members[-1]
        raise ValueError(f"{what} has the member {outside}, must be 0 or more and below {end}")
    if of_classes:
        return
    for member in members:
        if graph.mode[member] != Mode.SHARED and len(members) > 1:
            raise ValueError(f"vertex {member} is not SHARED and shares {what} with others")


def _check_turns(graph: PoolGraph) -> None:
    """The turns of each vertex are the links that leave it, and parts are no more than a whole."""
    leaving: list[list[int]] = [[] for _ in graph.mode]
    for link, kind in enumerate(graph.link_kind):
        if kind == LinkKind.OF_VERTICES:
            for member in graph.members_of(link):
                if graph.mode[member] != Mode.SHARED:
                    leaving[member].append(link)
    for vertex, mode in enumerate(graph.mode):
        turns = graph.turns_of(vertex)
        if sorted(turns) != leaving[vertex]:
            raise ValueError(f"the turns of vertex {vertex} must be the links {leaving[vertex]}")
        if mode == Mode.DEEPEST:
            _check_range(f"number of turns of vertex {vertex}", len(turns), 0, MAX_DEEPEST_TURNS)
        if mode == Mode.PARTITIONED:
            _check_parts(graph, vertex, turns)


def _check_parts(graph: PoolGraph, vertex: int, turns: array[int]) -> None:
    for profile in range(graph.profile_count):
        first = profile * graph.link_count
        total = sum(graph.ratio[first + link] for link in turns)
        if total > WHOLE:
            raise ValueError(
                f"the parts of vertex {vertex} in profile {profile} are {total} basis points, "
                f"at most {WHOLE}"
            )


def _check_type(name: str, numbers: array[int], letter: str) -> None:
    if not isinstance(numbers, array) or numbers.typecode != letter:
        raise ValueError(f"{name} must be an array('{letter}')")


def _check_length(name: str, numbers: array[int], length: int) -> None:
    if len(numbers) != length:
        raise ValueError(f"{name} has {len(numbers)} numbers instead of {length}")


def _check_numbers(name: str, numbers: array[int], least: int, most: int) -> None:
    if numbers:
        _check_range(f"the least {name}", min(numbers), least, most)
        _check_range(f"the greatest {name}", max(numbers), least, most)


def _check_bytes(name: str, values: bytes, count: int) -> None:
    if not isinstance(values, bytes) or max(values, default=0) >= count:
        raise ValueError(f"{name} must be bytes below {count}")


def _check_offsets(name: str, offsets: array[int], count: int, end: int) -> None:
    _check_length(name, offsets, count + 1)
    rising = all(a <= b for a, b in pairwise(offsets))
    if not (offsets[0] == 0 and rising and offsets[-1] == end):
        raise ValueError(f"{name} must rise from 0 to {end}")


def _check_range(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name} is {value}, must be within {least} and {most}")
