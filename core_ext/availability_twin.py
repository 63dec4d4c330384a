"""The availability engine in plain Python: what the compiled one must do, and its oracle."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

from core_ext.limits import COUNTED_MOST, UNITS_MOST
from core_ext.pool_graph import NO_LIMIT, WHOLE, LinkKind, Mode, PoolGraph, check_graph
from core_ext.results import Derivation
from core_ext.stock_book_twin import StockBook


@dataclass(slots=True)
class _Settings:
    """What was set for one SKU; units and depths by vertex."""

    profile: int = 0
    floors: dict[int, int] = field(default_factory=dict)
    caps: dict[int, int] = field(default_factory=dict)
    depths: dict[int, int] = field(default_factory=dict)


class Availability:
    """Same guarantees as `core_ext.availability.Availability`."""

    def __init__(self, book: StockBook, of: PoolGraph | Availability) -> None:
        graph: PoolGraph = of._graph if isinstance(of, Availability) else of
        check_graph(graph)
        if len(graph.source_class) != book.source_count:
            raise ValueError(
                f"the graph has {len(graph.source_class)} sources, the book {book.source_count}"
            )
        self.vertex_count = graph.vertex_count
        self.profile_count = graph.profile_count
        self._book = book
        self._graph: PoolGraph = graph
        self._is_terminal = graph.is_terminal()
        self._upstream, self._above = _reaching(graph)
        self._settings: dict[int, _Settings] = {}
        self._numbers: dict[int, array[int]] = {}
        self._changed: dict[int, None] = {}

    def set_profile(self, sku: int, profile: int) -> None:
        """Let the SKU flow by the ratios of a profile, 0 by default."""
        if not 0 <= profile < self.profile_count:
            raise ValueError(f"there is no profile {profile}")
        self._settings_of(sku).profile = profile

    def set_cap(self, sku: int, vertex: int, units: int) -> None:
        """Let the terminal show so many units at most; -1 for no cap."""
        self._need_vertex(vertex)
        _need_amount(units, NO_LIMIT)
        if not self._is_terminal[vertex]:
            raise ValueError(f"vertex {vertex} is no terminal, so it has no cap")
        self._settings_of(sku).caps[vertex] = units

    def set_floor(self, sku: int, vertex: int, units: int) -> None:
        """Let the terminal keep so many units back of its pool part; 0 for none."""
        self._need_vertex(vertex)
        _need_amount(units, 0)
        if not self._is_terminal[vertex]:
            raise ValueError(f"vertex {vertex} is no terminal, so it has no floor")
        self._settings_of(sku).floors[vertex] = units

    def set_depth(self, sku: int, vertex: int, depth: int) -> None:
        """Say how deep the SKU stands at the vertex, 0 by default; DEEPEST gives by it."""
        self._need_vertex(vertex)
        _need_amount(depth, -UNITS_MOST)
        self._settings_of(sku).depths[vertex] = depth

    def update(self, sku: int) -> bool:
        """Compute the SKU anew from the book; True if any number changed."""
        numbers = self.derive(sku).number
        if numbers == self.numbers(sku):
            return False
        self._numbers[sku] = numbers
        self._changed[sku] = None
        return True

    def update_many(self, skus: Iterable[int]) -> int:
        """`update` one after another (array('q')); how many changed."""
        return sum(self.update(sku) for sku in skus)

    def recompute(self) -> int:
        """`update` every SKU that the book has heard of, in its order; how many changed."""
        return self.update_many(self._book.skus())

    def take_changed(self) -> array[int]:
        """SKUs that changed since the last call, each once, by first change (array('q'))."""
        changed = array("q", self._changed)
        self._changed.clear()
        return changed

    def number(self, sku: int, vertex: int) -> int:
        """Units that the vertex may offer; 0 for a SKU that was never computed."""
        self._need_vertex(vertex)
        return self.numbers(sku)[vertex]

    def numbers(self, sku: int) -> array[int]:
        """Units that each vertex may offer: array('q') of V."""
        stored = self._numbers.get(sku)
        return array("q", [0] * self.vertex_count if stored is None else stored)

    def derive(self, sku: int) -> Derivation:
        """Compute the SKU from the book as it is now, and show every step; nothing is stored."""
        settings = self._settings.get(sku) or _Settings()
        flowing = _Flowing(self._graph, self._upstream, settings, *self._class_sums(sku))
        vertices = range(self.vertex_count)
        kept = self._kept(sku)
        earmarks = array("q", [self._earmarks_of(kept, vertex) for vertex in vertices])
        cap = array("q", [settings.caps.get(vertex, NO_LIMIT) for vertex in vertices])
        floor = array("q", [settings.floors.get(vertex, 0) for vertex in vertices])
        number = array("q")
        for vertex in vertices:
            units = max(0, flowing.pool_part[vertex] - floor[vertex]) + earmarks[vertex]
            number.append(min(units, cap[vertex]) if cap[vertex] != NO_LIMIT else units)
        return Derivation(
            class_units=array("q", flowing.class_units),
            class_offered=array("q", [weighted // WHOLE for weighted in flowing.weighted]),
            quantity=array("q", flowing.quantity),
            flow=array("q", flowing.flow),
            bound=array("q", flowing.bound),
            flows_in=array("q", flowing.flows_in),
            pool_part=array("q", flowing.pool_part),
            floor=floor,
            earmarks=earmarks,
            cap=cap,
            number=number,
        )

    def _class_sums(self, sku: int) -> tuple[list[int], list[int]]:
        """Per class: units, and units times basis points."""
        units, weighted = [0] * self._graph.class_count, [0] * self._graph.class_count
        for source, free, _ in self._book.entries(sku):
            feeds = self._graph.source_class[source]
            if feeds >= 0:
                counted = min(max(0, free), COUNTED_MOST)
                units[feeds] += counted
                weighted[feeds] += counted * self._graph.source_weight[source]
        return units, weighted

    def _kept(self, sku: int) -> dict[int, int]:
        """Units that are kept for vertices."""
        kept: dict[int, int] = {}
        for source, free, _ in self._book.entries(sku):
            keeper = self._graph.source_keeper[source]
            if keeper >= 0:
                kept[keeper] = kept.get(keeper, 0) + min(max(0, free), COUNTED_MOST)
        return kept

    def _earmarks_of(self, kept: dict[int, int], vertex: int) -> int:
        owners = self._above[vertex] | {vertex}
        return sum(units for owner, units in kept.items() if owner in owners)

    def _settings_of(self, sku: int) -> _Settings:
        return self._settings.setdefault(sku, _Settings())

    def _need_vertex(self, vertex: int) -> None:
        if not 0 <= vertex < self.vertex_count:
            raise ValueError(f"there is no vertex {vertex}")


class _Flowing:
    """The units of one SKU on their way through the graph, vertex by vertex."""

    def __init__(
        self,
        graph: PoolGraph,
        upstream: list[set[int]],
        settings: _Settings,
        class_units: list[int],
        weighted: list[int],
    ) -> None:
        self.graph, self.upstream, self.settings = graph, upstream, settings
        self.class_units, self.weighted = class_units, weighted
        self.quantity = [0] * graph.link_count
        self.flow = [0] * graph.link_count
        self.pool_part: list[int] = []
        self.flows_in: list[int] = []
        self.bound = [self.units(classes) for classes in upstream]
        self.target = [v for v in range(graph.vertex_count) for _ in graph.links_into(v)]
        turned = set(graph.turns)
        for vertex, mode in enumerate(graph.mode):
            for link in graph.links_into(vertex):
                self.quantity[link] = self.quantity_of(link)
                if link not in turned:
                    self.flow[link] = self.share(link, self.quantity[link])
            self.flows_in.append(sum(self.flow[link] for link in graph.links_into(vertex)))
            self.pool_part.append(min(self.flows_in[vertex], self.bound[vertex]))
            if mode == Mode.PARTITIONED:
                self.give_parts(vertex)
            elif mode != Mode.SHARED:
                self.give_in_turn(vertex)

    def units(self, classes: Iterable[int]) -> int:
        return sum(self.weighted[one] for one in classes) // WHOLE

    def quantity_of(self, link: int) -> int:
        members = self.graph.members_of(link)
        if self.graph.link_kind[link] == LinkKind.OF_CLASSES:
            return self.units(members)
        reaching: set[int] = set().union(*(self.upstream[member] for member in members))
        return min(sum(self.pool_part[member] for member in members), self.units(reaching))

    def rule(self, link: int) -> tuple[int, int, int]:
        """Ratio, reserve and most units of the link in the SKU's profile."""
        at = self.settings.profile * self.graph.link_count + link
        most = self.graph.most[at]
        return self.graph.ratio[at], self.graph.reserve[at], UNITS_MOST if most < 0 else most

    def share(self, link: int, quantity: int) -> int:
        ratio, reserve, most = self.rule(link)
        return min(ratio * max(0, quantity - reserve) // WHOLE, most)

    def give_parts(self, vertex: int) -> None:
        whole = left = self.pool_part[vertex]
        reached = 0
        for link in self.graph.turns_of(vertex):
            ratio, reserve, most = self.rule(link)
            base = max(0, whole - reserve)
            part = base * (reached + ratio) // WHOLE - base * reached // WHOLE
            reached += ratio
            self.flow[link] = min(part, most, left)
            left -= self.flow[link]

    def give_in_turn(self, vertex: int) -> None:
        left, turns = self.pool_part[vertex], list(self.graph.turns_of(vertex))
        if self.graph.mode[vertex] == Mode.DEEPEST:
            turns.sort(key=lambda link: -self.settings.depths.get(self.target[link], 0))
        for link in turns:
            self.flow[link] = self.share(link, left)
            left -= self.flow[link]


def _reaching(graph: PoolGraph) -> tuple[list[set[int]], list[set[int]]]:
    """Per vertex: the classes that reach it, and the vertices above it, over any path."""
    upstream: list[set[int]] = []
    above: list[set[int]] = []
    for vertex in range(graph.vertex_count):
        classes: set[int] = set()
        vertices: set[int] = set()
        for link in graph.links_into(vertex):
            if graph.link_kind[link] == LinkKind.OF_CLASSES:
                classes.update(graph.members_of(link))
        for member in graph.feeding_vertices(vertex):
            classes |= upstream[member]
            vertices |= above[member] | {member}
        upstream.append(classes)
        above.append(vertices)
    return upstream, above


def _need_amount(amount: int, least: int) -> None:
    if not least <= amount <= UNITS_MOST:
        raise ValueError(f"{amount} is out of range, must be within {least} and {UNITS_MOST}")
