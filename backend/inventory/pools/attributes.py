"""What the rules of a layout may ask about."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from backend.catalog.model import Sku
from backend.channels.model import Shop
from backend.conditions.attributes import Type, attributes
from backend.network.model import FunctionalWarehouse, Node
from backend.network.regions.table import RegionTable

RULE_ATTRIBUTES = attributes(
    ("sku.code", Type.TEXT, "The SKU."),
    ("sku.category", Type.TEXT, "Its category."),
    ("sku.product_line", Type.TEXT, "Its product line."),
    ("sku.brand", Type.TEXT, "The attribute `brand` of the SKU."),
    ("sku.season", Type.TEXT, "The attribute `season` of the SKU."),
    ("sku.tags", Type.SET, "The attribute `tags` of the SKU, a list."),
    ("sku.weight_g", Type.NUMBER, "Its weight in grams."),
    ("sku.needs_installation", Type.FLAG, "Whether somebody has to install it."),
    ("shop.code", Type.TEXT, "The shop of a share."),
    ("shop.channel", Type.TEXT, "Its channel, as in tmall."),
    ("shop.is_dealers", Type.FLAG, "Whether a dealer owns it."),
    ("time.date", Type.DATE, "Today, where the brand is."),
    ("time.month", Type.NUMBER, "The month, 1 to 12."),
    ("time.weekday", Type.NUMBER, "The day of the week, 1 (Monday) to 7."),
    ("time.of_day", Type.TIME, "The time of the day, where the brand is."),
    ("stock.units", Type.NUMBER, "Free units of the SKU in all nodes."),
    ("stock.nodes", Type.NUMBER, "Nodes that have free units of the SKU."),
    ("stock.days_since_receipt", Type.NUMBER, "Days since units last came: its age; 90 at most."),
    ("stock.kept_for", Type.SET, "Pools for which earmarks keep units: an event, a region."),
    ("sales.units_per_day", Type.NUMBER, "Units ordered a day, over the last 28 days."),
    ("stock.days_of_cover", Type.NUMBER, "Days that the free units last at that rate."),
)
"""Of links and shares, for one SKU at one time."""

SKU_ATTRIBUTES = {name: one for name, one in RULE_ATTRIBUTES.items() if name.startswith("sku.")}
"""Those of a SKU alone."""

SOURCE_ATTRIBUTES = attributes(
    ("warehouse.code", Type.TEXT, "The functional warehouse."),
    ("warehouse.condition", Type.TEXT, "good, defective or inspection."),
    ("warehouse.purpose", Type.TEXT, "What it is set apart for."),
    ("node.code", Type.TEXT, "The node it belongs to."),
    ("node.kind", Type.TEXT, "warehouse, store, dealer, third_party or platform."),
    ("node.region", Type.SET, "Codes of the district, city and province that it lies in."),
    ("node.priority", Type.NUMBER, "The priority of the node, 0 first."),
    ("node.is_dealers", Type.FLAG, "Whether a dealer owns the node."),
)
"""Of `where` of a supply link."""


def facts_of_source(
    warehouse: FunctionalWarehouse, node: Node, regions: RegionTable
) -> dict[str, Any]:
    """Return what `where` may ask about a functional warehouse."""
    return {
        "warehouse.code": warehouse.code,
        "warehouse.condition": warehouse.condition.value,
        "warehouse.purpose": warehouse.purpose,
        "node.code": node.code,
        "node.kind": node.kind.value,
        "node.region": {str(region.code) for region in regions.ancestors(node.region_code)},
        "node.priority": node.priority,
        "node.is_dealers": node.dealer_id is not None,
    }


def facts_of_sku(sku: Sku) -> dict[str, Any]:
    """Return what a rule may ask about a SKU."""
    tags = sku.attributes.get("tags")
    return {
        "sku.code": sku.code,
        "sku.category": sku.category,
        "sku.product_line": sku.product_line,
        "sku.brand": _text(sku.attributes.get("brand")),
        "sku.season": _text(sku.attributes.get("season")),
        "sku.tags": {tag for tag in tags if isinstance(tag, str)} if isinstance(tags, list) else (),
        "sku.weight_g": sku.weight_g,
        "sku.needs_installation": sku.needs_installation,
    }


def facts_of_shop(shop: Shop) -> dict[str, Any]:
    """Return what a rule may ask about the shop of a share."""
    return {
        "shop.code": shop.code,
        "shop.channel": shop.channel,
        "shop.is_dealers": shop.dealer_id is not None,
    }


def facts_of_time(local: datetime) -> dict[str, Any]:
    """Return what a rule may ask about the time, given as it is where the brand is."""
    return {
        "time.date": local.date(),
        "time.month": local.month,
        "time.weekday": local.isoweekday(),
        "time.of_day": local.hour * 60 + local.minute,
    }


class StockFacts(NamedTuple):
    """What there is of a SKU, and what became of it."""

    units: int
    nodes: int
    kept_for: Collection[str]
    days_since_receipt: int
    sold_in_28_days: int


def facts_of_stock(stock: StockFacts) -> dict[str, Any]:
    """Return what a rule may ask about the stock of a SKU; cover is None where nothing sells."""
    units, sold_in_28_days = stock.units, stock.sold_in_28_days
    return {
        "stock.units": units,
        "stock.nodes": stock.nodes,
        "stock.kept_for": stock.kept_for,
        "stock.days_since_receipt": stock.days_since_receipt,
        "sales.units_per_day": sold_in_28_days // 28,
        "stock.days_of_cover": units * 28 // sold_in_28_days if sold_in_28_days else None,
    }


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
