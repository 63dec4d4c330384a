"""What a parcel costs, in plain Python, and the order as the three planning methods see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core_ext.limits import MAX_PARCELS
from core_ext.policy import Kind, Term, check_policy
from core_ext.tables_twin import extremes

Piece = tuple[int, int, int]
"""(demand, node, quantity)."""


class Policy:
    """Same guarantees as `core_ext.parcel_cost.Policy`."""

    def __init__(
        self,
        node_count: int,
        place_count: int,
        terms: Sequence[Term],
        filters: bytes = b"",
        max_nodes: int = 3,
        max_parcels: int = MAX_PARCELS,
    ) -> None:
        check_policy(node_count, place_count, terms, filters, max_nodes, max_parcels, extremes)
        self.node_count = node_count
        self.place_count = place_count
        self.terms = tuple(terms)
        self.filters = bytes(filters)
        self.max_nodes = max_nodes
        self.max_parcels = max_parcels


@dataclass(frozen=True, slots=True)
class Order:
    """One order when it is its turn: `available[demand][node]` is 0 at nodes that are not
    allowed.
    """

    place: int
    quantities: list[int]
    unit_weights: list[int]
    available: list[list[int]]

    @property
    def demands(self) -> range:
        return range(len(self.quantities))

    @property
    def units(self) -> int:
        return sum(self.quantities)

    @property
    def weight_g(self) -> int:
        return sum(q * w for q, w in zip(self.quantities, self.unit_weights, strict=True))

    def fits(self, demand: int, node: int) -> bool:
        """The whole quantity of the demand is at the node."""
        return self.available[demand][node] >= self.quantities[demand]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Pieces by demand and node; `uncovered` is the first demand that is not whole, or -1."""

    pieces: list[Piece]
    cost: int
    lower_bound: int
    proved: bool
    uncovered: int = -1


def term_value(term: Term, cell: int, units: int, weight_g: int, depth: int) -> int:
    """Value of a term that is not NODE, at cell place * N + node of its tables."""
    if term.kind == Kind.DEPTH:
        return depth
    if term.kind == Kind.TARIFF:
        return term.values[cell] + term.rates[cell] * -(-weight_g // term.step)
    return term.values[cell] * (units if term.kind == Kind.UNIT else 1)


def weighed(term: Term, value: int) -> int:
    """What a value adds to the parcel's cost."""
    return term.multiplier * min(term.limit, value // term.band)


def bare_cost(
    policy: Policy, place: int, node: int, units: int, weight_g: int, depths: Sequence[int] = ()
) -> int:
    """Cost of a parcel of so many units and grams; `depths` has a value per term, used by DEPTH."""
    total = 0
    for index, term in enumerate(policy.terms):
        if term.kind == Kind.NODE:
            value = term.values[node]
        else:
            cell = place * policy.node_count + node if term.values else 0
            depth = depths[index] if depths else 0
            value = term_value(term, cell, units, weight_g, depth)
        total += weighed(term, value)
    return total


def parcel_cost(policy: Policy, order: Order, node: int, load: Mapping[int, int]) -> int:
    """Cost of the parcel that takes load[demand] units of each demand from the node."""
    depths = [
        sum(max(0, term.step - (order.available[d][node] - load[d])) for d in load)
        if term.kind == Kind.DEPTH
        else 0
        for term in policy.terms
    ]
    units = sum(load.values())
    weight_g = sum(load[d] * order.unit_weights[d] for d in load)
    return bare_cost(policy, order.place, node, units, weight_g, depths)


def whole_parcel_cost(policy: Policy, order: Order, node: int, demands: Sequence[int]) -> int:
    """Cost of the parcel that takes the whole quantity of these demands from the node."""
    return parcel_cost(policy, order, node, {d: order.quantities[d] for d in demands})


def total_cost(policy: Policy, order: Order, pieces: Sequence[Piece]) -> int:
    """Cost of all parcels of an assignment."""
    loads: dict[int, dict[int, int]] = {}
    for demand, node, quantity in pieces:
        loads.setdefault(node, {})[demand] = quantity
    return sum(parcel_cost(policy, order, node, load) for node, load in loads.items())


def is_constant(term: Term) -> bool:
    """The term adds the same to every parcel from a node to a place."""
    return term.kind in (Kind.NODE, Kind.PLACE) or (
        term.kind == Kind.TARIFF and not any(term.rates)
    )


def is_additive(term: Term, order: Order) -> bool:
    """The term of a whole parcel is the sum over its demands (for TARIFF: but for base and
    rounding).
    """
    if term.band != 1:
        return False
    if term.kind == Kind.DEPTH:
        return term.step * len(order.quantities) <= term.limit
    most = max(term.values) * (order.units if term.kind == Kind.UNIT else 1)
    if term.kind == Kind.TARIFF:
        most += max(term.rates) * -(-order.weight_g // term.step)
    return most <= term.limit
