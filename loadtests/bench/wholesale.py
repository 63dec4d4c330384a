"""Real wholesale orders for the planner: the sales of the online retailer, of 20 to 700 lines.

The files carry no stock and no weights. A SKU lies where chance puts it, as in the made-up brand,
in amounts of 2 to 20 of its mean line: most lines fit some node, the largest must be split.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

from backend.routing.model import PlanRequest
from loadtests.bench.planner_world import Brand, drawn_request, drawn_stock
from loadtests.replay.retail_invoices import gather_invoices
from loadtests.replay.retail_lines import InvoiceKind, RetailLine, read_lines
from loadtests.replay.retail_rules import ProductNames, why_not

FOLDER = "online-retail"
LINES = range(20, 701)
MEAN_LINES = (2, 20)
"""Units where a SKU is carried, in means of what a line asks for."""
WEIGHTS_G = (20, 500)
"""Of a piece: they are gifts and things for the home."""

Sale = Counter[str]
"""Units by SKU."""


def read_sales(folder: Path) -> list[Sale]:
    """Return the goods of every sale with so many SKUs; raises NotTheData."""
    lines = [line for line in read_lines(folder) if isinstance(line, RetailLine)]
    names = ProductNames(lines)
    sales = []
    for invoice in gather_invoices(line for line in lines if why_not(line, names) is None):
        if invoice.kind is InvoiceKind.SALE:
            sale = Sale()
            for line in invoice.goods:
                sale[line.sku] += line.quantity
            if len(sale) in LINES:
                sales.append(sale)
    return sales


def stocked_with(brand: Brand, sales: list[Sale], random: Random) -> tuple[Brand, dict[str, int]]:
    """Return the brand with the SKUs of these sales in place of its own, and their ids."""
    units, lines = Sale(), Sale()
    for sale in sales:
        units.update(sale)
        lines.update(sale.keys())
    means = [-(-units[sku] // lines[sku]) for sku in units]
    least, most = MEAN_LINES
    bounds = [(least * mean, most * mean) for mean in means]
    stock = drawn_stock(random, bounds, len(brand.view.sources))
    weights = [random.randrange(*WEIGHTS_G) for _ in means]
    ids = {sku: number for number, sku in enumerate(units)}
    needs = [0] * len(weights)
    return brand._replace(stock=stock, unit_weights_g=weights, needs=needs), ids


def requests_of(
    brand: Brand, sales: list[Sale], ids: dict[str, int], random: Random
) -> Iterator[PlanRequest]:
    """Yield the sales as orders to places drawn by chance."""
    for sale in sales:
        units = [(ids[sku], quantity) for sku, quantity in sale.items()]
        yield drawn_request(brand, random, units)
