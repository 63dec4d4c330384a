"""Quantities split over a few nodes, in plain Python: branch and bound over sets of open nodes.

For a fixed set, with costs that are a constant per parcel plus an amount per unit, taking each
demand from the cheapest open node first is optimal, as in the uncapacitated facility location
problem; the sets are searched depth first in the order of their constants.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    parcel_cost,
    total_cost,
)
from core_ext.policy import Kind

Best = tuple[int, int, tuple[int, ...], list[Piece]]
"""Cost, number of nodes, the nodes ascending, pieces; compared in this order."""


def plan_split_lines(policy: Policy, order: Order, may_be_short: bool) -> Assignment:
    """Cheapest plan over at most `max_nodes` nodes; no pieces if they cannot hold the order, or
    no set was found whose parcels are worth enough.

    With `may_be_short` an order they cannot hold is cut to what greedily opened nodes cover; then
    nothing is proved. Proved if costs are additive, the search ended before SPLIT_SETS sets, and no
    set whose parcels had to be made worth more would cost less without.
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
    """Least cost of a set whose parcels are worth too little."""
    nodes: list[int] = field(init=False)
    opening: dict[int, int] = field(init=False)
    unit_cost: list[dict[int, int]] = field(init=False)
    """What a unit of each demand adds at each node; all units together, if not additive."""

    def __post_init__(self) -> None:
        policy, order = self.policy, self.order
        self.most_nodes = min(policy.limits.max_nodes, policy.limits.max_parcels)
        self.is_additive = all(
            is_constant(t) or (t.kind in {Kind.UNIT, Kind.GOODS} and is_additive(t, order))
            for t in policy.terms
        )
        able = [n for n in range(policy.node_count) if any(row[n] for row in order.available)]
        units = 0 if self.is_additive else 1
        self.opening = {n: bare_cost(policy, order.place, n, units, 0) for n in able}
        self.unit_cost = [{n: self._cost_of_unit(d, n) for n in able} for d in order.demands]
        self.nodes = sorted(able, key=lambda n: (self.opening[n], n))
        self.fill_order = [sorted(able, key=lambda n: (cost[n], n)) for cost in self.unit_cost]
        self.least_units = self._least_units() if self.is_additive else 0

    def _cost_of_unit(self, demand: int, node: int) -> int:
        policy, order = self.policy, self.order
        bare = bare_cost(policy, order.place, node, 0, 0)
        if not self.is_additive:
            return bare_cost(policy, order.place, node, order.units, order.weight_g) - bare
        return parcel_cost(policy, order, node, {demand: 1}) - bare

    def _least_units(self) -> int:
        """Least cost of all units if every node were open (additive costs only)."""
        return sum(self.unit_cost[d][n] * q for d, n, q in self.pieces(self.nodes))

    def pieces(self, opened: list[int]) -> list[Piece]:
        """Each demand taken from the open nodes in fill order, as far as they go."""
        pieces = []
        for d in self.order.demands:
            rest = self.order.quantities[d]
            for n in self.fill_order[d]:
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
            if self.best is not None and (cost, len(used)) > self.best[:2]:
                return
            lifted = self._lifted(pieces, used)
            if lifted is None:
                return
            pieces, cost = lifted, total_cost(self.policy, self.order, lifted)
        candidate = (cost, len(used), used, pieces)
        if self.best is None or candidate < self.best:
            self.best = candidate

    def _is_worth(self, pieces: list[Piece], used: tuple[int, ...]) -> bool:
        if len(used) == 1 and self.order.is_whole:
            return True
        values = self._values(pieces)
        return all(value >= self.policy.limits.least_value for value in values.values())

    def _values(self, pieces: list[Piece]) -> dict[int, int]:
        """What each parcel is worth."""
        values: dict[int, int] = {}
        for d, n, quantity in pieces:
            values[n] = values.get(n, 0) + quantity * self.order.unit_values[d]
        return values

    def _lifted(self, pieces: list[Piece], used: tuple[int, ...]) -> list[Piece] | None:
        """Move units to the parcels that are worth too little, by node, from those that are worth
        more; None if that is not enough.
        """
        taken = {(d, n): q for d, n, q in pieces}
        values, least = self._values(pieces), self.policy.limits.least_value
        for node in used:
            while values[node] < least:
                moves = self._moves(taken, values, node)
                # The cheapest a unit, ties to the first demand and then to the smaller node.
                _, d, giver, units = min(moves, default=(0, -1, -1, 0))
                if d < 0:
                    return None
                taken[d, node] = taken.get((d, node), 0) + units
                taken[d, giver] -= units
                values[node] += units * self.order.unit_values[d]
                values[giver] -= units * self.order.unit_values[d]
        return sorted((d, n, q) for (d, n), q in taken.items() if q)

    def _moves(
        self, taken: dict[tuple[int, int], int], values: dict[int, int], node: int
    ) -> Iterator[tuple[int, int, int, int]]:
        """(added cost, demand, giver, units): as many as are missing, as are at the node, and as
        the giver can do without.
        """
        least = self.policy.limits.least_value
        for d, worth in enumerate(self.order.unit_values):
            room = self.order.available[d][node] - taken.get((d, node), 0)
            for giver, value in values.items():
                if giver == node or value <= least or not worth:
                    continue
                missing = -(-(least - values[node]) // worth)
                units = min(taken.get((d, giver), 0), (value - least) // worth, missing, room)
                if units:
                    yield self.unit_cost[d][node] - self.unit_cost[d][giver], d, giver, units

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
