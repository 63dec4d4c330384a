"""What a parcel costs, in plain Python, and the order as the three planning methods see it."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from core_ext.policy import (
    NO_LIMITS,
    NOTHING_KNOWN,
    SUMMED,
    Kind,
    Limits,
    Size,
    Term,
    check_policy,
    check_tables,
)
from core_ext.tables_twin import extremes

Piece = tuple[int, int, int]
"""(demand, node, quantity)."""


class Policy:
    """Same guarantees as `core_ext.parcel_cost.Policy`."""

    place_count: int
    goods_count: int
    terms: tuple[Term, ...]
    filters: bytes

    def __init__(
        self,
        node_count: int,
        place_count: int,
        terms: Sequence[Term],
        filters: bytes = b"",
        limits: Limits = NO_LIMITS,
        goods_count: int = 0,
    ) -> None:
        if place_count < 1:
            raise ValueError(f"place_count is {place_count}, must be 1 or more")
        size = Size(node_count, place_count, goods_count)
        check_policy(node_count, terms, limits)
        check_tables(size, terms, filters, extremes, NOTHING_KNOWN)
        self.node_count = node_count
        self.limits = limits
        self._take_over(size, terms, filters)

    def grow(
        self, place_count: int, goods_count: int, terms: Sequence[Term], filters: bytes
    ) -> None:
        """Take over longer tables."""
        size = Size(self.node_count, place_count, goods_count)
        known = Size(self.node_count, self.place_count, self.goods_count)
        if len(terms) != len(self.terms) or len(filters) < len(self.filters):
            raise ValueError("a policy grows by places and goods alone")
        check_tables(size, terms, filters, extremes, known)
        self._take_over(size, terms, filters)

    def set_node_values(self, index: int, values: array[int]) -> None:
        """Give the NODE term of an index other values."""
        if index < 0 or self.terms[index].kind != Kind.NODE:
            raise ValueError(f"term {index} is not a property of nodes")
        changed = replace(self.terms[index], values=values)
        size = Size(self.node_count, self.place_count, self.goods_count)
        check_tables(size, [changed], b"", extremes, NOTHING_KNOWN)
        self.terms = (*self.terms[:index], changed, *self.terms[index + 1 :])

    def _take_over(self, size: Size, terms: Sequence[Term], filters: bytes) -> None:
        self.place_count, self.goods_count = size.places, size.goods
        self.terms = tuple(terms)
        self.filters = bytes(filters)


@dataclass(frozen=True, slots=True)
class Order:
    """One order when it is its turn: `available[demand][node]` is 0 at nodes that are not
    allowed.
    """

    place: int
    quantities: list[int]
    unit_weights: list[int]
    unit_values: list[int]
    goods: list[int]
    available: list[list[int]]
    is_whole: bool = True
    """Nothing of it is short already."""

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
    """Pieces by demand and node; `uncovered` is the first demand that is not whole, or -1.

    `is_too_small`: there are none because of what a parcel must be worth.
    """

    pieces: list[Piece]
    cost: int
    lower_bound: int
    proved: bool
    uncovered: int = -1
    is_too_small: bool = False


def term_value(term: Term, cell: int, units: int, weight_g: int, summed: int) -> int:
    """Value of a term that is not NODE, at cell place * N + node of its tables."""
    if term.kind in SUMMED:
        return summed
    if term.kind == Kind.TARIFF:
        return term.values[cell] + term.rates[cell] * -(-weight_g // term.step)
    return term.values[cell] * (units if term.kind == Kind.UNIT else 1)


def weighed(term: Term, value: int) -> int:
    """What a value adds to the parcel's cost."""
    return term.multiplier * min(term.limit, value // term.band)


def bare_cost(
    policy: Policy, place: int, node: int, units: int, weight_g: int, sums: Sequence[int] = ()
) -> int:
    """Cost of a parcel of so many units and grams; `sums` has a value per term, for those that are
    summed over demands.
    """
    total = 0
    for index, term in enumerate(policy.terms):
        if term.kind == Kind.NODE:
            value = term.values[node]
        else:
            cell = place * policy.node_count + node if term.values else 0
            summed = sums[index] if sums else 0
            value = term_value(term, cell, units, weight_g, summed)
        total += weighed(term, value)
    return total


def parcel_cost(policy: Policy, order: Order, node: int, load: Mapping[int, int]) -> int:
    """Cost of the parcel that takes load[demand] units of each demand from the node."""
    sums = [
        sum(added_to_sum(term, order, d, node, load[d]) for d in load) if term.kind in SUMMED else 0
        for term in policy.terms
    ]
    units = sum(load.values())
    weight_g = sum(load[d] * order.unit_weights[d] for d in load)
    return bare_cost(policy, order.place, node, units, weight_g, sums)


def added_to_sum(term: Term, order: Order, demand: int, node: int, quantity: int) -> int:
    """What units of a demand from the node add to a DEPTH or GOODS term."""
    if term.kind == Kind.DEPTH:
        return max(0, term.step - (order.available[demand][node] - quantity))
    goods = order.goods[demand]
    nodes = len(order.available[demand])
    return term.values[goods * nodes + node] * quantity if goods >= 0 else 0


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
    return term.kind in (Kind.NODE, Kind.PLACE)


def is_additive(term: Term, order: Order) -> bool:
    """The term of a whole parcel is the sum over its demands (for TARIFF: but for base and
    rounding).
    """
    if term.band != 1:
        return False
    if term.kind == Kind.DEPTH:
        return term.step * len(order.quantities) <= term.limit
    is_by_unit = term.kind in (Kind.UNIT, Kind.GOODS)
    most = max(term.values, default=0) * (order.units if is_by_unit else 1)
    if term.kind == Kind.TARIFF:
        most += max(term.rates) * -(-order.weight_g // term.step)
    return most <= term.limit
