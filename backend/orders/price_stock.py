"""Pricing stock where it lies, from what is expected to be ordered; beside the orders."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np
import structlog

from backend.catalog.find_skus import skus_by_ids
from backend.db.pool import Database, TenantTransaction
from backend.inventory.ages import free_by_node
from backend.network.regions.table import RegionTable
from backend.orders.claim import SQL
from backend.routing.goods_needs import charged_weight_g
from backend.routing.kpis import fees_of
from backend.routing.network_view import NetworkView
from backend.routing.node_figures import criteria_of
from backend.routing.policies import active_policy, document_of
from backend.routing.prices import store_prices
from backend.routing.read_network import read_topology, terms_in_force, view_of
from backend.routing.rollouts import running_rollout
from backend.routing.shadow_prices import Costs, ShadowPricer
from tenants.brands import Brand, BrandDirectory
from tenants.principal import system_principal

log = structlog.get_logger(__name__)

SOLD_IN = timedelta(days=28)
HORIZON_DAYS = 7
"""For so long stock must last: until more comes."""
SKUS_MAX = 20_000
"""The best selling ones that are priced; planners hold a row of numbers for each."""
BREATH_SKUS = 50

Demand = dict[int, dict[int, int]]
"""Units by SKU and province, in SOLD_IN."""


class StockPricer:
    """Prices the stock of the brands whose policies compare by opportunity cost."""

    def __init__(self, database: Database, brands: BrandDirectory, regions: RegionTable) -> None:
        self._database = database
        self._brands = brands
        self._regions = regions

    async def price_all(self) -> None:
        """Price anew, brand by brand. Takes nothing; what was priced before counts until then."""
        for brand in await self._brands.all():
            await self.price(brand)

    async def price(self, brand: Brand) -> int:
        """Price a brand's stock, if it is asked for; returns how many prices there are."""
        principal = system_principal(brand.id, "pricing")
        async with self._database.tenant_transaction(principal, read_only=True) as tx:
            if not await _is_wanted(tx):
                return 0
            topology = await read_topology(tx)
            local = brand.local_time()
            terms = await terms_in_force(tx, topology, local)
            view, _ = await view_of(tx, topology, terms, self._regions)
            demand = await self._demand(tx, view, brand)
            warehouses = list({source.functional_warehouse_id for source in view.sources})
            stock = await free_by_node(tx, warehouses)
            weights = {
                sku_id: charged_weight_g(sku)
                for sku_id, sku in (await skus_by_ids(tx, list(demand))).items()
            }
        if not view.nodes:
            return 0
        prices = await _priced(view, demand, stock, weights)
        async with self._database.tenant_transaction(principal) as tx:
            await store_prices(tx, prices)
        log.info("routing.priced", tenant=brand.id, skus=len(demand), prices=len(prices))
        return len(prices)

    async def _demand(self, tx: TenantTransaction, view: NetworkView, brand: Brand) -> Demand:
        since = brand.local_time() - SOLD_IN
        units: defaultdict[int, dict[int, int]] = defaultdict(dict)
        for row in await tx.fetch(SQL.units_by_region, tx.tenant_id, since):
            province = view.delivery.province_of(row["region_code"])
            of_sku = units[row["sku_id"]]
            of_sku[province] = of_sku.get(province, 0) + row["units"]
        best = sorted(units, key=lambda sku_id: -sum(units[sku_id].values()))[:SKUS_MAX]
        return {sku_id: units[sku_id] for sku_id in best}


async def _is_wanted(tx: TenantTransaction) -> bool:
    """Whether a policy that routes, or is on trial, compares by opportunity cost."""
    documents = [(await active_policy(tx))[0]]
    running = await running_rollout(tx)
    if running is not None:
        documents.append(await document_of(tx, running.candidate))
    return "opportunity_cost" in criteria_of(*documents)


async def _priced(
    view: NetworkView,
    demand: Demand,
    stock: Mapping[int, Mapping[int, int]],
    weights: Mapping[int, int],
) -> list[tuple[int, int, int]]:
    """Return SKU, node and price of what is worth anything."""
    provinces = sorted({province for of_sku in demand.values() for province in of_sku})
    if not provinces:
        return []
    pricer = ShadowPricer(len(view.nodes), len(provinces))
    fees = np.array([fees_of(view, index) for index in range(len(view.nodes))])
    found: list[tuple[int, int, int]] = []
    for number, (sku_id, of_sku) in enumerate(demand.items(), 1):
        if number % BREATH_SKUS == 0:
            await asyncio.sleep(0)
        units = stock.get(sku_id, {})
        have = np.array([units.get(node.id, 0) for node in view.nodes], np.int64)
        wanted = np.array([of_sku.get(one, 0) for one in provinces], np.float64)
        cost = _costs(view, provinces, weights.get(sku_id, 0)) + fees[:, None]
        prices = pricer.prices(have, wanted * HORIZON_DAYS / SOLD_IN.days, cost, sku_id)
        found += [
            (sku_id, node.id, round(price))
            for node, price in zip(view.nodes, prices.tolist(), strict=True)
            if round(price) > 0
        ]
    return found


def _costs(view: NetworkView, provinces: Sequence[int], weight_g: int) -> Costs:
    """Return what a unit costs as a parcel of its own, by node and province."""
    columns = [
        [tariff.charge_minor(weight_g) for tariff in view.tariffs(province)]
        for province in provinces
    ]
    return np.array(columns, np.float64).T
