"""What one parcel costs, as a list of terms, and how several objectives share one integer.

The cost of a parcel is `sum(multiplier * min(limit, value // band))` over the terms, and the cost
of a
plan is the sum over its parcels. Bands and limits therefore apply per parcel, before summing.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final, NamedTuple

from core_ext.limits import (
    COST_BITS,
    INT32_MOST,
    LIMIT_MOST,
    MAX_NODES,
    MAX_PARCELS,
    MAX_SPLIT_NODES,
    MAX_SUM_TERMS,
    MAX_TERMS,
    VALUE_MOST,
)

Extremes = Callable[["array[int] | memoryview[int]"], tuple[int, int]]
LIMIT_DEFAULT: Final = 2**40
NO_RATES: Final = array("i")


class Kind(IntEnum):
    """How the value of a term comes about, for a parcel from node n to place p (N nodes)."""

    NODE = 0
    """`values[n]`: a property of the node."""
    PLACE = 1
    """`values[p * N + n]`: distance, days, carriers' score."""
    UNIT = 2
    """`values[p * N + n]` times the units in the parcel: handling, money per piece."""
    TARIFF = 3
    """`values[p * N + n] + rates[p * N + n] * ceil(weight_g / step)`: a carrier's price list."""
    DEPTH = 4
    """Per demand `max(0, step - free units left at the node)`, summed: keeps shelves filled."""
    GOODS = 5
    """Per demand `values[g * N + n]` times its units, summed, for goods class g: what a unit of it
    is worth at a node, or whether the node may handle it. Nothing for a demand of no class."""


SUMMED: Final = frozenset({Kind.DEPTH, Kind.GOODS})
"""Kinds whose value is a sum over the demands of a parcel."""


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a parcel's cost.

    `values` and `rates` are array('i') of non-negative numbers: N long for NODE, places x N for
    PLACE, UNIT and TARIFF (row by place), goods classes x N for GOODS, empty for DEPTH; `rates`
    belongs to TARIFF alone. `step` is grams for TARIFF and units for DEPTH. `band` >= 1 divides,
    `limit` caps the banded value, `multiplier` is an unsigned 128-bit integer.
    """

    kind: Kind
    values: array[int]
    rates: array[int] = field(default_factory=lambda: array("i"))
    step: int = 1
    band: int = 1
    limit: int = LIMIT_DEFAULT
    multiplier: int = 1


class Size(NamedTuple):
    """How large the tables of a policy are: nodes, places, classes of goods."""

    nodes: int
    places: int
    goods: int

    def cells(self, kind: Kind) -> int:
        """Return the length of the tables of a term."""
        if kind == Kind.NODE:
            return self.nodes
        if kind == Kind.DEPTH:
            return 0
        return self.nodes * (self.goods if kind == Kind.GOODS else self.places)


NOTHING_KNOWN: Final = Size(0, 0, 0)
"""Before a policy has any tables."""


def pack_levels(
    levels: Sequence[Sequence[tuple[Term, int]]], max_parcels: int = MAX_PARCELS
) -> list[Term]:
    """The terms of all levels, most important first, with multipliers that make one sum compare
    level by level; within a level the terms are summed by their weights.

    Each level has a field that is wide enough for its worst sum over `max_parcels` parcels, so no
    field ever runs over into the next one. ValueError if the fields need more than 127 bits
    together; smaller limits (wider bands) help.
    """
    packed: list[Term] = []
    shift = 0
    widths = [
        (sum(term.limit * weight for term, weight in level) * max_parcels).bit_length()
        for level in levels
    ]
    for level, width in zip(reversed(levels), reversed(widths), strict=True):
        packed += [replace(term, multiplier=weight << shift) for term, weight in reversed(level)]
        shift += width
    if shift > COST_BITS:
        raise ValueError(f"the fields need {widths} = {shift} bits, there are {COST_BITS}")
    packed.reverse()
    return packed


def pack_lexicographic(terms: Sequence[Term], max_parcels: int = MAX_PARCELS) -> list[Term]:
    """The same terms, most important first, each a level of its own; see `pack_levels`."""
    return pack_levels([[(term, 1)] for term in terms], max_parcels)


def unpack_lexicographic(terms: Sequence[Term], cost: int) -> tuple[int, ...]:
    """The field of each packed term in a total cost, most important first."""
    fields = []
    for term in terms:
        field, cost = divmod(cost, term.multiplier)
        fields.append(field)
    return tuple(fields)


def pack_weighted(terms: Sequence[Term], weights: Sequence[int]) -> list[Term]:
    """The same terms with the given non-negative weights as multipliers: one weighted sum."""
    if len(terms) != len(weights):
        raise ValueError(f"{len(terms)} terms but {len(weights)} weights")
    return [replace(term, multiplier=w) for term, w in zip(terms, weights, strict=True)]


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds every plan of a policy.

    Quantities are split over at most `max_nodes` nodes (1 to 10), and a plan has at most
    `max_parcels` parcels (1 to 64). A parcel is worth at least `least_value`, in the unit of
    `Demand.unit_value`, unless it is the whole order; so is what a plan leaves short, if anything.
    Where not `takes_part`, the plan of an order that cannot have everything is empty.
    """

    max_nodes: int = 3
    max_parcels: int = MAX_PARCELS
    least_value: int = 0
    takes_part: bool = True


NO_LIMITS: Final = Limits()


def check_policy(node_count: int, terms: Sequence[Term], limits: Limits) -> None:
    """ValueError unless the parts, but for their tables, form a policy whose costs cannot
    overflow.
    """
    _check_range("node_count", node_count, 1, MAX_NODES)
    _check_range("max_nodes", limits.max_nodes, 1, MAX_SPLIT_NODES)
    _check_range("max_parcels", limits.max_parcels, 1, MAX_PARCELS)
    _check_range("least_value", limits.least_value, 0, VALUE_MOST)
    _check_range("number of terms", len(terms), 0, MAX_TERMS)
    summed = sum(term.kind in SUMMED for term in terms)
    _check_range("number of DEPTH and GOODS terms", summed, 0, MAX_SUM_TERMS)
    for term in terms:
        _check_range("step", term.step, 0 if term.kind == Kind.DEPTH else 1, INT32_MOST)
        _check_range("band", term.band, 1, LIMIT_MOST)
        _check_range("limit", term.limit, 0, LIMIT_MOST)
        _check_range("multiplier", term.multiplier, 0, 2**128 - 1)
    worst = limits.max_parcels * sum(term.limit * term.multiplier for term in terms)
    if worst.bit_length() > COST_BITS:
        raise ValueError(f"the worst total needs {worst.bit_length()} bits, there are {COST_BITS}")


def check_tables(
    size: Size, terms: Sequence[Term], filters: bytes, extremes: Extremes, known: Size
) -> None:
    """ValueError unless tables and filters have the length that fits `size`, and what they have
    beyond the `known` size is no negative number.

    `extremes` returns the least and the greatest number of a table.
    """
    nodes = size.nodes
    _check_range("place_count", size.places, known.places, INT32_MOST // nodes)
    _check_range("goods_count", size.goods, known.goods, INT32_MOST // nodes)
    if len(filters) % nodes or not set(filters) <= {0, 1}:
        raise ValueError("filters must be rows of node_count bytes, each 0 or 1")
    for term in terms:
        length, before = size.cells(term.kind), known.cells(term.kind)
        _check_table("values", term.values, length, extremes, before)
        is_tariff = term.kind == Kind.TARIFF
        rates, rates_before = (length, before) if is_tariff else (0, 0)
        _check_table("rates", term.rates, rates, extremes, rates_before)


def _check_table(
    name: str, table: array[int], length: int, extremes: Extremes, before: int
) -> None:
    if memoryview(table).format != "i":
        raise ValueError(f"{name} must be an array('i')")
    if len(table) != length:
        raise ValueError(f"{name} has {len(table)} numbers instead of {length}")
    if extremes(memoryview(table)[before:])[0] < 0:
        raise ValueError(f"{name} must not be negative")


def _check_range(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name} is {value}, must be within {least} and {most}")
