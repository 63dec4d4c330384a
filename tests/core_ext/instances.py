"""Random instances for the core: books, policies and batches that twin and compiled both take."""

from array import array
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple

import core_ext.parcel_cost
import core_ext.parcel_cost_twin
import core_ext.stock_book
import core_ext.stock_book_twin
from core_ext.demand import Demand
from core_ext.policy import Kind, Limits, Size, Term, pack_lexicographic, pack_weighted

NODES = (1, 2, 3, 5, 8, 12, 70)
DEMANDS = (1, 2, 3, 5, 10, 12, 25)


class Instance(NamedTuple):
    """The same problem for the compiled core and for its twin."""

    books: tuple[Any, Any]
    policies: tuple[list[Any], list[Any]]
    demand: Demand


def terms_of(
    random: Random, nodes: int, places: int, kinds: tuple[Kind, ...], goods: int = 0
) -> list[Term]:
    """Return some terms of the given kinds, with bands and limits."""
    terms = []
    for kind in kinds:
        table = Size(nodes, places, goods).cells(kind)
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


def demand_of(random: Random, skus: list[int], sizes: "Sizes", sources: int) -> Demand:
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
    rows = len(sku)
    chain_offsets, chain = chains_of(random, orders, sizes.policies)
    return Demand(
        order_offsets=offsets,
        sku=sku,
        quantity=quantity,
        unit_weight_g=weight,
        place=array("i", [random.randrange(sizes.places) for _ in range(orders)]),
        filter=array("i", [random.randint(-1, sizes.filters - 1) for _ in range(orders)]),
        flags=array("B", [random.randrange(4) for _ in range(orders)]),
        scope=array("i", [random.randint(-1, scopes - 1) for _ in range(orders if scopes else 0)]),
        scopes=bytes(int(random.random() < 0.6) for _ in range(scopes * sources)),
        unit_value=array("q", [random.randint(0, 9) for _ in range(random.choice([0, rows]))]),
        goods=array(
            "i", [random.randint(-1, sizes.goods - 1) for _ in range(random.choice([0, rows]))]
        ),
        chain_offsets=chain_offsets,
        chain=chain,
    )


def chains_of(random: Random, orders: int, policies: int) -> tuple["array[int]", "array[int]"]:
    """Return a chain of policies for each order, or none for all."""
    offsets, chain = array("i"), array("i")
    if policies > 1 or random.random() < 0.5:
        offsets.append(0)
        for _ in range(orders):
            chain.extend(random.choices(range(policies), k=random.randint(1, 3)))
            offsets.append(len(chain))
    return offsets, chain


class Sizes(NamedTuple):
    """How large the parts of an instance are."""

    nodes: int
    places: int
    filters: int
    goods: int
    policies: int


def limits_of(random: Random) -> Limits:
    """Return limits that bind now and then."""
    return Limits(
        max_nodes=random.randint(1, 4),
        max_parcels=random.choice([1, 2, 3, 64, 64]),
        least_value=random.choice([0, 0, 5, 40]),
        takes_part=random.random() < 0.7,
    )


def policies_of(random: Random, sizes: Sizes) -> tuple[list[Any], list[Any]]:
    """Return the same policies twice; some of the compiled ones have grown."""
    both: tuple[list[Any], list[Any]] = [], []
    nodes, places, goods = sizes.nodes, sizes.places, sizes.goods
    for _ in range(sizes.policies):
        kinds = tuple(random.choice(list(Kind)) for _ in range(random.randint(0, 4)))
        terms = terms_of(random, nodes, places, kinds, goods)
        allowed = bytes(int(random.random() < 0.8) for _ in range(sizes.filters * nodes))
        limits = limits_of(random)
        twin = core_ext.parcel_cost_twin.Policy(nodes, places, terms, allowed, limits, goods)
        if random.random() < 0.5:
            small = [_shortened(term, Size(nodes, 1, 0)) for term in terms]
            compiled = core_ext.parcel_cost.Policy(nodes, 1, small, allowed[:nodes], limits)
            compiled.grow(places, goods, terms, allowed)
        else:
            compiled = core_ext.parcel_cost.Policy(nodes, places, terms, allowed, limits, goods)
        both[0].append(compiled)
        both[1].append(twin)
    return both


def _shortened(term: Term, size: Size) -> Term:
    cells = size.cells(term.kind)
    return replace(term, values=term.values[:cells], rates=term.rates[:cells])


def instance(seed: int) -> Instance:
    """Return the instance of a seed."""
    random = Random(seed)
    sizes = Sizes(
        nodes=random.choice(NODES),
        places=random.randint(1, 3),
        filters=2,
        goods=random.randint(0, 3),
        policies=random.choice([1, 1, 2, 3]),
    )
    skus = list(range(100, 100 + random.randint(1, 30)))
    books = books_of(random, sizes.nodes, skus)
    policies = policies_of(random, sizes)
    return Instance(books, policies, demand_of(random, skus, sizes, books[0].source_count))
