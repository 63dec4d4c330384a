"""Books and batches of a few numbers, for tests that say by hand what must come out."""

from array import array
from collections.abc import Sequence

from core_ext import StockBook
from core_ext.demand import Demand


def stocked(*rows: Sequence[int]) -> StockBook:
    """Return a book with so many units of SKU `row` at each node, one source a node."""
    nodes = len(rows[0])
    book = StockBook(array("i", range(nodes)), nodes)
    for sku, row in enumerate(rows):
        for node, free in enumerate(row):
            book.put(sku, node, free, 1)
    return book


def orders(
    *quantities: Sequence[int],
    flags: int = 0,
    unit_value: int = 1,
    goods: Sequence[int] = (),
    filters: Sequence[int] = (),
    chain: Sequence[int] = (0,),
) -> Demand:
    """Return orders of so many units of SKU 0, 1, …, all alike but for that; 0 leaves one out."""
    count = len(quantities)
    lines = [[(s, q) for s, q in enumerate(order) if q] for order in quantities]
    offsets = [sum(map(len, lines[:k])) for k in range(count + 1)]
    skus = array("q", [sku for order in lines for sku, _ in order])
    return Demand(
        order_offsets=array("i", offsets),
        sku=skus,
        quantity=array("q", [units for order in lines for _, units in order]),
        unit_weight_g=array("q", [0] * len(skus)),
        place=array("i", [0] * count),
        filter=array("i", filters or [-1] * count),
        flags=array("B", [flags] * count),
        unit_value=array("q", [unit_value] * len(skus)),
        goods=array("i", [goods[sku] for sku in skus] if goods else []),
        chain_offsets=array("i", range(0, len(chain) * count + 1, len(chain))),
        chain=array("i", list(chain) * count),
    )
