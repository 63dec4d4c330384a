"""Orders of more than 10 demands, in plain Python: construction, local search and a lower bound.

Construction is the greedy of weighted set cover (Chvatal 1979): open the node with the least cost
per
demand covered. Local search then moves demands, closes nodes and replaces nodes while that helps.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from core_ext.limits import SEARCH_PASSES
from core_ext.parcel_cost_twin import (
    Assignment,
    Order,
    Policy,
    added_to_sum,
    is_additive,
    is_constant,
    parcel_cost,
    weighed,
    whole_parcel_cost,
)
from core_ext.policy import SUMMED, Kind, Term
from core_ext.whole_lines_twin import best_single

Load = dict[int, int]
"""Units of each demand in one parcel."""


def plan_large_order(policy: Policy, order: Order, may_be_short: bool) -> Assignment:
    """A good plan with a lower bound; proved where both are equal.

    A demand that fits no node is spread over at most `max_nodes` nodes, the fullest first,
    and
    stays there. At most `max_parcels` nodes are used. If that does not suffice, the rest is
    left out with `may_be_short`; otherwise the assignment has no pieces.
    """
    search = _Search(policy, order)
    search.spread()
    if search.uncovered < 0 or may_be_short:
        search.cover()
    if search.uncovered >= 0 and not may_be_short:
        return Assignment([], 0, 0, False, search.uncovered)
    search.try_single()
    for _ in range(SEARCH_PASSES):
        # All three run in every pass: `or` would skip the later ones after an improvement.
        if not any([search.move_demands(), search.close_nodes(), search.replace_nodes()]):
            break
    if not search.close_small_parcels():
        return Assignment([], 0, 0, False, search.uncovered, True)
    pieces = sorted((d, n, q) for n, load in enumerate(search.loads) for d, q in load.items())
    cost = sum(search.cost(n, load) for n, load in enumerate(search.loads))
    bound = _lower_bound(policy, order, search)
    proved = cost == bound and search.uncovered < 0
    return Assignment(pieces, cost, bound, proved, search.uncovered)


@dataclass
class _Search:
    policy: Policy
    order: Order
    uncovered: int = -1
    loads: list[Load] = field(init=False)
    spread_demands: set[int] = field(default_factory=set)
    fixed_nodes: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.loads = [{} for _ in range(self.policy.node_count)]
        self.nodes = range(self.policy.node_count)

    def cost(self, node: int, load: Load) -> int:
        return parcel_cost(self.policy, self.order, node, load) if load else 0

    def added(self, node: int, load: Load) -> int:
        """What the parcel costs more with `load` on top."""
        return self.cost(node, self.loads[node] | load) - self.cost(node, self.loads[node])

    def may_use(self, node: int, closing: int = 0) -> bool:
        """The node is open, or one more may be opened when `closing` others are closed."""
        opened = sum(bool(load) for load in self.loads) - closing
        return bool(self.loads[node]) or opened < self.policy.limits.max_parcels

    def spread(self) -> None:
        """Give demands that fit no node to several, those with most units first."""
        for d in self.order.demands:
            if any(self.order.fits(d, n) for n in self.nodes):
                continue
            self.spread_demands.add(d)
            rest = self.order.quantities[d]
            for _ in range(min(self.policy.limits.max_nodes, self.policy.limits.max_parcels)):
                options = []
                for n in self.nodes:
                    units = min(rest, self.order.available[d][n])
                    if units and d not in self.loads[n] and self.may_use(n):
                        options.append((-units, self.added(n, {d: units}), n))
                if not options:
                    break
                units, _, node = min(options)
                self.loads[node][d] = -units
                self.fixed_nodes.add(node)
                rest += units
            if rest and self.uncovered < 0:
                self.uncovered = d

    def cover(self) -> None:
        """Give every other demand to a node, by least cost per demand covered."""
        pending = [d for d in self.order.demands if d not in self.spread_demands]
        while pending:
            options = []
            for n in self.nodes:
                load = {d: self.order.quantities[d] for d in pending if self.order.fits(d, n)}
                if load and self.may_use(n):
                    options.append((self.added(n, load) // len(load), -len(load), n, load))
            if not options:
                break
            _, _, node, load = min(options, key=lambda option: option[:3])
            self.loads[node] |= load
            pending = [d for d in pending if d not in load]
        if pending:
            self.uncovered = pending[0] if self.uncovered < 0 else min(self.uncovered, pending[0])

    def try_single(self) -> None:
        """Use one node for everything if that is not dearer."""
        if self.spread_demands or self.uncovered >= 0:
            return
        single = best_single(self.policy, self.order, frozenset())
        if single and single[0] <= sum(self.cost(n, self.loads[n]) for n in self.nodes):
            self.loads = [{} for _ in self.nodes]
            self.loads[single[1]] = dict(enumerate(self.order.quantities))

    def best_other(self, demand: int, node: int, only_open: bool) -> tuple[int, int] | None:
        """(added cost, node) of the best other node for the demand."""
        closing = int(len(self.loads[node]) == 1)
        load = {demand: self.order.quantities[demand]}
        return min(
            (
                (self.added(n, load), n)
                for n in self.nodes
                if n != node
                and self.order.fits(demand, n)
                and (bool(self.loads[n]) if only_open else self.may_use(n, closing))
            ),
            default=None,
        )

    def move_demands(self) -> bool:
        """Move single demands to where they cost less."""
        improved = False
        for d in self.order.demands:
            if d in self.spread_demands:
                continue
            node = next((n for n in self.nodes if d in self.loads[n]), None)
            if node is None:
                continue
            without = {e: q for e, q in self.loads[node].items() if e != d}
            saved = self.cost(node, self.loads[node]) - self.cost(node, without)
            best = self.best_other(d, node, only_open=False)
            if best and best[0] < saved:
                self.loads[best[1]][d] = self.loads[node].pop(d)
                improved = True
        return improved

    def close_nodes(self) -> bool:
        """Close nodes whose demands cost less at the other open nodes."""
        improved = False
        for node in self.nodes:
            if self.loads[node] and node not in self.fixed_nodes:
                improved |= self.close_node(node, at_any_cost=False)
        return improved

    def close_node(self, node: int, *, at_any_cost: bool) -> bool:
        """Give the demands of a node to other open ones, all of them or none."""
        before = [dict(load) for load in self.loads]
        saved = self.cost(node, self.loads[node])
        for d in sorted(self.loads[node]):
            best = self.best_other(d, node, only_open=True)
            if best is None or (best[0] >= saved and not at_any_cost):
                break
            saved -= best[0]
            self.loads[best[1]][d] = self.loads[node].pop(d)
        if self.loads[node]:
            self.loads = before
            return False
        return True

    def close_small_parcels(self) -> bool:
        """Give the demands of parcels that are worth too little to other open nodes, at any cost;
        returns whether none is left.
        """
        for node in self.nodes:
            if self.is_small(node) and node not in self.fixed_nodes:
                self.close_node(node, at_any_cost=True)
        return not any(self.is_small(node) for node in self.nodes)

    def is_small(self, node: int) -> bool:
        load = self.loads[node]
        value = sum(q * self.order.unit_values[d] for d, q in load.items())
        if not load or value >= self.policy.limits.least_value:
            return False
        is_all = self.order.is_whole and self.uncovered < 0
        return not (is_all and sum(bool(other) for other in self.loads) == 1)

    def replace_nodes(self) -> bool:
        """Replace an open node by a closed one that takes its whole parcel for less."""
        improved = False
        for node in self.nodes:
            load = self.loads[node]
            if not load or node in self.fixed_nodes:
                continue
            options = (
                (self.cost(n, load), n)
                for n in self.nodes
                if not self.loads[n] and all(self.order.fits(d, n) for d in load)
            )
            best = min(options, default=None)
            if best and best[0] < self.cost(node, load):
                self.loads[node], self.loads[best[1]] = {}, load
                improved = True
        return improved


def _lower_bound(policy: Policy, order: Order, search: _Search) -> int:
    """No plan that places the same units costs less.

    The larger of the dearest demand alone, and: the fewest parcels at the lowest floors, plus every
    demand's additive part at its cheapest node.
    """
    placed = [sum(load.get(d, 0) for load in search.loads) for d in order.demands]
    order = replace(order, quantities=placed)
    whole = [d for d in order.demands if placed[d] and d not in search.spread_demands]
    spread = [d for d in order.demands if placed[d] and d in search.spread_demands]
    nodes_of = {d: [n for n in search.nodes if order.fits(d, n)] for d in whole}
    nodes_of |= {d: [n for n in search.nodes if order.available[d][n]] for d in spread}
    alone = [min(whole_parcel_cost(policy, order, n, [d]) for n in nodes_of[d]) for d in whole]
    bound = sum(_cheapest_demand(policy, order, d, nodes_of[d], d in whole) for d in nodes_of)
    bound += sum(_tariff_bound(policy, order, t, nodes_of) for t in policy.terms)
    floors = sorted(
        _floor(policy, order, n) for n in {n for nodes in nodes_of.values() for n in nodes}
    )
    parcels = 1
    if whole:
        most = max(sum(n in nodes_of[d] for d in whole) for n in search.nodes)
        parcels = -(-len(whole) // most)
    if any(placed[d] > max(order.available[d]) for d in spread):
        parcels = max(parcels, 2)
    return max([bound + sum(floors[:parcels]), *alone])


def _floor(policy: Policy, order: Order, node: int) -> int:
    """Least cost of a parcel at the node but for the parts counted per demand."""
    cell = order.place * policy.node_count + node
    total = 0
    for term in policy.terms:
        if is_constant(term) or term.kind == Kind.TARIFF:
            total += weighed(term, term.values[node if term.kind == Kind.NODE else cell])
        elif term.kind == Kind.UNIT and not is_additive(term, order):
            total += weighed(term, term.values[cell])
    return total


def _cheapest_demand(
    policy: Policy, order: Order, demand: int, nodes: list[int], is_whole: bool
) -> int:
    """Least sum of the additive UNIT, GOODS and DEPTH terms of the demand over its nodes."""
    quantity = order.quantities[demand]
    least = []
    for n in nodes:
        total = 0
        for term in policy.terms:
            if term.kind == Kind.UNIT and is_additive(term, order):
                cell = order.place * policy.node_count + n
                total += term.multiplier * term.values[cell] * quantity
            elif term.kind != Kind.DEPTH or is_whole:
                is_summed = term.kind in SUMMED and is_additive(term, order)
                added = added_to_sum(term, order, demand, n, quantity) if is_summed else 0
                total += term.multiplier * added
        least.append(total)
    return min(least)


def _tariff_bound(policy: Policy, order: Order, term: Term, nodes_of: dict[int, list[int]]) -> int:
    """All grams at the lowest rates: rounding up per parcel never makes it less."""
    if term.kind != Kind.TARIFF or is_constant(term) or not is_additive(term, order):
        return 0
    first = order.place * policy.node_count
    rated = sum(
        min(term.rates[first + n] for n in nodes) * order.quantities[d] * order.unit_weights[d]
        for d, nodes in nodes_of.items()
    )
    return term.multiplier * -(-rated // term.step)
