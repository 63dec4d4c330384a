"""The replay of Olist: marketplace orders of Brazil, routed by real distances and freight.

Its nodes are the sellers, and warehouses beside them (`olist_network`); carriers charge and take
what the files' own shipments did (`olist_tariff`). An order's lines are its items, its freight the
sum of theirs. What its payments add up to is compared and counted, not enforced: vouchers and
instalment fees make it differ, and the goods were paid all the same.

Orders are placed under one preset of routing, as a policy in force. What the presets make of the
same orders on the same opening stock is planned beside it (`compare_presets`).
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from backend.catalog.model import SkuDraft
from backend.db.pool import TenantTransaction
from backend.inventory.model import LevelKey
from backend.network.lanes import LANES_A_COMMAND_MAX, set_lanes
from backend.network.model import LaneDraft
from backend.network.regions.table import RegionTable
from backend.orders.model import AddressDraft, LineDraft, OrderDraft, Placed
from backend.routing.model import Preset
from backend.routing.policies import activate_policy, active_policy, propose_policy
from backend.routing.presets import PRESETS
from backend.runtime import Runtime
from loadtests.errors import OtherPreset
from loadtests.fresh_brand import SHOP, BrandDraft, FreshBrand, create_fresh_brand
from loadtests.receive_stock import receive_stock
from loadtests.replay.cancel import Wanted, cancel_many
from loadtests.replay.close_replay import close_replay
from loadtests.replay.compare_presets import policy_of
from loadtests.replay.olist_compare import compare, read_view
from loadtests.replay.olist_data import COLUMNS, Data, Places, Sale, minor, ordered_at, read_data
from loadtests.replay.olist_network import Network, network_of, skus_of
from loadtests.replay.olist_report import OlistReport
from loadtests.replay.rejects import RejectsFile
from loadtests.replay.report import NoProgress, Progress, Tally

SEED = 2016
REPLAY = "olist"
BRAND = BrandDraft(f"replay-{REPLAY}", "Olist", "BRL", "America/Sao_Paulo", "marketplace")
CANCELLED = {"canceled", "unavailable"}
"""Statuses of orders that were given up; they are placed, and then cancelled."""
ORDERS_AT_ONCE = 200


class Ground(NamedTuple):
    """Where orders are placed."""

    brand: FreshBrand
    stock: dict[LevelKey, int]
    """The opening stock."""


async def replay_olist(
    runtime: Runtime,
    folder: Path,
    *,
    rejects: Path,
    seed: int = SEED,
    progress: Progress | None = None,
    brand_code: str | None = None,
    preset: Preset = Preset.FEWEST_SPLITS,
) -> OlistReport:
    """Push every order of the folder's files through the pipeline of a fresh brand.

    With the code of a brand it goes on with what an interrupted run has left there, under the same
    preset and seed.

    Each item is counted in exactly one of placed and rejected; an order that was given up is
    placed and cancelled, its items stay placed. What warehouses hold is drawn by the seed.
    Raises NotTheData, TooManyRuns, OtherPreset, DatabaseUnavailable.
    """
    with RejectsFile(rejects, COLUMNS) as rejected:
        tally = Tally(REPLAY, seed, rejected)
        with tally.timed("reading"):
            places = Places(runtime.regions)
            data = read_data(folder, places)
            skus = skus_of(data)
            network = network_of(data, skus, places, runtime.regions, seed)
        for orphan in data.orphans:
            tally.reject(orphan, "order_missing")
        tally.report.lines_read = len(data.orphans) + sum(len(sale.items) for sale in data.sales)
        tally.report.invoices_read = len(data.sales)
        with tally.timed("setting_up"):
            ground = await _set_up(runtime, network, skus, preset, brand_code)
            tally.report.brand = ground.brand.code
        await _place(runtime, ground.brand, data, tally, progress or NoProgress())
        with tally.timed("comparing"):
            view = await read_view(runtime, ground.brand)
            tried = dict.fromkeys((*PRESETS, preset))
            compared = await asyncio.to_thread(  # seconds, in which the loop has others to serve
                compare, data.sales, skus, ground.brand, view, ground.stock, tried
            )
        report = await close_replay(runtime, ground.brand.principal, tally)
        return OlistReport(
            **msgspec.structs.asdict(report),
            preset=preset.value,
            tariff=network.tariff,
            as_sold=compared.as_sold,
            presets=compared.presets,
        )


async def _set_up(
    runtime: Runtime,
    network: Network,
    skus: Sequence[SkuDraft],
    preset: Preset,
    brand_code: str | None,
) -> Ground:
    """Create the brand with its network, lanes, policy and opening stock, as far as not there."""
    brand = await create_fresh_brand(runtime, BRAND, network.nodes, skus, code=brand_code)
    async with runtime.database.tenant_transaction(brand.principal) as tx:
        await _set_all_lanes(tx, network.lanes, runtime.regions)
        await _put_in_force(tx, preset, runtime.regions)
    stock = {
        LevelKey(brand.warehouses[node], brand.skus[product]): quantity
        for (node, product), quantity in network.units.items()
    }
    await receive_stock(runtime, brand.principal, stock, "opening")
    return Ground(brand, stock)


async def _set_all_lanes(
    tx: TenantTransaction, lanes: Sequence[LaneDraft], regions: RegionTable
) -> None:
    for first in range(0, len(lanes), LANES_A_COMMAND_MAX):
        part = lanes[first : first + LANES_A_COMMAND_MAX]
        await set_lanes(tx, part, key=f"lanes:{first}", regions=regions)


async def _put_in_force(tx: TenantTransaction, preset: Preset, regions: RegionTable) -> None:
    """Let all orders be routed by a preset; raises OtherPreset where they are by another one."""
    document = policy_of(preset)
    in_force, version = await active_policy(tx)
    if version:
        if in_force != document:
            raise OtherPreset
        return
    draft = await propose_policy(
        tx,
        document,
        based_on=0,
        comment=f"Replay under {preset.value}",
        key="policy-propose",
        regions=regions,
    )
    await activate_policy(tx, draft.version, key="policy-activate", regions=regions)


async def _place(
    runtime: Runtime, brand: FreshBrand, data: Data, tally: Tally, progress: Progress
) -> None:
    """Place all sales, cancel those that were given up, and count what became of them."""
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
        progress.advance(sum(len(sale.items) for sale in part), tally.report.lines_read)
    with tally.timed("cancelling"):
        tally.report.cancellations_read = len(cancelled)
        await cancel_many(runtime, brand.principal, cancelled, tally)
    tally.report.payments_differing = sum(
        data.paid_minor[sale.row["order_id"]] != _total_minor(sale) for sale in data.sales
    )


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
