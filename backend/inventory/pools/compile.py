"""From a layout to the graph that the core computes on."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import msgspec

from backend.channels.model import Shop
from backend.conditions.compile import Check, compile_condition
from backend.inventory.accuracy.model import Weights
from backend.inventory.model import StockSource
from backend.inventory.pools.attributes import (
    RULE_ATTRIBUTES,
    SOURCE_ATTRIBUTES,
    facts_of_shop,
    facts_of_source,
)
from backend.inventory.pools.check import check_layout
from backend.inventory.pools.errors import InvalidLayout
from backend.inventory.pools.model import WHOLE_BP, Flow, Layout, Mode, Pool, Supply
from backend.inventory.warehouses import is_default_source
from backend.network.model import Condition, FunctionalWarehouse, Node
from backend.network.regions.table import RegionTable
from core_ext import PoolGraph
from core_ext.pool_graph import NO_LIMIT, LinkKind, check_graph
from core_ext.pool_graph import Mode as CoreMode

MODES = {
    Mode.SHARED: CoreMode.SHARED,
    Mode.PARTITIONED: CoreMode.PARTITIONED,
    Mode.CHANNEL_FIRST: CoreMode.RANKED,
    Mode.DEPTH_FIRST: CoreMode.DEEPEST,
}


class Sources(NamedTuple):
    """What layouts may take from."""

    nodes: Mapping[int, Node]
    warehouses: Sequence[FunctionalWarehouse]
    regions: RegionTable

    def is_open(self, warehouse: FunctionalWarehouse) -> bool:
        """Whether the node of a functional warehouse is open."""
        node = self.nodes.get(warehouse.node_id)
        return node is not None and node.is_active

    def defaults(self) -> frozenset[int]:
        """Return the functional warehouses that orders take from without a layout."""
        return frozenset(
            warehouse.id
            for warehouse in self.warehouses
            if is_default_source(warehouse, self.nodes.get(warehouse.node_id))
        )


class Figures(NamedTuple):
    """What a link lets through of a SKU."""

    ratio_bp: int
    reserve: int
    most: int


class Link(NamedTuple):
    """A link of the graph: its members are functional warehouses or pools, never both."""

    target: int
    flow: Flow
    warehouse_ids: frozenset[int]
    pools: tuple[int, ...]
    facts: Mapping[str, Any]
    """What its rules know of the shop."""
    path: tuple[str | int, ...]
    """Where it stands in the layout."""


class CompiledLayout:
    """A layout as vertices and links: pools, each behind those it takes from, then shops by id.

    Raises InvalidLayout and InvalidCondition.
    """

    def __init__(self, layout: Layout, sources: Sources, shops: Mapping[str, Shop]) -> None:
        order = check_layout(layout)
        self.layout = layout
        self.default_sources = sources.defaults()
        self.node_of = {w.id: w.node_id for w in sources.warehouses if sources.is_open(w)}
        """The nodes of the functional warehouses that are open."""
        by_code = {pool.code: (index, pool) for index, pool in enumerate(layout.pools)}
        self.pools: list[Pool] = [by_code[code][1] for code in order]
        self.vertex_of_pool = {code: vertex for vertex, code in enumerate(order)}
        self.shops = sorted(_shops_of(layout, shops), key=lambda shop: shop.id)
        self.vertex_of_shop = {shop.id: len(order) + index for index, shop in enumerate(self.shops)}
        self.links: list[Link] = []
        picker = _Picker(sources)
        for pool in self.pools:
            self._add_pool(pool, by_code[pool.code][0], picker)
        self._add_shares(shops)
        self.upstream = self._upstream()
        self.rules = [
            (number, _rules_of(link)) for number, link in enumerate(self.links) if link.flow.rules
        ]
        self.depth_links = self._depth_links()
        self.syncs = {sync.shop: sync for sync in layout.syncs}
        self.binding = frozenset(
            self.vertex_of_shop[shops[share.shop].id] for share in layout.shares if share.binding
        )
        """The vertices of shops that sell no more than they are offered."""
        self._check_fit()

    def _check_fit(self) -> None:
        """Raise InvalidLayout where the layout is larger than the core computes on."""
        if self.vertex_count:
            try:
                check_graph(self.graph(self.sources(), [self.figures()], {}))
            except ValueError as error:
                raise InvalidLayout(f"The layout is too large to be computed: {error}.") from error

    @property
    def vertex_count(self) -> int:
        return len(self.pools) + len(self.shops)

    def _add_pool(self, pool: Pool, at: int, picker: "_Picker") -> None:
        target = self.vertex_of_pool[pool.code]
        for index, supply in enumerate(pool.supplies):
            path = ("pools", at, "supplies", index)
            ids = picker.pick(supply, path)
            self.links.append(Link(target, supply, ids, (), {}, path))
        for index, feed in enumerate(pool.feeds):
            members = tuple(sorted(self.vertex_of_pool[code] for code in feed.pools))
            path = ("pools", at, "feeds", index)
            self.links.append(Link(target, feed, frozenset(), members, {}, path))

    def _add_shares(self, shops: Mapping[str, Shop]) -> None:
        added = []
        for index, share in enumerate(self.layout.shares):
            shop = shops[share.shop]
            members = (self.vertex_of_pool[share.pool],)
            target, path = self.vertex_of_shop[shop.id], ("shares", index)
            facts = facts_of_shop(shop)
            added.append(Link(target, share, frozenset(), members, facts, path))
        self.links += sorted(added, key=lambda link: link.target)

    def _upstream(self) -> list[frozenset[int]]:
        """Return, per vertex, the functional warehouses that reach it."""
        found: list[set[int]] = [set() for _ in range(self.vertex_count)]
        for link in self.links:  # by target: what a link takes from is complete before it
            found[link.target] |= link.warehouse_ids
            for member in link.pools:
                found[link.target] |= found[member]
        return [frozenset(ids) for ids in found]

    def _depth_links(self) -> dict[int, list[int]]:
        """Return, per shop with a turn in a depth-first pool, the links that make its depth: those
        from other pools."""
        by_target: dict[int, list[tuple[int, bool]]] = {}
        for number, link in enumerate(self.links):
            if link.path[0] == "shares":
                is_by_depth = self.pools[link.pools[0]].mode is Mode.DEPTH_FIRST
                by_target.setdefault(link.target, []).append((number, is_by_depth))
        return {
            target: [number for number, is_by_depth in links if not is_by_depth]
            for target, links in by_target.items()
            if any(is_by_depth for _, is_by_depth in links)
        }

    def named_warehouses(self) -> frozenset[int]:
        """Return the functional warehouses that feed anything."""
        return frozenset().union(*(link.warehouse_ids for link in self.links))

    def sources(self) -> list[StockSource]:
        """Return what feeds anything, and the default sources, as sources of a stock book."""
        found = sorted(self.named_warehouses() | self.default_sources)
        return [StockSource(warehouse_id, self.node_of[warehouse_id]) for warehouse_id in found]

    def above(self, vertex: int) -> set[int]:
        """Return a vertex and all pools that reach it."""
        above = {vertex}
        for link in reversed(self.links):  # by target: whoever takes from a pool stands behind it
            if link.target in above:
                above.update(link.pools)
        return above

    def pools_above(self, vertex: int) -> frozenset[str]:
        """Return the codes of the pools that reach a shop."""
        return frozenset(self.pools[at].code for at in self.above(vertex) - {vertex})

    def own_figures(self, number: int) -> Figures:
        """Return what a link lets through where no rule holds."""
        return _figures(self.links[number].flow)

    def figures(self, facts: dict[str, Any] | None = None) -> tuple[Figures, ...]:
        """Return what each link with rules lets through of a SKU with these facts.

        `facts` is used as a scratch pad. Without facts no rule holds.
        """
        found = []
        for number, rules in self.rules:
            link = self.links[number]
            found.append(_figures(link.flow))
            if facts is not None:
                facts.update(link.facts)
                for check, figures in rules:
                    if check(facts):
                        found[-1] = figures
                        break
        return tuple(found)

    def weight(self, node_id: int, weights: Weights) -> int:
        """Return the basis points of a node's stock that it offers."""
        least = self.layout.least_accuracy_bp
        return WHOLE_BP if least is None else max(least, weights.get(node_id, WHOLE_BP))

    def graph(
        self,
        sources: Sequence[StockSource],
        profiles: Sequence[tuple[Figures, ...]],
        weights: Weights,
    ) -> PoolGraph:
        """Return the graph over the sources of a stock book, with these profiles of its rules.

        `weights` are what is known of the accuracy of nodes.
        """
        classes, members = self._classes(sources)
        keepers = [self.vertex_of_pool.get(source.pool, -1) for source in sources]
        counts = [0] * self.vertex_count
        for link in self.links:
            counts[link.target] += 1
        turns = self._turns()
        with_rules = {number: index for index, (number, _) in enumerate(self.rules)}
        table = [
            profile[with_rules[number]] if number in with_rules else _figures(link.flow)
            for profile in profiles
            for number, link in enumerate(self.links)
        ]
        return PoolGraph(
            source_class=array("i", classes),
            source_weight=array("i", [self.weight(source.node_id, weights) for source in sources]),
            source_keeper=array("i", keepers),
            class_count=max(classes, default=-1) + 1,
            mode=bytes([MODES[pool.mode] for pool in self.pools]) + bytes(len(self.shops)),
            link_offsets=array("i", accumulate(counts, initial=0)),
            link_kind=bytes(
                LinkKind.OF_VERTICES if link.pools else LinkKind.OF_CLASSES for link in self.links
            ),
            member_offsets=array("i", accumulate(map(len, members), initial=0)),
            members=array("i", [member for listed in members for member in listed]),
            turn_offsets=array("i", accumulate(map(len, turns), initial=0)),
            turns=array("i", [number for listed in turns for number in listed]),
            ratio=array("i", [figures.ratio_bp for figures in table]),
            reserve=array("q", [figures.reserve for figures in table]),
            most=array("q", [figures.most for figures in table]),
        )

    def _classes(self, sources: Sequence[StockSource]) -> tuple[list[int], list[Sequence[int]]]:
        """Return the class of each source, and the members of each link."""
        source_ids = [s.functional_warehouse_id if not s.earmark_id else 0 for s in sources]
        fed: dict[int, list[int]] = {source_id: [] for source_id in source_ids}
        for number, link in enumerate(self.links):
            for source_id in link.warehouse_ids & fed.keys():
                fed[source_id].append(number)
        number_of: dict[tuple[int, ...], int] = {}
        classes = [
            number_of.setdefault(tuple(fed[source_id]), len(number_of)) if fed[source_id] else -1
            for source_id in source_ids
        ]
        feeding: list[list[int]] = [[] for _ in self.links]
        for numbers, found in number_of.items():
            for number in numbers:
                feeding[number].append(found)
        members: list[Sequence[int]] = []
        for number, link in enumerate(self.links):
            members.append(link.pools or sorted(feeding[number]))
        return classes, members

    def _turns(self) -> list[list[int]]:
        """Return, per vertex that gives in turns or parts, its shares in that order."""
        turns: list[list[int]] = [[] for _ in range(self.vertex_count)]
        shares = self.layout.shares
        numbered = [
            (shares[int(link.path[1])].rank, int(link.path[1]), number, link.pools[0])
            for number, link in enumerate(self.links)
            if link.path[0] == "shares"
        ]
        for _, _, number, pool in sorted(numbered):
            if self.pools[pool].mode is not Mode.SHARED:
                turns[pool].append(number)
        return turns


class _Picker:
    """Finds the functional warehouses of supply links."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._by_code = {warehouse.code: warehouse for warehouse in sources.warehouses}
        self._facts = {
            warehouse.id: facts_of_source(
                warehouse, sources.nodes[warehouse.node_id], sources.regions
            )
            for warehouse in sources.warehouses
            if is_default_source(warehouse, sources.nodes.get(warehouse.node_id))
        }

    def pick(self, supply: Supply, path: tuple[str | int, ...]) -> frozenset[int]:
        ids = set()
        for index, code in enumerate(supply.warehouses):
            warehouse = self._by_code.get(code)
            where = (*path, "warehouses", index)
            if warehouse is None:
                raise InvalidLayout(f"There is no functional warehouse {code!r}.", path=where)
            if warehouse.condition is Condition.INSPECTION:
                raise InvalidLayout(
                    f"What lies in {code!r} waits for inspection and cannot be offered.", path=where
                )
            if self._sources.is_open(warehouse):  # else it feeds nothing until the node opens
                ids.add(warehouse.id)
        if supply.where is not None:
            check = compile_condition(supply.where, SOURCE_ATTRIBUTES, (*path, "where"))
            ids |= {warehouse_id for warehouse_id, facts in self._facts.items() if check(facts)}
        return frozenset(ids)


def _shops_of(layout: Layout, shops: Mapping[str, Shop]) -> Iterable[Shop]:
    named = [(share.shop, ("shares", index)) for index, share in enumerate(layout.shares)]
    named += [(sync.shop, ("syncs", index)) for index, sync in enumerate(layout.syncs)]
    for code, path in named:
        if code not in shops:
            raise InvalidLayout(f"There is no active shop {code!r}.", path=(*path, "shop"))
    return {share.shop: shops[share.shop] for share in layout.shares}.values()


def _rules_of(link: Link) -> list[tuple[Check, Figures]]:
    flow = link.flow
    return [
        (
            compile_condition(rule.when, RULE_ATTRIBUTES, (*link.path, "rules", index, "when")),
            Figures(
                flow.ratio_bp if rule.ratio_bp is None else rule.ratio_bp,
                flow.reserve if rule.reserve is None else rule.reserve,
                _most(flow.most if rule.most is None else rule.most),
            ),
        )
        for index, rule in enumerate(flow.rules)
    ]


def _figures(flow: Flow) -> Figures:
    return Figures(flow.ratio_bp, flow.reserve, _most(flow.most))


def _most(most: int | None) -> int:
    return NO_LIMIT if most is None else most


def open_part(layout: Layout, shops: Mapping[str, Shop]) -> Layout:
    """Return a layout without the shares and sync policies of shops that are not open."""
    return msgspec.structs.replace(
        layout,
        shares=tuple(share for share in layout.shares if share.shop in shops),
        syncs=tuple(sync for sync in layout.syncs if sync.shop in shops),
    )
