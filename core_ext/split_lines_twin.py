"""Quantities split over a few nodes, in plain Python: branch and bound over sets of open nodes.

For a fixed set, with costs that are a constant per parcel plus an amount per unit, taking each
demand
from the cheapest open node first is optimal, as in the uncapacitated facility location problem; the
sets are searched depth first in the order of their constants.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from core_ext.limits import SPLIT_SETS
from core_ext.parcel_cost_twin import (
    Assignment,
    Order,
    Piece,
    Policy,
    bare_cost,
    is_additive,
    is_constant,
    total_cost,
)
from core_ext.policy import Kind

Best = tuple[int, int, tuple[int, ...], list[Piece]]
"""Cost, number of nodes, the nodes ascending, pieces; compared in this order."""


def plan_split_lines(policy: Policy, order: Order, may_be_short: bool) -> Assignment:
    """Cheapest plan over at most `max_nodes` nodes; no pieces if they cannot hold the order, or
    only in parcels that are worth too little.

    With `may_be_short` an order they cannot hold is cut to what greedily opened nodes cover; then
    nothing is proved. Proved if costs are additive, the search ended before SPLIT_SETS sets, and no
    set that was given up for the worth of its parcels would cost less.
    """
    search = _Search(policy, order)
    opened = search.cover()
    uncovered = search.first_uncovered(opened)
    if uncovered < 0:
        search.look_at(opened)
    search.descend(0, [])
    proved = search.is_additive and search.sets <= SPLIT_SETS
    if search.best is not None:
        uncovered = -1
        proved = proved and (search.rejected is None or search.rejected >= search.best[0])
    elif may_be_short and uncovered >= 0:
        order = replace(order, quantities=search.covered(opened), is_whole=False)
        search = _Search(policy, order)
        search.look_at(opened)
        search.descend(0, [])
        proved = False
    if search.best is None:
        return Assignment([], 0, 0, False, uncovered, search.rejected is not None)
    cost, _, _, pieces = search.best
    lower_bound = cost if proved else min(cost, search.lower_bound())
    return Assignment(pieces, cost, lower_bound, proved, uncovered)


@dataclass
class _Search:
    policy: Policy
    order: Order
    sets: int = 0
    best: Best | None = None
    rejected: int | None = None
    """Least cost of a set that was given up for the worth of its parcels."""
    nodes: list[int] = field(init=False)
    opening: dict[int, int] = field(init=False)
    unit_cost: dict[int, int] = field(init=False)

    def __post_init__(self) -> None:
        policy, order = self.policy, self.order
        self.most_nodes = min(policy.limits.max_nodes, policy.limits.max_parcels)
        self.is_additive = all(
            is_constant(t) or (t.kind == Kind.UNIT and is_additive(t, order)) for t in policy.terms
        )
        able = [n for n in range(policy.node_count) if any(row[n] for row in order.available)]
        bare = {n: bare_cost(policy, order.place, n, 0, 0) for n in able}
        one = {n: bare_cost(policy, order.place, n, 1, 0) for n in able}
        everything = {
            n: bare_cost(policy, order.place, n, order.units, order.weight_g) for n in able
        }
        self.opening = bare if self.is_additive else one
        self.unit_cost = {n: everything[n] - bare[n] for n in able}
        self.nodes = sorted(able, key=lambda n: (self.opening[n], n))
        self.fill_order = sorted(able, key=lambda n: (self.unit_cost[n], n))
        self.least_units = self._least_units() if self.is_additive else 0

    def _least_units(self) -> int:
        """Least cost of all units if every node were open (additive costs only)."""
        pieces = self.pieces(self.nodes)
        return sum(self.unit_cost[n] // self.order.units * q for _, n, q in pieces)

    def pieces(self, opened: list[int]) -> list[Piece]:
        """Each demand taken from the open nodes in fill order, as far as they go."""
        pieces = []
        for d in self.order.demands:
            rest = self.order.quantities[d]
            for n in self.fill_order:
                taken = min(rest, self.order.available[d][n]) if n in opened else 0
                rest -= taken
                if taken:
                    pieces.append((d, n, taken))
        return sorted(pieces)

    def covered(self, opened: list[int]) -> list[int]:
        """Units of each demand that the open nodes have."""
        rows = zip(self.order.quantities, self.order.available, strict=True)
        return [min(q, sum(row[n] for n in opened)) for q, row in rows]

    def first_uncovered(self, opened: list[int]) -> int:
        """First demand the open nodes do not have wholly, or -1."""
        covered = self.covered(opened)
        return next((d for d in self.order.demands if covered[d] < self.order.quantities[d]), -1)

    def cover(self) -> list[int]:
        """Open the node with most units still missing, until all is covered or the limit is met."""
        opened: list[int] = []
        while len(opened) < self.most_nodes and self.first_uncovered(opened) >= 0:
            before = sum(self.covered(opened))
            closed = [n for n in self.nodes if n not in opened]
            gains = [(sum(self.covered([*opened, n])) - before, n) for n in closed]
            gain, node = max(gains, key=lambda pair: pair[0], default=(0, -1))
            if gain == 0:
                break
            opened.append(node)
        return opened

    def look_at(self, opened: list[int]) -> None:
        """Keep the set's plan if it is better; nodes it leaves unused are closed."""
        pieces = self.pieces(opened)
        used = tuple(sorted({n for _, n, _ in pieces}))
        cost = total_cost(self.policy, self.order, pieces)
        if not self._is_worth(pieces, used):
            self.rejected = cost if self.rejected is None else min(cost, self.rejected)
            return
        candidate = (cost, len(used), used, pieces)
        if self.best is None or candidate < self.best:
            self.best = candidate

    def _is_worth(self, pieces: list[Piece], used: tuple[int, ...]) -> bool:
        if len(used) == 1 and self.order.is_whole:
            return True
        values = dict.fromkeys(used, 0)
        for d, n, quantity in pieces:
            values[n] += quantity * self.order.unit_values[d]
        return all(value >= self.policy.limits.least_value for value in values.values())

    def descend(self, start: int, opened: list[int]) -> None:
        """Look at every set that adds nodes from `start` on, unless bounds exclude it."""
        slots = self.most_nodes - len(opened)
        covered = self.covered(opened)
        deficits = [q - c for q, c in zip(self.order.quantities, covered, strict=True)]
        for at in range(start, len(self.nodes)):
            node = self.nodes[at]
            lower = sum(self.opening[n] for n in opened) + self.opening[node] + self.least_units
            if self.best and (lower, len(opened) + 1) > self.best[:2]:
                return
            if any(deficits[d] > slots * self._most(d, at) for d in self.order.demands):
                return
            self.sets += 1
            if self.sets > SPLIT_SETS:
                return
            chosen = [*opened, node]
            if self.first_uncovered(chosen) < 0:
                self.look_at(chosen)
            if slots > 1:
                self.descend(at + 1, chosen)

    def _most(self, demand: int, start: int) -> int:
        return max(self.order.available[demand][n] for n in self.nodes[start:])

    def lower_bound(self) -> int:
        """The fewest parcels any demand needs, each at the cheapest openings, plus cheapest
        units.
        """
        parcels = 1
        for row, quantity in zip(self.order.available, self.order.quantities, strict=True):
            needed, rest = 0, quantity
            for units in sorted(row, reverse=True):
                if rest <= 0:
                    break
                needed, rest = needed + 1, rest - units
            parcels = max(parcels, needed)
        return sum(self.opening[n] for n in self.nodes[:parcels]) + self.least_units
