"""Random orders, small enough for a solver: stock, a policy under either objective, its limits."""

from array import array
from dataclasses import replace
from random import Random
from typing import Any, Final, NamedTuple

from core_ext import parcel_cost, parcel_cost_twin, stock_book, stock_book_twin
from core_ext.demand import MAY_SPLIT, TAKE_WHAT_IS_THERE, Demand
from core_ext.policy import Kind, Limits, Size, Term, pack_lexicographic, pack_weighted
from loadtests.bench.milp import COST_MOST

PLACES, GOODS = 2, 3
WEIGHTS_MOST: Final = 50
FIELD_MOST: Final = 60
"""Largest limit of a packed term: four fields for ten parcels stay below the solver's 2**53."""
UNITS_FIELD_MOST: Final = 511
"""The same for a term that counts units: 120 units at up to 2 each never reach it."""
PARCELS_MOST: Final = 10


class Case(NamedTuple):
    """One order, its stock and the policy, for the compiled core and for its twin."""

    books: tuple[Any, Any]
    policies: tuple[Any, Any]
    demand: Demand


class Shape(NamedTuple):
    """How large a case is, and at how many nodes a line is in stock at most."""

    lines: int
    nodes: int
    nodes_a_line: int


def case(seed: int) -> Case:
    """Return the case of a seed."""
    random = Random(seed)
    may_split = random.random() < 0.6
    shape = _split_shape(random) if may_split else _shape(random)
    demand = _demand(random, shape, may_split)
    terms = _terms(random, shape.nodes, may_split)
    assert PARCELS_MOST * sum(term.limit * term.multiplier for term in terms) < COST_MOST
    filters = bytes(int(random.random() < 0.95) for _ in range(2 * shape.nodes))
    parts = (shape.nodes, PLACES, terms, filters, _limits(random), GOODS)
    return Case(
        _books(random, shape, demand),
        (parcel_cost.Policy(*parts), parcel_cost_twin.Policy(*parts)),
        demand,
    )


def _shape(random: Random) -> Shape:
    """Many lines at few of many nodes, few lines everywhere, and now and then everything."""
    chance = random.random()
    if chance < 0.45:
        return Shape(random.randint(2, 10), random.randint(20, 64), random.randint(2, 8))
    if chance < 0.75:
        return Shape(random.randint(1, 5), random.randint(2, 64), 64)
    if chance < 0.98:
        return Shape(random.randint(3, 10), random.randint(2, 12), 12)
    return Shape(10, 64, 64)


def _split_shape(random: Random) -> Shape:
    """Most nodes have a little of every line: few nodes have to be enough."""
    if random.random() < 0.7:
        return Shape(random.randint(1, 5), random.randint(2, 16), 16)
    return Shape(random.randint(1, 10), random.randint(8, 64), 64)


def _limits(random: Random) -> Limits:
    return Limits(
        max_nodes=random.choice([1, 2, 3, 3, 4, 5, PARCELS_MOST]),
        max_parcels=random.choice([1, 2, 3, 4, *[PARCELS_MOST] * 6]),
        least_value=random.choice([0, 0, 0, 5, 20, 40]),
        takes_part=random.random() < 0.7,
    )


def _terms(random: Random, nodes: int, may_split: bool) -> list[Term]:
    """Return terms that count what a parcel is, most of them without bands where it is split."""
    kinds = list(Kind)
    additive = may_split and random.random() < 0.9
    if additive:
        kinds = [Kind.NODE, Kind.PLACE, Kind.UNIT, Kind.GOODS]
    terms = [_term(random, kind, nodes, additive) for kind in random.choices(kinds, k=_few(random))]
    if random.random() < 0.5:
        return pack_lexicographic([_narrow(term, nodes, additive) for term in terms], PARCELS_MOST)
    return pack_weighted(terms, [random.randint(0, WEIGHTS_MOST) for _ in terms])


def _few(random: Random) -> int:
    return random.randint(1, 4)


def _term(random: Random, kind: Kind, nodes: int, additive: bool) -> Term:
    most = random.choice([1, 5, 300])
    cells = Size(nodes, PLACES, GOODS).cells(kind)
    is_tariff, by_unit = kind is Kind.TARIFF, kind in {Kind.UNIT, Kind.GOODS}
    return Term(
        kind=kind,
        values=array("i", [random.randint(0, most) for _ in range(cells)]),
        rates=array("i", [random.randint(0, 9) for _ in range(cells if is_tariff else 0)]),
        step=random.choice([1, 7, 1_000]),
        band=1 if additive and by_unit else random.choice([1, 1, 3, 50]),
        limit=2**20 if additive and by_unit else random.choice([10, 1_000, 2**13]),
    )


def _narrow(term: Term, nodes: int, additive: bool) -> Term:
    """Return the term with a limit that leaves room for other fields."""
    if additive and term.kind in {Kind.UNIT, Kind.GOODS}:
        small = array("i", [value % 3 for value in term.values])
        return replace(term, values=small, limit=UNITS_FIELD_MOST)
    return replace(term, limit=min(term.limit, FIELD_MOST))


def _demand(random: Random, shape: Shape, may_split: bool) -> Demand:
    lines, most = shape.lines, random.choice([1, 4, 12])
    most = max(most, 6) if may_split else most
    takes = TAKE_WHAT_IS_THERE * (random.random() < 0.4)
    return Demand(
        order_offsets=array("i", [0, lines]),
        sku=array("q", range(lines)),
        quantity=array("q", [random.randint(1, most) for _ in range(lines)]),
        unit_weight_g=array("q", [random.randint(0, 900) for _ in range(lines)]),
        place=array("i", [random.randrange(PLACES)]),
        filter=array("i", [random.randint(-1, 1)]),
        flags=array("B", [MAY_SPLIT * may_split | takes]),
        unit_value=array("q", [random.randint(0, 9) for _ in range(lines)]),
        goods=array("i", [random.randint(-1, GOODS - 1) for _ in range(lines)]),
    )


def _books(random: Random, shape: Shape, demand: Demand) -> tuple[Any, Any]:
    """Return the same stock twice: two sources a node, some nodes that send nothing more."""
    source_node = array("i", [n for n in range(shape.nodes) for _ in range(2)])
    books = (
        stock_book.StockBook(source_node, shape.nodes),
        stock_book_twin.StockBook(source_node, shape.nodes),
    )
    most_nodes = min(shape.nodes, shape.nodes_a_line)
    for sku, quantity in zip(demand.sku, demand.quantity, strict=True):
        most = quantity + 4
        if demand.flags[0] & MAY_SPLIT:
            most = max(1, quantity * random.choice([5, 8, 8, 10]) // 10)
        count = random.randint((most_nodes + 1) // 2, most_nodes)
        for node in random.sample(range(shape.nodes), count):
            free = random.randint(1, most)
            source = 2 * node + random.randrange(2)
            more = random.choice([0, 0, 0, 1])
            for book in books:
                book.put(sku, source, free, 1)
                book.put(sku, source ^ 1, more, 1)
    for node in range(shape.nodes):
        if random.random() < 0.03:
            for book in books:
                book.set_capacity(node, 0, 1)
    return books
