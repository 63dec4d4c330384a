"""What the compiled engine looks up in a graph: sets of classes, who lies below whom."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from core_ext.limits import MAX_SET_MEMBERS
from core_ext.pool_graph import LinkKind, PoolGraph


@dataclass(frozen=True, slots=True)
class GraphTables:
    """Tables derived from a checked graph; V vertices, L links, C classes.

    Sets of classes are distinct: pools and shops that the same classes reach share one.

    | field | shape, dtype | meaning |
    | set_count | int | distinct sets |
    | set_of_vertex | V, 'i' | all classes that reach the vertex |
    | set_of_link | L, 'i' | its classes, or all classes that reach one of its vertices |
    | class_offsets, class_sets | C + 1, n, 'i' | the sets that a class is in |
    | below_offsets, below | V + 1, n, 'i' | the vertex itself and all that it feeds, rising |
    """

    set_count: int
    set_of_vertex: array[int]
    set_of_link: array[int]
    class_offsets: array[int]
    class_sets: array[int]
    below_offsets: array[int]
    below: array[int]


def tables_of(graph: PoolGraph) -> GraphTables:
    """Derive the tables. ValueError if the sets have too many members together.

    A set is an integer with a bit for each class: 2 KiB at most.
    """
    upstream: list[int] = []
    numbers: dict[int, int] = {}
    set_of_vertex, set_of_link = array("i"), array("i")
    for vertex in range(graph.vertex_count):
        reaching = 0
        for link in graph.links_into(vertex):
            classes = _classes_of(graph, link, upstream)
            set_of_link.append(numbers.setdefault(classes, len(numbers)))
            reaching |= classes
        upstream.append(reaching)
        set_of_vertex.append(numbers.setdefault(reaching, len(numbers)))
    total = sum(classes.bit_count() for classes in numbers)
    if total > MAX_SET_MEMBERS:
        raise ValueError(f"the sets have {total} classes together, at most {MAX_SET_MEMBERS}")
    class_offsets, class_sets = _turned(list(numbers), graph.class_count)
    below_offsets, below = _turned(_above(graph), graph.vertex_count)
    return GraphTables(
        set_count=len(numbers),
        set_of_vertex=set_of_vertex,
        set_of_link=set_of_link,
        class_offsets=class_offsets,
        class_sets=class_sets,
        below_offsets=below_offsets,
        below=below,
    )


def _classes_of(graph: PoolGraph, link: int, upstream: list[int]) -> int:
    classes = 0
    of_classes = graph.link_kind[link] == LinkKind.OF_CLASSES
    for member in graph.members_of(link):
        classes |= 1 << member if of_classes else upstream[member]
    return classes


def _above(graph: PoolGraph) -> list[int]:
    """The vertex itself and all above it, as bits."""
    above: list[int] = []
    for vertex in range(graph.vertex_count):
        found = 1 << vertex
        for member in graph.feeding_vertices(vertex):
            found |= above[member]
        above.append(found)
    return above


def _turned(sets: list[int], count: int) -> tuple[array[int], array[int]]:
    """Offsets and numbers: for each of the members 0 .. count - 1, the sets that it is in."""
    holding: list[list[int]] = [[] for _ in range(count)]
    for number, members in enumerate(sets):
        for member, bit in enumerate(reversed(f"{members:b}")):
            if bit == "1":
                holding[member].append(number)
    offsets, flat = array("i", [0]), array("i")
    for numbers in holding:
        flat.extend(numbers)
        offsets.append(len(flat))
    return offsets, flat
