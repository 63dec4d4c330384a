"""The replay of Olist: marketplace orders of Brazil, whose sellers are the nodes.

Each seller with a sale is a node that holds what it sold, so an order of several sellers needs
several parcels. An order's lines are its items of one product and seller, its freight the sum of
theirs. What its payments add up to is compared and counted, not enforced: vouchers and instalment
fees make it differ, and the goods were paid all the same.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from backend.catalog.model import SkuDraft
from backend.inventory.model import LevelKey
from backend.network.model import NodeDraft, NodeKind
from backend.orders.model import AddressDraft, LineDraft, OrderDraft, Placed
from backend.runtime import Runtime
from loadtests.errors import NotTheData
from loadtests.fresh_brand import SHOP, BrandDraft, create_fresh_brand
from loadtests.receive_stock import receive_stock
from loadtests.replay.cancel import Wanted, cancel_many
from loadtests.replay.close_replay import close_replay
from loadtests.replay.olist_data import (
    COLUMNS,
    Data,
    OlistLine,
    Places,
    Sale,
    minor,
    ordered_at,
    read_data,
)
from loadtests.replay.rejects import RejectsFile
from loadtests.replay.report import NoProgress, Progress, ReplayReport, Tally

SEED = 2016
REPLAY = "olist"
BRAND = BrandDraft(f"replay-{REPLAY}", "Olist", "BRL", "America/Sao_Paulo", "marketplace")
CANCELLED = {"canceled", "unavailable"}
"""Statuses of orders that were given up; they are placed, and then cancelled."""
ORDERS_AT_ONCE = 200


async def replay_olist(
    runtime: Runtime,
    folder: Path,
    *,
    rejects: Path,
    seed: int = SEED,
    progress: Progress | None = None,
    brand_code: str | None = None,
) -> ReplayReport:
    """Push every order of the folder's files through the pipeline of a fresh brand.

    With the code of a brand it goes on with what an interrupted run has left there.

    Each item is counted in exactly one of placed and rejected; an order that was given up is
    placed and cancelled, its items stay placed. Nothing is drawn by chance; the seed is only
    reported.
    Raises NotTheData, TooManyRuns, DatabaseUnavailable.
    """
    with RejectsFile(rejects, COLUMNS) as rejected:
        tally = Tally(REPLAY, seed, rejected)
        with tally.timed("reading"):
            places = Places(runtime.regions)
            data = read_data(folder, places)
        for orphan in data.orphans:
            tally.reject(orphan, "order_missing")
        tally.report.lines_read = len(data.orphans) + sum(len(sale.items) for sale in data.sales)
        tally.report.invoices_read = len(data.sales)
        with tally.timed("setting_up"):
            sold = Counter(_stock_key(item) for sale in data.sales for item in sale.items)
            brand = await create_fresh_brand(
                runtime,
                BRAND,
                _nodes(data, sold, places),
                _skus(data, sold),
                code=brand_code,
            )
            tally.report.brand = brand.code
            units = {
                LevelKey(brand.warehouses[seller], brand.skus[product]): quantity
                for (seller, product), quantity in sold.items()
            }
            await receive_stock(runtime, brand.principal, units, "opening")
        cancelled = []
        for first in range(0, len(data.sales), ORDERS_AT_ONCE):
            part = data.sales[first : first + ORDERS_AT_ONCE]
            with tally.timed("placing"):
                outcomes = await runtime.intake.place_many(
                    [order_of(sale) for sale in part], brand.principal
                )
            for sale, outcome in zip(part, outcomes, strict=True):
                placed = tally.settle(outcome, sale.items, ())
                if placed and sale.row["order_status"] in CANCELLED:
                    cancelled.append(_cancellation(sale, placed))
            lines = sum(len(sale.items) for sale in part)
            (progress or NoProgress()).advance(lines, tally.report.lines_read)
        with tally.timed("cancelling"):
            tally.report.cancellations_read = len(cancelled)
            await cancel_many(runtime, brand.principal, cancelled, tally)
        tally.report.payments_differing = sum(
            data.paid_minor[sale.row["order_id"]] != _total_minor(sale) for sale in data.sales
        )
        return await close_replay(runtime, brand.principal, tally)


def order_of(sale: Sale) -> OrderDraft:
    """Return the paid order of a sale: a line for each item."""
    return OrderDraft(
        shop=SHOP,
        external_id=sale.row["order_id"],
        is_paid=True,
        ordered_at=ordered_at(sale),
        address=AddressDraft(
            detail=sale.city, name=sale.row["customer_id"], region_code=sale.region_code
        ),
        lines=tuple(
            LineDraft(item.row["product_id"], 1, minor(item.row["price"])) for item in sale.items
        ),
        freight_minor=sum(minor(item.row["freight_value"]) for item in sale.items),
    )


def _cancellation(sale: Sale, placed: Placed) -> Wanted:
    number = sale.row["order_id"]
    return Wanted(placed.order_id, f"cancel:{number}", sale.row["order_status"], None)


def _total_minor(sale: Sale) -> int:
    return sum(minor(item.row["price"]) + minor(item.row["freight_value"]) for item in sale.items)


def _stock_key(item: OlistLine) -> tuple[str, str]:
    return item.row["seller_id"], item.row["product_id"]


def _nodes(data: Data, sold: Counter[tuple[str, str]], places: Places) -> list[NodeDraft]:
    """Return the sellers with sales; one whose state is not known has no place to stand."""
    nodes = []
    for seller_id in sorted({seller for seller, _ in sold}):
        seller = data.sellers.get(seller_id)
        region = places.find(seller["seller_state"], seller["seller_city"]) if seller else None
        if region is None:
            raise NotTheData(f"The seller {seller_id} is in no state of Brazil.")
        nodes.append(
            NodeDraft(
                code=seller_id,
                name=f"{seller['seller_city']} {seller_id[:6]}" if seller else seller_id,
                kind=NodeKind.THIRD_PARTY,
                region_code=region.code,
            )
        )
    return nodes


def _skus(data: Data, sold: Counter[tuple[str, str]]) -> Sequence[SkuDraft]:
    """Return the products sold; one without weight or category has 0 g and none."""
    skus = []
    for product_id in sorted({product for _, product in sold}):
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


def _millimetres(centimetres: str | None) -> int:
    return int(float(centimetres or 0) * 10)
