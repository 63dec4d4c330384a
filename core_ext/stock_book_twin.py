"""The stock book in plain Python: what the compiled one must do, and its oracle in the tests."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from core_ext.limits import FREE_MOST, MAX_NODES, MAX_SOURCES, UNLIMITED


class StockBook:
    """Same guarantees as `core_ext.stock_book.StockBook`."""

    def __init__(self, source_node: array[int], node_count: int) -> None:
        if not 1 <= node_count <= MAX_NODES:
            raise ValueError(f"node_count is {node_count}, must be within 1 and {MAX_NODES}")
        if len(source_node) > MAX_SOURCES:
            raise ValueError(f"{len(source_node)} sources, at most {MAX_SOURCES}")
        for source, node in enumerate(source_node):
            if not 0 <= node < node_count:
                raise ValueError(f"source {source} is at node {node}, which does not exist")
        self.node_count = node_count
        self.source_count = len(source_node)
        self.position = 0
        self.source_node = list(source_node)
        self._shelves: dict[int, dict[int, tuple[int, int]]] = {}
        self._capacities = [(UNLIMITED, -1)] * node_count

    @property
    def sku_count(self) -> int:
        """SKUs the book has heard of."""
        return len(self._shelves)

    @property
    def entry_count(self) -> int:
        """Entries of all SKUs together."""
        return sum(len(shelf) for shelf in self._shelves.values())

    def skus(self) -> array[int]:
        """SKUs in the order in which the book heard of them (array('q'))."""
        return array("q", self._shelves)

    def put(self, sku: int, source: int, free: int, version: int) -> bool:
        """Set the free units of a source if `version` (>= 0) is newer; True if it was."""
        self._need_source(source)
        _need_put(free, version)
        return self._write(sku, source, free, version)

    def put_many(
        self,
        skus: Sequence[int],
        sources: Sequence[int],
        free: Sequence[int],
        versions: Sequence[int],
    ) -> int:
        """`put` row by row ('q', 'i', 'q', 'q'); how many were newer. All rows are checked
        first.
        """
        if not len(skus) == len(sources) == len(free) == len(versions):
            raise ValueError("skus, sources, free and versions differ in length")
        rows = list(zip(skus, sources, free, versions, strict=True))
        for _, source, units, version in rows:
            self._need_source(source)
            _need_put(units, version)
        return sum(self._write(*row) for row in rows)

    def free(self, sku: int, source: int) -> int:
        """Free units; may be negative; 0 for a SKU or source never heard of."""
        self._need_source(source)
        return self._shelves.get(sku, {}).get(source, (0, -1))[0]

    def version(self, sku: int, source: int) -> int:
        """Version of the last applied `put`, -1 if there was none."""
        self._need_source(source)
        return self._shelves.get(sku, {}).get(source, (0, -1))[1]

    def node_free(self, sku: int, node: int) -> int:
        """Sum of max(0, free) over the sources of the node."""
        self._need_node(node)
        shelf = self._shelves.get(sku, {})
        return sum(max(0, shelf[s][0]) for s in shelf if self.source_node[s] == node)

    def entries(self, sku: int) -> list[tuple[int, int, int]]:
        """(source, free, version) of every source heard of, in source order."""
        shelf = self._shelves.get(sku, {})
        return [(source, *shelf[source]) for source in sorted(shelf)]

    def take(self, sku: int, source: int, quantity: int) -> None:
        """Lower the free units by `quantity` (>= 1) until a newer `put` replaces them."""
        self._need_source(source)
        _need_quantity(quantity)
        self._change(sku, source, -quantity)

    def give(self, sku: int, source: int, quantity: int) -> None:
        """Raise the free units by `quantity` (>= 1) until a newer `put` replaces them."""
        self._need_source(source)
        _need_quantity(quantity)
        self._change(sku, source, quantity)

    def set_capacity(self, node: int, free_parcels: int, version: int) -> bool:
        """Set the parcels a node can still take (`UNLIMITED` for no limit) if `version` is
        newer.
        """
        self._need_node(node)
        if version < 0 or not (abs(free_parcels) <= FREE_MOST or free_parcels == UNLIMITED):
            raise ValueError(f"capacity {free_parcels} of version {version} is out of range")
        if version <= self._capacities[node][1]:
            return False
        self._capacities[node] = (free_parcels, version)
        self.position += 1
        return True

    def capacity(self, node: int) -> int:
        """Parcels the node can still take; `UNLIMITED` unless it was set."""
        self._need_node(node)
        return self._capacities[node][0]

    def take_capacity(self, node: int, parcels: int) -> None:
        """Lower the node's capacity by `parcels` (>= 1)."""
        self._need_node(node)
        _need_quantity(parcels)
        self._change_capacity(node, -parcels)

    def give_capacity(self, node: int, parcels: int) -> None:
        """Raise the node's capacity by `parcels` (>= 1)."""
        self._need_node(node)
        _need_quantity(parcels)
        self._change_capacity(node, parcels)

    def _need_source(self, source: int) -> None:
        if not 0 <= source < self.source_count:
            raise ValueError(f"there is no source {source}")

    def _need_node(self, node: int) -> None:
        if not 0 <= node < self.node_count:
            raise ValueError(f"there is no node {node}")

    def _write(self, sku: int, source: int, free: int, version: int) -> bool:
        shelf = self._shelves.setdefault(sku, {})
        if version <= shelf.setdefault(source, (0, -1))[1]:
            return False
        shelf[source] = (free, version)
        self.position += 1
        return True

    def _change(self, sku: int, source: int, change: int) -> None:
        free, version = self._shelves.get(sku, {}).get(source, (0, -1))
        if abs(free + change) > FREE_MOST:
            raise ValueError(f"{free + change} free units are out of range")
        self._shelves.setdefault(sku, {})[source] = (free + change, version)
        self.position += 1

    def _change_capacity(self, node: int, change: int) -> None:
        parcels, version = self._capacities[node]
        if parcels != UNLIMITED:
            parcels += change
            if abs(parcels) > FREE_MOST:
                raise ValueError(f"a capacity of {parcels} parcels is out of range")
            self._capacities[node] = (parcels, version)
        self.position += 1


def _need_put(free: int, version: int) -> None:
    if version < 0 or abs(free) > FREE_MOST:
        raise ValueError(f"{free} free units of version {version} are out of range")


def _need_quantity(quantity: int) -> None:
    if not 1 <= quantity <= FREE_MOST:
        raise ValueError(f"a quantity of {quantity} is out of range")
