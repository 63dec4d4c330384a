"""Random instances for the core: books, policies and batches that twin and compiled both take."""

from array import array
from random import Random
from typing import Any, NamedTuple

import core_ext.parcel_cost
import core_ext.parcel_cost_twin
import core_ext.stock_book
import core_ext.stock_book_twin
from core_ext.demand import Demand
from core_ext.policy import Kind, Term, pack_lexicographic, pack_weighted

NODES = (1, 2, 3, 5, 8, 12, 70)
DEMANDS = (1, 2, 3, 5, 10, 12, 25)


class Instance(NamedTuple):
    """The same problem for the compiled core and for its twin."""

    books: tuple[Any, Any]
    policies: tuple[Any, Any]
    demand: Demand


def terms_of(random: Random, nodes: int, places: int, kinds: tuple[Kind, ...]) -> list[Term]:
    """Return some terms of the given kinds, with bands and limits."""
    terms = []
    for kind in kinds:
        table = {Kind.NODE: nodes, Kind.DEPTH: 0}.get(kind, places * nodes)
        most = random.choice([1, 5, 1_000])
        terms.append(
            Term(
                kind=kind,
                values=array("i", [random.randint(0, most) for _ in range(table)]),
                rates=array(
                    "i",
                    [random.randint(0, 9) for _ in range(table if kind is Kind.TARIFF else 0)],
                ),
                step=random.choice([1, 7, 1_000]),
                band=random.choice([1, 1, 3, 50]),
                limit=random.choice([10, 1_000, 2**13]),
            )
        )
    if random.random() < 0.5:
        return pack_lexicographic(terms)
    return pack_weighted(terms, [random.randint(0, 9) for _ in terms])


def books_of(random: Random, nodes: int, skus: list[int]) -> tuple[Any, Any]:
    """Return the same book twice: some nodes with several sources, some with a capacity."""
    sources = nodes + random.randint(0, nodes)
    extra = [random.randrange(nodes) for _ in range(sources - nodes)]
    source_node = array("i", [*range(nodes), *extra])
    books = (
        core_ext.stock_book.StockBook(source_node, nodes),
        core_ext.stock_book_twin.StockBook(source_node, nodes),
    )
    for sku in skus:
        for source in range(sources):
            if random.random() < 0.6:
                free = random.randint(-2, random.choice([3, 10, 50]))
                for book in books:
                    book.put(sku, source, free, 1)
    for node in range(nodes):
        if random.random() < 0.3:
            parcels = random.randint(0, 3)
            for book in books:
                book.set_capacity(node, parcels, 1)
    return books


def demand_of(random: Random, skus: list[int], places: int, filters: int, sources: int) -> Demand:
    """Return a batch of a few orders, some of them for a SKU that nobody has."""
    offsets, sku, quantity, weight = array("i", [0]), array("q"), array("q"), array("q")
    orders = random.randint(1, 6)
    for _ in range(orders):
        count = min(len(skus) + 1, random.choice(DEMANDS))
        for chosen in random.sample([*skus, 7], count):
            sku.append(chosen)
            quantity.append(random.randint(1, random.choice([2, 8, 40])))
            weight.append(random.randint(0, 900))
        offsets.append(len(sku))
    scopes = random.choice([0, 2]) if sources else 0
    return Demand(
        offsets,
        sku,
        quantity,
        weight,
        array("i", [random.randrange(places) for _ in range(orders)]),
        array("i", [random.randint(-1, filters - 1) for _ in range(orders)]),
        array("B", [random.randrange(4) for _ in range(orders)]),
        array("i", [random.randint(-1, scopes - 1) for _ in range(orders if scopes else 0)]),
        bytes(int(random.random() < 0.6) for _ in range(scopes * sources)),
    )


def instance(seed: int) -> Instance:
    """Return the instance of a seed."""
    random = Random(seed)
    nodes, places, filters = random.choice(NODES), random.randint(1, 3), 2
    skus = list(range(100, 100 + random.randint(1, 30)))
    books = books_of(random, nodes, skus)
    kinds = tuple(random.choice(list(Kind)) for _ in range(random.randint(0, 4)))
    terms = terms_of(random, nodes, places, kinds)
    allowed = bytes(int(random.random() < 0.8) for _ in range(filters * nodes))
    most = random.randint(1, 4)
    policies = (
        core_ext.parcel_cost.Policy(nodes, places, terms, allowed, most),
        core_ext.parcel_cost_twin.Policy(nodes, places, terms, allowed, most),
    )
    return Instance(
        books, policies, demand_of(random, skus, places, filters, books[0].source_count)
    )
