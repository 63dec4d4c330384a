"""The network that Olist's orders are routed over: its sellers, warehouses beside them, and lanes.

Each seller with a sale is a node that holds what it sold. The files say nothing of other stock,
and with that alone an order could be sent in one way only. Therefore the WAREHOUSES states with the
most sellers have a warehouse each, in the city where most of the state's sellers are; each holds
RANGE_PERCENT of the products, drawn by the seed, in as many units as were sold of them anywhere.
All stand at the points of their municipalities.

A warehouse has a lane to wherever orders go, a seller to wherever its products were sold to.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from random import Random
from typing import NamedTuple

from backend.catalog.model import SkuDraft
from backend.network.model import LaneDraft, NodeDraft, NodeKind, Region
from backend.network.regions.table import RegionTable
from backend.routing.goods_needs import charged_weight_g
from loadtests.errors import NotTheData
from loadtests.replay.olist_data import Data, OlistLine, Places, Row, Sale, minor
from loadtests.replay.olist_tariff import (
    MINUTES_AN_HOUR,
    Shipment,
    Tariff,
    fit_tariff,
    lane_of,
    rounded_mean,
    zone_between,
)

WAREHOUSES = 10
"""All have 19 sellers or more; the states behind them have 13 and fewer."""
RANGE_PERCENT = 30
STATE_LEVEL = 1


class Network(NamedTuple):
    """Nodes by code, what lies in them, and how goods get away from them."""

    places: dict[str, Region]
    """Where each node stands: sellers by their id, and warehouses."""
    nodes: list[NodeDraft]
    units: Counter[tuple[str, str]]
    """By node and product."""
    tariff: Tariff
    lanes: list[LaneDraft]


def network_of(
    data: Data, skus: Sequence[SkuDraft], places: Places, regions: RegionTable, seed: int
) -> Network:
    """Return the network of the files' orders; the same for the same seed.

    Raises NotTheData where a seller is in no state of Brazil.
    """
    sold = Counter(stock_key(item) for sale in data.sales for item in sale.items)
    sellers = _sellers(data, sold, places)
    warehouses = _warehouses(data.sellers.values(), places)
    standing = sellers | warehouses
    lead_minutes = _lead_minutes(data.sales)
    nodes = []
    for code, region in standing.items():
        is_seller = code in sellers
        town = data.sellers[code]["seller_city"] if is_seller else region.name
        nodes.append(
            NodeDraft(
                code=code,
                name=f"{town} {code[:6]}" if is_seller else town,
                kind=NodeKind.THIRD_PARTY if is_seller else NodeKind.WAREHOUSE,
                region_code=region.code,
                lead_time_minutes=lead_minutes,
            )
        )
    units = sold + _drawn(sold, sorted(warehouses), seed)
    tariff = fit_tariff(shipments_of(data, skus, sellers, regions))
    ends = _ends(data.sales, sellers, warehouses)
    lanes = [
        lane_of(code, standing[code], regions.by_code[end], tariff, regions)
        for code in standing
        for end in sorted(ends[code])
    ]
    return Network(standing, nodes, units, tariff, lanes)


def skus_of(data: Data) -> list[SkuDraft]:
    """Return the products sold; one without weight or category has 0 g and none."""
    skus = []
    for product_id in sorted({item.row["product_id"] for s in data.sales for item in s.items}):
        row = data.products.get(product_id, {})
        category = row.get("product_category_name", "")
        skus.append(
            SkuDraft(
                code=product_id,
                name=f"{category or 'produto'} {product_id[:6]}",
                category=category,
                weight_g=int(float(row.get("product_weight_g") or 0)),
                length_mm=_millimetres(row.get("product_length_cm")),
                width_mm=_millimetres(row.get("product_width_cm")),
                height_mm=_millimetres(row.get("product_height_cm")),
            )
        )
    return skus


def shipments_of(
    data: Data, skus: Sequence[SkuDraft], sellers: Mapping[str, Region], regions: RegionTable
) -> list[Shipment]:
    """Return what each seller sent of each order whose destination is known."""
    grams = {sku.code: charged_weight_g(sku) for sku in skus}
    found = []
    for sale in data.sales:
        if sale.region_code is None:
            continue
        minutes = minutes_between(
            sale.row, "order_delivered_carrier_date", "order_delivered_customer_date"
        )
        for seller, items in sale.by_seller().items():
            end = regions.by_code[sale.region_code]
            found.append(
                Shipment(
                    zone_between(sellers[seller], end, regions),
                    sum(grams[item.row["product_id"]] for item in items),
                    sum(minor(item.row["freight_value"]) for item in items),
                    minutes,
                )
            )
    return found


def stock_key(item: OlistLine) -> tuple[str, str]:
    """Return the node and the product that an item was sold from."""
    return item.row["seller_id"], item.row["product_id"]


def minutes_between(order: Row, first: str, last: str) -> int | None:
    """Return the minutes between two times of an order; None where one is not known."""
    if not order.get(first) or not order.get(last):
        return None
    passed = datetime.fromisoformat(order[last]) - datetime.fromisoformat(order[first])
    return max(0, int(passed.total_seconds()) // 60)


def _sellers(data: Data, sold: Counter[tuple[str, str]], places: Places) -> dict[str, Region]:
    """Return where the sellers with sales are; one whose state is not known has no place."""
    found = {}
    for seller_id in sorted({seller for seller, _ in sold}):
        seller = data.sellers.get(seller_id)
        region = places.find(seller["seller_state"], seller["seller_city"]) if seller else None
        if region is None:
            raise NotTheData(f"The seller {seller_id} is in no state of Brazil.")
        found[seller_id] = region
    return found


def _warehouses(sellers: Iterable[Row], places: Places) -> dict[str, Region]:
    """Return where the warehouses stand: the states with most sellers first."""
    states: defaultdict[str, Counter[int]] = defaultdict(Counter)
    regions: dict[int, Region] = {}
    for seller in sellers:
        region = places.find(seller["seller_state"], seller["seller_city"])
        if region is not None and region.level > STATE_LEVEL:
            states[seller["seller_state"]][region.code] += 1
            regions[region.code] = region
    largest = sorted(states, key=lambda state: (-states[state].total(), state))[:WAREHOUSES]
    return {
        f"warehouse-{state.lower()}": regions[
            min(states[state], key=lambda c: (-states[state][c], c))
        ]
        for state in largest
    }


def _drawn(
    sold: Counter[tuple[str, str]], warehouses: Sequence[str], seed: int
) -> Counter[tuple[str, str]]:
    """Draw which products each warehouse holds, and return its units of them."""
    by_product: Counter[str] = Counter()
    for (_, product), quantity in sold.items():
        by_product[product] += quantity
    random = Random(seed)
    return Counter(
        {
            (warehouse, product): by_product[product]
            for warehouse in warehouses
            for product in sorted(by_product)
            if random.randrange(100) < RANGE_PERCENT
        }
    )


def _lead_minutes(sales: Sequence[Sale]) -> int:
    """Return the mean time from an order to the carrier, in full hours."""
    found = [
        minutes_between(sale.row, "order_purchase_timestamp", "order_delivered_carrier_date")
        for sale in sales
    ]
    known = [minutes for minutes in found if minutes is not None]
    return rounded_mean(sum(known), len(known), MINUTES_AN_HOUR) if known else 0


def _ends(
    sales: Sequence[Sale], sellers: Iterable[str], warehouses: Iterable[str]
) -> dict[str, set[int]]:
    """Return the regions that each node may have to send to."""
    of_product: defaultdict[str, set[int]] = defaultdict(set)
    for sale in sales:
        if sale.region_code is not None:
            for item in sale.items:
                of_product[item.row["product_id"]].add(sale.region_code)
    ends: dict[str, set[int]] = {seller: set() for seller in sellers}
    for sale in sales:
        for item in sale.items:
            ends[item.row["seller_id"]] |= of_product[item.row["product_id"]]
    return ends | {code: set().union(*of_product.values()) for code in warehouses}


def _millimetres(centimetres: str | None) -> int:
    return int(float(centimetres or 0) * 10)
