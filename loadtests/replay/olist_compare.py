"""Olist's orders under each preset, and as their sellers sent them themselves."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from backend.catalog.model import SkuDraft
from backend.inventory.model import LevelKey
from backend.routing.goods_needs import charged_weight_g
from backend.routing.model import Place, PlanRequest, PlanRow, Preset
from backend.routing.network_view import NOWHERE, NetworkView
from backend.routing.read_network import read_topology, terms_in_force, view_of
from backend.runtime import Runtime
from loadtests.fresh_brand import FreshBrand
from loadtests.replay.compare_presets import (
    MINUTES_A_DAY,
    PresetFigures,
    Sent,
    figures_under,
)
from loadtests.replay.olist_data import OlistLine, Sale, minor, ordered_at
from loadtests.replay.olist_network import minutes_between
from loadtests.replay.olist_report import AsSold

NO_SHOP = 0
"""Without a layout of pools all shops take from the same stock."""


class Comparison(NamedTuple):
    """How orders are sent."""

    as_sold: AsSold
    presets: dict[str, PresetFigures]


async def read_view(runtime: Runtime, brand: FreshBrand) -> NetworkView:
    """Return the brand's network with its lanes, as orders are routed over it."""
    async with runtime.database.tenant_transaction(brand.principal, read_only=True) as tx:
        topology = await read_topology(tx)
        terms = await terms_in_force(tx, topology, datetime.now(UTC))
        view, _ = await view_of(tx, topology, terms, runtime.regions)
    return view


def compare(
    sales: Sequence[Sale],
    skus: Sequence[SkuDraft],
    brand: FreshBrand,
    view: NetworkView,
    stock: Mapping[LevelKey, int],
    presets: Iterable[Preset],
) -> Comparison:
    """Return what each preset makes of sales on an opening stock, and what their sellers did."""
    grams = {sku.code: charged_weight_g(sku) for sku in skus}
    requests = [_request(sale, brand.skus, grams) for sale in sales]
    local = ordered_at(sales[0]) if sales else datetime.now(UTC)
    return Comparison(
        _as_sold(sales, grams, view),
        {preset.value: figures_under(preset, view, stock, requests, local) for preset in presets},
    )


def _request(sale: Sale, sku_ids: Mapping[str, int], grams: Mapping[str, int]) -> PlanRequest:
    """Return a sale as the planner sees it: one row a product."""
    items: dict[str, list[OlistLine]] = {}
    for item in sale.items:
        items.setdefault(item.row["product_id"], []).append(item)
    rows = [
        PlanRow(
            sku_ids[product],
            len(sold),
            grams[product],
            sum(minor(item.row["price"]) for item in sold) // len(sold),
        )
        for product, sold in items.items()
    ]
    place = Place(NOWHERE if sale.region_code is None else sale.region_code)
    return PlanRequest(rows, place, NO_SHOP, None, take_what_is_there=True)


def _as_sold(sales: Sequence[Sale], grams: Mapping[str, int], view: NetworkView) -> AsSold:
    """Return how each seller sent its items, by the lanes and by what the files say."""
    sent, paid_minor = Sent(view), 0
    index = {node.code: number for number, node in enumerate(view.nodes)}
    taken: list[int] = []
    errors: list[int] = []
    for sale in sales:
        paid_minor += sum(minor(item.row["freight_value"]) for item in sale.items)
        if sale.region_code is None:
            sent.leave(len(sale.items))
            continue
        parcels = {
            index[seller]: sum(grams[item.row["product_id"]] for item in items)
            for seller, items in sale.by_seller().items()
        }
        expected = sent.add(sale.region_code, parcels)
        took = minutes_between(
            sale.row, "order_purchase_timestamp", "order_delivered_customer_date"
        )
        if took is not None:
            taken.append(took)
            errors.append(abs(took - expected))
    return AsSold(
        **msgspec.structs.asdict(sent.figures()),
        freight_paid_minor=paid_minor,
        delivered_orders=len(taken),
        delivered_mean_days=_days(taken),
        delivered_error_days=_days(errors),
    )


def _days(minutes: Sequence[int]) -> float:
    return round(sum(minutes) / max(1, len(minutes)) / MINUTES_A_DAY, 2)
